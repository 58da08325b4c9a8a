// The Arrow C Data Interface: exports a Batch to any Arrow library of the process without a copy.
#pragma once

#include <cstdint>

#include "core/batch/batch.h"

// As the specification declares them (arrow.apache.org, C data interface and C stream interface).
// NOLINTBEGIN(readability-identifier-naming)
extern "C" {
struct ArrowSchema {
    const char* format;
    const char* name;
    const char* metadata;
    std::int64_t flags;
    std::int64_t n_children;
    ArrowSchema** children;
    ArrowSchema* dictionary;
    void (*release)(ArrowSchema*);
    void* private_data;
};

struct ArrowArray {
    std::int64_t length;
    std::int64_t null_count;
    std::int64_t offset;
    std::int64_t n_buffers;
    std::int64_t n_children;
    const void** buffers;
    ArrowArray** children;
    ArrowArray* dictionary;
    void (*release)(ArrowArray*);
    void* private_data;
};

struct ArrowArrayStream {
    int (*get_schema)(ArrowArrayStream*, ArrowSchema* out);
    int (*get_next)(ArrowArrayStream*, ArrowArray* out);
    const char* (*get_last_error)(ArrowArrayStream*);
    void (*release)(ArrowArrayStream*);
    void* private_data;
};
}
// NOLINTEND(readability-identifier-naming)

namespace epe {

struct ArrowTable;  // arrow_import.h

/// Makes `stream` return the batch, once.
///
/// Lifetimes: the stream owns the batch until get_next hands it out; from then on every array,
/// children included, owns its own buffers and lives until its own release, as the interface
/// lets consumers move children out of their parent. Schemas own copies of names and formats and
/// depend on nothing. Nothing borrows from the Schema of the batch after this call returns.
/// All conversions happen here, so the callbacks only move pointers and allocate a little;
/// when memory is exhausted they return ENOMEM.
///
/// Types: bool packed to bits; integers and floats as they are; decimal, json, uuid and time with
/// time zone as large text; text as large text or int32 dictionary over it; binary as large
/// binary; date32; time64, timestamps and duration in microseconds; list as large list, nested
/// when its values have more than one dimension; struct. NULL columns are of type null.
///
/// Throws Error 22008 for a value that has no counterpart there (infinite dates, months), 0A000
/// for a list column whose values differ in their number of dimensions.
void export_stream(Batch&& batch, ArrowArrayStream& stream);

/// Makes `stream` return the table, once. Lifetimes are those of export_stream().
void export_table(ArrowTable&& table, ArrowArrayStream& stream);

}  // namespace epe

// Detects group boundaries in rows that are sorted by their keys.
#pragma once

extern "C" {
#include "postgres.h"

#include "access/tupdesc.h"
#include "fmgr.h"
}

#include <vector>

#include "core/batch/batch_builder.h"

namespace epe::pg {

/// Compares each row's keys with the previous row's, by the types' own equality: NULL equals NULL,
/// '' is not NULL. Created by a facade; start_group_if_new() is a leaf.
class GroupKeys {
   public:
    GroupKeys() = default;
    /// `columns` are 0-based attribute numbers. The keys of the current group are kept in a child
    /// of the current memory context. Throws PgError when a type has no equality.
    GroupKeys(TupleDesc descriptor, const std::vector<int>& columns);

    bool empty() const noexcept { return keys_.empty(); }
    /// Starts a group in the builder when the row begins one. False when memory is exhausted.
    bool start_group_if_new(const Datum* values, const bool* nulls, BatchBuilder& builder) noexcept;

   private:
    struct Key {
        int column = 0;
        std::int16_t length = 0;
        bool by_value = false;
        Oid collation = InvalidOid;
        FmgrInfo equal{};
        FmgrInfo output{};
        Datum value = 0;
        bool is_null = true;
    };

    bool is_same_group(const Datum* values, const bool* nulls) noexcept;

    std::vector<Key> keys_{};
    MemoryContext context_ = nullptr;  ///< holds the values of the current group
    bool has_group_ = false;
};

}  // namespace epe::pg

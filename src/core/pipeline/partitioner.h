// Partitioners: split the input of one request into calls: whole, by row count, by group, by index.
#pragma once

#include <memory>

#include "core/pipeline/ports.h"

namespace epe {

/// Produces the work of one request, piece by piece, in call order.
class Cut {
   public:
    virtual ~Cut() = default;
    /// False at the end of the input.
    virtual bool next(Work& work) = 0;
};

/// One call without data (kEval), or `times` calls with an index (kIndex).
std::unique_ptr<Cut> cut_by_index(EvalFunction function, std::int64_t times);
/// One call over everything; an empty input is one call over an empty batch.
std::unique_ptr<Cut> cut_whole(InputSource& source, BuildOptions options);
/// Calls over streams of batches, each of about kStreamBytes: one call over everything (kTable; an
/// empty input is one empty batch), or one call per group (kGroup).
std::unique_ptr<Cut> cut_stream(InputSource& source, BuildOptions options, EvalFunction function);
/// Calls of exactly `rows` rows, except for the last. No calls for an empty input.
std::unique_ptr<Cut> cut_by_rows(InputSource& source, BuildOptions options, std::int64_t rows);
/// One call per group of a grouped source. No calls for an empty input.
std::unique_ptr<Cut> cut_by_group(InputSource& source, BuildOptions options);

/// Target batch size in bytes: large enough to amortize a fetch, small enough to stay in cache.
inline constexpr std::size_t kStreamBytes = std::size_t{4} << 20;
/// Maximum rows per fetch from the cursor, however narrow they are.
inline constexpr std::int64_t kStepRows = 10000;

}  // namespace epe

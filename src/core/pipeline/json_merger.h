// Joins the JSON results of several calls into one text for OUT_FMT 'JSON'.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_set>

#include "core/pipeline/ports.h"

namespace epe {

/// VALUE of the one row (compatibility.md, SQL-35): pyq_eval and pyq_table_eval return the value of
/// the one call; row evals one array, with the records of frames flattened into it; index evals an
/// array of the results; group evals an object keyed by group name, in group order. Duplicate names
/// (several grouping columns, joined by "_") are an error, because JSON readers keep only one of
/// them. Takes batches of the JSON shape, one row per call.
class JsonResult {
   public:
    /// PostgreSQL's MaxAllocSize without the header of a text.
    static constexpr std::size_t kMostBytes = 0x3fffffff - 4;

    JsonResult(EvalFunction function, const OutputShape& shape,
               std::size_t most_bytes = kMostBytes);
    /// Throws Error 54000 when the text grows beyond the limit, 22023 for a second group of one
    /// name.
    void add(CallResult result);
    /// NAME NULL, VALUE the joined text, which is moved out of this object: one row, or consecutive
    /// rows of at most piece_bytes, each of them valid UTF-8.
    CallResult release_rows();

   private:
    void append(std::string_view text);
    void append_key(const CallResult& result);

    EvalFunction function_;
    const OutputShape* shape_;
    std::size_t most_bytes_;
    Buffer text_{};  // becomes the values of the column as it is, without a copy
    std::unordered_set<std::string> keys_{};  // group names
    bool has_value_ = false;
};

}  // namespace epe

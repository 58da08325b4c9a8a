// Builds the first argument of a script's function from batches.
#pragma once

#include <cstdint>
#include <string>

#include "core/pipeline/ports.h"
#include "py/base/ref_internal.h"
#include "py/input/array_columns_internal.h"

namespace epe::py {

/// Serves the calls of one request. Throws ScriptError.
class InputBuilder {
   public:
    explicit InputBuilder(const Controls& controls)
        : type_(controls.input_type), is_nullable_(controls.nullable) {}

    /// Takes the batch whose rows the following `parts` calls of part() return.
    void load(Batch batch, std::size_t parts);
    /// Rows first .. first + count - 1 of the batch as a new object.
    Ref part(std::int64_t first, std::int64_t count);
    /// Releases the batch.
    void unload() noexcept { loaded_ = Ref(); }

   private:
    void prepare(const Schema& schema);
    Ref columns(Batch batch, bool is_arrow);

    InputType type_;
    bool is_nullable_;
    const Schema* schema_ = nullptr;  // the schema of the cached functions below
    ArrayOptions options_{};
    bool is_arrow_ = false;
    Ref whole_function_{};
    Ref split_function_{};
    Ref part_function_{};
    Ref loaded_{};
    std::int64_t rows_ = 0;
    bool is_matrix_ = false;
    bool is_whole_ = false;  // loaded_ is the argument of the one call
};

}  // namespace epe::py

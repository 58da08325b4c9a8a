// Values of columns as Python objects, one at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "core/batch/batch.h"
#include "py/base/ref_internal.h"

namespace epe::py {

/// Converts any value of a column, which must not move, to a Python object: None for NULL; bool,
/// int, float, str, bytes; decimal.Decimal; the result of json.loads; uuid.UUID; datetime.date,
/// time, datetime (naive UTC for kTimestampTz unless `is_aware`), timedelta; numpy arrays for lists
/// (nested lists of Python objects when they contain NULLs); dicts for structs; PostgreSQL's text
/// for unusual values.
class ObjectValues {
   public:
    struct Options {
        bool is_aware = false;  ///< kTimestampTz values carry timezone.utc
    };
    ObjectValues(const Column& column, Options options);

    Ref at(std::int64_t row);
    /// All of them as an object array.
    Ref array();

   private:
    Ref plain_value(std::int64_t row);
    Ref bytes_value(std::int64_t row);
    Ref time_with_zone(std::int64_t row);
    Ref list_value(std::int64_t row);
    Ref struct_value(std::int64_t row);
    const Ref& distinct_text(std::int32_t code);

    const Column& column_;
    Options options_;
    std::vector<Ref> texts_{};  // of a dictionary column, created when needed
    std::vector<ObjectValues> children_{};
    Ref elements_{};  // kList: the child as one array
    Ref zone_{};      // kTimeTz: the last zone
    std::int32_t zone_seconds_ = 0;
    std::vector<Ref> names_{};  // kStruct
};

}  // namespace epe::py

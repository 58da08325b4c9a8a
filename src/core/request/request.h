// A Request: the arguments of one call of an eval function, parsed and validated once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/request/identifiers.h"

namespace epe {

enum class EvalFunction : std::uint8_t { kEval, kTable, kRow, kGroup, kIndex };

/// Type of the function's first argument (oml_input_type; compatibility.md, SQL-47).
enum class InputType : std::uint8_t {
    kDefault,   ///< float64 ndarray when every column is numeric, else a pandas frame
    kPandas,    ///< pandas.DataFrame
    kRecarray,  ///< numpy.recarray
    kNdarray,   ///< two-dimensional numpy.ndarray; of objects when not every column is numeric
    kDict,      ///< dict: column name -> one-dimensional ndarray
    kArrow,     ///< pyarrow.Table
    kPolars,    ///< polars.DataFrame
};

/// Maximum number of engines of a parallel call (oml_service_level; compatibility.md, SQL-51).
enum class ServiceLevel : std::uint8_t { kLow, kMedium, kHigh };

/// The control arguments in PAR_LST: its `oml_*` keys, and `timeout` of a job.
struct Controls {
    InputType input_type = InputType::kDefault;
    bool is_iterator = false;  ///< "iterator" or "iterator[TYPE]": frames one at a time
    bool omit_incomplete = false;
    bool capture_graphics = false;
    bool always_gives_row = false;  ///< oml_graphics_flag: "always": 'PNG' without a figure as well
    bool use_decimal = false;       ///< oml_numeric: numeric arrives as decimal.Decimal
    bool use_month_day_nano = false;  ///< oml_interval: Arrow's month_day_nano_interval
    bool keep_nan = false;            ///< oml_nan: "keep"
    bool nullable = false;            ///< oml_nullable: pandas' nullable types
    bool connect = false;             ///< accepted; scripts are always connected
    bool is_parallel = false;         ///< oml_parallel_flag, or oml_parallel: true
    ServiceLevel service_level = ServiceLevel::kLow;
    std::int64_t engines = 0;  ///< oml_parallel as a number; 0: not given
    bool is_async = false;     ///< oml_async_flag: submit a job
    std::int64_t retries = 0;  ///< oml_retries, of a job
    /// timeout of a job, in seconds; an ordinary key otherwise
    std::optional<std::int64_t> timeout{};
    std::vector<std::string> unknown{};  ///< unknown oml_* keys: unknown_control_warnings()
};

/// The requested result format (OUT_FMT).
struct OutputFormat {
    enum class Form : std::uint8_t { kRelational, kJson, kXml, kPng, kPickle, kStored };
    Form form = Form::kRelational;
    /// Relational: a column map, name -> SQL type as written ...
    std::vector<std::pair<std::string, std::string>> column_map{};
    /// ... or the name of a table, view or composite type as prototype. Both empty: only the AS
    /// list.
    std::vector<NamePart> prototype{};
};

/// INP_NAM: a query, or the name of a table or view.
struct Input {
    std::string query{};               ///< empty: `relation` is given
    std::vector<NamePart> relation{};  ///< database, schema and name, of which the last is required
};

struct Request {
    EvalFunction function = EvalFunction::kEval;
    std::optional<Input> input{};  ///< none for kEval and kIndex
    Controls controls{};
    /// The arguments of the script's function: PAR_LST without the control arguments.
    std::string arguments_json = "{}";
    std::int64_t row_count = 0;                ///< ROW_NUM
    std::vector<NamePart> group_columns{};     ///< GRP_COL
    std::vector<OrderColumn> order_columns{};  ///< ORD_COL
    std::int64_t times = 0;                    ///< TIMES_NUM
    std::string script_name{};
    std::optional<std::string> script_owner{};
    std::optional<std::string> source{};  ///< of a script that is not stored
    std::string pickled{};                ///< arguments in addition to PAR_LST; empty: none
    std::string environment{};            ///< ENV_NAME; empty: the server's Python
};

/// The SQL arguments of an eval function, NULL as nullopt.
struct RawArguments {
    std::optional<std::string> input_name{};
    std::optional<std::string> parameters{};
    std::optional<std::int64_t> row_count{};
    std::optional<std::string> group_columns{};
    std::optional<std::string> order_columns{};
    std::optional<std::int64_t> times{};
    std::optional<std::string> script_name{};
    std::optional<std::string> script_owner{};
    std::optional<std::string> environment{};
};

/// Parses and validates everything that does not depend on the database. Throws Error 22023 for a
/// bad argument.
Request make_request(EvalFunction function, const RawArguments& raw);

/// INP_NAM alone. Throws Error 22023 for a bad name.
Input parse_input(const std::string& text);

/// The text of a warning for each unknown control argument.
std::vector<std::string> unknown_control_warnings(const Controls& controls);

/// Reads OUT_FMT. nullopt means a relational format without columns. Throws Error 22023.
OutputFormat parse_output_format(const std::optional<std::string>& text);

}  // namespace epe

// Calls of SQL functions whose rows are pulled: by a plan node, or by the function itself.
#include "entry/planned_calls.h"

#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "entry/apply_function.h"
#include "entry/engine_choice.h"
#include "entry/eval_functions.h"
#include "entry/job_functions.h"
#include "entry/run_request.h"
#include "entry/running_call.h"
#include "pg/boundary/boundary.h"
#include "pg/boundary/function_call.h"
#include "pg/input/query_source.h"
#include "pg/output/result_target.h"
#include "pg/output/tuplestore_sink.h"
#include "pg/plan/call_estimate.h"
#include "pg/plan/eval_path.h"

namespace epe {

void install_planned_functions() {
    static std::vector<pg::PlannedFunction> functions;
    for (const auto part :
         {planned_eval_functions(), planned_apply_functions(), planned_job_functions()})
        functions.insert(functions.end(), part.begin(), part.end());
    pg::install_plan_nodes(functions.data(), functions.size());
}

void return_rows(pg::StartedCall started) {
    if (started.rows == nullptr) return;
    pg::TuplestoreSink sink(*started.target);
    deliver(*started.rows, sink);
    sink.close();
}

namespace {

const char* name_of(EvalFunction function) {
    switch (function) {
        case EvalFunction::kEval:
            return "eval";
        case EvalFunction::kTable:
            return "table_eval";
        case EvalFunction::kRow:
            return "row_eval";
        case EvalFunction::kGroup:
            return "group_eval";
        default:
            return "index_eval";
    }
}

std::string names_of(const std::vector<NamePart>& parts, const char* separator) {
    std::string text;
    for (const NamePart& part : parts)
        text += (text.empty() ? "" : separator) +
                (part.was_quoted ? quote_identifier(part.text) : part.text);
    return text;
}

std::string order_of(const std::vector<OrderColumn>& columns) {
    std::string text;
    for (const OrderColumn& column : columns) {
        text += (text.empty() ? "" : ", ") + names_of({column.name}, "");
        if (column.is_descending) text += " DESC";
        if (column.nulls == OrderColumn::Nulls::kFirst) text += " NULLS FIRST";
        if (column.nulls == OrderColumn::Nulls::kLast) text += " NULLS LAST";
    }
    return text;
}

std::string shape_of(const OutputShape& shape) {
    if (shape.form != OutputFormat::Form::kRelational) return pg::form_name(shape.form);
    std::string text;
    for (const Field& column : shape.columns)
        text += (text.empty() ? "" : ", ") +
                (column.name.empty() ? "" : quote_identifier(column.name) + " ") + column.sql_type;
    return text;
}

/// Collects the properties of one call.
class Description {
   public:
    void add(const char* label, std::string value) {
        if (!value.empty()) properties_.push_back({label, std::move(value)});
    }
    void add(const char* label, std::int64_t value) { properties_.push_back({label, value}); }
    pg::CallProperties release() { return std::move(properties_); }

   private:
    pg::CallProperties properties_{};
};

/// Whether the call is trusted. A script that is not found, or that the user may not run, is an
/// error only when the call runs.
bool describe_script(Description& description, const Request& request) {
    try {
        const FoundScript script(request);
        const bool is_trusted = is_all_trusted(request, *script);
        description.add("Script", (*script).owner + "." + (*script).name);
        description.add("Trusted", is_trusted ? "yes" : "no");
        return is_trusted;
    } catch (const pg::PgError&) {
        throw;
    } catch (const Error&) {
        description.add("Script", request.script_name + " (not found)");
        return false;
    }
}

}  // namespace

pg::CallProperties describe_request(const Request& request, const OutputShape& shape) {
    Description description;
    description.add("Function", name_of(request.function));
    const bool is_trusted = describe_script(description, request);
    const EnginePlan engine = plan_engine(request, {.is_trusted = is_trusted});
    description.add("Engine", engine.is_backend ? "backend" : "process");
    if (!engine.is_backend) description.add("Engines Planned", engine.most_engines);
    description.add("Environment", request.environment);
    if (request.input)
        description.add("Input", request.input->query.empty()
                                     ? names_of(request.input->relation, ".")
                                     : request.input->query);
    if (request.function == EvalFunction::kRow) description.add("Chunk Rows", request.row_count);
    if (request.function == EvalFunction::kIndex) description.add("Times", request.times);
    description.add("Group Key", names_of(request.group_columns, ", "));
    description.add("Order Within Groups", order_of(request.order_columns));
    if (request.controls.is_iterator) description.add("Input Type", "iterator");
    description.add("Output Shape", shape_of(shape));
    return description.release();
}

double estimate_rows(const Request& request, bool is_joined) {
    if (request.controls.is_async || is_joined) return 1;
    switch (request.function) {
        case EvalFunction::kRow:
        case EvalFunction::kGroup:
            return pg::estimated_input(request);
        case EvalFunction::kIndex:
            return static_cast<double>(request.times);
        default:
            return -1;
    }
}

}  // namespace epe

// (internal)
EPE_FUNCTION(epe_eval_support) { call.return_pointer(epe::pg::answer_support_request(call)); }

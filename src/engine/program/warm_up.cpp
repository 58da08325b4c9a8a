// A warm-up call, made once in the zygote instead of in each engine.
#include "engine/program/warm_up.h"

#include <cstdio>
#include <exception>

#include "core/pipeline/ports.h"
#include "engine/link/backend_link.h"
#include "py/engine/forked_interpreter.h"
#include "py/engine/script_engine.h"

namespace epe::engine {

namespace {

class SilentHost final : public Host {
   public:
    void notice(std::string_view) override {}
    void warning(std::string_view) override {}
    HostResult execute(const std::string&, const std::vector<HostParameter>&) override {
        throw Error(sqlstate::kUnsupported, "there is no database");
    }
    void check_interrupts() override {}
};

Field field(const char* name, Kind kind) {
    Field made;
    made.name = name;
    made.type = kind;
    return made;
}

Batch few_rows(const Schema& schema) {
    BatchBuilder builder(schema, BuildOptions{});
    for (int row = 0; row < 3; ++row) {
        const bool is_built =
            builder.column(0).append(double{1.5}) && builder.column(1).append(std::int64_t{7}) &&
            builder.column(2).append_bytes("a", 1) && builder.column(3).append(std::int64_t{0});
        if (!is_built) throw std::bad_alloc();
        builder.end_row();
    }
    return builder.finish();
}

void run_once() {
    const Schema schema{field("number", Kind::kFloat64), field("count", Kind::kInt64),
                        field("name", Kind::kText), field("time", Kind::kTimestamp)};
    Script script;
    script.owner = "oml_epe";
    script.name = "warm_up";
    script.source = "def warm_up(rows): return rows.groupby('name').sum(numeric_only=True)"
                    ".reset_index()\n";
    OutputShape shape;
    shape.columns = {schema[2], schema[0], schema[1]};
    CallPlan plan;
    plan.script = &script;
    plan.function = EvalFunction::kTable;
    plan.arguments_json = "{}";
    plan.shape = &shape;
    plan.input = &schema;
    SilentHost host;
    const auto engine = py::make_script_engine(host, cancel_flags(), py::EnginePlace::kProcess);
    engine->begin(plan);
    Work work;
    work.function = EvalFunction::kTable;
    work.batch = few_rows(schema);
    Call call;
    call.row_count = work.batch.length;
    work.calls.push_back(call);
    CallResult result;
    (void)engine->next(result);
    engine->add_calls(std::move(work));
    while (engine->next(result) == EngineStep::kResult) {
    }
}

}  // namespace

void warm_up() noexcept {
    try {
        if (py::has_module("pandas")) run_once();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "oml_epe: zygote: the first call failed: %s\n", error.what());
    }
}

}  // namespace epe::engine

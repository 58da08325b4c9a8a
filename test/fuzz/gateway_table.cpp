// Fuzz target: the conversion of results for clients: JSON to CSV and Arrow, values in PostgreSQL's
// text form, and header Accept, which selects the format.
#include <string>
#include <string_view>

#include "accept.h"
#include "gateway_attempt.h"
#include "json_text.h"
#include "table_result.h"
#include "table_writer.h"
#include "target.h"
#include "value_text.h"

namespace {

using namespace epe::gateway;
using epe::fuzz::attempt;
using epe::fuzz::require;

/// One row with one value of each kind that has a reader of its own.
class OneValue final : public TableRows {
   public:
    explicit OneValue(std::string_view value) : value_(value) {}
    int rows() const override { return 1; }
    bool is_null(int, int) const override { return false; }
    std::string_view value(int, int) const override { return value_; }

   private:
    std::string_view value_;
};

void check_table(const std::string& text) {
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded()) return;
    for (const RunKind kind : {RunKind::kEval, RunKind::kGroup}) {
        const TableResult table(json, kind);
        for (const MediaType type : {MediaType::kCsv, MediaType::kArrow}) {
            const auto writer = make_table_writer(type, table.columns());
            (void)(writer->begin() + writer->write(table) + writer->end());
        }
    }
}

void check_value(const std::string& text) {
    for (int kind = 0; kind <= static_cast<int>(ColumnKind::kUtf8); ++kind) {
        for (const MediaType type : {MediaType::kCsv, MediaType::kArrow}) {
            attempt([&] {
                const TableColumn column{"c", static_cast<ColumnKind>(kind), 10, 2};
                const auto writer = make_table_writer(type, {column});
                (void)(writer->begin() + writer->write(OneValue(text)) + writer->end());
            });
        }
    }
    if (const auto days = days_of(text)) require(*days > -2000000000, "days");
    (void)microseconds_of(text);
    (void)decimal_of(text, 2);
    if (const auto bytes = bytes_of(text)) require(2 * bytes->size() + 2 == text.size(), "bytes");
}

void run(std::string_view input) {
    const std::string text(input);
    attempt([&] { (void)choose_media_type(text); });
    check_table(text);
    check_value(text);
}

}  // namespace

EPE_FUZZ_TARGET(gateway_table, run, kBytes)

// Tests of JSON results as tables.
#include <gtest/gtest.h>

#include "table_result.h"
#include "table_support.h"

namespace epe::gateway {
namespace {

using Cells = std::vector<std::vector<Parameter>>;

struct Table {
    std::vector<std::string> names{};
    std::vector<ColumnKind> kinds{};
    Cells cells{};
};

Table table_of(const char* json, RunKind kind = RunKind::kEval) {
    const TableResult result(Json::parse(json), kind);
    Table table;
    for (const TableColumn& column : result.columns()) {
        table.names.push_back(column.name);
        table.kinds.push_back(column.kind);
    }
    table.cells = cells_of(result, static_cast<int>(table.names.size()));
    return table;
}

TEST(TableResult, MakesRecordsRows) {
    const Table table = table_of(R"([{"b":1,"a":"x"},{"a":null,"c":true},{"b":2.5,"c":false}])");
    EXPECT_EQ(table.names, (std::vector<std::string>{"b", "a", "c"}));
    EXPECT_EQ(table.kinds,
              (std::vector{ColumnKind::kFloat64, ColumnKind::kUtf8, ColumnKind::kBool}));
    EXPECT_EQ(table.cells, (Cells{{"1", "x", {}}, {{}, {}, "t"}, {"2.5", {}, "f"}}));
}

TEST(TableResult, MakesItemsRows) {
    const Table table = table_of(R"([1,null,3])", RunKind::kIndex);
    EXPECT_EQ(table.names, std::vector<std::string>{"value"});
    EXPECT_EQ(table.kinds, std::vector{ColumnKind::kInt64});
    EXPECT_EQ(table.cells, (Cells{{"1"}, {{}}, {"3"}}));
    EXPECT_EQ(table_of(R"([[1,2],{"a":3},true])").cells,
              (Cells{{"[1,2]"}, {"{\"a\":3}"}, {"true"}}));
}

TEST(TableResult, MakesScalarsOneRow) {
    EXPECT_EQ(table_of("7").cells, Cells{{"7"}});
    EXPECT_EQ(table_of(R"({"a":1,"b":[2]})").cells, (Cells{{"1", "[2]"}}));
    EXPECT_EQ(table_of("null").cells, Cells{});
    EXPECT_EQ(table_of("[]").names, std::vector<std::string>{"value"});
}

TEST(TableResult, NamesGroups) {
    const Table table = table_of(R"({"x":[{"n":1},{"n":2}],"y":3})", RunKind::kGroup);
    EXPECT_EQ(table.names, (std::vector<std::string>{"group", "n", "value"}));
    EXPECT_EQ(table.cells, (Cells{{"x", "1", {}}, {"x", "2", {}}, {"y", {}, "3"}}));
    EXPECT_EQ(table_of("{}", RunKind::kGroup).names, std::vector<std::string>{"group"});
}

TEST(TableResult, KeepsNumbersWhole) {
    const Table table = table_of("[18446744073709551615]");
    EXPECT_EQ(table.kinds, std::vector{ColumnKind::kUtf8});
    EXPECT_EQ(table.cells, Cells{{"18446744073709551615"}});
}

}  // namespace
}  // namespace epe::gateway

// Tests of core/request/identifiers: splitting names and lists, matching columns, detecting
// queries.
#include <gtest/gtest.h>

#include "core/request/identifiers.h"
#include "support/error_support.h"

namespace epe {
namespace {

using test::error_of;

/// Names as text, quoted ones in brackets.
std::vector<std::string> shown(const std::vector<NamePart>& parts) {
    std::vector<std::string> texts;
    for (const NamePart& part : parts)
        texts.push_back(part.was_quoted ? "[" + part.text + "]" : part.text);
    return texts;
}

std::vector<std::string> qualified(const char* text) {
    return shown(split_qualified_name(text, "inp_nam"));
}

std::vector<std::string> listed(const char* text) {
    return shown(split_column_list(text, "grp_col"));
}

Schema schema_of(std::initializer_list<const char*> names) {
    Schema schema;
    for (const char* name : names) schema.push_back({name, {Kind::kInt32}});
    return schema;
}

using Texts = std::vector<std::string>;

TEST(Identifiers, SplitQualifiedNames) {
    EXPECT_EQ(qualified("iris"), (Texts{"iris"}));
    EXPECT_EQ(qualified(" Public . Iris "), (Texts{"Public", "Iris"}));
    EXPECT_EQ(qualified("db.public.iris"), (Texts{"db", "public", "iris"}));
    EXPECT_EQ(qualified(R"("a.b"."c""d")"), (Texts{"[a.b]", "[c\"d]"}));
    EXPECT_EQ(qualified(R"(" a ".b)"), (Texts{"[ a ]", "b"}));
    EXPECT_EQ(qualified(R"("""")"), (Texts{"[\"]"}));
    EXPECT_EQ(qualified("my-table 2024"), (Texts{"my-table 2024"}));
    EXPECT_EQ(qualified("a,b"), (Texts{"a,b"}));
}

TEST(Identifiers, RefuseBrokenNames) {
    for (const char* text : {"", " ", ".", "a.", ".a", "a..b", "\"\"", "\"", "\"a", "a\"", "a\"b\"",
                             "\"a\"b", "\"a\"\"", "\"a\" \"b\"", "a.b.c.d", "\"a\".\"\""}) {
        SCOPED_TRACE(text);
        const ErrorReport report =
            error_of("22023", [&] { split_qualified_name(text, "inp_nam"); });
        EXPECT_TRUE(report.message.starts_with("invalid name in argument \"inp_nam\""));
        EXPECT_TRUE(report.detail.ends_with('.'));
    }
}

TEST(Identifiers, ShortenNamesInMessages) {
    const std::string text(200, '.');
    EXPECT_LT(error_of("22023", [&] { split_qualified_name(text, "x"); }).message.size(), 150U);
    EXPECT_EQ(shorten("short"), "short");
    std::string accents = "x";  // so that a cut at 100 bytes would split a character
    for (int i = 0; i < 100; ++i) accents += "\xC3\xA9";
    EXPECT_EQ(shorten(accents), accents.substr(0, 99) + "...");
    EXPECT_EQ(shorten(std::string(200, '\x80')), "...");
}

TEST(Identifiers, SplitColumnLists) {
    EXPECT_EQ(listed("species"), (Texts{"species"}));
    EXPECT_EQ(listed(" GENDER , \"Year, full\",a.b "), (Texts{"GENDER", "[Year, full]", "a.b"}));
    for (const char* text : {"", ",", "a,", ",a", "a,,b", "\"a\" desc"})
        error_of("22023", [&] { split_column_list(text, "grp_col"); });
}

TEST(Identifiers, SplitOrderLists) {
    using Nulls = OrderColumn::Nulls;
    struct Case {
        const char* text;
        const char* name;
        bool was_quoted;
        bool is_descending;
        Nulls nulls;
    };
    const Case cases[] = {
        {"a", "a", false, false, Nulls::kDefault},
        {"a asc", "a", false, false, Nulls::kDefault},
        {"a  DESC ", "a", false, true, Nulls::kDefault},
        {"a\nDesc\tnulls  First", "a", false, true, Nulls::kFirst},
        {"a NULLS LAST", "a", false, false, Nulls::kLast},
        {"\"a b\" desc", "a b", true, true, Nulls::kDefault},
        {"\"a\"desc nulls last", "a", true, true, Nulls::kLast},
        {"\"a desc\"", "a desc", true, false, Nulls::kDefault},
        {"desc", "desc", false, false, Nulls::kDefault},
        {"desc desc", "desc", false, true, Nulls::kDefault},
        {"first", "first", false, false, Nulls::kDefault},
        {"nulls first", "nulls first", false, false, Nulls::kDefault},
        {"the last", "the last", false, false, Nulls::kDefault},
        {"adesc", "adesc", false, false, Nulls::kDefault},
        {"a b desc", "a b", false, true, Nulls::kDefault},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.text);
        const std::vector<OrderColumn> columns = split_order_list(c.text, "ord_col");
        ASSERT_EQ(columns.size(), 1U);
        EXPECT_EQ(columns[0].name.text, c.name);
        EXPECT_EQ(columns[0].name.was_quoted, c.was_quoted);
        EXPECT_EQ(columns[0].is_descending, c.is_descending);
        EXPECT_EQ(columns[0].nulls, c.nulls);
    }
    EXPECT_EQ(split_order_list("a desc, \"b,c\" asc,d", "ord_col").size(), 3U);
    for (const char* text : {"", "a,", "\"a\" down", "\"a\" desc desc", "\"a\" first", "\"\" desc"})
        error_of("22023", [&] { split_order_list(text, "ord_col"); });
}

TEST(Identifiers, QuoteAndFold) {
    EXPECT_EQ(quote_identifier("a"), "\"a\"");
    EXPECT_EQ(quote_identifier("c\"d"), "\"c\"\"d\"");
    EXPECT_EQ(fold_case("Sch\xC3\x96N_1"), "sch\xC3\x96n_1");
    EXPECT_TRUE(equals_ignoring_case("SELECT", "select"));
    EXPECT_FALSE(equals_ignoring_case("select", "selects"));
    EXPECT_FALSE(equals_ignoring_case("@", "`"));
}

TEST(Columns, AreFoundExactlyElseByFoldedCase) {
    const Schema schema = schema_of({"Species", "species", "SCORE", "Id", "ID"});
    EXPECT_EQ(find_column(schema, "Species").index, 0);
    EXPECT_EQ(find_column(schema, "species").index, 1);
    EXPECT_EQ(find_column(schema, "score").index, 2);
    EXPECT_EQ(find_column(schema, "Id").index, 3);

    const ColumnMatch ambiguous = find_column(schema, "id");
    EXPECT_EQ(ambiguous.index, -1);
    EXPECT_TRUE(ambiguous.is_ambiguous);
    EXPECT_EQ(ambiguous.candidates, (Texts{"Id", "ID"}));

    const ColumnMatch missing = find_column(schema, "grade");
    EXPECT_EQ(missing.index, -1);
    EXPECT_FALSE(missing.is_ambiguous);
    EXPECT_TRUE(missing.candidates.empty());

    const ColumnMatch quoted = find_column(schema, NamePart{"score", true});
    EXPECT_EQ(quoted.index, -1);
    EXPECT_FALSE(quoted.is_ambiguous);
    EXPECT_EQ(quoted.candidates, (Texts{"SCORE"}));
}

TEST(Columns, AreRequiredWithHelpfulErrors) {
    const Schema schema = schema_of({"Species", "Id", "ID"});
    EXPECT_EQ(require_column(schema, {"species", false}, "the input"), 0);

    const ErrorReport missing = error_of("42703", [&] {
        require_column(schema, {"grade", false}, "the input");
    });
    EXPECT_EQ(missing.message, "column \"grade\" does not exist in the input");
    EXPECT_EQ(missing.detail, "The columns are \"Species\", \"Id\", \"ID\".");
    EXPECT_EQ(missing.hint, "");

    const ErrorReport quoted = error_of("42703", [&] {
        require_column(schema, {"species", true}, "the input");
    });
    EXPECT_EQ(quoted.hint, "Perhaps you meant \"Species\".");

    const ErrorReport ambiguous = error_of("42702", [&] {
        require_column(schema, {"id", false}, "the input");
    });
    EXPECT_EQ(ambiguous.message, "column name \"id\" is ambiguous in the input");
    EXPECT_EQ(ambiguous.detail, "It matches the columns \"Id\", \"ID\".");

    error_of("42702", [] { require_column(schema_of({"a", "a"}), {"a", true}, "the input"); });
    EXPECT_EQ(error_of("42703",
                       [] {
                           require_column({}, {"a", false}, "the input");
                       })
                  .detail,
              "There are no columns.");

    Schema wide;
    for (int i = 0; i < 1000; ++i) wide.push_back({"c" + std::to_string(i), {Kind::kInt32}});
    const std::string detail = error_of("42703", [&] {
                                   require_column(wide, {"x", false}, "the input");
                               }).detail;
    EXPECT_TRUE(detail.ends_with("\"c49\" and 950 more.")) << detail;
}

TEST(Queries, AreToldFromNames) {
    for (const char* query :
         {"SELECT * FROM t", "select*from t", " \n( (\tselect 1))", "WITH a AS (SELECT 1) TABLE a",
          "values (1)", "VALUES(1)", "table t", "-- a comment\nSELECT 1", "/* a */SELECT 1",
          "/* a /* nested */ b */ select 1", "--x\n/**/(--y\nselect 1)", "select\"a\" from t",
          "select/**/1", "select .5", "select.5", "select'x'", "table\"t\"", "values;"})
        EXPECT_TRUE(looks_like_query(query)) << query;
    for (const char* name : {"",
                             " ",
                             "iris",
                             "select",
                             "values",
                             " table ",
                             "with\n",
                             "selection",
                             "select_1",
                             "select$",
                             "select1",
                             "selec",
                             "table\xC3\xA9",
                             "public.values",
                             "select.iris",
                             "values.iris",
                             "table . t",
                             "\"select\" x",
                             "\"select * from t\"",
                             "-- select 1",
                             "/* select 1",
                             "/*/select 1",
                             "/* /* */ select 1",
                             "--",
                             "/*",
                             "(",
                             "insert into t values (1)",
                             "explain select 1"})
        EXPECT_FALSE(looks_like_query(name)) << name;
}

}  // namespace
}  // namespace epe

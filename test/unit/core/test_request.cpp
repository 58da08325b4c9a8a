// Tests of core/request: valid SQL arguments, and the errors for invalid ones.
#include <gtest/gtest.h>

#include "core/request/request.h"
#include "support/error_support.h"

namespace epe {
namespace {

using test::error_of;

RawArguments table_arguments(std::optional<std::string> parameters = {}) {
    RawArguments raw;
    raw.input_name = "iris";
    raw.parameters = std::move(parameters);
    raw.script_name = "count_rows";
    return raw;
}

RawArguments all_arguments() {
    RawArguments raw = table_arguments();
    raw.row_count = 50;
    raw.group_columns = "species";
    raw.times = 3;
    return raw;
}

/// The names between bars; quoted ones with quotes.
std::string names_of(const std::vector<NamePart>& parts) {
    std::string names;
    for (const NamePart& part : parts) {
        const std::string quote = part.was_quoted ? "\"" : "";
        names += (names.empty() ? "" : "|") + quote + part.text + quote;
    }
    return names;
}

std::string arguments_of(const std::string& parameters) {
    RawArguments raw = all_arguments();
    raw.parameters = parameters;
    return make_request(EvalFunction::kTable, raw).arguments_json;
}

Controls controls_of(const std::string& parameters, EvalFunction function = EvalFunction::kTable) {
    RawArguments raw = all_arguments();
    raw.parameters = parameters;
    return make_request(function, raw).controls;
}

ErrorReport refuse(const std::string& parameters, const char* state = "22023",
                   EvalFunction function = EvalFunction::kTable) {
    SCOPED_TRACE(parameters);
    return error_of(state, [&] { controls_of(parameters, function); });
}

ErrorReport refuse_arguments(EvalFunction function, const RawArguments& raw,
                             const char* state = "22023") {
    return error_of(state, [&] { make_request(function, raw); });
}

TEST(Request, KeepsTheArgumentsOfEachFunction) {
    RawArguments raw = all_arguments();
    raw.parameters = R"( {"n": 3} )";
    raw.order_columns = "petal_width DESC";
    raw.script_owner = "alice";

    const Request group = make_request(EvalFunction::kGroup, raw);
    EXPECT_EQ(group.function, EvalFunction::kGroup);
    EXPECT_EQ(names_of(group.input.value().relation), "iris");
    EXPECT_EQ(group.arguments_json, R"({"n":3})");
    EXPECT_EQ(names_of(group.group_columns), "species");
    ASSERT_EQ(group.order_columns.size(), 1U);
    EXPECT_EQ(group.order_columns[0].name.text, "petal_width");
    EXPECT_TRUE(group.order_columns[0].is_descending);
    EXPECT_EQ(group.script_name, "count_rows");
    EXPECT_EQ(group.script_owner, "alice");
    EXPECT_EQ(group.row_count, 0);
    EXPECT_EQ(make_request(EvalFunction::kRow, raw).row_count, 50);
    EXPECT_EQ(make_request(EvalFunction::kIndex, raw).times, 3);
    EXPECT_FALSE(make_request(EvalFunction::kEval, raw).input);
    EXPECT_FALSE(make_request(EvalFunction::kIndex, raw).input);
}

TEST(Request, ParsesTheInputOnce) {
    RawArguments raw = all_arguments();
    raw.input_name = R"( mine . "The ""Table""" )";
    const Input name = make_request(EvalFunction::kTable, raw).input.value();
    EXPECT_EQ(names_of(name.relation), R"(mine|"The "Table"")");
    EXPECT_EQ(name.query, "");
    for (const char* text : {"SELECT 1", " with a as (select 1) table a", "(values (1))"}) {
        raw.input_name = text;
        const Input query = make_request(EvalFunction::kRow, raw).input.value();
        EXPECT_EQ(query.query, text);
        EXPECT_TRUE(query.relation.empty());
    }
}

TEST(Request, ParsesGroupAndOrderColumnsOnce) {
    RawArguments raw = all_arguments();
    raw.group_columns = R"(a , "b,c",d e)";
    raw.order_columns = R"("x" desc nulls last, y ASC, z nulls first)";
    const Request request = make_request(EvalFunction::kGroup, raw);
    EXPECT_EQ(names_of(request.group_columns), R"(a|"b,c"|d e)");
    std::vector<NamePart> names;
    for (const OrderColumn& column : request.order_columns) names.push_back(column.name);
    EXPECT_EQ(names_of(names), R"("x"|y|z)");
    EXPECT_TRUE(request.order_columns[0].is_descending);
    EXPECT_EQ(request.order_columns[0].nulls, OrderColumn::Nulls::kLast);
    EXPECT_FALSE(request.order_columns[1].is_descending);
    EXPECT_EQ(request.order_columns[1].nulls, OrderColumn::Nulls::kDefault);
    EXPECT_EQ(request.order_columns[2].nulls, OrderColumn::Nulls::kFirst);
    EXPECT_TRUE(make_request(EvalFunction::kTable, raw).group_columns.empty());
}

TEST(Request, TakesNoParametersInManySpellings) {
    for (const std::optional<std::string>& text :
         {std::optional<std::string>(), {""}, {" \n\t "}}) {
        const Request request = make_request(EvalFunction::kTable, table_arguments(text));
        EXPECT_EQ(request.arguments_json, "{}");
        EXPECT_EQ(request.controls.input_type, InputType::kDefault);
        EXPECT_TRUE(request.controls.unknown.empty());
    }
    EXPECT_EQ(make_request(EvalFunction::kTable, table_arguments("\xEF\xBB\xBF{}")).arguments_json,
              "{}");
}

TEST(Request, NamesAMissingArgument) {
    struct Case {
        EvalFunction function;
        const char* argument;
        void (*remove)(RawArguments&);
        bool is_text;
    };
    const Case cases[] = {
        {EvalFunction::kEval, "scr_name", [](RawArguments& raw) { raw.script_name.reset(); },
         false},
        {EvalFunction::kEval, "scr_name", [](RawArguments& raw) { raw.script_name = ""; }, true},
        {EvalFunction::kTable, "inp_nam", [](RawArguments& raw) { raw.input_name.reset(); }, false},
        {EvalFunction::kTable, "inp_nam", [](RawArguments& raw) { raw.input_name = ""; }, true},
        {EvalFunction::kRow, "row_num", [](RawArguments& raw) { raw.row_count.reset(); }, false},
        {EvalFunction::kGroup, "grp_col", [](RawArguments& raw) { raw.group_columns.reset(); },
         false},
        {EvalFunction::kGroup, "grp_col", [](RawArguments& raw) { raw.group_columns = ""; }, true},
        {EvalFunction::kIndex, "times_num", [](RawArguments& raw) { raw.times.reset(); }, false},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(c.argument);
        RawArguments raw = all_arguments();
        c.remove(raw);
        EXPECT_EQ(refuse_arguments(c.function, raw).message,
                  "argument \"" + std::string(c.argument) + "\" must not be " +
                      (c.is_text ? "empty" : "null"));
    }
}

TEST(Request, ChecksCounts) {
    RawArguments raw = all_arguments();
    raw.row_count = 0;
    EXPECT_EQ(refuse_arguments(EvalFunction::kRow, raw).message,
              "argument \"row_num\" must be at least 1");
    raw.row_count = 1;
    EXPECT_EQ(make_request(EvalFunction::kRow, raw).row_count, 1);
    raw.times = -1;
    EXPECT_EQ(refuse_arguments(EvalFunction::kIndex, raw).detail, "It is -1.");
    raw.times = 0;
    EXPECT_EQ(make_request(EvalFunction::kIndex, raw).times, 0);
}

TEST(Request, ChecksNamesAndColumnLists) {
    RawArguments raw = all_arguments();
    raw.input_name = "a.b.c.d";
    EXPECT_NE(refuse_arguments(EvalFunction::kTable, raw).hint, "");
    raw.input_name = "   ";
    EXPECT_EQ(refuse_arguments(EvalFunction::kTable, raw).message,
              "invalid name in argument \"inp_nam\"");
    raw.input_name = "SELECT a.b.c.d.e FROM \"x";  // PostgreSQL parses queries
    EXPECT_NO_THROW(make_request(EvalFunction::kTable, raw));
    raw.input_name = "iris";
    raw.group_columns = "a,,b";
    EXPECT_EQ(refuse_arguments(EvalFunction::kGroup, raw).message,
              "invalid name in argument \"grp_col\"");
    raw.group_columns = "a,\"b";
    EXPECT_EQ(refuse_arguments(EvalFunction::kGroup, raw).detail, "A double quote is not closed.");
    raw.group_columns = "a";
    raw.order_columns = "  ";
    EXPECT_TRUE(make_request(EvalFunction::kGroup, raw).order_columns.empty());
    raw.order_columns = "\"b\" upwards";
    EXPECT_EQ(refuse_arguments(EvalFunction::kGroup, raw).message,
              "invalid name in argument \"ord_col\": \"\"b\" upwards\"");
}

TEST(Request, KeepsTheEnvironment) {
    RawArguments raw = table_arguments();
    raw.environment = "myenv";
    EXPECT_EQ(make_request(EvalFunction::kTable, raw).environment, "myenv");
    raw.environment = " ";
    EXPECT_EQ(make_request(EvalFunction::kTable, raw).environment, "");
}

TEST(Parameters, MustBeAJsonObject) {
    const ErrorReport array = refuse("[1, 2]");
    EXPECT_EQ(array.message, "argument \"par_lst\" must be a JSON object");
    EXPECT_EQ(array.detail, "It is an array.");
    EXPECT_EQ(refuse("null").detail, "It is null.");
    EXPECT_EQ(refuse("3").detail, "It is a number.");
    EXPECT_EQ(refuse("true").detail, "It is a boolean.");
    EXPECT_EQ(refuse("\"{}\"").detail, "It is a string.");
}

TEST(Parameters, TellWhereTheJsonIsWrong) {
    const ErrorReport report = refuse("{\"a\": 1,\n \"b\" 2}");
    EXPECT_EQ(report.message, "invalid JSON in argument \"par_lst\"");
    EXPECT_TRUE(report.detail.starts_with("Parse error at line 2, column 6: ")) << report.detail;
    EXPECT_TRUE(report.detail.ends_with("expected ':'.")) << report.detail;
    for (const char* text : {"{", "{}}", "{'a': 1}", "{\"a\": NaN}", "{\"a\": 1,}", "{\"a\": 01}",
                             "{\"a\": \"\\ud800\"}", "{\"a\": 1e999}", "{a: 1}", "{} {}"})
        EXPECT_EQ(refuse(text).message, "invalid JSON in argument \"par_lst\"");
}

TEST(Parameters, KeepErrorsShortAndInAscii) {
    for (const std::string& text :
         {std::string("{\xC3\xA9}"), std::string("{\"a\": \"\xFF\"}"),
          "{\"a\": \"" + std::string(100000, 'x'), std::string("{\"\xC3\xA9; expected \xC3\xA9"),
          std::string("{\"a\": \"; expected \xFF")}) {
        const ErrorReport report = refuse(text);
        EXPECT_LT(report.detail.size(), 300U);
        for (const char c : report.detail)
            EXPECT_LT(static_cast<unsigned char>(c), 0x80) << report.detail;
    }
}

TEST(Parameters, MayBeNestedDeeply) {
    const std::size_t depth = 100000;
    const std::string text = "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
    EXPECT_EQ(make_request(EvalFunction::kTable, table_arguments(text)).arguments_json, text);
}

TEST(Parameters, AreArgumentsWithoutTheControlArguments) {
    const std::pair<const char*, const char*> cases[] = {
        {R"({})", R"({})"},
        {R"( { "oml_nan" : "keep" } )", R"({})"},
        {R"({"oml_x": {"a": [1, {"oml_y": 2}]}, "b": 1, "oml_connect": true})", R"({"b":1})"},
        {R"({"b": 1, "oml_nan": "null", "a": null, "b": true})", R"({"b":1,"a":null,"b":true})"},
        {R"({"a": {"oml_nan": [], "": {}}, "OML_B": "x", "": [ ]})",
         R"({"a":{"oml_nan":[],"":{}},"OML_B":"x","":[]})"},
        {R"({"\u006fml_nan": "keep", "a": "\u00e9\ud83d\ude00\/\u0000\n\"\\"})",
         "{\"a\":\"\xC3\xA9\xF0\x9F\x98\x80/\\u0000\\n\\\"\\\\\"}"},
        {R"({"a\"b\\": ["{\"oml_x\": 1}", false]})", R"({"a\"b\\":["{\"oml_x\": 1}",false]})"},
    };
    for (const auto& [text, arguments] : cases) {
        SCOPED_TRACE(text);
        EXPECT_EQ(arguments_of(text), arguments);
        EXPECT_EQ(arguments_of(arguments), arguments);
    }
}

TEST(Parameters, KeepTheDigitsOfNumbers) {
    for (const char* number : {"0", "-1", "-0.0", "1.10", "1E5", "2.5e-3", "1e+2",
                               "0.1000000000000000055511151231257827", "18446744073709551615",
                               "-9223372036854775808", "123456789012345678901234567890",
                               "-123456789012345678901234567890", "1e308", "4.9e-324"}) {
        const std::string text = R"({"a":[)" + std::string(number) + R"(]})";
        EXPECT_EQ(arguments_of(text), text);
    }
}

TEST(Parameters, HoldTheTimeoutOfAJobOrAnArgument) {
    EXPECT_EQ(arguments_of(R"({"timeout": 5, "a": 1})"), R"({"timeout":5,"a":1})");
    EXPECT_EQ(arguments_of(R"({"timeout": {"b": [5]}, "Timeout": 1})"),
              R"({"timeout":{"b":[5]},"Timeout":1})");
    EXPECT_EQ(arguments_of(R"({"timeout": 5, "a": 1, "oml_async_flag": true})"), R"({"a":1})");
    EXPECT_EQ(arguments_of(R"({"oml_async_flag": true, "a": 1, "timeout": 5})"), R"({"a":1})");
    EXPECT_EQ(
        arguments_of(
            R"({"timeout": 1800, "a": {"timeout": 1}, "timeout": null, "oml_async_flag": 1})"),
        R"({"a":{"timeout":1}})");
    EXPECT_EQ(arguments_of(R"({"oml_async_flag": true, "timeout": 1800})"), "{}");
}

TEST(Controls, ReadTheInputType) {
    const std::pair<const char*, InputType> cases[] = {
        {"default", InputType::kDefault},
        {"pandas.DataFrame", InputType::kPandas},
        {"numpy.recarray", InputType::kRecarray},
        {"numpy.ndarray", InputType::kNdarray},
        {"dict", InputType::kDict},
        {"pyarrow.Table", InputType::kArrow},
        {"polars.DataFrame", InputType::kPolars},
        {"pandas", InputType::kPandas},
        {"numpy", InputType::kNdarray},
        {"pyarrow", InputType::kArrow},
        {"polars", InputType::kPolars},
    };
    for (const auto& [name, type] : cases) {
        SCOPED_TRACE(name);
        const Controls plain = controls_of(R"({"oml_input_type": ")" + std::string(name) + "\"}");
        EXPECT_EQ(plain.input_type, type);
        EXPECT_FALSE(plain.is_iterator);
        const Controls many =
            controls_of(R"({"oml_input_type": "iterator[)" + std::string(name) + "]\"}");
        EXPECT_EQ(many.input_type, type);
        EXPECT_TRUE(many.is_iterator);
    }
    const Controls iterator = controls_of(R"({"oml_input_type": "iterator"})");
    EXPECT_EQ(iterator.input_type, InputType::kPandas);
    EXPECT_TRUE(iterator.is_iterator);
}

TEST(Controls, ListTheInputTypes) {
    for (const char* value :
         {"\"frame\"", "\"\"", "1", "true", "[]", "{}", "\"iterator[]\"", "\"iterator[\"",
          "\"iterator]\"", "\"iterators\"", "\"iterator[iterator]\"", "\"pandas.DataFrame \""}) {
        const ErrorReport report = refuse(R"({"oml_input_type": )" + std::string(value) + "}");
        EXPECT_EQ(report.hint,
                  "Use \"default\", \"pandas.DataFrame\", \"numpy.recarray\", \"numpy.ndarray\", "
                  "\"dict\", \"pyarrow.Table\", \"polars.DataFrame\", \"iterator\" or "
                  "\"iterator[...]\" with one of these in the brackets.");
    }
    EXPECT_EQ(refuse(R"({"oml_input_type": "frame"})").message,
              "invalid value for control argument \"oml_input_type\": \"frame\"");
}

TEST(Controls, GiveIteratorsToTablesAndGroupsOnly) {
    const std::string text = R"({"oml_input_type": "iterator"})";
    EXPECT_TRUE(controls_of(text, EvalFunction::kTable).is_iterator);
    EXPECT_TRUE(controls_of(text, EvalFunction::kGroup).is_iterator);
    for (const EvalFunction function :
         {EvalFunction::kEval, EvalFunction::kRow, EvalFunction::kIndex})
        refuse(text, "22023", function);
    EXPECT_NO_THROW(controls_of(R"({"oml_input_type": "dict"})", EvalFunction::kEval));
}

TEST(Controls, ReadBooleansAsPeopleWriteThem) {
    for (const char* yes : {"true", "1", "\"true\"", "\"TRUE\"", "1.0"}) {
        const std::string value(yes);
        const Controls controls =
            controls_of(R"({"oml_na_omit":)" + value + R"(,"oml_graphics_flag":)" + value +
                        R"(,"oml_connect":)" + value + "}");
        EXPECT_TRUE(controls.omit_incomplete && controls.capture_graphics && controls.connect);
    }
    for (const char* no : {"false", "0", "\"false\"", "null"})
        EXPECT_FALSE(controls_of(R"({"oml_na_omit":)" + std::string(no) + "}").omit_incomplete);
    for (const char* bad : {"2", "-1", "0.5", "\"yes\"", "\"\"", "[]", "{\"a\":true}"})
        EXPECT_EQ(refuse(R"({"oml_na_omit":)" + std::string(bad) + "}").hint, "Use true or false.");
}

TEST(Controls, ReadWords) {
    EXPECT_TRUE(controls_of(R"({"oml_numeric":"decimal"})").use_decimal);
    EXPECT_FALSE(controls_of(R"({"oml_numeric":"float"})").use_decimal);
    EXPECT_EQ(refuse(R"({"oml_numeric":"double"})").hint, "Use \"float\" or \"decimal\".");
    EXPECT_TRUE(controls_of(R"({"oml_nan":"keep"})").keep_nan);
    EXPECT_FALSE(controls_of(R"({"oml_nan":"null"})").keep_nan);
    refuse(R"({"oml_nan":true})");
    EXPECT_EQ(controls_of(R"({"oml_service_level":"medium"})").service_level,
              ServiceLevel::kMedium);
    EXPECT_EQ(refuse(R"({"oml_service_level":"TP"})").hint, "Use \"LOW\", \"MEDIUM\" or \"HIGH\".");
}

TEST(Controls, TakeMonthsForArrowOnly) {
    const std::string months = R"("oml_interval":"month_day_nano")";
    EXPECT_FALSE(controls_of("{}").use_month_day_nano);
    EXPECT_FALSE(controls_of(R"({"oml_interval":"duration"})").use_month_day_nano);
    EXPECT_FALSE(controls_of(R"({"oml_interval":null})").use_month_day_nano);
    EXPECT_EQ(refuse(R"({"oml_interval":"months"})").hint,
              "Use \"duration\" or \"month_day_nano\".");
    for (const char* arrow : {"pyarrow.Table", "pyarrow", "iterator[pyarrow.Table]"}) {
        const std::string type = R"("oml_input_type":")" + std::string(arrow) + "\"";
        EXPECT_TRUE(controls_of("{" + months + "," + type + "}").use_month_day_nano);
        EXPECT_TRUE(controls_of("{" + type + "," + months + "}").use_month_day_nano);
    }
    for (const char* other :
         {"default", "pandas.DataFrame", "polars.DataFrame", "dict", "iterator"})
        EXPECT_EQ(refuse("{" + months + R"(,"oml_input_type":")" + other + "\"}").hint,
                  "Add \"oml_input_type\": \"pyarrow.Table\", or cast the intervals to text in the "
                  "query.");
    EXPECT_NO_THROW(controls_of("{" + months + "}", EvalFunction::kEval));
    EXPECT_NO_THROW(controls_of("{" + months + "}", EvalFunction::kIndex));
}

TEST(Controls, OfJobs) {
    EXPECT_TRUE(controls_of(R"({"oml_async_flag":true})").is_async);
    EXPECT_FALSE(controls_of(R"({"timeout":5})").timeout.has_value());
    EXPECT_EQ(controls_of(R"({"oml_async_flag":true,"timeout":1800})").timeout, 1800);
    EXPECT_EQ(controls_of(R"({"oml_async_flag":true,"timeout":null})").timeout, std::nullopt);
    EXPECT_EQ(controls_of(R"({"oml_retries":3})").retries, 3);
    for (const char* text :
         {R"({"oml_async_flag":true,"timeout":"long"})", R"({"oml_async_flag":true,"timeout":0})",
          R"({"oml_async_flag":true,"timeout":1.5})", R"({"oml_retries":-1})"})
        EXPECT_EQ(refuse(text, "22023").hint.substr(0, 18), "Use a whole number");
    EXPECT_NO_THROW(controls_of(R"({"oml_async_flag":false})"));
}

TEST(Controls, ReadHowParallelACallIs) {
    EXPECT_TRUE(controls_of(R"({"oml_parallel_flag":1})").is_parallel);
    EXPECT_FALSE(controls_of(R"({"oml_parallel_flag":0})").is_parallel);
    EXPECT_TRUE(controls_of(R"({"oml_parallel":true})").is_parallel);
    EXPECT_EQ(controls_of(R"({"oml_parallel":2})").engines, 2);
    EXPECT_EQ(controls_of(R"({"oml_parallel":0})").engines, 0);
    EXPECT_EQ(controls_of(R"({"oml_parallel":null})").engines, 0);
    EXPECT_GT(controls_of(R"({"oml_parallel":1e300})").engines, 1000);
    refuse(R"({"oml_parallel":-1})");
    refuse(R"({"oml_parallel":1.5})");
    refuse(R"({"oml_parallel":"2"})");
}

TEST(Controls, CollectUnknownKeysOfTheirPrefix) {
    const Controls controls = controls_of(
        R"({"oml_b":1,"oml_a":[1,{"oml_c":2}],"OML_D":1,"oml_":0,"oml_b":2,"x":{"oml_e":1}})");
    EXPECT_EQ(controls.unknown, (std::vector<std::string>{"oml_a", "oml_", "oml_b"}));
}

TEST(Controls, WarnOfEachUnknownKey) {
    const std::string text = R"({"oml_a":1,"oml_nan":"keep","oml_b":2,"timeout":3})";
    EXPECT_EQ(unknown_control_warnings(controls_of(text)),
              (std::vector<std::string>{"control argument \"oml_a\" is unknown and ignored",
                                        "control argument \"oml_b\" is unknown and ignored"}));
    EXPECT_TRUE(unknown_control_warnings(controls_of("{}")).empty());
}

TEST(Controls, TakeTheLastOfTwo) {
    EXPECT_FALSE(controls_of(R"({"oml_async_flag":true,"oml_async_flag":false})").connect);
    EXPECT_TRUE(controls_of(R"({"oml_connect":0,"oml_connect":1})").connect);
}

TEST(OutputFormat, HasFixedForms) {
    using Form = OutputFormat::Form;
    EXPECT_EQ(parse_output_format("JSON").form, Form::kJson);
    EXPECT_EQ(parse_output_format(" json\n").form, Form::kJson);
    EXPECT_EQ(parse_output_format("Xml").form, Form::kXml);
    EXPECT_EQ(parse_output_format("pNG").form, Form::kPng);
    for (const std::optional<std::string>& text : {std::optional<std::string>(), {""}, {"  "}}) {
        const OutputFormat format = parse_output_format(text);
        EXPECT_EQ(format.form, Form::kRelational);
        EXPECT_TRUE(format.column_map.empty());
        EXPECT_TRUE(format.prototype.empty());
    }
}

TEST(OutputFormat, KeepsTheOrderOfAColumnMap) {
    const OutputFormat format = parse_output_format(
        R"-( {"z":"varchar2(7)","Alpha":"number","m\u00e9":" int ","a":"int"})-");
    EXPECT_EQ(format.form, OutputFormat::Form::kRelational);
    const std::vector<std::pair<std::string, std::string>> expected{
        {"z", "varchar2(7)"}, {"Alpha", "number"}, {"m\xC3\xA9", " int "}, {"a", "int"}};
    EXPECT_EQ(format.column_map, expected);
}

TEST(OutputFormat, RefusesBrokenColumnMaps) {
    const auto refuse_map = [](const std::string& text) {
        SCOPED_TRACE(text);
        return error_of("22023", [&] { parse_output_format(text); });
    };
    EXPECT_EQ(refuse_map(R"({"a":"int","b":"int","a":"text"})").message,
              "column \"a\" is specified more than once in argument \"out_fmt\"");
    EXPECT_EQ(refuse_map("{}").message, "argument \"out_fmt\" names no columns");
    EXPECT_EQ(refuse_map(R"({"a":1})").message,
              "type of column \"a\" in argument \"out_fmt\" must be a string");
    refuse_map(R"({"a":null})");
    refuse_map(R"({"a":" "})");
    refuse_map(R"({"a":{"b":"int"}})");
    refuse_map(R"({"a":"int\u0000"})");
    refuse_map(R"({"a\u0000":"int"})");
    refuse_map(R"({"":"int"})");
    EXPECT_EQ(refuse_map(R"({"a":"int")").message, "invalid JSON in argument \"out_fmt\"");
    refuse_map(R"(["a"])");
    refuse_map("SELECT 1 id FROM dual");
    EXPECT_NE(refuse_map("a..b").hint, "");
}

TEST(OutputFormat, TakesTheNameOfAPrototype) {
    const auto prototype_of = [](const char* text) {
        return names_of(parse_output_format(text).prototype);
    };
    EXPECT_EQ(prototype_of(" public.\"Iris Count\" "), "public|\"Iris Count\"");
    EXPECT_EQ(prototype_of("\"JSON\""), "\"JSON\"");
    EXPECT_EQ(prototype_of("jsons"), "jsons");
}

}  // namespace
}  // namespace epe

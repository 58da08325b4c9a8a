// Tests of core/pipeline/json_merger: how the JSON of several calls becomes one text.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/pipeline/json_merger.h"
#include "support/error_support.h"

namespace epe {
namespace {

using test::error_of;

/// The JSON shape and results in it.
class JsonResultTest : public testing::Test {
   protected:
    JsonResultTest() {
        shape_.form = OutputFormat::Form::kJson;
        shape_.columns = {{"name", {Kind::kText}}, {"value", {Kind::kText}}};
    }

    CallResult result(std::optional<std::string> name, const std::string& value,
                      bool share_text = true) {
        CallResult result;
        result.call_number = ++calls_;
        result.call_name = std::move(name);
        ColumnBuilder names({Kind::kText}, share_text);
        ColumnBuilder values({Kind::kText}, share_text);
        EXPECT_TRUE(names.append_null() && values.append_bytes(value.data(), value.size()));
        result.batch.schema = &shape_.columns;
        result.batch.length = 1;
        result.batch.columns.push_back(names.finish());
        result.batch.columns.push_back(values.finish());
        return result;
    }

    CallResult frame(const std::string& value, bool share_text = true) {
        CallResult made = result(std::to_string(calls_ + 1), value, share_text);
        made.is_frame = true;
        return made;
    }

    std::string text_of(JsonResult& joined) {
        const CallResult result = joined.release_rows();
        const Batch& batch = result.batch;
        EXPECT_EQ(batch.schema, &shape_.columns);
        EXPECT_EQ(batch.length, 1);
        EXPECT_EQ(batch.columns.size(), 2U);
        EXPECT_TRUE(batch.columns[0].is_null(0));
        EXPECT_EQ(batch.columns[0].bytes_length(0), 0);
        EXPECT_FALSE(batch.columns[1].is_null(0));
        return {batch.columns[1].bytes_at(0),
                static_cast<std::size_t>(batch.columns[1].bytes_length(0))};
    }

    OutputShape shape_{};
    std::int64_t calls_ = 0;
};

TEST_F(JsonResultTest, RefusesWhatIsNoText) {
    JsonResult joined(EvalFunction::kEval, shape_);
    CallResult number = result(std::nullopt, "1");
    ColumnBuilder values({Kind::kInt64}, false);
    ASSERT_TRUE(values.append(std::int64_t{1}));
    number.batch.columns[1] = values.finish();
    error_of("08P01", [&] { joined.add(std::move(number)); });
}

TEST_F(JsonResultTest, OneCallGivesItsValue) {
    for (const EvalFunction function : {EvalFunction::kEval, EvalFunction::kTable}) {
        JsonResult joined(function, shape_);
        CallResult one = frame(R"([{"a":1}])");
        one.call_name.reset();
        joined.add(std::move(one));
        EXPECT_EQ(text_of(joined), R"([{"a":1}])");
    }
    JsonResult no_results(EvalFunction::kEval, shape_);
    EXPECT_EQ(text_of(no_results), "null");
}

TEST_F(JsonResultTest, RowsFlattenFrames) {
    JsonResult joined(EvalFunction::kRow, shape_);
    joined.add(frame(R"([{"a":1},{"a":2}])"));
    joined.add(frame("[]"));
    joined.add(frame(" [ \n ] "));
    joined.add(frame(R"( [{"a":3}] )", /* share_text */ false));
    EXPECT_EQ(text_of(joined), R"([{"a":1},{"a":2},{"a":3}])");
}

TEST_F(JsonResultTest, RowsListWhatIsNoFrame) {
    JsonResult joined(EvalFunction::kRow, shape_);
    joined.add(result("1", "[1,2]"));
    joined.add(frame(R"([{"a":1}])"));
    joined.add(result("3", "7"));
    EXPECT_EQ(text_of(joined), R"([[1,2],{"a":1},7])");
}

TEST_F(JsonResultTest, IndexesNestFrames) {
    JsonResult joined(EvalFunction::kIndex, shape_);
    joined.add(frame(R"([{"a":1}])"));
    joined.add(frame("[]"));
    joined.add(result("3", "null"));
    EXPECT_EQ(text_of(joined), R"([[{"a":1}],[],null])");
}

TEST_F(JsonResultTest, GroupsAreKeyedByName) {
    JsonResult joined(EvalFunction::kGroup, shape_);
    joined.add(frame("[]"));
    joined.add(result("setosa", "50"));
    joined.add(result("a\"b\\c\n\xC3\xA9", "true"));
    joined.add(result("\xFF", "1"));
    joined.add(result(std::nullopt, "2"));
    EXPECT_EQ(
        text_of(joined),
        "{\"1\":[],\"setosa\":50,\"a\\\"b\\\\c\\n\xC3\xA9\":true,\"\xEF\xBF\xBD\":1,\"5\":2}");
}

TEST_F(JsonResultTest, GroupsOfOneNameAreRefused) {
    JsonResult joined(EvalFunction::kGroup, shape_);
    joined.add(result("a_b_c", "1"));
    joined.add(result("a_b", "2"));
    try {
        joined.add(result("a_b_c", "3"));
        FAIL() << "the second value would be lost";
    } catch (const Error& error) {
        EXPECT_EQ(error.report().sqlstate, sqlstate::kInvalidArgument);
        EXPECT_NE(error.report().message.find("\"a_b_c\""), std::string::npos);
    }
}

TEST_F(JsonResultTest, NoCallsGiveAnEmptyContainer) {
    JsonResult rows(EvalFunction::kRow, shape_);
    EXPECT_EQ(text_of(rows), "[]");
    JsonResult indexes(EvalFunction::kIndex, shape_);
    EXPECT_EQ(text_of(indexes), "[]");
    JsonResult groups(EvalFunction::kGroup, shape_);
    EXPECT_EQ(text_of(groups), "{}");
}

TEST_F(JsonResultTest, NullValueIsJsonNull) {
    JsonResult joined(EvalFunction::kIndex, shape_);
    CallResult empty = result("1", "");
    empty.batch.columns[1] = null_column(1);
    joined.add(std::move(empty));
    EXPECT_EQ(text_of(joined), "[null]");
}

TEST_F(JsonResultTest, HasALimit) {
    JsonResult exact(EvalFunction::kIndex, shape_, 12);
    exact.add(result("1", "1234"));
    exact.add(result("2", "12345"));
    EXPECT_EQ(text_of(exact), "[1234,12345]");

    JsonResult over(EvalFunction::kIndex, shape_, 11);
    over.add(result("1", "1234"));
    over.add(result("2", "12345"));
    const ErrorReport report = error_of("54000", [&] { over.release_rows(); });
    EXPECT_NE(report.hint, "");
    error_of("54000", [&] { over.add(result("3", "1")); });
    EXPECT_LE(JsonResult::kMostBytes, 0x3fffffffU - 4);
}

TEST_F(JsonResultTest, ComesInPieces) {
    const std::string text = "\"a\xC3\xA9\xF0\x9F\x90\x98z\"";  // of 1, 1, 2, 4, 1 and 1 bytes
    for (std::int64_t most = 1; most <= 11; ++most) {
        shape_.piece_bytes = most;
        JsonResult joined(EvalFunction::kEval, shape_);
        joined.add(result("1", text));
        const CallResult result = joined.release_rows();
        const Column& pieces = result.batch.columns[1];
        EXPECT_EQ(result.batch.length, pieces.length);
        EXPECT_EQ(result.batch.columns[0].length, pieces.length);
        EXPECT_EQ(result.batch.columns[0].null_count, pieces.length);
        std::string whole;
        for (std::int64_t row = 0; row < pieces.length; ++row) {
            EXPECT_TRUE(result.batch.columns[0].is_null(row));
            EXPECT_LE(pieces.bytes_length(row), std::max<std::int64_t>(most, 4));
            EXPECT_NE(static_cast<unsigned char>(*pieces.bytes_at(row)) & 0xC0U, 0x80U);
            whole.append(pieces.bytes_at(row), static_cast<std::size_t>(pieces.bytes_length(row)));
        }
        EXPECT_EQ(whole, text);
        EXPECT_EQ(pieces.length == 1, most >= 10);
    }
}

TEST_F(JsonResultTest, RefusesWhatBreaksTheContract) {
    JsonResult joined(EvalFunction::kRow, shape_);
    error_of("08P01", [&] { joined.add(CallResult{}); });
    error_of("08P01", [&] { joined.add(frame("{}")); });
    error_of("08P01", [&] { joined.add(frame("[")); });
    error_of("08P01", [&] { joined.add(frame("")); });
}

}  // namespace
}  // namespace epe

// Tests of core/request/oracle_type_names: Oracle's type names in PostgreSQL's terms.
#include <gtest/gtest.h>

#include "core/request/oracle_type_names.h"

namespace epe {
namespace {

TEST(TypeNames, TranslateOraclesTypes) {
    const std::pair<const char*, const char*> cases[] = {
        {"number", "numeric"},
        {"NUMBER", "numeric"},
        {" Number ( 10 , 2 ) ", "numeric(10,2)"},
        {"number(5)", "numeric(5)"},
        {"number(*)", "numeric"},
        {"number(*,2)", "numeric(38,2)"},
        {"number(5,-2)", "numeric(5,-2)"},
        {"varchar2(7)", "varchar(7)"},
        {"VARCHAR2(10 BYTE)", "varchar(10)"},
        {"nvarchar2 ( 10\tchar )", "varchar(10)"},
        {"varchar2", "varchar"},
        {"varchar(10 char)", "varchar(10)"},
        {"char(3 byte)", "char(3)"},
        {"nchar(3)", "char(3)"},
        {"binary_double", "float8"},
        {"Binary_Float", "float4"},
        {"clob", "text"},
        {"NCLOB", "text"},
        {"long", "text"},
        {"blob", "bytea"},
        {"raw(10)", "bytea"},
        {"long\n raw", "bytea"},
        {"pls_integer", "integer"},
        {"binary_integer", "integer"},
        {"xmltype", "xml"},
        {"timestamp with local time zone", "timestamptz"},
        {"TIMESTAMP(3) WITH LOCAL TIME ZONE", "timestamptz(3)"},
        {"interval day to second", "interval day to second"},
        {"INTERVAL DAY(2) TO SECOND(6)", "interval day to second(6)"},
        {"interval year(4) to month", "interval year to month"},
        {"float(126)", "float8"},
        {"number[]", "numeric[]"},
        {"varchar2(3)[2][]", "varchar(3)[2][]"},
        {"number array", "numeric array"},
    };
    for (const auto& [written, expected] : cases)
        EXPECT_EQ(postgres_type_name(written), expected) << written;
}

TEST(TypeNames, LeaveTheRestAlone) {
    for (const char* written : {"",
                                " ",
                                "int",
                                "Integer",
                                "date",
                                "DATE",
                                "timestamp",
                                "timestamp(3)",
                                "timestamp with time zone",
                                "timestamp(3) with time zone",
                                "float",
                                "float(10)",
                                "float(53)",
                                "double precision",
                                "numeric(10, 2)",
                                "character varying(10)",
                                "char varying(10)",
                                "interval",
                                "interval hour to minute",
                                "interval second(2)",
                                "\"number\"",
                                "public.number",
                                "number.x",
                                "number(10",
                                "number)",
                                "numbers",
                                "clob(3)",
                                "number x",
                                "long text",
                                "my_type",
                                "\"Char\"",
                                "varchar2(3",
                                "gr\xC3\xB6\xC3\x9F"
                                "e",
                                "(",
                                "raw(",
                                "float(x)",
                                "float(1x6)",
                                "float(1,2)"})
        EXPECT_EQ(postgres_type_name(written), written);
}

}  // namespace
}  // namespace epe

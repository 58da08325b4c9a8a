"""Values of PostgreSQL's types that the tests of types send through Python and back."""

from __future__ import annotations

from dataclasses import dataclass

# Types that the cases need.
PREAMBLE = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine"', 'ünï');
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE DOMAIN short_text AS varchar(5);
CREATE DOMAIN few AS int[] CHECK (cardinality(value) < 4);
CREATE TYPE inner_row AS (x int, "Y z" text);
CREATE TYPE altered_row AS (x int, gone text, y text);
ALTER TYPE altered_row DROP ATTRIBUTE gone;
CREATE DOMAIN checked_row AS altered_row CHECK ((value).x > 0);
CREATE TYPE outer_row AS (a float8, b inner_row, c inner_row[], d mood, e timestamp, f numeric);
"""

# As the column's type has it; the same but for the order of parts; json's white space aside.
BY_TEXT = "v::text"
BY_VALUE = "v"
BY_JSONB = "v::jsonb"


@dataclass(frozen=True)
class TypeCase:
    """A column type and literals of it; `with_null` adds a NULL row.

    `controls` are control arguments that the round trip of these values needs, `same_by` is what
    must be equal before and after. `arrow_error` is the SQLSTATE with which the values, documented
    to have no counterpart there, are refused as pyarrow.Table or polars.DataFrame.
    """

    name: str
    sql_type: str
    literals: tuple[str, ...]
    with_null: bool = True
    controls: tuple[tuple[str, str], ...] = ()
    same_by: str = BY_TEXT
    arrow_error: str = ""

    @property
    def table(self) -> str:
        """Name of the case's table, which is also the name of a type."""
        return f"case_{self.name}"


def _case(name: str, sql_type: str, *literals: str, **options: object) -> TypeCase:
    return TypeCase(name, sql_type, literals, **options)  # type: ignore[arg-type]


KEEP_NAN = (("oml_nan", "keep"),)
DECIMAL = (("oml_numeric", "decimal"),)
NO_COUNTERPART = "22008"
DIFFERENT_DIMENSIONS = "0A000"
LONG_NUMERIC = "-" + "1234567890" * 30 + "." + "0987654321" * 30

CASES = (
    _case("bool", "bool", "t", "f"),
    _case("bool_full", "bool", "t", "f", with_null=False),
    _case("int2", "int2", "-32768", "0", "32767"),
    _case("int4", "int4", "-2147483648", "0", "2147483647"),
    _case(
        "int8_full", "int8", "-9223372036854775808", "9223372036854775807", "9007199254740993",
        with_null=False,
    ),
    _case("int8", "int8", "-9007199254740991", "0", "9007199254740991"),
    _case("float4", "float4", "0", "-0", "1.1", "3.4028235e38", "1e-45", "inf", "-inf"),
    _case("float4_nan", "float4", "NaN", "1.1", "-inf", with_null=False, controls=KEEP_NAN),
    _case("float8", "float8", "0", "-0", "0.1", "1.7976931348623157e308", "5e-324", "inf", "-inf"),
    _case("float8_nan", "float8", "NaN", "0.1", "inf", with_null=False, controls=KEEP_NAN),
    _case("numeric", "numeric", "0", "0.1", "-1e20", "123456789.125", same_by=BY_VALUE),
    _case("numeric_12_2", "numeric(12,2)", "0.00", "-9999999999.99", "0.10"),
    _case(
        "numeric_exact", "numeric", "0", "0.100", "1e-30", "-1e30", "NaN", LONG_NUMERIC,
        "9007199254740993", "10000000000000000.01", "Infinity", "-Infinity", controls=DECIMAL,
    ),
    _case("text", "text", "", " ", "a'b\"c\\d", "ünï ☃ 😀", "line\nfeed\ttab\r", "NULL", "{}"),
    _case("varchar", "varchar(7)", "", "1234567", "ünïcödé", "  x  "),
    _case("bpchar", "char(5)", "", "ab", "ünïcö"),
    _case("name", "name", "a", "x" * 63),
    _case("char_byte", '"char"', "a", " "),
    _case("bytea", "bytea", "", r"\x00ff00", r"\x5c78", r"\x616263"),
    _case("date", "date", "1970-01-01", "0001-01-01", "9999-12-31", "2024-02-29"),
    _case(
        "date_far", "date", "infinity", "-infinity", "0044-03-15 BC", "4713-01-01 BC",
        "12345-06-07", "5874897-12-31", "2024-02-29", arrow_error=NO_COUNTERPART,
    ),
    _case("time", "time", "00:00", "23:59:59.999999", "12:34:56.000001"),
    _case("time_24", "time", "24:00", "12:00", arrow_error=NO_COUNTERPART),
    _case(
        "timetz", "timetz", "00:00+00", "23:59:59.999999-12", "12:00+05:30", "01:02:03.4+15:59:59",
    ),
    _case("timetz_24", "timetz", "24:00-08", "12:00+05:30", arrow_error=NO_COUNTERPART),
    _case(
        "timestamp", "timestamp", "1970-01-01 00:00", "2024-02-29 12:34:56.789012",
        "1969-12-31 23:59:59.999999", "2262-04-11 23:47:16", "1677-09-22 00:00",
    ),
    _case(
        "timestamp_far", "timestamp", "infinity", "-infinity", "0044-03-15 12:00 BC",
        "4713-11-24 00:00 BC", "294276-12-31 23:59:59.999999", "0001-01-01 00:00",
        "9999-12-31 23:59:59.999999", "1600-01-01 00:00:00.000001", arrow_error=NO_COUNTERPART,
    ),
    _case("timestamp_wide", "timestamp", "0001-01-01 00:00", "9999-12-31 23:59:59.999999"),
    _case(
        "timestamptz", "timestamptz", "1970-01-01 00:00+00", "2024-02-29 12:34:56.789012+05:30",
        "2024-07-01 00:00-11",
    ),
    _case(
        "timestamptz_far", "timestamptz", "infinity", "-infinity", "0044-03-15 12:00+00 BC",
        "294276-12-31 00:00+00", "9999-12-31 23:59:59.999999+00", "0001-01-01 00:00+00",
        arrow_error=NO_COUNTERPART,
    ),
    _case(
        "interval", "interval", "0", "1 day", "-1 day", "1 day -1 hour", "00:00:00.000001",
        "-00:00:00.000001", "100 days 23:59:59.999999", "2562047788:00:54.775807",
        same_by=BY_VALUE,
    ),
    _case(
        "interval_months", "interval", "1 mon", "-1 year 2 days -03:04:05.6", "1 mon 00:00:00.1",
        "178000000 years", "2 days", "-00:00:01", arrow_error=NO_COUNTERPART,
    ),
    _case(
        "uuid", "uuid", "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    ),
    _case(
        "json", "json", '{"a": [1, 2.5, "x\\u2603", null, true, {}]}', "[]", '"text"', "1", "0.1",
        "true", '{"k": 9007199254740993, "big": 123456789012345678901234567890}',
        same_by=BY_JSONB,
    ),
    _case(
        "jsonb", "jsonb", '{"b": 1, "a": {"c": ["\\"q\\"", "\\\\"]}}', "[[], {}]", '""', "-1.5e-7",
        "false",
    ),
    _case("xml", "xml", "<a b='1'>x&amp;y</a>", "<e/>"),
    _case("inet", "inet", "192.168.0.1", "10.1.2.3/8", "::1", "2001:db8::1/32"),
    _case("cidr", "cidr", "10.0.0.0/8", "2001:db8::/32"),
    _case("macaddr", "macaddr", "08:00:2b:01:02:03"),
    _case("macaddr8", "macaddr8", "08:00:2b:01:02:03:04:05"),
    _case("bit", "bit(5)", "10101", "00000"),
    _case("varbit", "varbit", "", "1", "000111000111000111000111000111000111000111"),
    _case("money", "money", "-92233720368547758.08", "0", "12.34"),
    _case("int4range", "int4range", "empty", "[1,5)", "(,3)", "[7,)", "(,)"),
    _case("numrange", "numrange", "[1.10,2.200]", "(,5e-10)"),
    _case("tsrange", "tsrange", "[2024-01-01 00:00,infinity)", '["0044-03-15 BC",2024-01-01)'),
    _case("int4multirange", "int4multirange", "{}", "{[1,3),[5,)}"),
    _case("enum", "mood", "sad", 'it\'s "fine"', "ünï"),
    _case("domain_int", "positive", "1", "2147483647"),
    _case("domain_text", "short_text", "", "12345"),
    _case("domain_array", "few", "{}", "{1,NULL,3}"),
    _case("composite", "inner_row", "(1,x)", "(,)", '(-5,"a ""q"" \\\\ , ()")', '(7,"")'),
    _case(
        "composite_nested", "outer_row",
        '(1.5,"(1,x)","{""(2,y)"",NULL,""(,)""}",sad,"2024-01-02 03:04:05.000006",1.25)',
        "(,,,,,)", '(inf,"(,)",{},ok,,-0.5)',
    ),
    _case("composite_far", "outer_row", "(,,,,infinity,)", '(,,,,"2024-01-01 00:00",)',
          arrow_error=NO_COUNTERPART),
    _case("composite_altered", "altered_row", "(1,x)", "(,)"),
    _case("domain_of_composite", "checked_row", "(1,x)", "(2,)"),
    _case("domain_of_composite_array", "checked_row[]", '{"(1,x)",NULL}', "{}"),
    _case("composite_array", "inner_row[]", '{"(1,x)",NULL}', "{}", '{"(1,\\"a b\\")","(,)"}'),
    _case("composite_array_2d", "inner_row[]", '{{"(1,x)"},{"(2,)"}}'),
    _case("oid", "oid", "0", "4294967295", "26"),
    _case("regclass", "regclass", "pg_class", "pg_type"),
    _case("tsvector", "tsvector", "", "'a':1A 'it''s':2,3B"),
    _case("point", "point", "(1.5,-2)", "(0.1,1e+300)"),
    _case("int4_array", "int4[]", "{}", "{1}", "{1,NULL,-2147483648}", "{NULL}"),
    _case("int4_array_2d", "int4[]", "{{1,2},{3,4}}", "{{NULL}}"),
    _case("int4_array_mixed", "int4[]", "{1}", "{{1,2},{3,4}}", "{{{1},{2}},{{NULL},{4}}}", "{}",
          "{{{{{{1}}}}}}", arrow_error=DIFFERENT_DIMENSIONS),
    _case("int8_array", "int8[]", "{9223372036854775807,-9223372036854775808}",
          "{9223372036854775807,NULL}"),
    _case("int2_array", "int2[]", "{32767,-32768}", "{}"),
    _case("bool_array", "bool[]", "{t,f}", "{t,NULL}"),
    _case("float4_array", "float4[]", "{1.1,inf,-0}", "{}"),
    _case("float8_array", "float8[]", "{0.1,-inf,5e-324}", "{0.1,NULL}"),
    _case("float8_array_nan", "float8[]", "{0.1,NaN}", "{NaN}", controls=KEEP_NAN),
    _case("numeric_array", "numeric[]", "{0.25,-3}", "{1.5,NULL}", same_by=BY_VALUE),
    _case("numeric_array_exact", "numeric[]", "{0.100,12345678901234567890.123}", "{NaN,NULL}",
          controls=DECIMAL),
    _case("text_array", "text[]", '{"",a,"NULL",NULL,"q\\"\\\\",ü}', "{}",
          "{single}"),
    _case("text_array_2d", "text[]", '{{a,NULL},{"",d}}'),
    _case("varchar_array", "varchar(3)[]", "{abc,ü}"),
    _case("bytea_array", "bytea[]", r'{"\\x00ff","\\x"}', r'{"\\x01",NULL}'),
    _case("date_array", "date[]", "{2024-01-01,0001-01-01}", "{2024-01-01,NULL}"),
    _case("date_array_far", "date[]", "{infinity}", '{2024-01-01,"0044-03-15 BC"}',
          "{NULL,-infinity}", arrow_error=NO_COUNTERPART),
    _case("date_array_2d", "date[]", "{{2024-01-01},{2025-01-01}}"),
    _case("time_array", "time[]", "{00:00:00,23:59:59.999999}", "{NULL,12:00}"),
    _case("time_array_24", "time[]", "{24:00,12:00}", arrow_error=NO_COUNTERPART),
    _case("timetz_array", "timetz[]", "{00:00:00+05:30,23:00-08}", "{NULL,12:00+00}"),
    _case("timestamp_array", "timestamp[]", '{"2024-01-01 00:00:00.000001",NULL}',
          '{"0001-01-01 00:00","9999-12-31 00:00"}'),
    _case("timestamp_array_far", "timestamp[]", '{infinity,"2024-01-01 00:00:00.000001"}',
          arrow_error=NO_COUNTERPART),
    _case("timestamp_array_2d", "timestamp[]", '{{"2024-01-01 00:00"},{"2025-01-01 00:00"}}'),
    _case("timestamptz_array", "timestamptz[]", '{"2024-01-01 00:00+00",NULL}',
          '{"2024-01-01 00:00:00.000001+00"}'),
    _case("timestamptz_array_far", "timestamptz[]", '{"2024-01-01 00:00:00.000001+00",-infinity}',
          '{"2024-01-01 00:00+00"}', arrow_error=NO_COUNTERPART),
    _case("interval_array", "interval[]", '{"1 day",NULL}', '{"1 day 02:00","-00:00:01"}',
          same_by=BY_VALUE),
    _case("interval_array_months", "interval[]", '{"1 mon",NULL}', '{"1 day 02:00","1 year"}',
          '{"-1 mon","1 day"}', arrow_error=NO_COUNTERPART),
    _case("uuid_array", "uuid[]", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}", "{}"),
    _case("json_array", "jsonb[]", '{"{\\"a\\": [1]}",NULL,"[]"}', '{"\\"t\\"","1"}', "{}"),
    _case("mood_array", "mood[]", "{sad,ok}", "{NULL,ünï}"),
    _case("inet_array", "inet[]", "{10.0.0.1/8,::1}"),
    _case("range_array", "int4range[]", '{"[1,5)",empty}'),
    _case("domain_of_array", "positive[]", "{1,2}", "{}", "{NULL,3}"),
)  # fmt: skip

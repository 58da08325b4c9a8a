-- Conversions of result values to the type of their column, and their errors.

SELECT pyq_script_create('cast_it', $$
def cast_it(code, n=1):
    import datetime, decimal, uuid
    import numpy as np, pandas as pd
    value = eval(code)
    return value if isinstance(value, pd.DataFrame) else pd.DataFrame({"x": value})
$$);
CREATE FUNCTION cast_it(code text) RETURNS jsonb LANGUAGE sql
    AS $$ SELECT jsonb_build_object('code', code) $$;

-- integers
SELECT * FROM pyq_eval(cast_it('[1, -2, 0]'), NULL::int2, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[2**63 - 1, -2**63]'), NULL::int8, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[2**63 - 1, 7]'), NULL::numeric, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[1, 0, -1]'), NULL::bool, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[1259]'), NULL::oid, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[5]'), NULL::money, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[5, 12345]'), NULL, 'cast_it') AS t(x char(3));
SELECT * FROM pyq_eval(cast_it('np.array([1, 2, 40000])'), NULL::int2, 'cast_it');
SELECT * FROM pyq_eval(cast_it('np.array([1, 3000000000])'), NULL::int4, 'cast_it');
SELECT * FROM pyq_eval(cast_it('np.array([1, -1])'), NULL::oid, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[5]'), NULL::date, 'cast_it');

-- floats
SELECT * FROM pyq_eval(cast_it('[0.1, 1e300, None]'), NULL::float8, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[0.5, 1.5, 2.5, -0.4]'), NULL::int, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[9007199254740991.0, 0.1, 1e-7]'), NULL::numeric, 'cast_it');
SELECT * FROM pyq_eval(cast_it('np.float32([0.1, 16777217])'), NULL::numeric, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[1.0, 0.0]'), NULL::bool, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[12.345]'), NULL::money, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[1.0, 1e-3]'), NULL, 'cast_it') AS t(x varchar);
SELECT * FROM pyq_eval(cast_it('[1.0, 1e39]'), NULL::float4, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[1.0, 1e-50]'), NULL::float4, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[1.0, 3e9]'), NULL::int4, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[float(''inf'')]'), NULL::int4, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[float(''nan''), 1.5]') || '{"oml_nan": "keep"}', NULL::numeric, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[float(''nan''), 1.5]') || '{"oml_nan": "keep"}', NULL::int, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[float(''nan''), 1.5]'), NULL::int, 'cast_it');
SELECT x FROM pyq_eval(cast_it('[1.0, 123.456]'), NULL, 'cast_it') AS t(x numeric(4, 1));
SELECT x FROM pyq_eval(cast_it('[1.0, 1234.5]'), NULL, 'cast_it') AS t(x numeric(4, 1));

-- booleans
SELECT * FROM pyq_eval(cast_it('[True, False, None]'), NULL::bool, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[True, False]'), NULL::numeric, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[True, False]'), NULL::float8, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[True, False]'), NULL, 'cast_it') AS t(x text);

-- decimals
SELECT * FROM pyq_eval(cast_it('[decimal.Decimal(''1.10''), None]'), NULL::numeric, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[decimal.Decimal(''12345678901234567890.5'')]'), NULL::numeric,
                       'cast_it');
SELECT * FROM pyq_eval(cast_it('[decimal.Decimal(''2.5'')]'), NULL::int, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[decimal.Decimal(''1e10'')]'), NULL::int, 'cast_it');

-- texts
SELECT x, length(x) FROM pyq_eval(cast_it('[''héllo wörld'', None, '''']'), NULL, 'cast_it')
    AS t(x varchar(4));
SELECT x, octet_length(x) FROM pyq_eval(cast_it('[''ab'', ''abcdef'']'), NULL, 'cast_it') AS t(x char(4));
SELECT * FROM pyq_eval(cast_it('[''pg_class'']'), NULL::regclass, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[''1'', ''x'']'), NULL, 'cast_it') AS t(x "char");
SELECT x FROM pyq_eval(cast_it('[''x'' * 100]'), NULL, 'cast_it') AS t(x name);
SELECT * FROM pyq_eval(cast_it('[''101'']'), NULL, 'cast_it') AS t(x bit(2));
SELECT * FROM pyq_eval(cast_it('[''12'', '' 7 '']'), NULL::int, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[''12'', ''seven'']'), NULL::int, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[''{1,2}'', ''{}'']'), NULL::int[], 'cast_it');
SELECT * FROM pyq_eval(cast_it('[''[1,5)'']'), NULL::int4range, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[''10.0.0.1/8'']'), NULL::inet, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[''<a/>'']'), NULL::xml, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[''(1,2)'']'), NULL::point, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[''2024-02-30'']'), NULL::date, 'cast_it');
CREATE TYPE cast_mood AS ENUM ('sad', 'happy');
SELECT * FROM pyq_eval(cast_it('[''happy'', None]'), NULL::cast_mood, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[''happy'', ''angry'']'), NULL::cast_mood, 'cast_it');

-- bytes, uuid, json
SELECT * FROM pyq_eval(cast_it('[bytes([0, 255]), b'''', None]'), NULL::bytea, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[uuid.UUID(int=1)]'), NULL::uuid, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[{''a'': [1, None]}, None]'), NULL::jsonb, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[[1, 2]]'), NULL::json, 'cast_it');

-- dates and times
SET timezone = 'Europe/Berlin';
SET datestyle = 'ISO';
SELECT * FROM pyq_eval(cast_it('[datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None]'),
                       NULL::date, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)]'),
                       NULL::timestamp, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc)]'),
                       NULL::timestamptz, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[datetime.datetime(2024, 2, 29, 12, 30)]'), NULL::date, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[datetime.date(2024, 2, 29)]'), NULL::timestamp, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[datetime.time(23, 59, 59, 999999)]'), NULL::time, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[datetime.time(1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=-3)))]'),
                       NULL::timetz, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[datetime.timedelta(days=-2, seconds=5), datetime.timedelta(1.5)]'),
                       NULL::interval, 'cast_it');
SELECT x FROM pyq_eval(cast_it('[datetime.datetime(2024, 2, 29, 12, 30, 15, 987654)]'), NULL, 'cast_it')
    AS t(x timestamp(2));
SELECT * FROM pyq_eval(cast_it('np.array([''2024-02-29'', ''NaT''], ''datetime64[s]'')'), NULL::timestamp, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[''infinity'', ''4713-01-01 BC'']'), NULL::timestamp, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[datetime.time(1, 2)]'), NULL::int, 'cast_it');

-- arrays
SELECT * FROM pyq_eval(cast_it('[[1, 2], [], None, [None, 3]]'), NULL::int[], 'cast_it');
SELECT * FROM pyq_eval(cast_it('[[[1, 2], [3, 4]], [[5], [6]]]'), NULL::int[], 'cast_it');
SELECT x, array_dims(x) FROM pyq_eval(cast_it('[np.zeros((2, 1, 2))]'), NULL, 'cast_it')
    AS t(x float8[]);
SELECT x FROM pyq_eval(cast_it('[[''abc'', ''d'']]'), NULL, 'cast_it') AS t(x varchar(2)[]);
SELECT * FROM pyq_eval(cast_it('[[1, 40000]]'), NULL::int2[], 'cast_it');
CREATE DOMAIN cast_short AS int[] CHECK (cardinality(VALUE) < 3);
SELECT * FROM pyq_eval(cast_it('[[1, 2]]'), NULL::cast_short, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[[1], [1, 2, 3]]'), NULL::cast_short, 'cast_it');

-- composites
CREATE TYPE cast_part AS (id int2, name varchar(3));
SELECT * FROM pyq_eval(cast_it('[{''id'': 1, ''name'': ''abcd''}, {''id'': None, ''name'': None}, None]'),
                       NULL, 'cast_it') AS t(x cast_part);
SELECT * FROM pyq_eval(cast_it('[{''id'': 1, ''name'': ''a''}, {''id'': 99999, ''name'': ''b''}]'), NULL, 'cast_it')
    AS t(x cast_part);
SELECT * FROM pyq_eval(cast_it('[[{''id'': 1, ''name'': ''a''}]]'), NULL, 'cast_it') AS t(x cast_part[]);

-- domains see NULL too
CREATE DOMAIN cast_required AS text NOT NULL;
SELECT x FROM pyq_eval(cast_it('[''a'', None]'), NULL, 'cast_it') AS t(x cast_required);
SELECT x FROM pyq_eval(cast_it('[None]'), NULL, 'cast_it') AS t(x cast_required);
-- a column without a value is NULL of any type
SELECT * FROM pyq_eval(cast_it('[None, None]'), NULL::point, 'cast_it');

-- the position of a value: the call, the column, the row
SELECT pyq_script_create('cast_place', $$
def cast_place(data):
    return [(1, "%s" % row) for row in data["word"]]
$$);
CREATE TABLE cast_input AS
    SELECT i AS id, CASE WHEN i < 4 THEN 'one' ELSE 'two' END AS grp,
           CASE i WHEN 5 THEN 'five' ELSE i::text END AS word FROM generate_series(1, 5) AS i;
SELECT * FROM pyq_table_eval('cast_input', NULL, NULL, 'cast_place') AS t(a int, b int);
SELECT * FROM pyq_row_eval('cast_input', NULL, NULL, 3, 'cast_place') AS t(a int, b int);
SELECT * FROM pyq_group_eval('cast_input', NULL, NULL, 'grp', 'id', 'cast_place') AS t(a int, "B" int);
SELECT pyq_script_create('cast_generator', $$
def cast_generator(n):
    for i in range(4):
        yield [(i, "x" if i == n else "1")]
$$);
SELECT * FROM pyq_index_eval(NULL, NULL, 3, 'cast_generator') AS t(i int, v int);


-- SQLSTATEs
\set VERBOSITY sqlstate
SELECT * FROM pyq_eval(cast_it('np.array([40000])'), NULL::int2, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[1e39]'), NULL::float4, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[5]'), NULL::date, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[''seven'']'), NULL::int, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[[1, 2, 3]]'), NULL::cast_short, 'cast_it');
SELECT * FROM pyq_eval(cast_it('[None]'), NULL, 'cast_it') AS t(x cast_required);
SELECT * FROM pyq_eval(NULL, '{"x": "nosuch"}', 'cast_it') AS t(x int);
SELECT * FROM pyq_eval(NULL, '{"x": "int"}', 'cast_it') AS t(y int);
SELECT * FROM pyq_eval(NULL, 'nosuch', 'cast_it') AS t(y int);
SELECT * FROM pyq_eval(NULL, 'XML', 'cast_it') AS t(y int);
SELECT pyq_eval(NULL, 'XML', 'cast_it');
SELECT * FROM pyq_eval(cast_it('[1]'), NULL, 'cast_it') AS t(y int);
\set VERBOSITY default

DROP TABLE cast_input;
DROP DOMAIN cast_short, cast_required;
DROP TYPE cast_mood, cast_part;
DROP FUNCTION cast_it(text);
SELECT pyq_script_drop(s) FROM unnest(ARRAY['cast_it', 'cast_place', 'cast_generator']) AS s;

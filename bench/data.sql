-- The tables of the benchmark; psql variables: rows, groups.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT setseed(0.42);

CREATE TABLE numeric4 AS
    SELECT i::int4 AS a, random() AS b, random() * 1000 AS c, random() - 0.5 AS d
    FROM generate_series(1, :rows) i;

-- Every label has the same length, so that even a parser of fixed-width records (COPY BINARY and
-- numpy) can take part.
CREATE TABLE mixed8 AS
    SELECT i::int4 AS id, (i % 1000)::int4 AS code, random() AS x, random() * 1000 AS y,
           random() - 0.5 AS z, 'item-' || lpad((random() * 4999)::int::text, 5, '0') AS label,
           timestamp '2024-01-01' + i * interval '1 second' AS taken_at,
           (random() * 1000000)::numeric(12,2) AS amount
    FROM generate_series(1, :rows) i;

-- The rows of a group lie far apart, so that grouping must sort or hash.
CREATE TABLE grouped AS
    SELECT (i % :groups)::int4 AS g, random() AS x, random() * 1000 AS y
    FROM generate_series(1, :rows) i;

VACUUM (FREEZE, ANALYZE) numeric4, mixed8, grouped;

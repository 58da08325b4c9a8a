-- The same jobs in plpython3u.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION plpython3u;

CREATE FUNCTION peer_length(query text) RETURNS int8 LANGUAGE plpython3u AS $$
import pandas as pd
return len(pd.DataFrame.from_records(list(plpy.execute(query))))
$$;

CREATE FUNCTION peer_rows(n int) RETURNS SETOF numeric4 LANGUAGE plpython3u AS $$
import numpy as np
import pandas as pd
if n not in GD:
    numbers = np.random.default_rng(42).random((3, n))
    GD[n] = pd.DataFrame({"a": np.arange(n, dtype=np.int32), "b": numbers[0], "c": numbers[1],
                          "d": numbers[2]})
yield from GD[n].itertuples(index=False, name=None)
$$;

CREATE FUNCTION peer_reduce(x float8[], y float8[]) RETURNS float8 LANGUAGE plpython3u AS $$
import numpy as np
return np.array(x).sum() + np.array(y).max()
$$;

CREATE FUNCTION peer_reduce_frame(x float8[], y float8[]) RETURNS float8 LANGUAGE plpython3u AS $$
import pandas as pd
dat = pd.DataFrame({"x": x, "y": y})
return dat["x"].sum() + dat["y"].max()
$$;

CREATE FUNCTION peer_one(i int) RETURNS int LANGUAGE plpython3u AS 'return 1';
CREATE FUNCTION peer_one_set(i int) RETURNS SETOF int LANGUAGE plpython3u AS 'return (1,)';

-- Seconds that a plain Python loop takes for the reductions of all groups, inside the server, the
-- pieces being cut before. kind: 'array' (the function on a piece), 'frame' (the function on a
-- frame that exists), 'constructor' (pandas' constructor alone, from a block of columns).
CREATE FUNCTION loop_seconds(kind text, n_rows int, n_groups int) RETURNS float8
LANGUAGE plpython3u AS $$
import time
import numpy as np
import pandas as pd

def reduce_array(dat):
    return dat[:, 1].sum() + dat[:, 2].max()

def reduce_frame(dat):
    return dat["x"].sum() + dat["y"].max()

block = np.random.default_rng(42).random((n_rows, 3))
size = n_rows // n_groups
pieces = [block[first:first + size] for first in range(0, size * n_groups, size)]
names = pd.Index(["g", "x", "y"])  # shared: its hash table is built once
seconds = 0.0
if kind == "array":
    began = time.perf_counter()
    results = [reduce_array(piece) for piece in pieces]
    seconds = time.perf_counter() - began
elif kind == "constructor":
    began = time.perf_counter()
    for piece in pieces:
        pd.DataFrame(piece, columns=names)
    seconds = time.perf_counter() - began
else:
    # A frame remembers the columns that were asked for, and a new one is in the processor's
    # cache: each is made just before its only use.
    for piece in pieces:
        frame = pd.DataFrame(piece, columns=names)
        began = time.perf_counter()
        reduce_frame(frame)
        seconds += time.perf_counter() - began
return seconds
$$;

CREATE FUNCTION peer_pandas() RETURNS int LANGUAGE plpython3u AS $$
import pandas as pd

return len(pd.DataFrame({"a": [1, 2, 3]}))
$$;

CREATE FUNCTION peer_spin() RETURNS float8 LANGUAGE plpython3u AS $$
total = 0
for i in range(2000000):
    total += i * i % 7
return float(total)
$$;

"""Calls that Oracle's documentation and sample notebooks show, with the results shown there.

Those of jobs are in test_jobs.py. Examples that store a model in a datastore pass its coefficients
as arguments here. docs/explanation/compatibility.md contains the rules they illustrate.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import engine_kinds
import psycopg
import pytest
from psycopg import Connection, sql
from sklearn.datasets import load_iris
from worked_values import RANDOM_MEANS

ENGINE_PLACES = engine_kinds.ALL
SCHEMA = "worked_cases"
FRAME = json.dumps({"oml_input_type": "pandas.DataFrame"})
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
COEFFICIENTS = {
    "Coef_SEPAL_WIDTH": 0.6508371593,
    "Coef_PETAL_LENGTH": 0.7091319591,
    "Coef_PETAL_WIDTH": -0.5564826602,
}
GRADES = """
Abbott F 2 97 A 90 87; Branford M 1 98 A 92 97; Crandell M 2 98 B 81 71; Dennison M 1 97 A 85 72;
Edgar F 1 98 B 89 80; Faust M 1 97 B 78 73; Greeley F 2 97 A 82 91; Hart F 1 98 B 84 80;
Isley M 2 97 A 88 86; Jasper M 1 97 B 91 83
"""

SCRIPTS = {
    "pyqFun1": """
def fun_tab():
    import pandas as pd
    ids = list(range(10))
    return pd.DataFrame({"ID": ids, "NAME": [f"demo_{i}" for i in ids],
                         "FLOAT": [i / 10 for i in ids]})
""",
    "computeGradeDiff": """
def compute_grade_diff(dat):
    dat["DIFF"] = dat["SCORE"] - dat["FINALGRADE"]
    return dat
""",
    "group_count": """
def group_count(dat):
    import pandas as pd
    return pd.DataFrame([(dat["SPECIES"][0], dat.shape[0])], columns=["SPECIES", "COUNT"])
""",
    "build_lm": """
def build_lm(dat):
    import pandas as pd
    from sklearn import linear_model
    features = ["SEPAL_WIDTH", "PETAL_LENGTH", "PETAL_WIDTH"]
    regr = linear_model.LinearRegression().fit(dat[features], dat["SEPAL_LENGTH"])
    return pd.DataFrame([regr.coef_], columns=["Coef_" + name for name in features])
""",
    "score_mod": """
def score_mod(dat, intercept, coefficients):
    import pandas as pd
    pred = intercept + sum(dat[name[len("Coef_"):]] * value
                           for name, value in coefficients.items())
    return pd.concat([dat[["SPECIES", "SEPAL_LENGTH"]],
                      pd.DataFrame({"Pred_SEPAL_LENGTH": pred})], axis=1)
""",
    "density_plt": """
def density_plt(dat):
    import matplotlib.pyplot as plt
    plt.hist(dat["SEPAL_LENGTH"], density=True)
    return True
""",
    "RandomRedDots": """
def red_dots():
    import numpy as np
    import pandas as pd
    import matplotlib.pyplot as plt
    dots = pd.DataFrame(np.random.default_rng(1).random((9, 2)))
    for number in range(2):
        figure, axes = plt.subplots()
        axes.plot(dots[0], dots[1], "ro")
        figure.suptitle("Random Red Dots")
    return dots
""",
    "test_seaborn_idx": """
def test_seaborn_idx(idx):
    import matplotlib.pyplot as plt
    plt.plot([1, 2, 3])
    plt.title("Title {}".format(idx))
    return idx
""",
    "myFitMultiple": """
def my_fit_multiple(i, sample_size):
    import pandas as pd
    from sklearn import linear_model
    from sklearn.datasets import load_iris
    iris = load_iris(as_frame=True).frame.sample(sample_size, random_state=i)
    x, y = iris[["petal length (cm)"]], iris["petal width (cm)"]
    score = linear_model.LinearRegression().fit(x, y).score(x, y)
    return pd.DataFrame({"id": [i], "score": [score]})
""",
    "compute_random": """
def compute_random(i):
    import numpy as np
    np.random.seed(seed=i)
    return (np.random.random(100) * 10)[1]
""",
    "mygroupcount": """
def mygroupcount(dat):
    import pandas as pd
    import matplotlib.pyplot as plt
    plt.plot(dat["SEPAL_LENGTH"])
    plt.title(dat["SPECIES"][0])
    return pd.DataFrame({"Species": [dat["SPECIES"][0]], "CNT": [len(dat)]})
""",
    "hello_lambda": 'func = lambda: "Hello World from a lambda!"',
    "is_true": "def is_true(): return True",
    "sample_iris_table": """
def sample_iris_table(size):
    from sklearn.datasets import load_iris
    iris = load_iris(as_frame=True)
    frame = iris.frame.sample(int(size), random_state=1)
    frame.columns = ["SEPAL_LENGTH", "SEPAL_WIDTH", "PETAL_LENGTH", "PETAL_WIDTH", "SPECIES"]
    frame["SPECIES"] = [str(iris.target_names[code]) for code in frame["SPECIES"]]
    return frame
""",
    "structured": """
def structured():
    import numpy as np
    rows = [(f"{i}demo", i / 10, i, i % 2 == 0, f"bytes{i}".encode(), f"object{i}")
            for i in range(10)]
    return np.array(rows, dtype=[("a", "U10"), ("b", "f8"), ("c", "i4"), ("d", "?"),
                                 ("e", "S20"), ("f", "O")])
""",
    "kind_of": """
def kind_of(dat):
    kind = type(dat).__name__
    return f"{kind} {dat.dtype} {dat.shape}" if kind == "ndarray" else f"{kind} {dat.shape}"
""",
    "count_rows": "def count_rows(dat): return dat.shape[0]",
}


def grade_rows() -> list[list[Any]]:
    """The GRADE data as rows of Python values."""
    rows: list[list[Any]] = [line.split() for line in GRADES.split(";")]
    return [[int(word) if word.isdigit() else word for word in row] for row in rows]


@pytest.fixture(scope="module")
def cases(
    module_conn: Connection[Any], engine_place: engine_kinds.Place
) -> Iterator[Connection[Any]]:
    """A connection in a schema of its own with IRIS, GRADE and the scripts."""
    module_conn.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    module_conn.execute(f"CREATE SCHEMA {SCHEMA}")
    module_conn.execute(f"SET search_path = {SCHEMA}, {engine_place.search_path}")
    module_conn.execute(
        'CREATE TABLE "IRIS" ("SEPAL_LENGTH" float8, "SEPAL_WIDTH" float8, "PETAL_LENGTH" float8,'
        ' "PETAL_WIDTH" float8, "SPECIES" text)'
    )
    module_conn.execute(
        'CREATE TABLE "GRADE" ("NAME" varchar(30), "GENDER" varchar(1), "STATUS" int, "YEAR" int,'
        ' "SECTION" varchar(1), "SCORE" numeric, "FINALGRADE" numeric)'
    )
    iris = load_iris()
    with module_conn.cursor() as cursor:
        cursor.executemany(
            'INSERT INTO "IRIS" VALUES (%s, %s, %s, %s, %s)',
            [
                [*map(float, values), str(iris.target_names[species])]
                for values, species in zip(iris.data, iris.target)
            ],
        )
        cursor.executemany('INSERT INTO "GRADE" VALUES (%s, %s, %s, %s, %s, %s, %s)', grade_rows())
    for name, source in SCRIPTS.items():
        module_conn.execute("SELECT pyq_script_create(%s, %s, false, true)", (name, source))
    yield module_conn
    for name in SCRIPTS:
        module_conn.execute("SELECT pyq_script_drop(%s)", (name,))
    module_conn.execute(f"DROP SCHEMA {SCHEMA} CASCADE")


def rows_of(connection: Connection[Any], query: str) -> list[tuple[Any, ...]]:
    """Run a query and return all of its rows."""
    return connection.execute(query).fetchall()  # type: ignore[arg-type]


def json_of(connection: Connection[Any], query: str) -> Any:
    """Run a query with the JSON shape; check that it has one row, NAME NULL; return the value."""
    rows = rows_of(connection, query)
    assert len(rows) == 1
    name, value = rows[0]
    assert name is None
    return json.loads(value)


def test_eval_gives_the_frame_as_json(cases: Connection[Any]) -> None:
    records = json_of(
        cases,
        """SELECT * FROM pyq_eval('{"oml_service_level":"MEDIUM"}', 'JSON', 'pyqFun1')
               AS t(name text, value text)""",
    )
    assert records == [{"FLOAT": i / 10, "ID": i, "NAME": f"demo_{i}"} for i in range(10)]


def test_eval_gives_the_frame_as_rows(cases: Connection[Any]) -> None:
    rows = rows_of(
        cases,
        """SELECT * FROM pyq_eval('{"oml_service_level":"MEDIUM"}',
               '{"ID":"number","NAME":"VARCHAR2(8)","FLOAT":"binary_double"}', 'pyqFun1')
               AS t("ID" numeric, "NAME" varchar(8), "FLOAT" float8)""",
    )
    assert rows == [(Decimal(i), f"demo_{i}", i / 10) for i in range(10)]


def test_column_map_picks_and_truncates(cases: Connection[Any]) -> None:
    rows = rows_of(
        cases,
        f"""SELECT * FROM pyq_table_eval('GRADE', '{FRAME}',
                '{{"NAME":"varchar2(7)","DIFF":"number"}}', 'computeGradeDiff')
                AS t("NAME" varchar(7), "DIFF" numeric)""",
    )
    assert rows == [
        ("Abbott", 3),
        ("Branfor", -5),
        ("Crandel", 10),
        ("Denniso", 13),
        ("Edgar", 9),
        ("Faust", 5),
        ("Greeley", -9),
        ("Hart", 4),
        ("Isley", 2),
        ("Jasper", 8),
    ]


def test_group_eval_counts_the_species(cases: Connection[Any]) -> None:
    rows = rows_of(
        cases,
        """SELECT * FROM pyq_group_eval('IRIS',
               '{"oml_input_type":"pandas.DataFrame","oml_service_level":"MEDIUM"}',
               '{"SPECIES":"varchar2(10)","COUNT":"number"}', 'SPECIES', NULL, 'group_count')
               AS t("SPECIES" varchar(10), "COUNT" numeric)""",
    )
    assert sorted(rows) == [("setosa", 50), ("versicolor", 50), ("virginica", 50)]


def test_table_eval_fits_a_linear_model(cases: Connection[Any]) -> None:
    rows = rows_of(
        cases,
        f"""SELECT * FROM pyq_table_eval('IRIS', '{FRAME}',
                '{{"Coef_SEPAL_WIDTH":"number","Coef_PETAL_LENGTH":"number",
                   "Coef_PETAL_WIDTH":"number"}}', 'build_lm')
                AS t("Coef_SEPAL_WIDTH" numeric, "Coef_PETAL_LENGTH" numeric,
                     "Coef_PETAL_WIDTH" numeric)""",
    )
    assert len(rows) == 1
    assert [float(value) for value in rows[0]] == pytest.approx(
        list(COEFFICIENTS.values()), abs=1e-9
    )


def test_model_as_json(cases: Connection[Any]) -> None:
    records = json_of(
        cases,
        f"""SELECT * FROM pyq_table_eval('IRIS', '{FRAME}', 'JSON', 'build_lm')
                AS t(name text, value text)""",
    )
    assert len(records) == 1
    assert records[0] == pytest.approx(COEFFICIENTS, abs=1e-9)


def test_model_as_xml(cases: Connection[Any]) -> None:
    rows = rows_of(
        cases,
        f"""SELECT * FROM pyq_table_eval('IRIS', '{FRAME}', 'XML', 'build_lm')
                AS t(name text, value text)""",
    )
    assert len(rows) == 1
    assert rows[0][0] is None
    assert rows[0][1].startswith("<root><pandas_dataFrame><ROW-pandas_dataFrame><Coef_SEPAL_WIDTH>")
    record = ElementTree.fromstring(rows[0][1]).find("pandas_dataFrame/ROW-pandas_dataFrame")
    assert record is not None
    assert [element.tag for element in record] == list(COEFFICIENTS)
    assert [float(element.text or "") for element in record] == pytest.approx(
        list(COEFFICIENTS.values()), abs=1e-9
    )


def test_row_eval_scores_in_three_chunks(cases: Connection[Any]) -> None:
    # The coefficients in full precision; Oracle's output has ten digits.
    (coefficients,) = json_of(
        cases, f"SELECT * FROM pyq_table_eval('IRIS', '{FRAME}', NULL::pyq_json, 'build_lm')"
    )
    means = rows_of(
        cases,
        'SELECT avg("SEPAL_LENGTH"), avg("SEPAL_WIDTH"), avg("PETAL_LENGTH"), avg("PETAL_WIDTH")'
        ' FROM "IRIS"',
    )[0]
    model = {
        "intercept": means[0] - sum(c * m for c, m in zip(coefficients.values(), means[1:])),
        "coefficients": coefficients,
    }
    rows = cases.execute(
        """SELECT * FROM pyq_row_eval('IRIS', %s,
               '{"SPECIES":"varchar2(10)","SEPAL_LENGTH":"number","Pred_SEPAL_LENGTH":"number"}',
               50, 'score_mod')
               AS t("SPECIES" varchar(10), "SEPAL_LENGTH" numeric, "Pred_SEPAL_LENGTH" numeric)""",
        (json.dumps(model),),
    ).fetchall()
    assert len(rows) == 150
    assert [row[0] for row in rows] == ["setosa"] * 50 + ["versicolor"] * 50 + ["virginica"] * 50
    for species, length, prediction in (
        ("setosa", "4.6", 4.7968466935),
        ("versicolor", "5.1", 4.9983553424),
    ):
        assert any(
            row[:2] == (species, Decimal(length))
            and float(row[2]) == pytest.approx(prediction, abs=1e-9)
            for row in rows
        )


def test_density_plot(cases: Connection[Any]) -> None:
    rows = rows_of(
        cases,
        """SELECT * FROM pyq_table_eval('IRIS',
               '{"oml_input_type":"pandas.DataFrame","oml_graphics_flag":true}', 'PNG',
               'density_plt')
               AS t(name text, id int, value text, title text, image bytea)""",
    )
    assert [row[:4] for row in rows] == [(None, 1, "true", None)]
    assert rows[0][4].startswith(PNG_SIGNATURE)


def test_two_figures_of_one_call(cases: Connection[Any]) -> None:
    rows = rows_of(
        cases,
        """SELECT * FROM pyq_eval('{"oml_graphics_flag":true}', NULL::pyq_png, 'RandomRedDots')""",
    )
    assert [row[:2] for row in rows] == [(None, 1), (None, 2)]
    assert [row[3] for row in rows] == ["Random Red Dots"] * 2
    for row in rows:
        records = json.loads(row[2])
        assert len(records) == 9
        assert set(records[0]) == {"0", "1"}
        assert row[4].startswith(PNG_SIGNATURE)


def test_index_eval_draws(cases: Connection[Any]) -> None:
    rows = rows_of(
        cases,
        """SELECT * FROM pyq_index_eval('{"oml_graphics_flag":true}', NULL::pyq_png, 2,
               'test_seaborn_idx')""",
    )
    assert [row[:4] for row in rows] == [("1", 1, "1", "Title 1"), ("2", 1, "2", "Title 2")]
    assert all(row[4].startswith(PNG_SIGNATURE) for row in rows)


def test_index_eval_fits_samples(cases: Connection[Any]) -> None:
    rows = rows_of(
        cases,
        """SELECT * FROM pyq_index_eval(
               '{"sample_size":80,"oml_parallel_flag":false,"oml_service_level":"MEDIUM"}',
               '{"id":"number","score":"number"}', 3, 'myFitMultiple')
               AS t(id numeric, score numeric)""",
    )
    assert [row[0] for row in rows] == [1, 2, 3]
    assert [float(row[1]) for row in rows] == pytest.approx([0.93] * 3, abs=0.03)


def test_index_eval_seeds_the_generator(cases: Connection[Any]) -> None:
    values = json_of(
        cases, "SELECT * FROM pyq_index_eval(NULL::text, NULL::pyq_json, 10, 'compute_random')"
    )
    assert values == RANDOM_MEANS[:10]


def test_group_eval_draws(cases: Connection[Any]) -> None:
    rows = rows_of(
        cases,
        """SELECT * FROM pyq_group_eval('IRIS',
               '{"oml_input_type":"pandas.DataFrame","oml_graphics_flag":true}', 'PNG',
               'SPECIES', NULL, 'mygroupcount')
               AS t(name text, id int, value text, title text, image bytea)""",
    )
    species = ["setosa", "versicolor", "virginica"]
    assert sorted(row[0] for row in rows) == species
    for name, number, value, title, image in rows:
        assert (number, title) == (1, name)
        assert json.loads(value) == [{"Species": name, "CNT": 50}]
        assert image.startswith(PNG_SIGNATURE)


def test_lambda_as_xml(cases: Connection[Any]) -> None:
    rows = rows_of(
        cases,
        "SELECT * FROM pyq_eval(NULL::text, 'XML', 'hello_lambda') AS t(name text, value text)",
    )
    assert rows == [(None, "<root><str>Hello World from a lambda!</str></root>")]


def test_bool_as_xml(cases: Connection[Any]) -> None:
    rows = rows_of(
        cases, "SELECT * FROM pyq_eval(NULL::text, 'XML', 'is_true') AS t(name text, value text)"
    )
    assert rows == [(None, "<root><bool>TRUE</bool></root>")]


def test_eval_takes_an_argument(cases: Connection[Any]) -> None:
    rows = rows_of(
        cases,
        """SELECT * FROM pyq_eval('{"size":20}',
               '{"SPECIES":"varchar2(10)","SEPAL_LENGTH":"number","SEPAL_WIDTH":"number",
                 "PETAL_LENGTH":"number","PETAL_WIDTH":"number"}', 'sample_iris_table')
               AS t("SPECIES" varchar(10), "SEPAL_LENGTH" numeric, "SEPAL_WIDTH" numeric,
                    "PETAL_LENGTH" numeric, "PETAL_WIDTH" numeric)""",
    )
    stored = rows_of(
        cases,
        'SELECT "SPECIES", "SEPAL_LENGTH"::numeric, "SEPAL_WIDTH"::numeric,'
        ' "PETAL_LENGTH"::numeric, "PETAL_WIDTH"::numeric FROM "IRIS"',
    )
    assert len(rows) == 20
    # Drawn without putting back: no row oftener than the table has it.
    assert not Counter(rows) - Counter(stored)


def test_structured_array(cases: Connection[Any]) -> None:
    rows = rows_of(
        cases,
        """SELECT * FROM pyq_eval(NULL::text,
               '{"a":"varchar2(10)","b":"binary_double","c":"number","d":"number","e":"raw(20)",
                 "f":"varchar2(10)"}', 'structured')
               AS t(a varchar(10), b float8, c numeric, d numeric, e bytea, f varchar(10))""",
    )
    assert rows == [
        (f"{i}demo", i / 10, i, int(i % 2 == 0), f"bytes{i}".encode(), f"object{i}")
        for i in range(10)
    ]


MakeRole = Callable[..., str]
Connect = Callable[..., Connection[Any]]


@pytest.fixture
def developer(make_role: MakeRole, connect: Connect) -> Iterator[Connection[Any]]:
    """OML_USER of the examples: a role that may store global scripts."""
    connection = connect(user=make_role("oml_user", "IN ROLE pyqadmin"))
    yield connection
    connection.execute("SELECT pyq_script_drop('tmpqfun2', true, true)")
    connection.execute("SELECT pyq_script_drop('tmpqfun2', false, true)")


def owners_of_tmpqfun2(connection: Connection[Any]) -> list[str]:
    """Owners of the scripts called tmpqfun2 that the connection's user sees."""
    rows = rows_of(
        connection, "SELECT owner FROM all_pyq_scripts WHERE name = 'tmpqfun2' ORDER BY owner"
    )
    return [row[0] for row in rows]


def test_private_and_global_scripts_share_a_name(developer: Connection[Any]) -> None:
    developer.execute("SELECT pyq_script_create('tmpqfun2', 'def f(): return \"private\"')")
    developer.execute(
        "SELECT pyq_script_create('tmpqfun2', 'def f(): return \"global\"', true, true)"
    )
    user = developer.info.user
    assert sorted(owners_of_tmpqfun2(developer)) == sorted([user, "pyqsys"])
    own = rows_of(developer, "SELECT script FROM user_pyq_scripts WHERE name = 'tmpqfun2'")
    assert own == [('def f(): return "private"',)]
    # The own one is found first, the global one by its owner's name.
    evaluate = "SELECT * FROM pyq_eval('{}', NULL::pyq_json, 'tmpqfun2'"
    assert json_of(developer, evaluate + ")") == "private"
    assert json_of(developer, evaluate + ", 'pyqsys')") == "global"


def test_grant_and_revoke(
    developer: Connection[Any], make_role: MakeRole, connect: Connect
) -> None:
    grantee = make_role("u2")
    other = connect(user=grantee)
    user = developer.info.user
    developer.execute("SELECT pyq_script_create('tmpqfun2', 'def f(): return 1')")
    assert owners_of_tmpqfun2(other) == []

    developer.execute("SELECT pyq_grant('tmpqfun2', 'pyqscript', %s)", (grantee,))
    assert owners_of_tmpqfun2(other) == [user]
    found = other.execute("SELECT * FROM pyq_eval('{}', NULL::int, 'tmpqfun2', %s)", (user,))
    assert found.fetchall() == [(1,)]

    developer.execute("SELECT pyq_revoke('tmpqfun2', 'pyqscript', %s)", (grantee,))
    assert owners_of_tmpqfun2(other) == []

    developer.execute("SELECT pyq_grant('tmpqfun2', 'pyqscript', NULL)")
    assert owners_of_tmpqfun2(other) == [user]
    developer.execute("SELECT pyq_revoke('tmpqfun2', 'pyqscript', NULL)")
    assert owners_of_tmpqfun2(other) == []


def test_drop(developer: Connection[Any]) -> None:
    for is_global in ("false", "true"):
        developer.execute(
            sql.SQL("SELECT pyq_script_create('tmpqfun2', 'def f(): return 1', {})").format(
                sql.SQL(is_global)  # type: ignore[arg-type]
            )
        )
    user = developer.info.user
    developer.execute("SELECT pyq_script_drop('tmpqfun2', true)")
    assert owners_of_tmpqfun2(developer) == [user]
    developer.execute("SELECT pyq_script_drop('tmpqfun2')")
    assert owners_of_tmpqfun2(developer) == []
    with pytest.raises(psycopg.errors.UndefinedObject):
        developer.execute("SELECT pyq_script_drop('tmpqfun2')")
    developer.execute("SELECT pyq_script_drop('tmpqfun2', v_silent => true)")


@pytest.mark.parametrize(
    ("input_type", "expected"),
    [
        (None, "ndarray float64 (150, 4)"),
        ("default", "ndarray float64 (150, 4)"),
        ("pandas.DataFrame", "DataFrame (150, 4)"),
        ("numpy.recarray", "recarray (150,)"),
    ],
)
def test_input_types_of_a_numeric_table(
    cases: Connection[Any], input_type: str | None, expected: str
) -> None:
    controls = json.dumps({} if input_type is None else {"oml_input_type": input_type})
    query = 'SELECT "SEPAL_LENGTH", "SEPAL_WIDTH", "PETAL_LENGTH"::numeric, 1 AS "ONE" FROM "IRIS"'
    found = cases.execute(
        "SELECT * FROM pyq_table_eval(%s, %s::text, NULL::pyq_json, 'kind_of')", (query, controls)
    ).fetchall()
    assert [json.loads(row[1]) for row in found] == [expected]


def test_a_text_column_makes_the_default_a_frame(cases: Connection[Any]) -> None:
    kind = json_of(
        cases, "SELECT * FROM pyq_table_eval('IRIS', NULL::text, NULL::pyq_json, 'kind_of')"
    )
    assert kind == "DataFrame (150, 5)"


@pytest.mark.parametrize("input_type", ["default", "pandas.DataFrame", "numpy.recarray"])
@pytest.mark.parametrize(
    ("values", "is_omitted", "expected"),
    [
        ("(1, 1.5), (2, NULL), (NULL, 2.5), (4, 4.5)", False, 4),
        ("(1, 1.5), (2, NULL), (NULL, 2.5), (4, 4.5)", True, 2),
        ("(1, NULL), (NULL, 2.5)", True, 0),
    ],
)
def test_na_omit(
    cases: Connection[Any], input_type: str, values: str, is_omitted: bool, expected: int
) -> None:
    controls = json.dumps({"oml_input_type": input_type, "oml_na_omit": is_omitted})
    query = f"SELECT * FROM (VALUES {values}) AS v(a, b)"
    found = cases.execute(
        "SELECT * FROM pyq_table_eval(%s, %s::text, NULL::int, 'count_rows')", (query, controls)
    ).fetchall()
    assert found == [(expected,)]


def test_row_eval_cuts_by_row_num(cases: Connection[Any]) -> None:
    rows = rows_of(
        cases, "SELECT * FROM pyq_row_eval('IRIS', NULL::text, NULL::int, 40, 'count_rows')"
    )
    assert rows == [(40,), (40,), (40,), (30,)]

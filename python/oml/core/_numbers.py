"""SQL of arithmetic and numeric functions; follows numpy where PostgreSQL raises errors.

Templates contain {x} and {y} for operands of type double precision, or bigint for integers.
"""

from __future__ import annotations

_SHORT = 64  # maximum characters of an operand that is repeated in a text
_INFINITY = "'Infinity'::pg_catalog.float8"
_MINUS_INFINITY = "'-Infinity'::pg_catalog.float8"
NAN = "'NaN'::pg_catalog.float8"
_LARGEST = "1.7976931348623157e308::pg_catalog.float8"
_EXP_LARGEST = "709.7827128933"  # exp() of larger values is infinite
_EXP_NORMAL = "-708.39"  # PostgreSQL raises an error for exp() of smaller values
_EXP_SMALLEST = "-745.13"  # exp() of smaller values is 0
_SHIFT = 60  # exp(x) = exp(x + 60) * exp(-60), avoids subnormal results
_EXP_SHIFT = "8.75651076269652e-27"


def once(body: str, x: str, y: str = "") -> str:
    """Return a template with its operands; long operands are not repeated."""
    if (body.count("{x}") <= 1 and body.count("{y}") <= 1) or max(len(x), len(y)) <= _SHORT:
        return body.format(x=x, y=y)
    items = f"{x} AS x, {y} AS y" if y else f"{x} AS x"
    # OFFSET 0 makes PostgreSQL evaluate the operands once.
    return f"(SELECT {body.format(x='s.x', y='s.y')} FROM (SELECT {items} OFFSET 0) AS s)"


def _signed(condition: str, positive: str, negative: str) -> str:
    return f"CASE WHEN {condition} THEN {positive} ELSE {negative} END"


_IS_MISSING = "WHEN {x} IS NULL OR {y} IS NULL THEN NULL"
_IS_NAN = f"WHEN {{x}} = {NAN} OR {{y}} = {NAN} THEN {NAN}"

#: The common case, in which the result is neither out of range nor subnormal, is tested first.
_IS_USUAL = (
    "WHEN pg_catalog.abs({x}) < 1e100::pg_catalog.float8 "
    "AND pg_catalog.abs({x}) > 1e-100::pg_catalog.float8 "
    "AND pg_catalog.abs({y}) < 1e100::pg_catalog.float8 "
    "AND pg_catalog.abs({y}) > 1e-100::pg_catalog.float8"
)

#: numpy.divide. Negative zero is treated as zero.
DIVISION = (
    f"(CASE {_IS_USUAL} THEN {{x}} / {{y}} {_IS_MISSING} {_IS_NAN} "
    f"WHEN {{y}} = 0 THEN CASE WHEN {{x}} > 0 THEN {_INFINITY} WHEN {{x}} < 0 "
    f"THEN {_MINUS_INFINITY} ELSE {NAN} END "
    f"WHEN pg_catalog.abs({{x}}) = {_INFINITY} AND pg_catalog.abs({{y}}) = {_INFINITY} THEN {NAN} "
    "WHEN pg_catalog.abs({y}) < 1 "
    f"AND pg_catalog.abs({{x}}) > pg_catalog.abs({{y}}) * {_LARGEST} "
    f"THEN {_signed('({x} > 0) = ({y} > 0)', _INFINITY, _MINUS_INFINITY)} "
    "WHEN pg_catalog.abs({y}) > 1 AND pg_catalog.abs({x}) < "
    "pg_catalog.abs({y}) * 1e-300::pg_catalog.float8 * 1e-23::pg_catalog.float8 THEN 0 "
    "ELSE {x} / {y} END)"
)

#: numpy.floor_divide, as the floor of the quotient.
FLOOR_DIVISION = (
    f"(CASE WHEN {{x}} <> {NAN} AND {{y}} <> {NAN} AND {{y}} <> 0 "
    f"AND (pg_catalog.abs({{x}}) = {_INFINITY} OR pg_catalog.abs({{y}}) = {_INFINITY}) "
    f"THEN CASE WHEN pg_catalog.abs({{x}}) = {_INFINITY} THEN {NAN} "
    "WHEN {x} = 0 OR ({x} > 0) = ({y} > 0) THEN 0 ELSE -1 END "
    f"ELSE pg_catalog.floor({DIVISION}) END)"
)

#: numpy.remainder: the result has the sign of the divisor. It is 0 for quotients of 2 ** 53 and
#: more, which have no fractional digits.
REMAINDER = (
    f"(CASE {_IS_USUAL} AND pg_catalog.abs({{x}}) / 9007199254740992 < pg_catalog.abs({{y}}) "
    f"THEN {{x}} - {{y}} * pg_catalog.floor({{x}} / {{y}}) {_IS_MISSING} {_IS_NAN} "
    f"WHEN {{y}} = 0 OR pg_catalog.abs({{x}}) = {_INFINITY} THEN {NAN} "
    "WHEN pg_catalog.abs({x}) < pg_catalog.abs({y}) "
    "THEN CASE WHEN {x} = 0 OR ({x} > 0) = ({y} > 0) THEN {x} ELSE {x} + {y} END "
    "WHEN pg_catalog.abs({x}) > 1e-290::pg_catalog.float8 "
    "AND pg_catalog.abs({x}) / 9007199254740992 >= pg_catalog.abs({y}) THEN 0 "
    "ELSE {x} - {y} * pg_catalog.floor({x} / {y}) END)"
)

#: For integers: NULL for division by 0, since integers cannot represent infinity.
INTEGER_FLOOR = (
    "pg_catalog.floor(({x})::pg_catalog.numeric / NULLIF(({y})::pg_catalog.numeric, 0))"
    "::pg_catalog.int8"
)
INTEGER_REMAINDER = (
    "(({x})::pg_catalog.numeric - ({y})::pg_catalog.numeric * "
    "pg_catalog.floor(({x})::pg_catalog.numeric / NULLIF(({y})::pg_catalog.numeric, 0)))"
    "::pg_catalog.int8"
)

_ODD = "{y} - 2 * pg_catalog.floor({y} / 2) = 1"
_LOGARITHM = "({y} * pg_catalog.ln(pg_catalog.abs({x})))"
_SIGN = _signed("{x} < 0 AND " + _ODD, "-1", "1")

#: numpy.power.
POWER = (
    f"(CASE {_IS_MISSING} "
    "WHEN {y} = 0 OR {x} = 1 THEN 1 "
    f"{_IS_NAN} "
    f"WHEN {{x}} = {_MINUS_INFINITY} AND {{y}} <> pg_catalog.floor({{y}}) "
    f"THEN CASE WHEN {{y}} > 0 THEN {_INFINITY} ELSE 0 END "
    f"WHEN {{x}} < 0 AND {{y}} <> pg_catalog.floor({{y}}) THEN {NAN} "
    f"WHEN {{x}} = 0 AND {{y}} < 0 THEN {_INFINITY} "
    f"WHEN {{x}} = 0 OR pg_catalog.abs({{x}}) IN (1, {_INFINITY}) "
    f"OR pg_catalog.abs({{y}}) < 0.9 OR pg_catalog.abs({{y}}) = {_INFINITY} "
    "THEN pg_catalog.power({x}, {y}) "
    "WHEN pg_catalog.abs(pg_catalog.ln(pg_catalog.abs({x}))) <= 708 / pg_catalog.abs({y}) "
    "THEN pg_catalog.power({x}, {y}) "
    # Multiplied only if the product does not overflow.
    f"WHEN pg_catalog.abs({{y}}) < 1e300::pg_catalog.float8 AND {_LOGARITHM} > 0 "
    f"AND {_LOGARITHM} <= {_EXP_LARGEST} THEN pg_catalog.power({{x}}, {{y}}) "
    f"WHEN (pg_catalog.abs({{x}}) > 1) = ({{y}} > 0) THEN {_SIGN} * {_INFINITY} "
    f"WHEN pg_catalog.abs({{y}}) < 1e300::pg_catalog.float8 AND {_LOGARITHM} > {_EXP_SMALLEST} "
    f"THEN {_SIGN} * pg_catalog.exp({_LOGARITHM} + {_SHIFT}) * {_EXP_SHIFT} "
    "ELSE 0 END)"
)


def _domain(condition: str, function: str, otherwise: str = NAN) -> str:
    """A function, if a condition on {x} holds; NaN stays NaN."""
    return (
        f"(CASE WHEN {{x}} = {NAN} THEN {NAN} WHEN {condition} THEN {function} "
        f"WHEN {{x}} IS NOT NULL THEN {otherwise} END)"
    )


_EXP = (
    f"(CASE WHEN {{x}} IN ({NAN}, {_INFINITY}, {_MINUS_INFINITY}) THEN pg_catalog.exp({{x}}) "
    f"WHEN {{x}} > {_EXP_LARGEST} THEN {_INFINITY} WHEN {{x}} < {_EXP_SMALLEST} THEN 0 "
    f"WHEN {{x}} < {_EXP_NORMAL} THEN pg_catalog.exp({{x}} + {_SHIFT}) * {_EXP_SHIFT} "
    "ELSE pg_catalog.exp({x}) END)"
)


def _logarithm(function: str) -> str:
    return _domain(
        "{x} > 0", function, f"CASE WHEN {{x}} = 0 THEN {_MINUS_INFINITY} ELSE {NAN} END"
    )


def _trigonometric(function: str) -> str:
    return _domain(f"pg_catalog.abs({{x}}) < {_INFINITY}", f"pg_catalog.{function}({{x}})")


#: Functions by numpy's names: from double precision to double precision.
FUNCTIONS = {
    "arccos": _domain("pg_catalog.abs({x}) <= 1", "pg_catalog.acos({x})"),
    "arccosh": _domain("{x} >= 1", "pg_catalog.acosh({x})"),
    "arcsin": _domain("pg_catalog.abs({x}) <= 1", "pg_catalog.asin({x})"),
    "arcsinh": "pg_catalog.asinh({x})",
    "arctan": "pg_catalog.atan({x})",
    "arctanh": _domain("pg_catalog.abs({x}) <= 1", "pg_catalog.atanh({x})"),
    "cbrt": "pg_catalog.cbrt({x})",
    "cos": _trigonometric("cos"),
    "degrees": "pg_catalog.degrees({x})",
    "exp": _EXP,
    "log": _logarithm("pg_catalog.ln({x})"),
    "log10": _logarithm("pg_catalog.log({x})"),
    "log2": _logarithm("pg_catalog.ln({x}) / 0.6931471805599453::pg_catalog.float8"),
    "radians": "pg_catalog.radians({x})",
    "sin": _trigonometric("sin"),
    "sqrt": _domain("{x} >= 0", "pg_catalog.sqrt({x})"),
    "tan": _trigonometric("tan"),
    "tanh": "pg_catalog.tanh({x})",
}


def function(name: str, expression: str) -> str:
    """Return a function of FUNCTIONS over an expression of any numeric type."""
    return once(FUNCTIONS[name], f"({expression})::pg_catalog.float8")

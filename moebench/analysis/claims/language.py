"""The language of claims: what may stand in a predicate, and nothing else.

A predicate is written as a Python expression and never run as one: it is parsed, every node is
checked against the grammar below, and ``evaluate`` walks what is left. Columns stand for the rows
of the table at hand; ``[...]`` keeps the rows for which a condition holds.

    predicate  P   N < N   N < N < N   P and P   P or P   not P   or a function of the first kind
    number     N   1.5   column   N[C]   N + N (also - * /)   -N   or a function of the second kind
    condition  C   column == 1   column in ('a', 'b')   C and C   C or C   not C
"""

import ast
from collections.abc import Sequence
from typing import NamedTuple


class ClaimError(ValueError):
    """A claim that cannot be put to the test as it is written."""


class Signature(NamedTuple):
    """What a function gives, takes in order, and takes by name; ``*`` marks one or more texts."""

    gives: str
    takes: tuple[str, ...]
    by_name: str | None
    meaning: str


SIGNATURES = {
    "all": Signature("predicate", ("predicate",), "by", "true in every group of equal columns"),
    "any": Signature("predicate", ("predicate",), "by", "true in some group of equal columns"),
    "increasing": Signature("predicate", ("number",), "along", "above its value one step before"),
    "decreasing": Signature("predicate", ("number",), "along", "below its value one step before"),
    "lowest": Signature("predicate", ("number", "condition"), None, "below that of all other rows"),
    "highest": Signature(
        "predicate", ("number", "condition"), None, "above that of all other rows"
    ),
    "ordered": Signature(
        "predicate", ("number", "column", "texts*"), None, "rises from each named row to the next"
    ),
    "abs": Signature("number", ("number",), None, "without its sign"),
    "min": Signature("number", ("number",), None, "the smallest over the rows"),
    "max": Signature("number", ("number",), None, "the largest over the rows"),
    "sum": Signature("number", ("number",), None, "the sum over the rows"),
    "mean": Signature("number", ("number",), None, "the mean over the rows"),
    "slope": Signature("number", ("number",), "along", "of the least-squares line over a column"),
    "linearity": Signature("number", ("number",), "along", "R squared of that line"),
}
ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
EQUAL = (ast.Eq, ast.NotEq)
SUMS = (ast.Add, ast.Sub, ast.Mult, ast.Div)


def predicate(text: str) -> ast.expr:
    """Parse a predicate; ClaimError, in one line, for anything else."""
    return _parse(text, "predicate")


def condition(text: str) -> ast.expr:
    """Parse a condition on rows; ClaimError, in one line, for anything else."""
    return _parse(text, "condition")


def columns(tree: ast.expr) -> set[str]:
    """Every column that an expression names."""
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and id(node) not in functions
    }


def keyword(call: ast.Call) -> list[str]:
    """Columns after ``by=`` or ``along=``."""
    [given] = call.keywords
    return [each.id for each in _listed(given.value) if isinstance(each, ast.Name)]


def _parse(text: str, kind: str) -> ast.expr:
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        why = getattr(error, "msg", str(error))
        raise ClaimError(f"{text!r} is no expression ({why}); see docs/claims.md") from None
    CHECKS[kind](tree)
    return tree


def _predicate(node: ast.expr) -> None:
    if isinstance(node, ast.BoolOp):
        for each in node.values:
            _predicate(each)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        _predicate(node.operand)
    elif isinstance(node, ast.Compare):
        if not all(isinstance(op, (*ORDER, *EQUAL)) for op in node.ops):
            raise _refused(node, "comparison of numbers, with < <= > >= == or !=")
        for each in (node.left, *node.comparators):
            _number(each)
    elif isinstance(node, ast.Call):
        _call(node, "predicate")
    else:
        raise _refused(node, "predicate, such as a comparison")


def _number(node: ast.expr) -> None:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return
    if isinstance(node, ast.Name):
        return
    if isinstance(node, ast.Subscript):
        _number(node.value)
        _condition(node.slice)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, SUMS):
        _number(node.left)
        _number(node.right)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        _number(node.operand)
    elif isinstance(node, ast.Call):
        _call(node, "number")
    else:
        raise _refused(node, "number, such as a column")


def _condition(node: ast.expr) -> None:
    if isinstance(node, ast.BoolOp):
        for each in node.values:
            _condition(each)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        _condition(node.operand)
    elif not _is_test_of_column(node):
        raise _refused(node, "condition, such as column == 'text'")


def _is_test_of_column(node: ast.expr) -> bool:
    if not (isinstance(node, ast.Compare) and len(node.ops) == 1):
        return False
    if not isinstance(node.left, ast.Name):
        return False
    [op], [right] = node.ops, node.comparators
    if isinstance(op, (ast.In, ast.NotIn)):
        return isinstance(right, ast.Tuple) and all(isinstance(e, ast.Constant) for e in right.elts)
    return isinstance(op, (*ORDER, *EQUAL)) and isinstance(right, ast.Constant)


def _call(node: ast.Call, kind: str) -> None:
    name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
    signature = SIGNATURES.get(name)
    if signature is None or signature.gives != kind:
        known = ", ".join(key for key, each in SIGNATURES.items() if each.gives == kind)
        raise ClaimError(f"{name!r} gives no {kind} here; functions that do: {known}")
    takes = list(signature.takes)
    if takes[-1] == "texts*":
        takes[-1:] = ["text"] * max(2, len(node.args) - len(takes) + 1)
    named = [each.arg for each in node.keywords]
    wanted = [] if signature.by_name is None else [signature.by_name]
    if len(node.args) != len(takes) or named != wanted:
        raise ClaimError(f"{ast.unparse(node)!r} must be {_usage(name)}")
    for argument, what in zip(node.args, takes, strict=True):
        CHECKS[what](argument)
    for each in node.keywords:
        for column in _listed(each.value):
            _column(column)


def _column(node: ast.expr) -> None:
    if not isinstance(node, ast.Name):
        raise _refused(node, "column")


def _text(node: ast.expr) -> None:
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        raise _refused(node, "text in quotes")


def _listed(node: ast.expr) -> Sequence[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _usage(name: str) -> str:
    """How a function is called."""
    signature = SIGNATURES[name]
    takes = [each.replace("texts*", "'text', 'text', ...") for each in signature.takes]
    last = [] if signature.by_name is None else [f"{signature.by_name}=column"]
    return f"{name}({', '.join([*takes, *last])})"


def _refused(node: ast.expr, wanted: str) -> ClaimError:
    return ClaimError(f"{ast.unparse(node)!r} is no {wanted}; see docs/claims.md")


CHECKS = {
    "predicate": _predicate,
    "number": _number,
    "condition": _condition,
    "column": _column,
    "text": _text,
}

"""Put a predicate to the test: walk its checked tree over the rows of a table."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from moebench.analysis.claims.language import ClaimError, keyword
from moebench.analysis.claims.outcome import (
    SIGNS,
    Outcome,
    compare,
    conjunction,
    disjunction,
    negation,
    single,
)
from moebench.analysis.claims.view import Missing, Numbers, View

ARITHMETIC: dict[type, Any] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}
UP, DOWN = ast.Lt(), ast.Gt()


def judge(node: ast.expr, view: View) -> Outcome:
    """What the rows say about a predicate; Missing where they say nothing."""
    if isinstance(node, ast.BoolOp):
        parts = [judge(each, view) for each in node.values]
        return conjunction(parts) if isinstance(node.op, ast.And) else disjunction(parts)
    if isinstance(node, ast.UnaryOp):
        return negation(judge(node.operand, view))
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        steps = zip(sides, node.ops, sides[1:], strict=False)
        return conjunction([_compared(left, op, right, view) for left, op, right in steps])
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    return PREDICATES[node.func.id](node, view)


def number(node: ast.expr, view: View) -> Numbers:
    """Value of an expression in a view: one number, or one for every row."""
    if isinstance(node, ast.Constant):
        return view.lone(float(ast.literal_eval(node)))
    if isinstance(node, ast.Name):
        return view.column(node.id)
    if isinstance(node, ast.Subscript):
        return number(node.value, view.where(node.slice))
    if isinstance(node, ast.UnaryOp):
        inner = number(node.operand, view)
        return Numbers(-inner.x_RD, inner.rows)
    if isinstance(node, ast.BinOp):
        left, right, rows = number(node.left, view).paired(number(node.right, view))
        with np.errstate(divide="ignore", invalid="ignore"):
            x_RD = ARITHMETIC[type(node.op)](left, right)
        if not np.isfinite(x_RD[:, 0]).all():
            raise Missing(f"{ast.unparse(node)} divides by 0")
        return Numbers(x_RD, rows)
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    return NUMBERS[node.func.id](node, view)


def _compared(left: ast.expr, op: ast.cmpop, right: ast.expr, view: View) -> Outcome:
    text = f"{_shown(left)} {SIGNS[type(op)]} {_shown(right, 1)}"
    return _set_against(number(left, view), op, number(right, view), view, text)


def _set_against(left: Numbers, op: ast.cmpop, right: Numbers, view: View, text: str) -> Outcome:
    """Compare row by row; all rows must agree."""
    x_RD, y_RD, _ = left.paired(right)
    parts = zip(x_RD, y_RD, strict=True)
    return conjunction([single(compare(op, x, y, view.smallest, text)) for x, y in parts])


def _shown(node: ast.expr, place: int = 0) -> str:
    """An expression with a place for its value; a constant is its own value."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    text = ast.unparse(node).replace("{", "{{").replace("}", "}}")
    return f"{text} = {{{place}}}"


def _grouped(
    combine: Callable[[Sequence[Outcome]], Outcome],
) -> Callable[[ast.Call, View], Outcome]:
    def judged(call: ast.Call, view: View) -> Outcome:
        """In every group; groups without what is compared are left out, and named."""
        found, left_out = [], []
        for name, group in view.groups(keyword(call)):
            try:
                found.append(judge(call.args[0], group).at(name))
            except Missing as reason:
                left_out.append(f"{name}: {reason}")
        return _rest(combine, found, left_out)

    return judged


def _steps(op: ast.cmpop) -> Callable[[ast.Call, View], Outcome]:
    def judged(call: ast.Call, view: View) -> Outcome:
        """From each value of a column to the next; values without the number are left out."""
        found: list[tuple[str, Numbers]] = []
        left_out = []
        for name, group in view.groups(keyword(call)):
            try:
                found.append((name, _lone(call.args[0], group)))
            except Missing as reason:
                left_out.append(f"{name}: {reason}")
        return _in_turn(call.args[0], op, found, left_out, view)

    return judged


def _ordered(call: ast.Call, view: View) -> Outcome:
    """Rising from each named row to the next; names that are not there are left out."""
    what, column, *names = call.args
    assert isinstance(column, ast.Name)
    found: list[tuple[str, Numbers]] = []
    left_out = []
    for name in map(ast.literal_eval, names):
        is_named = ast.Compare(column, [ast.Eq()], [ast.Constant(name)])
        try:
            found.append((name, _lone(what, view.where(is_named))))
        except Missing as reason:
            left_out.append(f"{name}: {reason}")
    return _in_turn(what, UP, found, left_out, view)


def _extreme(op: ast.cmpop) -> Callable[[ast.Call, View], Outcome]:
    def judged(call: ast.Call, view: View) -> Outcome:
        """The row for which a condition holds, against every other."""
        what, condition = call.args
        one = _lone(what, view.where(condition))
        others = view.others(condition)
        text = f"{ast.unparse(what)}[{ast.unparse(condition)}] = {{0}} {SIGNS[type(op)]} {{1}}"
        return _set_against(one, op, number(what, others), view, text)

    return judged


def _in_turn(
    what: ast.expr,
    op: ast.cmpop,
    found: Sequence[tuple[str, Numbers]],
    left_out: list[str],
    view: View,
) -> Outcome:
    if len(found) < 2:
        raise Missing("; ".join(left_out) or f"a single value of {ast.unparse(what)}")
    parts = [
        _set_against(x, op, y, view, f"{{0}} {SIGNS[type(op)]} {{1}}").at(f"{first}, then {second}")
        for (first, x), (second, y) in zip(found, found[1:], strict=False)
    ]
    return _rest(conjunction, parts, left_out)


def _rest(
    combine: Callable[[Sequence[Outcome]], Outcome], found: list[Outcome], left_out: list[str]
) -> Outcome:
    if not found:
        raise Missing("; ".join(dict.fromkeys(left_out)))
    whole = combine(found)
    return replace(whole, left_out=(*whole.left_out, *left_out))


def _lone(node: ast.expr, view: View) -> Numbers:
    """A number that must be of one row."""
    found = number(node, view)
    if found.rows is not None:
        raise ClaimError(
            f"{ast.unparse(node)!r} has {len(found.rows)} rows where one is wanted; keep one with "
            "[...], or say by= which belong together"
        )
    return found


def _each(function: Callable[..., Any]) -> Callable[[ast.Call, View], Numbers]:
    def computed(call: ast.Call, view: View) -> Numbers:
        inner = number(call.args[0], view)
        return Numbers(function(inner.x_RD), inner.rows)

    return computed


def _over_rows(function: Callable[..., Any]) -> Callable[[ast.Call, View], Numbers]:
    def computed(call: ast.Call, view: View) -> Numbers:
        inner = number(call.args[0], view)
        return Numbers(function(inner.x_RD, axis=0, keepdims=True), None)

    return computed


def _line(of: Callable[[Any, Any], Any]) -> Callable[[ast.Call, View], Numbers]:
    def computed(call: ast.Call, view: View) -> Numbers:
        """Of the least-squares line of one number a value of the column, through three or more."""
        [along] = keyword(call)
        found = [(group, _lone(call.args[0], group)) for _, group in view.groups([along])]
        if len(found) < 3:
            raise Missing(f"{len(found)} values of {along}, where a line takes three")
        x_N1 = np.array([[float(group.values(along).iloc[0])] for group, _ in found])
        y_ND = np.vstack([value.x_RD for _, value in found])
        return Numbers(of(x_N1 - x_N1.mean(axis=0), y_ND - y_ND.mean(axis=0))[None, :], None)

    return computed


def _slope(x_N1: Any, y_ND: Any) -> Any:
    return (x_N1 * y_ND).sum(axis=0) / (x_N1**2).sum(axis=0)


def _r_squared(x_N1: Any, y_ND: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return (x_N1 * y_ND).sum(axis=0) ** 2 / (x_N1**2).sum(axis=0) / (y_ND**2).sum(axis=0)


PREDICATES: dict[str, Callable[[ast.Call, View], Outcome]] = {
    "all": _grouped(conjunction),
    "any": _grouped(disjunction),
    "increasing": _steps(UP),
    "decreasing": _steps(DOWN),
    "lowest": _extreme(UP),
    "highest": _extreme(DOWN),
    "ordered": _ordered,
}
NUMBERS: dict[str, Callable[[ast.Call, View], Numbers]] = {
    "abs": _each(np.abs),
    "min": _over_rows(np.min),
    "max": _over_rows(np.max),
    "sum": _over_rows(np.sum),
    "mean": _over_rows(np.mean),
    "slope": _line(_slope),
    "linearity": _line(_r_squared),
}

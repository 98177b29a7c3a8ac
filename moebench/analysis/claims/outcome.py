"""What a comparison of two numbers says about a claim, and what several of them say together.

The effect is how far the numbers lie on the claim's side: in their own unit, or as a share of the
larger of the two. Its interval decides: wholly beyond the smallest effect that matters on the
claim's side ``supported``, wholly beyond it on the other ``refuted``, wholly within ``tie``, and
else ``underpowered``: the data cannot say. Nothing is supported for want of data.
"""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from moebench.analysis.claims.smallest import Smallest
from moebench.analysis.statistics import Array, draws_interval

SUPPORTED, REFUTED, TIE, UNDERPOWERED = "supported", "refuted", "tie", "underpowered"
NOT_TESTABLE = "not testable here"
VERDICTS = (SUPPORTED, REFUTED, TIE, UNDERPOWERED, NOT_TESTABLE)
# Which verdict the parts force on the whole, first to last.
OF_ALL = (REFUTED, UNDERPOWERED, TIE, SUPPORTED)
OF_ANY = (SUPPORTED, UNDERPOWERED, TIE, REFUTED)
MIRROR = {SUPPORTED: REFUTED, REFUTED: SUPPORTED}
SIGNS = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Term:
    """One comparison: what it says, the effect with its interval, and where it was made."""

    verdict: str
    effect: float
    low: float  # -inf where the numbers have no interval, and so high is inf
    high: float
    strength: float  # how far on the claim's side, to find the closest call
    text: str
    where: str = ""

    def told(self) -> str:
        """The comparison in words."""
        return f"{self.where}: {self.text}" if self.where else self.text


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A verdict, the comparison that decided it, all comparisons, and what could not be made."""

    verdict: str
    decisive: Term
    terms: tuple[Term, ...]
    left_out: tuple[str, ...] = ()

    def at(self, where: str) -> "Outcome":
        """The same in a named group."""

        def placed(term: Term) -> Term:
            return replace(term, where=", ".join(filter(None, [where, term.where])))

        left_out = tuple(f"{where}: {each}" for each in self.left_out)
        return replace(
            self,
            decisive=placed(self.decisive),
            terms=tuple(map(placed, self.terms)),
            left_out=left_out,
        )


def compare(op: ast.cmpop, left: Array, right: Array, smallest: Smallest, text: str) -> Term:
    """Compare two numbers, each a point estimate followed by draws of what it may be."""
    gap = right - left if isinstance(op, (ast.Lt, ast.LtE)) else left - right
    scale = max(abs(float(left[0])), abs(float(right[0]))) if smallest.is_share else 1.0
    effect, low, high = (each / (scale or 1.0) for each in _interval(gap))
    return Term(
        verdict=_verdict(op, low, high, smallest.value),
        effect=effect,
        low=low,
        high=high,
        strength=_strength(op, effect),
        text=f"{text.format(_number(left[0]), _number(right[0]))}",
    )


def conjunction(parts: Sequence[Outcome]) -> Outcome:
    """True where all parts are: the worst of them decides."""
    return _combined(parts, OF_ALL, min)


def disjunction(parts: Sequence[Outcome]) -> Outcome:
    """True where some part is: the best of them decides."""
    return _combined(parts, OF_ANY, max)


def negation(part: Outcome) -> Outcome:
    """What was supported is refuted, and the other way round."""

    def turned(term: Term) -> Term:
        verdict = MIRROR.get(term.verdict, term.verdict)
        return replace(term, verdict=verdict, strength=-term.strength, text=f"not ({term.text})")

    return replace(
        part,
        verdict=MIRROR.get(part.verdict, part.verdict),
        decisive=turned(part.decisive),
        terms=tuple(map(turned, part.terms)),
    )


def single(term: Term) -> Outcome:
    """The outcome of one comparison."""
    return Outcome(verdict=term.verdict, decisive=term, terms=(term,))


def _combined(
    parts: Sequence[Outcome], order: Sequence[str], extreme: Callable[..., Outcome]
) -> Outcome:
    assert parts, "there is nothing to combine"
    verdict = min((part.verdict for part in parts), key=order.index)
    deciding = [part for part in parts if part.verdict == verdict]
    return Outcome(
        verdict=verdict,
        decisive=extreme(deciding, key=lambda part: part.decisive.strength).decisive,
        terms=tuple(term for part in parts for term in part.terms),
        left_out=tuple(each for part in parts for each in part.left_out),
    )


def _interval(gap: Array) -> tuple[float, float, float]:
    """Point, and the 95 % interval of the draws around it; without draws, the point alone.

    Where the middle 95 % of the draws lie beside the point, the interval is widened to hold it.
    """
    point, draws = float(gap[0]), gap[1:]
    if not len(draws):
        return point, point, point
    if np.isnan(draws).any():
        return point, -np.inf, np.inf
    low, high = (float(end) for end in draws_interval(draws))
    return point, min(low, point), max(high, point)


def _verdict(op: ast.cmpop, low: float, high: float, smallest: float) -> str:
    if isinstance(op, (ast.Eq, ast.NotEq)):
        return _verdict_of_equality(isinstance(op, ast.Eq), low, high, smallest)
    if high < -smallest:
        return REFUTED
    if isinstance(op, (ast.LtE, ast.GtE)):
        return SUPPORTED if low >= -smallest else UNDERPOWERED
    if low > smallest:
        return SUPPORTED
    return TIE if -smallest <= low and high <= smallest else UNDERPOWERED


def _verdict_of_equality(equal: bool, low: float, high: float, smallest: float) -> str:
    if -smallest <= low and high <= smallest:
        return SUPPORTED if equal else REFUTED
    if low > smallest or high < -smallest:
        return REFUTED if equal else SUPPORTED
    return UNDERPOWERED


def _strength(op: ast.cmpop, effect: float) -> float:
    if isinstance(op, ast.Eq):
        return -abs(effect)
    return abs(effect) if isinstance(op, ast.NotEq) else effect


def _number(value: float) -> str:
    return f"{value:.4g}"

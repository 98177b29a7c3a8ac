"""Arms of an experiment, and how pairs of them compare."""

from dataclasses import dataclass

import pandas as pd

from moebench.analysis.certificates.gate import may_be_ranked
from moebench.report import arms, comparisons
from moebench.report.advice.base import Line, Tables, lines

PAIR = ("factor", "family", *(f"{what}_{side}" for side in "ab" for what in arms.KEY))
_NOT_TOLD_APART = ("tie", "equivalent")


@dataclass(frozen=True)
class Field:
    """The ranked arms of an experiment, routed and dense, and how pairs of arms compare."""

    experiment: str
    routed: dict[arms.Arm, Line]
    dense: dict[arms.Arm, Line]
    pairs: dict[tuple[arms.Arm, arms.Arm], Line]
    contrasts: pd.DataFrame

    def ties(self, arm: arms.Arm) -> list[arms.Arm]:
        """Routed arms that the seeds do not tell from this one."""
        told = comparisons.conclusions(arm, self.contrasts)
        return [o for o, each in told.items() if o in self.routed and each[0] in _NOT_TOLD_APART]

    def cheapest(self, best: arms.Arm) -> arms.Arm:
        """The best arm, or the fastest of those tied with it that are surely faster than it."""
        faster = [arm for arm in self.ties(best) if is_faster(self.routed[arm], self.routed[best])]
        return max(
            faster, key=lambda arm: float(self.routed[arm]["train_tokens_per_s"]), default=best
        )

    def against(self, arm: arms.Arm, other: arms.Arm) -> str | None:
        """What was concluded on an arm against another one; None where they were not compared."""
        return comparisons.conclusions(arm, self.contrasts).get(other, (None,))[0]

    def pair(self, arm: arms.Arm, other: arms.Arm) -> Line | None:
        """The line of two arms, whichever comes first there."""
        return self.pairs.get((arm, other)) or self.pairs.get((other, arm))


def is_faster(arm: Line, other: Line) -> bool:
    """Whether an arm is faster than another by more than their intervals leave open."""
    return bool(arm["train_tokens_per_s_low"] > other["train_tokens_per_s_high"])


def compared(experiment: str, tables: Tables) -> Field:
    """The arms in tables ``{experiment}_summary`` and ``{experiment}_contrasts``."""
    summary = f"{experiment}_summary"
    ranked = {summary: tables[summary][may_be_ranked(tables[summary])]}
    known = {arms.arm(each): each for each in lines(ranked, summary, arms.KEY)}
    contrasts = tables[f"{experiment}_contrasts"]
    pairs = {}
    for each in lines(tables, f"{experiment}_contrasts", PAIR):
        a, b = (arms.arm({k: each[f"{k}_{side}"] for k in arms.KEY}) for side in "ab")
        pairs[a, b] = each
    return Field(
        experiment,
        {arm: each for arm, each in known.items() if pd.notna(each["capacity_factor"])},
        {arm: each for arm, each in known.items() if pd.isna(each["capacity_factor"])},
        pairs,
        contrasts,
    )

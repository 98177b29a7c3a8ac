"""The config of the verdicts: below which size a difference matters to nobody."""

from pydantic import Field

from moebench.spec.base import Spec


class StatisticsSpec(Spec):
    """What counts as equivalent: declared before any run, not read off the data."""

    ppl_margin: float = Field(
        0.005,
        gt=0,
        lt=1,
        description="share of the perplexity below which a difference matters to nobody",
    )
    accuracy_margin: float = Field(
        0.02,
        gt=0,
        lt=1,
        description="the same for accuracies, as a difference of two shares",
    )

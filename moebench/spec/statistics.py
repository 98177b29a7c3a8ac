"""The config of the verdicts: which differences matter to nobody, and what volumes reach to."""

from pydantic import Field

from moebench.spec.base import Spec


class StatisticsSpec(Spec):
    """What verdicts are measured against: declared before any run, not read off the data."""

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
    reference_ppl_ratio: float = Field(
        1.5,
        gt=1,
        description="perplexity of the point that hypervolumes reach to, over that of the dense "
        "network of equal FLOPs",
    )
    reference_slowdown: float = Field(
        4.0,
        gt=1,
        description="speed of the dense network of equal FLOPs over that of the same point",
    )

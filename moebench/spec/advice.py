"""The config of the advice: whose routers are advised on."""

from pydantic import Field

from moebench.spec.base import Spec
from moebench.spec.kinds import ExperimentName


class AdviceSpec(Spec):
    """What `snakemake advise` speaks of; each room that the config has is part of it anyway."""

    experiment: ExperimentName | None = Field(
        None,
        description="whose routers are advised on; null: the one with the most runs, of those with "
        "baselines where there are any",
    )

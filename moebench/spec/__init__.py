"""The config and the runs it asks for: parsed once, strictly, into frozen specs."""

from moebench.spec.expansion import expand, parse
from moebench.spec.kinds import BASELINES
from moebench.spec.layout_jobs import LayoutCellSpec, LinksJob, ProtocolSpec, SweepJob
from moebench.spec.models import (
    ROUTED_ONLY,
    Config,
    CorpusSpec,
    ExperimentSpec,
    ModelSpec,
    RunSpec,
    TimingSpec,
    TrainingSpec,
)
from moebench.spec.parallel import LinkSpec, ParallelSpec
from moebench.spec.problems import ConfigError
from moebench.spec.sweeps import SweepSpec

__all__ = [
    "BASELINES",
    "ROUTED_ONLY",
    "Config",
    "ConfigError",
    "CorpusSpec",
    "ExperimentSpec",
    "LayoutCellSpec",
    "LinkSpec",
    "LinksJob",
    "ModelSpec",
    "ParallelSpec",
    "ProtocolSpec",
    "RunSpec",
    "SweepJob",
    "SweepSpec",
    "TimingSpec",
    "TrainingSpec",
    "expand",
    "parse",
]

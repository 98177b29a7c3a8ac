"""The config and the runs it asks for: parsed once, strictly, into frozen specs."""

from moebench.spec.adapters import AdapterRunSpec, PretrainingRunSpec
from moebench.spec.expansion import expand, parse
from moebench.spec.kinds import BASELINES
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
from moebench.spec.perft import PerftSpec, QuestionsSpec
from moebench.spec.problems import ConfigError

__all__ = [
    "BASELINES",
    "ROUTED_ONLY",
    "AdapterRunSpec",
    "Config",
    "ConfigError",
    "CorpusSpec",
    "ExperimentSpec",
    "ModelSpec",
    "PerftSpec",
    "PretrainingRunSpec",
    "QuestionsSpec",
    "RunSpec",
    "TimingSpec",
    "TrainingSpec",
    "expand",
    "parse",
]

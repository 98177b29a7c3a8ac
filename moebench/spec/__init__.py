"""The config and the runs it asks for: parsed once, strictly, into frozen specs."""

from moebench.spec.adapters import AdapterRunSpec, PretrainingRunSpec
from moebench.spec.advice import AdviceSpec
from moebench.spec.capacity import CapacityCellSpec, CapacitySpec
from moebench.spec.certificates import (
    CertificatesSpec,
    certificate_name,
    certificate_of,
    certified,
)
from moebench.spec.claims import ClaimsSpec
from moebench.spec.energy import (
    PUBLISHED_SHAPES,
    EnergySpec,
    EstimateSpec,
    LearningSpec,
    ShapeSpec,
    WindowSpec,
)
from moebench.spec.expansion import expand, parse, sources, traced
from moebench.spec.kinds import BASELINES
from moebench.spec.layout_jobs import LayoutCellSpec, LinksJob, ProtocolSpec, SweepJob
from moebench.spec.models import Config, CorpusSpec, ExperimentSpec, TimingSpec
from moebench.spec.parallel import LinkSpec, ParallelSpec
from moebench.spec.perft import PerftSpec, QuestionsSpec
from moebench.spec.problems import ConfigError
from moebench.spec.rank_stability import RankStabilitySpec
from moebench.spec.runs import ROUTED_ONLY, ModelSpec, RunSpec, TrainingSpec
from moebench.spec.statistics import StatisticsSpec
from moebench.spec.sweeps import SweepSpec
from moebench.spec.traces import SpecialisationSpec, TracingSpec
from moebench.spec.waterfall import WaterfallCellSpec, WaterfallSpec

__all__ = [
    "BASELINES",
    "PUBLISHED_SHAPES",
    "ROUTED_ONLY",
    "CapacityCellSpec",
    "CapacitySpec",
    "CertificatesSpec",
    "ClaimsSpec",
    "AdapterRunSpec",
    "AdviceSpec",
    "Config",
    "ConfigError",
    "CorpusSpec",
    "EnergySpec",
    "EstimateSpec",
    "ExperimentSpec",
    "LayoutCellSpec",
    "LinkSpec",
    "LinksJob",
    "LearningSpec",
    "ModelSpec",
    "ParallelSpec",
    "ProtocolSpec",
    "PerftSpec",
    "PretrainingRunSpec",
    "QuestionsSpec",
    "RankStabilitySpec",
    "RunSpec",
    "SpecialisationSpec",
    "StatisticsSpec",
    "SweepJob",
    "SweepSpec",
    "ShapeSpec",
    "TimingSpec",
    "TracingSpec",
    "TrainingSpec",
    "WaterfallCellSpec",
    "WaterfallSpec",
    "WindowSpec",
    "certificate_name",
    "certificate_of",
    "certified",
    "expand",
    "parse",
    "sources",
    "traced",
]

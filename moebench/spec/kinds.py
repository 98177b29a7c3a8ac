"""Kinds of values that the config's keys take, and how each is called in the explanation of keys.

Names of plug-ins are checked against the files there are, without importing them.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, WithJsonSchema

from moebench import registry
from moebench.spec.problems import one_of

BASELINES = {
    "dense": "a dense network with as many active FLOPs as top_k experts",
    "dense_total": "a dense network with as many parameters as num_experts experts",
}


def _exists_in(package: str) -> AfterValidator:
    """Check a plug-in's name against the files there are."""
    return AfterValidator(lambda name: one_of(name, registry.names(package)))


def _kind(description: str) -> WithJsonSchema:
    """Say in ``--explain`` what a text must be."""
    return WithJsonSchema({"type": "string", "kind": description})


def unit(name: str) -> dict[str, JsonValue]:
    """Name the unit of a number, for ``--explain``."""
    return {"unit": name}


def _file_in(package: str) -> WithJsonSchema:
    return _kind(f"name of a file in moebench/{package.replace('.', '/')}")


def distinct(values: list[Any]) -> list[Any]:
    """Refuse a value that stands twice, because its runs would be one and the same."""
    twice = [value for place, value in enumerate(values) if value in values[:place]]
    if twice:
        raise ValueError(f"{twice[0]!r} stands twice; name each once")
    return values


def filled(values: list[Any]) -> list[Any]:
    """Refuse an empty list, and a value that stands twice."""
    if not values:
        raise ValueError("there is no value to take; give at least one")
    return distinct(values)


def drawing(*tables: str) -> AfterValidator:
    """Refuse figures that draw other tables than these."""

    def checked(names: list[str]) -> list[str]:
        for name in names:
            missing = set(registry.constant("figures", name, "columns")) - set(tables)
            if missing:
                raise ValueError(
                    f"figure {name!r} draws {', '.join(sorted(missing))}; here there is only "
                    f"{', '.join(tables)}"
                )
        return names

    return AfterValidator(checked)


def _seeds(values: list[int]) -> list[int]:
    if not values or min(values) < 0:
        raise ValueError(f"{values} must be one or more integers >= 0")
    return distinct(values)


RouterName = Annotated[str, _exists_in("routers"), _file_in("routers")]
GateName = Annotated[str, _exists_in("gates"), _file_in("gates")]
DispatchName = Annotated[str, _exists_in("dispatch"), _file_in("dispatch")]
CorpusSource = Annotated[str, _exists_in("corpora"), _file_in("corpora")]
TokenizerName = Annotated[str, _exists_in("tokenizers"), _file_in("tokenizers")]
FigureName = Annotated[str, _exists_in("figures"), _file_in("figures")]
LayoutName = Annotated[str, _exists_in("parallel.layouts"), _file_in("parallel.layouts")]
CommunicatorName = Annotated[
    str, _exists_in("parallel.communicators"), _file_in("parallel.communicators")
]
KernelName = Annotated[str, _exists_in("kernels"), _file_in("kernels")]
MeterName = Annotated[str, _exists_in("meters"), _file_in("meters")]
AdapterName = Annotated[str, _exists_in("perft.adapters"), _file_in("perft.adapters")]
QuestionSource = Annotated[str, _exists_in("questions.sources"), _file_in("questions.sources")]
BaselineName = Annotated[
    str,
    AfterValidator(lambda name: one_of(name, BASELINES)),
    _kind(f"one of {', '.join(BASELINES)}"),
]
CorpusName = Annotated[str, _kind("a key of corpora")]
ExperimentName = Annotated[str, _kind("a key of experiments")]
# Names become parts of file names, and of the patterns by which Snakemake finds them.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
Seeds = Annotated[
    list[int],
    AfterValidator(_seeds),
    WithJsonSchema({"type": "array", "kind": "list of different integers >= 0"}),
]

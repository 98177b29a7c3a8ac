"""``python -m moebench.published_flaws``: every flaw of the published benchmarks explained.

A fact (what is wrong, and where) comes from a CSV file, our answer from a YAML file: a flaw is
absent here because of something that tests prove, or it is open.
"""

import csv
from pathlib import Path
from typing import Annotated, Literal

import typer
import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

AREAS = {
    "routing": "Routers",
    "capacity": "Capacity",
    "visual": "Figures of what experts do",
    "perft": "Adapters",
    "energy": "Energy",
    "mpi": "Layouts over ranks",
}


class FlawError(ValueError):
    """Facts and answers do not belong together."""


class Answer(BaseModel):
    """Whether we have a flaw, why not or why still, and the tests that prove its absence."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    status: Literal["absent", "open"]
    because: str
    tests: list[str] = []

    @model_validator(mode="after")
    def _is_proved(self) -> "Answer":
        if (self.status == "absent") != bool(self.tests):
            raise ValueError("what is absent names the tests that prove it, what is open has none")
        return self


class Flaw(BaseModel):
    """A flaw of a published benchmark, in our words, and where it stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    area: Literal["routing", "capacity", "visual", "perft", "energy", "mpi"]
    severity: Literal["fatal", "major", "moderate", "minor"]
    flaw: str
    source: str
    place: str


def read(facts: Path, answers: Path) -> list[tuple[Flaw, Answer]]:
    """Flaws in the order of their file, each with its answer; FlawError names what is missing."""
    with open(facts, encoding="utf-8", newline="") as file:
        flaws = [Flaw.model_validate(row) for row in csv.DictReader(file)]
    try:
        found = TypeAdapter(dict[str, Answer]).validate_python(
            yaml.safe_load(answers.read_text(encoding="utf-8"))
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise FlawError(f"{answers}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    differing = sorted({flaw.id for flaw in flaws} ^ set(found))
    if differing:
        raise FlawError(f"{differing[0]} stands in one of {facts} and {answers} only; add it")
    return [(flaw, found[flaw.id]) for flaw in flaws]


def explain(flaws: list[tuple[Flaw, Answer]]) -> str:
    """The page's tables, as Markdown: one for each area."""
    num_open = sum(answer.status == "open" for _, answer in flaws)
    parts = [f"Of {len(flaws)} flaws, {len(flaws) - num_open} are absent here and {num_open} open."]
    for area, title in AREAS.items():
        mine = [pair for pair in flaws if pair[0].area == area]
        sources = sorted({flaw.source for flaw, _ in mine})
        parts.append(f"## {title}\n\nSource: {'; '.join(sources)}.")
        header = ("| flaw | severity | what was wrong | here |", "|---|---|---|---|")
        parts.append("\n".join([*header, *(_row(*pair) for pair in mine)]))
    return "\n\n".join(parts) + "\n"


def _row(flaw: Flaw, answer: Answer) -> str:
    proved = ", ".join(f"`{test}`" for test in answer.tests)
    here = f"{answer.status}: {answer.because}" + (f" ({proved})" if proved else "")
    what = f"{flaw.flaw} ({flaw.place})"
    return f"| {flaw.id} | {flaw.severity} | {what} | {here} |"


def main(
    facts: Annotated[Path, typer.Argument(help="flaws.csv")],
    answers: Annotated[Path, typer.Argument(help="flaws.yaml")],
) -> None:
    """Print the tables of docs/flaws.md."""
    typer.echo(explain(read(facts, answers)), nl=False)


if __name__ == "__main__":
    typer.run(main)

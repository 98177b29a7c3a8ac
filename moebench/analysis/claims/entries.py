"""The file of claims: who said what, how it is put to the test, and on which tables.

A new claim is one entry. Every mistake of the file is found before any job runs.
"""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationError

from moebench.analysis.claims import language
from moebench.analysis.claims.smallest import smallest_effect
from moebench.spec import files
from moebench.spec.base import Spec
from moebench.spec.kinds import Name, filled
from moebench.spec.problems import ConfigError, Problem, problem, unknown


def _smallest(given: str | float) -> str | float:
    smallest_effect(given)
    return given


class Trial(Spec):
    """How a claim is put to the test: on rows of which tables, and what must hold."""

    tables: Annotated[list[Name], AfterValidator(filled)]
    where: str | None = None
    holds: str

    @property
    def predicate(self) -> ast.expr:
        """What must hold."""
        return language.predicate(self.holds)

    @property
    def condition(self) -> ast.expr | None:
        """On which rows."""
        return None if self.where is None else language.condition(self.where)

    @property
    def columns(self) -> set[str]:
        """Every column that is named."""
        named = language.columns(self.predicate)
        return named if self.condition is None else named | language.columns(self.condition)


def _kind(given: Any) -> str:
    return "reason" if isinstance(given, str) else "trial"


TrialOrReason = Annotated[
    Annotated[Trial, Tag("trial")] | Annotated[str, Tag("reason")], Discriminator(_kind)
]


class Claim(Spec):
    """Somebody's statement, and its trials; a text in place of a trial says why there is none."""

    source: str
    claim: str
    smallest: Annotated[str | float | int, AfterValidator(_smallest)]
    published: TrialOrReason
    here: TrialOrReason
    figure: str | None = None
    note: str | None = None


class ClaimsFile(Spec):
    """All claims, the sources they are from, and experiments that only other configs describe."""

    sources: dict[str, str]
    experiments: list[Name] = Field([])
    claims: dict[Name, Claim]


def read(path: str | Path) -> ClaimsFile:
    """Read a file of claims; ConfigError names every entry that is not one."""
    try:
        found = ClaimsFile.model_validate(files.read([path]))
    except ValidationError as error:
        raise ConfigError(
            (f"{Path(path).name}: {where}", what)
            for where, what in (problem(ClaimsFile, "", each) for each in error.errors())
        ) from None
    problems = [
        (f"{Path(path).name}: claims.{key}{where}", what)
        for key, claim in found.claims.items()
        for where, what in [*_unknown_source(found, claim), *_no_language(claim)]
    ]
    if problems:
        raise ConfigError(problems)
    return found


def check(found: ClaimsFile, published: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Refuse tables and columns that there are not; ConfigError names all of them.

    Both mappings lead from the names of tables to their columns.
    """
    known = {"published": published, "here": here}
    problems = [
        (f"claims.{key}.{side}", what)
        for key, claim in found.claims.items()
        for side, columns_of in known.items()
        for what in _unknown_names(getattr(claim, side), columns_of)
    ]
    if problems:
        raise ConfigError(problems)


def trials(found: ClaimsFile, side: str) -> dict[str, Trial]:
    """Every trial on published data or here, by the claim's id."""
    given = {key: getattr(claim, side) for key, claim in found.claims.items()}
    return {key: each for key, each in given.items() if isinstance(each, Trial)}


def _unknown_source(found: ClaimsFile, claim: Claim) -> list[Problem]:
    if claim.source in found.sources:
        return []
    return [(".source", unknown(claim.source, found.sources))]


def _no_language(claim: Claim) -> list[Problem]:
    problems = []
    for side in ("published", "here"):
        trial = getattr(claim, side)
        if isinstance(trial, Trial):
            for key, what in (("where", "condition"), ("holds", "predicate")):
                try:
                    getattr(trial, what)
                except language.ClaimError as error:
                    problems.append((f".{side}.{key}", str(error)))
    return problems


def _unknown_names(trial: Trial | str, columns_of: Mapping[str, Any]) -> list[str]:
    if isinstance(trial, str):
        return []
    problems = []
    for table in trial.tables:
        if table not in columns_of:
            problems.append(unknown(table, columns_of))
            continue
        known = {*columns_of[table], "experiment"}
        problems += [
            f"table {table!r}: column: {unknown(column, sorted(known))}"
            for column in sorted(trial.columns - known)
        ]
    return problems

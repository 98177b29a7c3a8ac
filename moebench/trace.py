"""``python -m moebench.trace FIGURE``: walk back to the raw inputs and check every hash."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from moebench import provenance, sidecar


class TraceError(ValueError):
    """There is nothing to follow: a file or its sidecar is missing or unreadable."""


class Trace:
    """The jobs behind a product, and what differs today from what they recorded."""

    def __init__(self, product: Path):
        self.folder = product.parent
        self.target, self.chain, today = _chain(product)
        self.producer = {name: job for job in self.chain for name in job["outputs"]}
        # A figure repeats what the sidecars said when it was drawn; they must say so still.
        self.mismatches: list[str] = [
            f"{os.path.relpath(path)} is not what {job['rule']} wrote when the figure was drawn"
            for path, job in today.items()
            if job not in self.chain
        ]
        self.mismatches += self._gone(today)
        self._shown: set[int] = set()
        self._now: dict[str, str | None] = {}

    def lines(self) -> Iterator[str]:
        """The chain as an indented tree, a file a line; collects mismatches on the way."""
        job = self.chain[0]
        for name, digest in job["outputs"].items():
            if name == self.target or (self.folder / name).is_file():
                yield self._file(name, digest, 0)
            else:
                yield f"--  {os.path.relpath(self.folder / name)} {digest[:12]} was not kept"
        yield from self._job(job, 1)

    def _job(self, job: sidecar.Record, depth: int) -> Iterator[str]:
        if id(job) in self._shown:
            return
        self._shown.add(id(job))
        yield from self._code(job, depth)
        for name, digest in job["inputs"].items():
            yield self._file(name, digest, depth)
            made_by = self.producer.get(name)
            if made_by is not None:
                yield from self._job(made_by, depth + 1)

    def _file(self, name: str, digest: str, depth: int) -> str:
        """Compare a file with what was recorded where it was written and where it was read."""
        job = self.producer.get(name)
        recorded = {digest} | ({job["outputs"][name]} if job else set())
        if name not in self._now:
            self._now[name] = _digest(self.folder / name)
        now = self._now[name]
        maker = job["rule"] if job else "raw input"
        place = os.path.relpath(self.folder / name)
        if recorded == {now}:
            return f"{'  ' * depth}ok  {place} {digest[:12]} <- {maker}"
        what = "is missing" if now is None else f"is not what {maker} wrote or its reader saw"
        self._mismatch(f"{place} {what}")
        return f"{'  ' * depth}BAD {place} {digest[:12]} <- {maker}: {what}"

    def _code(self, job: sidecar.Record, depth: int) -> Iterator[str]:
        code = job["params"].get("code")
        if code is None:
            return
        now = _code_digest(code["modules"])
        if now != code["digest"]:
            modules = ", ".join(code["modules"])
            self._mismatch(f"the code of {job['rule']} has changed since ({modules})")
            yield f"{'  ' * depth}BAD code of {job['rule']} changed since: {modules}"

    def _gone(self, today: dict[Path, sidecar.Record]) -> list[str]:
        """Files of the chain that no sidecar describes any more."""
        described = {name for job in (self.chain[0], *today.values()) for name in job["outputs"]}
        return [
            f"{os.path.relpath(self.folder / name)} has no sidecar any more"
            for name in self.producer
            if name not in described
        ]

    def _mismatch(self, what: str) -> None:
        if what not in self.mismatches:
            self.mismatches.append(what)


def _chain(product: Path) -> tuple[str, list[sidecar.Record], dict[Path, sidecar.Record]]:
    """All jobs behind a product, its own first; and by sidecar, those that have one today."""
    if not product.is_file():
        raise TraceError(f"{product}: no such file; name a figure (.svg, .png, .json) or a table")
    figure = product.with_suffix(".json")
    if product.suffix in (".svg", ".png", ".json") and figure.is_file():
        chain = _figure(figure)["chain"]
        inputs = [product.parent / name for name in chain[0]["inputs"]]
        return product.name, chain, sidecar.ancestors(inputs, product.parent)
    if sidecar.beside(product) is None:
        raise TraceError(f"{product}: no sidecar beside it; run the job that makes it again")
    today = sidecar.ancestors([product], product.parent)
    return product.name, list(today.values()), today


def _figure(path: Path) -> dict[str, Any]:
    content = sidecar.read_figure(path)
    if not content.get("chain"):
        raise TraceError(f"{path}: not a figure's sidecar (no chain); draw the figure again")
    return content


def _digest(path: Path) -> str | None:
    return provenance.file_digest(path) if path.is_file() else None


def _code_digest(modules: list[str]) -> str | None:
    """Digest of the modules as they are now; None where one of them is gone."""
    if not all(provenance.exists(module) for module in modules):
        return None
    return provenance.code_digest(*modules)


def main(
    figure: Annotated[Path, typer.Argument(help="a figure (.svg, .png or .json) or a table")],
) -> None:
    """Print the chain from a figure down to the corpus; exit code 1 where a hash differs."""
    try:
        trace = Trace(figure)
        for line in trace.lines():
            typer.echo(line)
    except ValueError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
    for mismatch in trace.mismatches:
        typer.echo(f"BAD {mismatch}", err=True)
    sys.exit(bool(trace.mismatches))


if __name__ == "__main__":
    typer.run(main)

"""``python -m moebench.parallel``: one sweep of layouts, printed as the published tables are."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from moebench import provenance, records, registry, spec
from moebench.analysis.parallel import repeat
from moebench.analysis.parallel.printed import published_way
from moebench.analysis.parallel.tabulate import tabulate_cells
from moebench.parallel import launch
from moebench.parallel.job import carry_out
from moebench.parallel.ranks import Ranks
from moebench.parallel.start import run
from moebench.records import Row
from moebench.spec import ParallelSpec, files

DEFAULT = registry.ROOT.parent / "config" / "config.yaml"


def main(
    sweep: Annotated[str, typer.Option(help="a sweep of the config, or the axis it moves along")],
    ranks: Annotated[
        int | None, typer.Option(min=1, help="start so many; not under mpiexec, srun, torchrun")
    ] = None,
    configfile: Annotated[
        list[Path] | None, typer.Option(help="laid over config/config.yaml; may be repeated")
    ] = None,
    rows: Annotated[Path | None, typer.Option(help="write every reading to this file")] = None,
    against: Annotated[
        Path | None, typer.Option(help="earlier readings, to say how well they repeat")
    ] = None,
) -> None:
    """Measure a sweep with the ranks that mpiexec, srun or torchrun started, or start them."""
    try:
        room = _room(configfile or [])
        here = launch.place()
        asked = room.sweep_at(room.sweep_called(sweep), ranks or here.world_size)
        if ranks is not None:
            run(room.launcher, ranks, _without_ranks(sys.argv))
            return
    except ValueError as error:
        sys.exit(f"error: {error}")
    with Ranks(here) as group:
        found = carry_out(asked, group, provenance.code_digest(*asked.modules))
        if here.rank == 0:
            _report(found, rows, against)


def _room(configfiles: Sequence[Path]) -> ParallelSpec:
    room = spec.parse(files.read([DEFAULT, *configfiles])).parallel
    if room is None:
        raise ValueError("the config has no key 'parallel'; see config/config.yaml for one")
    return room


def _without_ranks(argv: Sequence[str]) -> list[str]:
    """This program again, with the same options but that it is not to start ranks."""
    options = list(argv[1:])
    for place, option in enumerate(options):
        if option.partition("=")[0] == "--ranks":
            del options[place : place + (1 if "=" in option else 2)]
            break
    return [sys.executable, "-m", "moebench.parallel", *options]


def _report(found: Sequence[Row], rows: Path | None, against: Path | None) -> None:
    cells = tabulate_cells(found)
    typer.echo(published_way(cells))
    if rows is not None:
        records.write(found, rows)
    if against is not None:
        typer.echo(f"\n{repeat.compare(cells, tabulate_cells(records.read([against])))}")


if __name__ == "__main__":
    typer.run(main)

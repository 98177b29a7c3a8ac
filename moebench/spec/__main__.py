"""``python -m moebench.spec``: explain the keys of the config, or check config files."""

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from moebench import registry, spec
from moebench.spec import files
from moebench.spec.explain import explain as explanation

DEFAULT = registry.ROOT.parent / "config" / "config.yaml"


def main(
    configfiles: Annotated[
        list[Path] | None, typer.Argument(help="laid over config/config.yaml, in this order")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="print every key and every plug-in instead")
    ] = False,
) -> None:
    """Check config files and say how many runs they ask for; exit code 1 where one is wrong."""
    if explain:
        typer.echo(explanation(), nl=False)
        return
    try:
        config = spec.parse(files.read([DEFAULT, *(configfiles or [])]))
    except ValueError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
    runs = spec.expand(config)
    sources = spec.sources(config, runs)
    asked = Counter(run.experiment for run in runs.values())
    trained = Counter(runs[name].experiment for name in set(sources.values()))
    for experiment, num_runs in asked.items():
        lender, taken = config.experiments[experiment].reuses, num_runs - trained[experiment]
        typer.echo(
            f"{experiment}: {trained[experiment]} runs"
            + (f", and {taken} of {lender}" if taken else "")
        )


if __name__ == "__main__":
    typer.run(main)

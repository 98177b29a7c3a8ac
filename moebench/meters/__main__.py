"""``python -m moebench.meters``: what this machine can measure, how often, and why not more."""

import sys
from typing import Annotated

import typer

from moebench.meters.base import Domain, Probe
from moebench.meters.instruments import choose, discover
from moebench.meters.proof import probe


def main(
    meters: Annotated[
        list[str] | None, typer.Argument(help="names of meters; all of them where none is given")
    ] = None,
) -> None:
    """Try every meter; exit code 1 where none of them can measure anything."""
    try:
        found = discover(meters)
    except ValueError as error:
        sys.exit(f"error: {error}")
    probes = []
    for meter in found:
        probes.append(probe(meter))
        for line in _lines(probes[-1]):
            typer.echo(line)
    instruments = choose(found, probes)
    instruments.close()
    used = ", ".join(f"{domain.kind} by {domain.id}" for domain in instruments.domains)
    if not used:
        sys.exit("no energy can be measured on this machine; results will say so, and why")
    typer.echo(f"used: {used}")


def _lines(found: Probe) -> list[str]:
    """One line for each domain, or for the reason why there is none."""
    lines = [f"{found.meter}: {_described(domain)}" for domain in found.domains]
    lines += [f"  {key}: {fact}" for key, fact in found.facts.items()]
    return lines + ([f"{found.meter}: no, {found.reason}"] if found.reason else [])


def _described(domain: Domain) -> str:
    source = "energy counter" if domain.source == "counter" else "power, integrated"
    period = "not seen to change" if domain.update_s is None else f"every {domain.update_s:.2g} s"
    limit = "" if domain.limit_w is None else f", limit {domain.limit_w:g} W"
    return f"yes, {domain.kind} {domain.name}: {source}, {period}{limit} ({domain.id})"


if __name__ == "__main__":
    typer.run(main)

"""Boundaries: which parts of the machine an energy counts, and whether idling is taken off.

Where the boundary lies decides the answer more than any noise does, so every window is accounted
for within all of them, and none is called the energy.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moebench.meters.base import WITH_VALUE, Domain, Energy, Kind


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """What is counted: parts that must be measured, and parts that join them where they are."""

    label: str
    needs: tuple[Kind, ...]
    takes: tuple[Kind, ...] = ()
    is_net: bool = False  # less what the same parts draw when idle with the network loaded


BOUNDARIES = {
    "gpu": Boundary(label="GPU", needs=("gpu",)),
    "gpu_net": Boundary(label="GPU less idle", needs=("gpu",), is_net=True),
    "gpu_host": Boundary(label="GPU and host", needs=("gpu", "cpu"), takes=("dram", "module")),
    "host": Boundary(label="host", needs=("cpu",), takes=("dram",)),
    "host_net": Boundary(label="host less idle", needs=("cpu",), takes=("dram",), is_net=True),
    "node": Boundary(label="whole node", needs=("node",)),
}


def total(
    boundary: Boundary,
    domains: Sequence[Domain],
    energies: Mapping[str, Energy],
    missing: Mapping[Kind, str],
) -> Energy:
    """Sum over the boundary's parts, each counted once; null where one of them has no value.

    ``energies`` by domain; ``missing`` says why a kind has no domain at all.
    """
    parts = _parts(boundary, domains)
    covered = _covered(parts, domains)
    absent = [kind for kind in boundary.needs if kind not in covered]
    if absent:
        reasons = [missing.get(kind, f"no {kind} is measured") for kind in absent]
        return Energy(status="unavailable", reason=_joined(reasons))
    found = [energies[domain.id] for domain in parts]
    reasons = [each.reason for each in found if each.status not in WITH_VALUE]
    if reasons:
        return Energy(status="invalid", reason=_joined(reasons))
    return summed(found)


def summed(energies: Sequence[Energy]) -> Energy:
    """Sum of energies that all have values, as good as the weakest of them."""
    variances = [each.sigma_j**2 for each in energies if each.sigma_j is not None]
    return Energy(
        status=max((each.status for each in energies), key=WITH_VALUE.index),
        energy_j=sum(each.energy_j for each in energies if each.energy_j is not None),
        sigma_j=math.sqrt(sum(variances)) if len(variances) == len(energies) else None,
        method=_joined([each.method for each in energies]),
    )


def net(gross: Energy, idle: Energy, duration_s: float, idle_s: float) -> Energy:
    """Gross energy less what idling, ``idle`` in ``idle_s``, would have taken for as long."""
    if gross.energy_j is None:
        return gross
    if idle.energy_j is None:
        return Energy(status=idle.status, reason=f"idle power: {idle.reason}")
    share = duration_s / idle_s
    energy_j = gross.energy_j - idle.energy_j * share
    if energy_j <= 0:
        reason = f"the window drew no more than idling, {-energy_j:.3g} J less"
        return Energy(status="invalid", reason=reason)
    sigma_j = None
    if gross.sigma_j is not None and idle.sigma_j is not None:
        sigma_j = math.hypot(gross.sigma_j, idle.sigma_j * share)
    return Energy(
        status=max(gross.status, idle.status, key=WITH_VALUE.index),
        energy_j=energy_j,
        sigma_j=sigma_j,
        method=f"{gross.method}; less idle power with the network loaded",
    )


def _parts(boundary: Boundary, domains: Sequence[Domain]) -> list[Domain]:
    """The boundary's domains without those that are part of another of them."""
    chosen = [domain for domain in domains if domain.kind in boundary.needs + boundary.takes]
    inside = {part for domain in chosen for part in domain.contains}
    return [domain for domain in chosen if not {domain.id, domain.kind} & inside]


def _covered(parts: Sequence[Domain], domains: Sequence[Domain]) -> set[str]:
    """Kinds that the parts measure, by themselves or as part of a larger one."""
    found = {each for domain in parts for each in (domain.kind, *domain.contains)}
    return found | {domain.kind for domain in domains if domain.id in found}


def _joined(texts: Sequence[str]) -> str:
    """Texts without repetition, in their order."""
    return "; ".join(dict.fromkeys(texts))

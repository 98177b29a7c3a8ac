"""Who may be ranked: an arm whose router's certificate bears out what the router declares."""

import json
from collections.abc import Mapping, Sequence

import pandas as pd

from moebench.analysis.certificates.tabulate import tabulate_certificates
from moebench.analysis.certificates.verdict import NON_CAUSAL
from moebench.records import Row
from moebench.spec import BASELINES, certificate_name

LEGACY = "legacy_"  # begins the name of a router that repeats a published mistake on purpose


def vouching(rows: Sequence[Row], digests: Mapping[str, str]) -> pd.DataFrame:
    """Certificates from their readings; ValueError for one that is missing or of other code.

    ``digests`` names the certificates that are needed, each with the digest of the code.
    """
    found = tabulate_certificates(rows)
    known = dict(zip(found["certificate"], found["code_digest"], strict=True))
    for name, digest in digests.items():
        if name not in known:
            raise ValueError(f"certificate {name} is missing; run certify_router for it")
        if known[name] != digest:
            raise ValueError(
                f"certificate {name} is of code {known[name]}, and the code is now "
                f"{digest}; run certify_router again"
            )
    return found


def add(arms: pd.DataFrame, certificates: pd.DataFrame | None) -> None:
    """Add to each arm the class that its certificate found, as ``certified``.

    Null where there is nothing to certify, in a dense network, and where no certificates are made.
    Raises ValueError for an arm without one where others have one.
    """
    if certificates is None:
        arms["certified"] = pd.array([None] * len(arms), dtype="str")
        return
    found = dict(zip(certificates["certificate"], certificates["found"], strict=True))
    classes: list[str | None] = []
    for arm in arms.to_dict("records"):
        if arm["router"] in BASELINES:
            classes.append(None)
            continue
        options = json.loads(arm["router_options"])
        name = certificate_name(arm["router"], options, arm["drop_policy"], arm["pool"])
        if name not in found:
            raise ValueError(f"certificate {name} is missing; run certify_router for it")
        classes.append(found[name])
    arms["certified"] = pd.array(classes, dtype="str")


def may_be_ranked(arms: pd.DataFrame) -> "pd.Series[bool]":
    """Whether the score that counts of each arm is one of a language model.

    It is where the router looks at no later token, or says that it does and was scored without
    them. Whoever names a best arm asks this; a table of pairs of arms leaves nobody out.
    """
    return arms["val_nll_causal_nats"].notna() & ~hides_later_tokens(arms) & ~is_legacy(arms)


def hides_later_tokens(arms: pd.DataFrame) -> "pd.Series[bool]":
    """Whether a certificate shows an arm to look at later tokens, which it does not declare."""
    return (arms["certified"] == NON_CAUSAL) & (arms["causality"] != NON_CAUSAL)


def is_legacy(arms: pd.DataFrame) -> "pd.Series[bool]":
    """Whether an arm's router repeats a published mistake on purpose: it is no candidate."""
    return arms["router"].str.startswith(LEGACY)

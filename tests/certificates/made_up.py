"""Rows of certificates that nobody made, with readings that a test chooses."""

from tests import rows as synthetic

LOCAL = {"future": 0.0, "mates": 0.0, "past": 0.0}
COUPLED = {"future": 0.0, "mates": 0.4, "past": 0.2}
LOOKING = {"future": 0.5, "mates": 0.5, "past": 0.5}
DIGEST = synthetic.SETTING["code_digest"]


def toy(router, declared, changes, leak=-0.001, **model):
    spec = synthetic.run_spec(router, **model)
    name = f"{router}_{spec.model.drop_policy}_{spec.model.pool}"
    values = {
        "certificate": name,
        "declared": declared,
        "floor_nats": 2.7726,
        "heldout_nats": 2.7726 - leak,
        "leak_nats": leak,
        "leak_nats_low": leak - 0.001,
        "leak_nats_high": leak + 0.001,
    }
    for probe, change in changes.items():
        values |= {f"{probe}_output_change": change, f"{probe}_routes_changed": change}
    return synthetic.row("toy", spec, **values)


def trained(router, **model):
    spec = synthetic.run_spec(router, **model)
    name = f"{router}_{spec.model.drop_policy}_{spec.model.pool}"
    gains = {
        f"{gain}{end}": value
        for gain in ("suffix_benefit_nats", "decode_gap_nats")
        for end, value in (("", 0.1), ("_low", 0.05), ("_high", 0.15))
    }
    values = {"certificate": name, "num_windows": 64, "parallel_nats": 2.0, **gains}
    return synthetic.row("trained", spec, **values)


def rows(lying=None):
    """Certificates of the five routers; ``lying`` is one that looks at later tokens, unsaid."""
    made = []
    for router in synthetic.ROUTERS:
        is_open = router == "expert_choice"
        changes = LOOKING if is_open or router == lying else COUPLED
        declared = "non-causal" if is_open else "batch-coupled"
        made += [toy(router, declared, changes), trained(router)]
    return made

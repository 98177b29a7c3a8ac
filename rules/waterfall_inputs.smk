"""What the rules of the waterfall depend on."""


def waterfall_code():
    """The code that decides what the waterfall measures: both routers of every name."""
    room = CONFIG.waterfall
    plugins = [
        *(f"moebench.routers.{name}" for name in room.routers),
        *(f"moebench.routers.legacy_{name}" for name in room.routers),
        f"moebench.gates.{room.model.gate}",
        f"moebench.dispatch.{room.model.dispatch}",
    ]
    return sidecar.code("moebench.lm.waterfall", *plugins)


def waterfall_rows():
    """Rows of the waterfall."""
    return ["results/runs/waterfall/rows.jsonl"] if CONFIG.waterfall else []

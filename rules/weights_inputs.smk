"""Which weights stay when all is done: temp() cannot say, for it takes all runs of a rule or none.

Weights that a certificate or a trace was made from are links of the way back to the text, and
without them an edit of one router would train the others again.
"""


def read_weights():
    """The runs whose weights other jobs read."""
    certified = {f"results/runs/{run}" for run in certificates().values()}
    traced = {CONFIG.specialisation.experiment} if CONFIG.specialisation else set()
    if CONFIG.capacity and "traces" in CONFIG.capacity.routings:
        traced.add(CONFIG.capacity.experiment)
    return certified.union(*(traced_of(experiment) for experiment in traced))


def discard_weights():
    """Remove the weights that nothing reads, unless the config keeps them."""
    if CONFIG.keep_weights:
        return
    trained = {f"results/runs/{name}" for name in SOURCES.values()}
    for folder in sorted(trained - read_weights()):
        Path(folder, "weights.pt").unlink(missing_ok=True)

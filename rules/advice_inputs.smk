"""What the advice depends on: the experiment it speaks of, and the tables of the rooms there are."""

from moebench.report.advice.wanted import wanted


def advised_experiment():
    """The experiment whose routers are advised on: named, or the one with the most runs.

    One with dense baselines comes first, for without them nobody knows whether a router pays.
    """

    def weight(name):
        return bool(CONFIG.experiments[name].baselines), len(runs_of(name))

    return CONFIG.advice.experiment or max(sorted(CONFIG.experiments), key=weight)


def advice_tables():
    """Tables that the advice is made from, in the rooms that the config has."""
    names = wanted(advised_experiment(), CONFIG.rooms)
    return [f"results/tables/{name}.csv" for name in names]

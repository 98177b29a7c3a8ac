"""Which tables advice is made from; without pandas, for the plan asks."""

from collections.abc import Sequence

TABLES = {  # of a room: endings of the names of its tables
    "parallel": ("parallel", "parallel_regimes", "parallel_predictions"),
    "energy": ("energy_crossover", "energy_cells"),
    "perft": ("perft_summary", "perft_contrasts"),
    "rank_stability": ("rank_stability_ranks",),
}


def wanted(experiment: str, rooms: Sequence[str]) -> list[str]:
    """Names of the tables that advice is made from, where the config has these rooms."""
    of_rooms = [name for room, names in TABLES.items() if room in rooms for name in names]
    return [f"{experiment}_summary", f"{experiment}_contrasts", *of_rooms]

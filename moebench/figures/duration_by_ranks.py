"""Duration of a call against the number of ranks, a line per layout."""

from moebench.figures.sweeps import SweepFigure


class DurationByRanks(SweepFigure):
    """Do more ranks help, and from how many do they hurt?"""

    title = "Which layout is fastest on how many ranks?"
    axis = "world_size"
    columns = {
        "parallel": (
            "sweep",
            "layout",
            "direction",
            "world_size",
            "num_experts",
            "batch_size",
            "top_k",
            "feature_dim",
            "oversubscribed",
            "median_duration_s",
            "median_low_s",
            "median_high_s",
        )
    }

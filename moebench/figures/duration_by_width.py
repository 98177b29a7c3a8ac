"""Duration of a call against the width of a sample, a line per layout."""

from moebench.figures.sweeps import SweepFigure


class DurationByWidth(SweepFigure):
    """Do wider experts change who is fastest?"""

    title = "Which layout is fastest at which width?"
    axis = "feature_dim"
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

"""Duration of a call against the experts per sample, a line per layout."""

from moebench.figures.sweeps import SweepFigure


class DurationByTopK(SweepFigure):
    """Does more work per sample change who is fastest?"""

    title = "Which layout is fastest with how many experts per sample?"
    axis = "top_k"
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

"""Duration of a call against the batch, a line per layout."""

from moebench.figures.sweeps import SweepFigure


class DurationByBatch(SweepFigure):
    """Where does dividing the batch's work begin to pay?"""

    title = "Which layout is fastest at which batch?"
    axis = "batch_size"
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

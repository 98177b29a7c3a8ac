"""Samples per second against the experts per sample, a line per layout."""

from moebench.figures.sweeps import ThroughputFigure


class ThroughputByTopK(ThroughputFigure):
    """Does more work per sample change who is fastest?"""

    title = "How many samples per second with how many experts per sample?"
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
            "throughput_samples_per_s",
            "median_low_s",
            "median_high_s",
        )
    }

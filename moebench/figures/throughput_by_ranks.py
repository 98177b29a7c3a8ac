"""Samples per second against the number of ranks, a line per layout."""

from moebench.figures.sweeps import ThroughputFigure


class ThroughputByRanks(ThroughputFigure):
    """Do more ranks help, and from how many do they hurt?"""

    title = "How many samples per second on how many ranks?"
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
            "throughput_samples_per_s",
            "median_low_s",
            "median_high_s",
        )
    }

"""Who is faster at which size: inferences per second against parameters."""

from matplotlib.figure import Figure as Canvas

from moebench.figures import against_size
from moebench.figures.base import Figure, Tables


class InferencesPerS(Figure):
    """A panel for each number type and batch of this machine, then those measured elsewhere."""

    title = "Which network is fastest, at which size?"
    columns = {
        "cells": (
            "network",
            "kernel",
            "size",
            "num_params",
            "batch_size",
            "dtype",
            "boundary",
            "inferences_per_s",
            "inferences_per_s_low",
            "inferences_per_s_high",
            "train_accuracy",
            "learning",
        ),
        "elsewhere": ("origin", "date", "device", "inferences_per_s", "train_accuracy", "learning"),
    }

    def draw(self, tables: Tables) -> Canvas:
        """Draw the panels."""
        panels = against_size.panels_of(tables, "inferences_per_s")
        return against_size.draw(panels, "inferences_per_s", "inferences/s")

    def caption(self, tables: Tables) -> str:
        """Say what is drawn, and who is fastest at the smallest and at the largest size."""
        return against_size.caption(tables, "inferences_per_s", "Inferences per second", "faster")

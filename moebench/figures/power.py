"""How much power a network draws at which size."""

from matplotlib.figure import Figure as Canvas

from moebench.figures import against_size
from moebench.figures.base import Figure, Tables


class Power(Figure):
    """Panels of this machine, or an empty frame that says why; then those measured elsewhere."""

    title = "How much power does a network draw, at which size?"
    columns = {
        "cells": (
            "network",
            "kernel",
            "size",
            "num_params",
            "batch_size",
            "dtype",
            "boundary",
            "energy_reason",
            "power_w",
            "train_accuracy",
            "learning",
        ),
        "elsewhere": ("origin", "date", "device", "power_w", "train_accuracy", "learning"),
    }

    def draw(self, tables: Tables) -> Canvas:
        """Draw the panels."""
        panels = against_size.panels_of(tables, "power_w")
        return against_size.draw(panels, "power_w", "watts, mean of a window")

    def caption(self, tables: Tables) -> str:
        """Say what is drawn, and who draws most; or why nobody knows."""
        return against_size.caption(
            tables, "power_w", "Mean power of the device while it works", "hungrier"
        )

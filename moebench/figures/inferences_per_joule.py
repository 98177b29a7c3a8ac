"""Who does more with a joule at which size: inferences per joule against parameters."""

from matplotlib.figure import Figure as Canvas

from moebench.figures import against_size
from moebench.figures.base import Figure, Tables


class InferencesPerJoule(Figure):
    """Panels of this machine, or an empty frame that says why; then those measured elsewhere."""

    title = "Which network does most with a joule, at which size?"
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
            "inferences_per_j",
            "inferences_per_j_low",
            "inferences_per_j_high",
            "train_accuracy",
            "learning",
        ),
        "elsewhere": ("origin", "date", "device", "inferences_per_j", "train_accuracy", "learning"),
    }

    def draw(self, tables: Tables) -> Canvas:
        """Draw the panels."""
        panels = against_size.panels_of(tables, "inferences_per_j")
        return against_size.draw(panels, "inferences_per_j", "inferences per joule")

    def caption(self, tables: Tables) -> str:
        """Say what is drawn, and who does most with a joule; or why nobody knows."""
        return against_size.caption(
            tables, "inferences_per_j", "Inferences per joule of the device", "thriftier"
        )

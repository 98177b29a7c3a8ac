"""The table that the published benchmarks print: a line for each layout and value of the axis."""

import pandas as pd

from moebench.spec.sweeps import AXES

# First word of a layout's name: what the published tables call layouts of its kind.
KINDS = {"single": "Simple", "tensor": "TP", "expert": "EP"}
TITLES = {
    "world_size": "Ranks",
    "num_experts": "Experts",
    "batch_size": "Batch Size",
    "top_k": "Top-K",
    "feature_dim": "Feature Dimension",
}
DIRECTIONS = {"forward": "Forward", "forward_backward": "Forward and Backward"}
MEASURED = ("Min Duration (ms)", "Median Duration (ms)", "Max Duration (ms)", "Max Memory (MB)")


def published_way(cells: pd.DataFrame) -> str:
    """Cells of one sweep as Markdown, a table for each direction; memory is the layer's own."""
    moved = [axis for axis in AXES if cells[axis].nunique() > 1] or ["batch_size"]
    parts = []
    for direction, group in cells.groupby("direction", sort=True):
        parts.append(f"### {DIRECTIONS[str(direction)]}")
        parts.append(_markdown(group.sort_values([*moved, "layout"], key=_in_order), moved))
    if cells["oversubscribed"].any():
        first = cells.iloc[0]
        parts.append(
            f"{first['world_size']} ranks x {first['threads']} threads share "
            f"{first['num_cores']} cores: these times are not those of a machine with enough cores."
        )
    return "\n\n".join(parts)


def _in_order(column: "pd.Series[str]") -> "pd.Series[str]":
    """Simple, TP, EP, as published; numbers as they are."""
    if column.name != "layout":
        return column
    kinds = list(KINDS)
    place = {name: kinds.index(name.split("_")[0]) for name in column if _kind(name)}
    return column.map(lambda name: f"{place.get(name, len(kinds))} {name}")


def _kind(layout: str) -> str:
    """What the published tables call a layout of this kind; empty where they have none."""
    return KINDS.get(layout.split("_")[0], "")


def _markdown(cells: pd.DataFrame, moved: list[str]) -> str:
    header = ["MoE Type", "Layout", *(TITLES[axis] for axis in moved), *MEASURED]
    lines = [header, ["---"] * len(header)]
    for cell in cells.to_dict("records"):
        milliseconds = [cell[f"{which}_duration_s"] * 1e3 for which in ("min", "median", "max")]
        lines.append(
            [
                _kind(cell["layout"]) or "-",
                cell["layout"],
                *(str(cell[axis]) for axis in moved),
                *(f"{each:.3f}" for each in milliseconds),
                f"{cell['peak_memory_bytes'] / 1e6:.2f}",
            ]
        )
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    return "\n".join(
        "| "
        + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )

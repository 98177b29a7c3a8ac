"""An estimate of joules per inference, from declared constants: not a measurement."""

from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch

from moebench.figures import networks, style
from moebench.figures.base import Figure, Tables, rows
from moebench.figures.notes import join, write_below

COLUMNS = 4


class EnergyEstimate(Figure):
    """Hatched bars from the least to the most that the constants allow, a panel per size."""

    title = "An estimate from declared constants, not a measurement"
    columns = {
        "estimate": (
            "network",
            "kernel",
            "size",
            "num_params",
            "batch_size",
            "dtype",
            "estimated_energy_low_j",
            "estimated_energy_high_j",
            "source",
        )
    }

    def draw(self, tables: Tables) -> Canvas:
        """Draw the bars of each size beside each other, batch by batch."""
        table = networks.named(tables["estimate"])
        sizes = list(table.groupby("size")["num_params"].max().sort_values().index)[:COLUMNS]
        canvas = Canvas(figsize=(style.WIDTH_IN, 5.2))
        axes_S = canvas.subplots(
            1, len(sizes), squeeze=False,
            gridspec_kw={"left": 0.09, "right": 0.985, "top": 0.92, "bottom": 0.33, "wspace": 0.35},
        )[0]  # fmt: skip
        names = networks.order(table["name"])
        for axes, size in zip(axes_S, sizes, strict=True):
            mine = table[table["size"] == size]
            batches = sorted(mine["batch_size"].unique())
            for each in rows(mine):
                at = batches.index(each.batch_size) + 0.16 * (names.index(each.name) - 2)
                low, high = each.estimated_energy_low_j, each.estimated_energy_high_j
                axes.bar(
                    at, high - low, 0.14, bottom=low, hatch="////", fc="white",
                    ec=networks.look(each.name).colour, gid=f"estimate {each.name}",
                )  # fmt: skip
            axes.set(yscale="log", xlabel="batch", title=f"estimate: {size}")
            axes.set_xticks(range(len(batches)), [str(batch) for batch in batches])
        axes_S[0].set_ylabel("estimated joules per inference")
        canvas.legend(
            handles=[
                Patch(
                    hatch="////", fc="white", ec=networks.look(name).colour,
                    label=networks.label(name),
                )
                for name in names
            ],
            loc="lower center", bbox_to_anchor=(0.5, 0.1), ncols=3,
        )  # fmt: skip
        write_below(canvas, [_note(tables)])
        return canvas

    def caption(self, tables: Tables) -> str:
        """Say that nothing here was measured, and where the constants come from."""
        return f"Estimated joules of an inference, from least to most. {_note(tables)}"


def _note(tables: Tables) -> str:
    sources = join(tables["estimate"]["source"].drop_duplicates())
    return (
        "An estimate, not a measurement: a constant power, joules per FLOP and joules per byte, "
        f"each within a declared range ({sources}). No crossover and no mean holds it."
    )

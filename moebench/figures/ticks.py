"""Ticks of logarithmic axes: enough of them, and in words that a reader takes in at a glance."""

from collections.abc import Callable

from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

NARROW = 50  # largest over smallest value below which decades alone would leave an axis bare


def log(axis: Axis, text: Callable[[float], str]) -> None:
    """Tick decades, or 1, 2 and 5 of each where the axis is narrow; ``text`` writes a value."""
    low, high = sorted(axis.get_view_interval())
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < NARROW else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axis.set_minor_formatter(NullFormatter())


def number(value: float) -> str:
    """A number without a power of ten: 0.5, 200, 40k, 2M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def seconds(value: float) -> str:
    """A duration: 20,000 s, 2 s, 3 ms, 500 µs."""
    if value >= 1000:
        return f"{value:,.0f} s"
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-6:.3g} µs"

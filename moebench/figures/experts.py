"""What the figures of experts share: their colours, and the part of a table that is drawn."""

import json

import pandas as pd

from moebench.figures import style
from moebench.figures.notes import join

# Light enough for black text, and apart for colour-blind readers (Paul Tol's scheme "light"). An
# expert's number always stands beside its colour: there may be more experts than colours.
COLOURS = (
    *("#77AADD", "#EE8866", "#EEDD88", "#FFAABB"),
    *("#99DDFF", "#44BB99", "#BBCC33", "#AAAA00"),
)
_SHOWN = {" ": "\u00b7", "\n": "\u23ce", "\t": "\u2192"}  # what stands for characters without ink


def colour(expert: int) -> str:
    """Background of a token that goes to an expert."""
    return COLOURS[expert % len(COLOURS)]


def glyph(quoted: str) -> str:
    """A token as it can be seen: a sign for what leaves no ink, a box for a named entry."""
    text = json.loads(quoted)
    if len(text) > 1 and text.startswith("<") and text.endswith(">"):
        return "\u25a1"
    return "".join(_SHOWN.get(character, character) for character in text)


def one_seed(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the first seed: experts have no counterpart in another."""
    rows: pd.DataFrame = table[table["seed"] == table["seed"].min()]
    return rows


def last_layer(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the last layer, where models differ most from what they began with."""
    rows: pd.DataFrame = table[table["layer"] == table["layer"].max()]
    return rows


def note(table: pd.DataFrame) -> str:
    """Which layer and seed are drawn, of which there are."""
    layers, seeds = table["layer"].nunique(), table["seed"].nunique()
    return (
        f"Layer {table['layer'].max()} of 0 to {table['layer'].max()}"
        if layers > 1
        else "The only layer"
    ) + (f", seed {table['seed'].min()} of {seeds}." if seeds > 1 else ".")


def tie_note(passage: pd.DataFrame) -> list[str]:
    """Routers whose first choice among equal weights says nothing."""
    share = passage[passage["is_first"]].groupby("router")["is_tied"].mean()
    names = [style.label(router) for router in style.order(share[share > 0].index)]
    if not names:
        return []
    return [
        f"Weights tie with {join(names)}: shown is the expert that the router names first, which "
        "then is no preference."
    ]

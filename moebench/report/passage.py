"""A passage coloured by expert, as a page: every router and layer, before and after training."""

import html
from collections.abc import Iterator
from typing import Any

import pandas as pd

from moebench.figures import style
from moebench.figures.experts import colour, glyph, one_seed, tie_note

_STYLE = """
body { font-family: sans-serif; max-width: 60rem; margin: 1rem auto; color: #222; }
p.text { line-height: 2.5; overflow-wrap: anywhere; }
span.token { display: inline-block; text-align: center; padding: 0 .18em; margin: 0 1px;
  font-family: monospace; line-height: 1.15; border-bottom: 3px solid transparent; }
span.token small { display: block; font-size: .62em; }
span.dropped { border-bottom-color: #222; }
"""
_LEGEND = (
    "Colour and number name the expert that a token asks for first; all of its experts, with their "
    "weights, appear when the pointer rests on it. Underlined: the first choice was dropped for "
    "want of capacity. A token that asks for nobody is left out."
)


def page(passage: pd.DataFrame) -> str:
    """The whole page, as HTML."""
    table = one_seed(passage)
    parts = [f"<p>{html.escape(sentence)}</p>" for sentence in (_LEGEND, *tie_note(table))]
    for router in style.order(table["router"]):
        parts.append(f"<h2>{html.escape(style.label(router))}</h2>")
        parts += _blocks(table[table["router"] == router])
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>A passage coloured by expert</title><style>{_STYLE}</style></head><body>\n"
        "<h1>A passage coloured by expert</h1>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _blocks(mine: pd.DataFrame) -> Iterator[str]:
    for layer in sorted(mine["layer"].unique()):
        for state in ("untrained", "trained"):
            block = mine[(mine["layer"] == layer) & (mine["state"] == state)]
            yield f"<h3>layer {layer}, {state}</h3>"
            tokens = [_token(each) for _, each in block.groupby("position", sort=True)]
            yield f'<p class="text">{"".join(tokens)}</p>'


def _token(choices: pd.DataFrame) -> str:
    """One token: its own look, and every expert it asks for on demand."""
    ranked: list[dict[Any, Any]] = choices.sort_values(
        ["is_first", "weight"], ascending=False, kind="stable"
    ).to_dict("records")
    first = ranked[0]
    told = ", ".join(
        f"expert {each['expert']}: {each['weight']:.2f}{'' if each['is_kept'] else ' (dropped)'}"
        for each in ranked
    )
    kind = "token" if first["is_kept"] else "token dropped"
    text = html.escape(glyph(first["text"]))
    return (
        f'<span class="{kind}" style="background:{colour(first["expert"])}" title="{told}">'
        f"{text}<small>{first['expert']}</small></span>"
    )

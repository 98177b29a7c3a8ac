"""From which size on does a mixture save energy?"""

from types import SimpleNamespace

import pandas as pd

from moebench.analysis.energy import crossover
from moebench.analysis.energy.boundaries import HEADLINES, TIME, headline
from moebench.analysis.energy.ladder import BEST
from moebench.figures import networks
from moebench.figures.notes import join
from moebench.report import energy_sentences as say
from moebench.report.advice.base import Answer, Line, Quotes, Status, Tables, lines

QUESTION = "From which size on does a mixture save energy against a dense network?"
TERMS = (
    "Two dense networks are the measure: one with as many parameters as the mixture holds, and one "
    "with as many as it uses for each input (active parameters)."
)
KEY = ("quantity", "baseline", "kernel", "batch_size", "dtype", "device", "boundary")
CELL = ("size", "network", "kernel", "batch_size", "dtype", "device", "boundary")
BASELINES = ("dense_total", "dense_active")
HEADLINE_BATCH = 128
DECIDED = (crossover.WITHIN, crossover.NONE, crossover.THROUGHOUT)


def answer(tables: Tables) -> Answer:
    """Advice from tables ``energy_crossover`` and ``energy_cells``."""
    quote = Quotes()
    found = list(lines(tables, "energy_crossover", KEY))
    if not found:
        return Answer("energy", QUESTION, TERMS, "cannot say", ONE_SIZE)
    in_joules = [each for each in found if each["quantity"] != TIME]
    told = _shown(in_joules or found)
    sentences = [_sentence(each, quote) for each in told]
    others = _others(found, told)
    if in_joules:
        status: Status = "answered" if told[0]["verdict"] in DECIDED else "open"
        verdict, because = sentences[0], sentences[1:]
    else:
        status, others = "cannot say", [METER, *others]
        verdict = f"Cannot say, because no energy was measured here. {_reasons(tables, quote)}"
        because = [f"Of speed alone: {each}" for each in sentences]
    figure = "energy_crossover_boundaries"
    return Answer(
        "energy", QUESTION, TERMS, status, verdict, because, others, figure, quote.numbers
    )


ONE_SIZE = (
    "Cannot say, because no mixture was measured beside a dense network at two sizes that are a "
    "ladder, one larger than the other and smaller in no number of its shape; name two or more "
    "under `energy.sizes`."
)
METER = (
    "A machine whose meter can be read; `python -m moebench.meters` tries all that are known and "
    "names what each lacks."
)


def _shown(found: list[Line]) -> list[Line]:
    """Of each baseline the best kernel at the published batch, or else the largest."""
    there = {each["boundary"] for each in found}
    boundary = next((name for name in HEADLINES if name in there), min(there))
    batches = {each["batch_size"] for each in found}
    batch_size = HEADLINE_BATCH if HEADLINE_BATCH in batches else max(batches)
    mine = [e for e in found if (e["batch_size"], e["boundary"]) == (batch_size, boundary)]
    kernels = {each["kernel"] for each in mine}
    kernel = BEST if BEST in kernels else min(kernels)
    return [
        each
        for name in BASELINES
        for each in mine
        if (each["baseline"], each["kernel"]) == (name, kernel)
    ]


def _sentence(line: Line, quote: Quotes) -> str:
    """The sentence of the energy page, with each of its numbers accounted for."""
    text = say.crossover(SimpleNamespace(**line.values))
    quote.name(line, say.place(SimpleNamespace(**line.values)))
    for column in (
        "smallest_params",
        "largest_params",
        "crossover_params",
        "crossover_params_low",
        "crossover_params_high",
    ):
        if pd.notna(line[column]) and networks.size(line[column]) in text:
            quote(line, column, "parameters")
    return text


def _reasons(tables: Tables, quote: Quotes) -> str:
    """Why there are no joules, in the meters' words."""
    shown = headline(tables["energy_cells"]).dropna(subset=["energy_reason"])
    cells = {"energy_cells": shown.drop_duplicates("energy_reason")}
    told = [quote.name(each, each["energy_reason"]) for each in lines(cells, "energy_cells", CELL)]
    return f"The meters say: {'; '.join(told)}." if told else ""


def _others(found: list[Line], told: list[Line]) -> list[str]:
    """In what the verdict would be another one, of what was measured."""
    verdict = {each["baseline"]: each for each in told}
    differing = set()
    for each in found:
        mine = verdict.get(each["baseline"])
        if mine is None or each["verdict"] == mine["verdict"]:
            continue
        changed = [key for key in KEY if each[key] != mine[key]]
        if len(changed) == 1:
            differing.add(changed[0].replace("_", " "))
    if not differing:
        return []
    return [f"Another {join(sorted(differing))}: some that were measured have another verdict."]

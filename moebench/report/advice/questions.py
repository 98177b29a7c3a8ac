"""The four questions, in order, and the answer to each."""

from moebench.report.advice import adapter, energy, layout, router
from moebench.report.advice.base import Answer, Tables
from moebench.report.advice.wanted import TABLES

ROOMS = {  # of a question: the room of the config that measures it, and what it asks
    "layout": ("parallel", layout.QUESTION, layout.TERMS),
    "energy": ("energy", energy.QUESTION, energy.TERMS),
    "adapter": ("perft", adapter.QUESTION, adapter.TERMS),
}
ANSWERS = {"layout": layout.answer, "energy": energy.answer, "adapter": adapter.answer}


def answers(experiment: str, tables: Tables) -> list[Answer]:
    """An answer to each question; where a room is not in the config, that it cannot be given."""
    return [router.answer(experiment, tables), *(_of_room(key, tables) for key in ROOMS)]


def _of_room(key: str, tables: Tables) -> Answer:
    room, question, terms = ROOMS[key]
    if all(name in tables for name in TABLES[room]):
        return ANSWERS[key](tables)
    verdict = (
        f"Cannot say, because the config leaves out the room that measures it; add the key "
        f"`{room}` (docs/configuration.md explains it)."
    )
    return Answer(key, question, terms, "cannot say", verdict)


def machine(experiment: str, tables: Tables) -> str:
    """Where the numbers come from."""
    first = tables[f"{experiment}_summary"].iloc[0]
    return (
        f"Measured on {first['device']} in {first['dtype']}; routers in experiment {experiment}, "
        f"on text {first['corpus']}. It holds for this machine and this config, not for others."
    )

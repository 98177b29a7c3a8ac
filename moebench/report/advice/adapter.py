"""Which adapter is worth its parameters?"""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from moebench.figures import adapters
from moebench.figures.notes import join
from moebench.report.advice.base import Answer, Line, Quotes, Tables, lines
from moebench.report.comparisons import MIRROR

QUESTION = "Which adapter on a pretrained mixture is worth its parameters?"
TERMS = (
    "An adapter is a small part that is trained while the large model stays as it is; a routed one "
    "has several, of which a router of its own picks some for each token. The rank is its width; "
    "what it costs is the trained parameters that each token meets."
)
LOSS = "answer_nll_nats"
USUAL_INNER = "lora"  # goes without saying
FEWEST_SEEDS = 2
ARM = ("arm", "rank", "num_adapters", "top_k")
PAIR = ("quantity", "factor", "family", "arm_a", "arm_b")


@dataclass(frozen=True)
class Field:
    """Adapters by the name of their arm, and what the loss says of each pair."""

    arms: dict[str, Line]
    pairs: list[Line]

    def against(self, arm: str) -> dict[str, tuple[str | None, Line]]:
        """What was concluded on an arm against every other, and where it stands."""
        found: dict[str, tuple[str | None, Line]] = {}
        for pair in self.pairs:
            told = None if pd.isna(pair["conclusion"]) else str(pair["conclusion"])
            if pair["arm_a"] == arm:
                found[pair["arm_b"]] = told, pair
            elif pair["arm_b"] == arm:
                found[pair["arm_a"]] = MIRROR.get(str(told), told), pair
        return found

    def name(self, arm: str, quote: Quotes) -> str:
        """Name of an arm for a reader."""
        return quote.name(self.arms[arm], _name(self.arms[arm]))


def _name(line: Line) -> str:
    parts = [f"{adapters.label(line['variant'])} rank {line['rank']:.0f}"]
    if pd.notna(line["top_k"]):
        parts.append(f"{line['top_k']:.0f} of {line['num_adapters']:.0f} per token")
    elif pd.notna(line["num_adapters"]):
        parts.append(f"{line['num_adapters']:.0f} of them")
    if line["router"] == "frozen":
        parts.append("router frozen")
    if line["inner"] != USUAL_INNER:
        parts.append(f"inner {line['inner']}")
    return ", ".join(parts)


def answer(tables: Tables) -> Answer:
    """Advice from tables ``perft_summary`` and ``perft_contrasts``."""
    # Weighting by the base router repeats a published fault on purpose; nobody should take it.
    known = [each for each in lines(tables, "perft_summary", ARM) if not each["legacy_weighting"]]
    pairs = [each for each in lines(tables, "perft_contrasts", PAIR) if each["quantity"] == LOSS]
    everyone = Field({each["arm"]: each for each in known}, pairs)
    reason = _no_answer(everyone)
    if reason:
        return Answer("adapter", QUESTION, TERMS, "cannot say", f"Cannot say, because {reason}.")
    quote = Quotes()
    field = Field({each["arm"]: each for each in known if _has_learnt(each)}, pairs)
    best = min(field.arms, key=lambda arm: field.arms[arm][LOSS])
    ties = [
        arm
        for arm, (told, _) in field.against(best).items()
        if arm in field.arms and told in ("tie", "equivalent")
    ]
    chosen = min((best, *ties), key=lambda arm: _cost(field.arms[arm]))
    verdict = (
        f"Take {field.name(chosen, quote)}: of the adapters that the seeds do not tell from the "
        "best one, it is the one of which a token meets the fewest parameters."
    )
    doubts = _untested(field, chosen)
    if doubts:
        names = join(field.name(arm, quote) for arm in doubts)
        verdict += (
            f" But {names}, of which a token meets fewer, may be as good: no test compares them, "
            "and the intervals of their losses overlap."
        )
    because = [
        _score(field, chosen, quote),
        *_best(field, chosen, best, quote),
        *_cheaper(field, chosen, quote),
        *_left_out(everyone, field, quote),
        *_accuracy(field.arms[chosen], quote),
    ]
    return Answer(
        "adapter", QUESTION, TERMS, "open" if doubts else "answered", verdict, because,
        [*_unseen(field, chosen, quote), _SCALE], "perft_frontier", quote.numbers,
    )  # fmt: skip


_SCALE = (
    "A small base and easy questions may rank adapters otherwise: name your own base and questions "
    "(keys `perft.base` and `perft.questions`)."
)


def _no_answer(field: Field) -> str | None:
    if not field.arms:
        return (
            "every adapter repeats the published fault of `legacy_weighting`; add one that does not"
        )
    if min(each["num_seeds"] for each in field.arms.values()) < FEWEST_SEEDS:
        return "one run of each adapter shows no difference from chance; give at least two `seeds`"
    if not any(_has_learnt(each) for each in field.arms.values()):
        return (
            "no adapter is better on held-out answers than the base without one; train longer "
            "(`perft.finetuning.num_steps`) or on more questions"
        )
    return None


def _has_learnt(line: Line) -> bool:
    return bool(line[f"{LOSS}_high"] < line[f"base_{LOSS}"])


def _cost(line: Line) -> tuple[float, float]:
    return line["num_activated_trainable_params"], line[LOSS]


def _both(line: Line, quote: Quotes) -> str:
    return (
        f"{quote(line, LOSS, 'three decimals')} nats per answer token "
        f"({quote.interval(line, LOSS, 'three decimals')}), of which less is better, with "
        f"{quote(line, 'num_activated_trainable_params', 'count')} parameters met by a token "
        f"({quote(line, 'activated_share', 'percent')} of those of the base)"
    )


def _score(field: Field, arm: str, quote: Quotes) -> str:
    line = field.arms[arm]
    return (
        f"{field.name(arm, quote)}: {_both(line, quote)}. The base alone has "
        f"{quote(line, f'base_{LOSS}', 'three decimals')}."
    )


def _best(field: Field, chosen: str, best: str, quote: Quotes) -> Iterator[str]:
    if chosen != best:
        name = field.name(best, quote)
        yield f"The lowest loss is that of {name}: {_both(field.arms[best], quote)}."


def _untested(field: Field, chosen: str) -> list[str]:
    """Cheaper adapters on the frontier that no test compares, and that may be as good."""
    mine, tested = field.arms[chosen], field.against(chosen)
    return [
        arm
        for arm, line in field.arms.items()
        if arm not in tested
        and line["on_frontier_ppl"]
        and _cost(line) < _cost(mine)
        and line[f"{LOSS}_low"] <= mine[f"{LOSS}_high"]
        and mine[f"{LOSS}_low"] <= line[f"{LOSS}_high"]
    ]


def _cheaper(field: Field, chosen: str, quote: Quotes) -> Iterator[str]:
    """Smaller adapters that nothing of their size beats, and those that no test compares."""
    limit = field.arms[chosen]["num_activated_trainable_params"]
    tested = field.against(chosen)
    for arm, line in field.arms.items():
        if line["on_frontier_ppl"] and line["num_activated_trainable_params"] < limit:
            yield f"With less to spend: {field.name(arm, quote)}, {_both(line, quote)}."
    never = [field.name(arm, quote) for arm in field.arms if arm not in (chosen, *tested)]
    if never:
        yield (
            "Not tested against it, because they differ in more than one thing: "
            f"{'; '.join(never)}."
        )


def _left_out(everyone: Field, field: Field, quote: Quotes) -> Iterator[str]:
    names = [everyone.name(arm, quote) for arm in everyone.arms if arm not in field.arms]
    if names:
        yield f"Left out, as not surely better than the base: {'; '.join(names)}."


def _accuracy(line: Line, quote: Quotes) -> Iterator[str]:
    yield (
        f"It answers {quote(line, 'accuracy', 'percent')} of the questions "
        f"({quote.interval(line, 'accuracy', 'percent')} over seeds, "
        f"{quote.interval(line, 'accuracy_questions', 'percent')} over other questions of the "
        f"kind); guessing would answer {quote(line, 'chance_accuracy', 'percent')}."
    )


def _unseen(field: Field, chosen: str, quote: Quotes) -> Iterator[str]:
    """What difference the seeds would have missed."""
    pairs = [
        pair
        for other, (_, pair) in field.against(chosen).items()
        if other in field.arms and pd.notna(pair["minimum_detectable"])
    ]
    if pairs:
        widest = max(pairs, key=lambda each: float(each["minimum_detectable"]))
        yield (
            f"More seeds (key `seeds`): with {quote(widest, 'num_seeds', 'count')}, losses that "
            f"differ by less than {quote(widest, 'minimum_detectable', 'three decimals')} nats "
            "often look alike."
        )

"""``python -m moebench.routers``: every router explained, as Markdown."""

import inspect

from moebench import registry
from moebench.routers.base import Causality, Router

HEADER = ("name", "depends, when scoring, on", "in training", "gate learns", "K", "paper")
DEPENDS = {
    Causality.TOKEN_LOCAL: "the token alone",
    Causality.PREFIX_CAUSAL: "earlier tokens too",
    Causality.BATCH_COUPLED: "other sequences of the batch too, never on later tokens",
    Causality.NON_CAUSAL: "later tokens too",
}


def explain() -> str:
    """Write a table of all routers, then a paragraph on each, from what their files say."""
    routers = {name: registry.load(Router, name) for name in registry.names("routers")}
    rows = [HEADER, tuple("---" for _ in HEADER), *map(_row, routers, routers.values())]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return "\n\n".join([table, *map(_paragraph, routers, routers.values())]) + "\n"


def _row(name: str, router: type[Router]) -> tuple[str, ...]:
    return (
        f"`{name}`",
        str(router.causality),
        str(_in_training(router)),
        "yes" if router.learned else "no",
        "fixed" if router.fixed_k else "varies",
        router.paper,
    )


def _paragraph(name: str, router: type[Router]) -> str:
    what = (inspect.getdoc(router) or "").replace("``", "`")
    title = registry.summary("routers", name).replace("``", "`")
    depends = f"When scoring, routing depends on {DEPENDS[router.causality]}"
    if _in_training(router) != router.causality:
        depends += f"; in training, on {DEPENDS[_in_training(router)]}"
    return (
        f"### `{name}`\n\n{title}\n{what}\n\n"
        f"* Equation: {router.equation}.\n"
        f"* {depends}.\n"
        f"* Use: {router.advice[0].lower()}{router.advice[1:]}\n"
        f"* Paper: {router.paper}."
    )


def _in_training(router: type[Router]) -> Causality:
    own = router.training_causality
    return router.causality if own is None else own


if __name__ == "__main__":
    print(explain(), end="")

"""Tables as an experiment would give them, made from a seed."""

import itertools

import numpy as np
import pandas as pd
from matplotlib.axes._base import _AxesBase  # what secondary axes are, too
from matplotlib.text import Text

from moebench import registry, sidecar
from moebench.figures import base

ARMS = {  # router: nats at the end, tokens/s, causality, demand CV, entropy
    "top1": (1.93, 26_500, "token-local", 0.42, 1.05),
    "topk_hard": (1.86, 21_400, "token-local", 0.31, 1.49),
    "softk": (1.80, 20_900, "token-local", 0.24, 1.32),
    "hash": (1.88, 22_300, "token-local", 0.55, None),
    "expert_choice": (1.775, 20_300, "non-causal", 0.0, 1.61),
    "dense": (1.90, 27_800, "token-local", None, None),
    "dense_total": (1.79, 9_600, "token-local", None, None),
}
FACTORS = (1.0, 1.25)
SEEDS = (0, 1, 2)
NUM_STEPS, EVAL_EVERY = 300, 75

# Figures of these tables; other figures have tests of their own.
ARM_FIGURES = [
    name
    for name in registry.names("figures")
    if issubclass(registry.load(base.Figure, name), base.ArmFigure)
]


def cells():
    for router in ARMS:
        factors = (None,) if router.startswith("dense") else FACTORS
        yield from itertools.product([router], factors)


def summary():
    rows = []
    for router, factor in cells():
        nats, speed, causality, cv, entropy = ARMS[router]
        nats -= 0.012 * (factor == 1.25)
        speed *= 1 - 0.05 * (factor == 1.25)
        rows.append(
            {
                "router": router, "capacity_factor": factor, "num_experts": 8, "dim": 128,
                "gate": None if router.startswith("dense") else "linear",
                "drop_policy": None if router.startswith("dense") else "position",
                "num_shared_experts": None if router.startswith("dense") else 0,
                "expert_granularity": None if router.startswith("dense") else 1,
                "num_layers": 2, "top_k": 1 if router == "top1" else 2, "num_params": 1_200_000,
                "num_active_params": 400_000, "num_seeds": 3,
                "val_nll_nats": nats, "val_nll_nats_low": nats - 0.014,
                "val_nll_nats_high": nats + 0.011,
                "val_ppl": np.exp(nats), "val_ppl_low": np.exp(nats - 0.014),
                "val_ppl_high": np.exp(nats + 0.011), "val_bits_per_byte": nats / np.log(2),
                "train_tokens_per_s": speed, "train_tokens_per_s_low": speed * 0.985,
                "train_tokens_per_s_high": speed * 1.013,
                "certified": None if router.startswith("dense") else causality,
                **_causal(nats + 0.2 * (causality == "non-causal"), causality),
                "drop_rate": None if cv is None else cv * 0.2 / factor,
                "unrouted_rate": None if cv is None else cv * 0.02,
                "load_cv": None if cv is None else cv * (0.5 + 0.2 * (factor == 1.25)),
                "load_cv_routed": None if cv is None else cv + 0.01 * (factor == 1.25),
                "gate_entropy_nats": None if entropy is None else entropy + 0.03 * (factor == 1.25),
                "causality": causality, "on_frontier": False, "p_on_frontier": 0.0,
            }
        )  # fmt: skip
    table = pd.DataFrame(rows)
    for router, factor, p in (
        ("dense", None, 1.0),
        ("topk_hard", 1.0, 0.61),
        ("hash", 1.0, 0.87),
        ("softk", 1.0, 0.93),
        ("softk", 1.25, 0.78),
        ("dense_total", None, 0.44),
    ):
        same = (
            table["capacity_factor"].isna()
            if factor is None
            else table["capacity_factor"].eq(factor)
        )
        table.loc[table["router"].eq(router) & same, ["on_frontier", "p_on_frontier"]] = [
            p > 0.5,
            p,
        ]
    table["capacity_factor"] = table["capacity_factor"].astype(float)
    return table


def _causal(nats, causality):
    """Scores without later tokens."""
    return {
        "val_nll_causal_nats": nats, "val_nll_causal_nats_low": nats - 0.014,
        "val_nll_causal_nats_high": nats + 0.011,
        "val_ppl_causal": np.exp(nats), "val_ppl_causal_low": np.exp(nats - 0.014),
        "val_ppl_causal_high": np.exp(nats + 0.011),
        "val_bits_per_byte_causal": nats / np.log(2),
        "causal_mode": "threshold" if causality == "non-causal" else "as scored",
        "causal_effective_k": 2.0,
    }  # fmt: skip


def curves():
    generator = np.random.default_rng(0)
    rows = []
    for (router, factor), seed in itertools.product(cells(), SEEDS):
        end = ARMS[router][0] - 0.012 * (factor == 1.25)
        own = generator.normal(0, 0.012)
        for step in range(1, NUM_STEPS + 1):
            level = end + own + 2.4 * np.exp(-step / 22) + 0.5 * np.exp(-step / 110)
            noisy = level + generator.normal(0, 0.06)
            rows.append((router, factor, seed, step, "train_loss_nats", noisy))
            if step % EVAL_EVERY == 0:
                rows.append((router, factor, seed, step, "val_nll_nats", level + 0.05))
                rows.append((router, factor, seed, step, "val_ppl", np.exp(level + 0.05)))
        if factor is not None:
            rows += _balance(router, factor, seed, ARMS[router][3])
    columns = ["router", "capacity_factor", "seed", "step", "quantity", "value"]
    table = pd.DataFrame(rows, columns=columns)
    table["capacity_factor"] = table["capacity_factor"].astype(float)
    return table


def _balance(router, factor, seed, cv):
    """Balance that improves, an expert that wakes up, choices that settle."""
    for step in range(0, NUM_STEPS + 1, EVAL_EVERY):
        share = step / NUM_STEPS
        found = {"saturation": 0.3 + 0.7 * share, "saturation_chance": 0.27}
        if step:
            found |= {"max_vio_routed": cv * (2 - share) + 0.02 * seed}
            found |= {"num_dead_experts": int(step == EVAL_EVERY)}
        yield from ((router, factor, seed, step, name, value) for name, value in found.items())


def tables():
    return {"summary": summary(), "curves": curves(), "attainment": attainment()}


def attainment():
    """Three surfaces of two corners, one above the other."""
    rows = [
        {"attained_in": level, "train_tokens_per_s": speed, "val_nll_causal_nats": nats + rise}
        for level, rise in ((0.05, -0.02), (0.5, 0.0), (0.95, 0.02))
        for speed, nats in ((20_000.0 - 1e4 * rise, 1.79), (27_800.0 - 1e4 * rise, 1.90))
    ]
    return pd.DataFrame(rows)


def hypervolume():
    """Routers that add something together, of which one alone is needed for sure."""
    reference = {"reference_val_ppl": 10.0, "reference_train_tokens_per_s": 6_950.0}
    lines = [
        {"kept": "all", "num_arms": 10, "hypervolume": 1.3, "decrease": None, "verdict": None},
        {"kept": "dense networks", "num_arms": 2, "hypervolume": 1.1, "decrease": 0.2,
         "decrease_low": 0.05, "decrease_high": 0.4, "verdict": "supported"},
        {"kept": "all but this one", "router": "softk", "capacity_factor": 1.25, "num_arms": 9,
         "hypervolume": 1.15, "decrease": 0.15, "decrease_low": 0.01, "decrease_high": 0.3,
         "verdict": "supported"},
        {"kept": "all but this one", "router": "hash", "capacity_factor": 1.0, "num_arms": 9,
         "hypervolume": 1.29, "decrease": 0.01, "decrease_low": 0.0, "decrease_high": 0.1,
         "verdict": "tie"},
    ]  # fmt: skip
    table = pd.DataFrame(lines).assign(gate=None, drop_policy=None, **reference)
    table["hypervolume_low"] = table["hypervolume"] - 0.1
    table["hypervolume_high"] = table["hypervolume"] + 0.1
    return table


def speed_up():
    """Five arms, of which one each is faster, tied, missing the goal, and without a curve."""
    lines = [
        ("softk", 1.25, 1.4, "faster", None),
        ("softk", 1.0, 1.2, "faster", None),
        ("hash", 1.0, 1.01, "tie", None),
        ("top1", 1.0, None, "not reached", 0.9),
        ("expert_choice", 1.0, None, "no curve", None),
    ]
    table = pd.DataFrame(
        lines, columns=["router", "capacity_factor", "speed_up", "outcome", "speed_up_at_most"]
    )
    table["speed_up_low"], table["speed_up_high"] = table["speed_up"] - 0.1, table["speed_up"] + 0.1
    table = table.assign(gate=None, drop_policy=None, baseline="dense")
    return pd.concat([table.assign(matched_by=how) for how in ("flops", "time")])


def write_results(folder):
    """Corpus, tokens, two runs and the tables, each with its sidecar."""
    corpus = _job(folder / "corpora/tales", "export_corpus", [], {"manifest.json": "{}\n"})
    tokens = _job(
        folder / "corpora/tales/char",
        "tokenise_corpus",
        corpus,
        {"train.npy": "1", "tokens.json": "2"},
    )
    rows = []
    for run in ("softk_seed=0", "hash_seed=0"):
        here = folder / "runs/unified" / run
        rows += _job(here, "train_router", tokens, {"rows.jsonl": run + "\n"}, router=run)
    texts = {f"unified_{name}.csv": table.to_csv(index=False) for name, table in tables().items()}
    _job(folder / "tables", "summarise_runs", rows, texts)
    return folder


def draw(folder, figure):
    """Publish one figure from a results folder; returns the path of its svg."""
    stem = folder / "figures" / f"unified_{figure}"
    kinds = {"svg": ".svg", "png": ".png", "json": ".json", "caption": ".rst"}
    base.publish(
        figure,
        {
            name: folder / f"tables/unified_{name}.csv"
            for name in registry.constant("figures", figure, "columns")
        },
        {kind: stem.with_suffix(suffix) for kind, suffix in kinds.items()},
        rule="draw_figure",
        params={"code": sidecar.code(f"moebench.figures.{figure}")},
    )
    return stem.with_suffix(".svg")


def _job(folder, rule, inputs, texts, **params):
    """Write files as a job would, with a sidecar; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    outputs = [folder / name for name in texts]
    for path, text in zip(outputs, texts.values(), strict=True):
        path.write_text(text)
    params |= {"code": sidecar.code("moebench.records")}
    sidecar.write(
        folder / f"{rule}.prov.json", rule=rule, inputs=inputs, outputs=outputs, params=params
    )
    return outputs


def contrasts():
    """Router against router at equal capacity factor; tied below 0.025 nats."""
    table = summary()
    pairs = []
    for a, b in itertools.combinations(table.to_dict("records"), 2):
        factors = {a["capacity_factor"], b["capacity_factor"]}
        if a["router"] != b["router"] and len({f for f in factors if f == f}) < 2:
            difference = a["val_nll_causal_nats"] - b["val_nll_causal_nats"]
            verdict = "tie" if abs(difference) < 0.025 else "lower" if difference < 0 else "higher"
            pairs.append(
                {
                    "factor": "router", "router_a": a["router"], "router_b": b["router"],
                    "capacity_factor_a": a["capacity_factor"], "num_seeds": 3,
                    "capacity_factor_b": b["capacity_factor"], "verdict": verdict,
                    "gate_a": a["gate"], "gate_b": b["gate"],
                    "drop_policy_a": a["drop_policy"], "drop_policy_b": b["drop_policy"],
                    "val_nll_difference_nats": difference, "margin_nats": 0.005,
                    "minimum_detectable_nats": 0.02,
                    "conclusion": {"lower": "better", "higher": "worse"}.get(verdict, "tie"),
                }
            )  # fmt: skip
    return pd.DataFrame(pairs)


def comparison():
    """Published ranks of two routers at CF 1.25, one of them not what is measured here."""
    return pd.DataFrame(
        {
            "capacity_factor": [1.25, 1.25], "router": ["topk_hard", "softk"],
            "published_rank": [1, 2], "rank": [2, 1], "is_consistent": [False, True],
        }
    )  # fmt: skip


TOKENS = {
    "tokenizer": "char", "vocab_size": 97, "num_train_tokens": 3_000_000,
    "num_validation_tokens": 330_000, "bigram_val_ppl": 6.5,
}  # fmt: skip


def cut_off(canvas):
    """Texts of a drawing that its edges cut off; labels of ticks beyond an axis are not drawn."""
    canvas.draw_without_rendering()
    ticks = {
        id(label)
        for axes in canvas.findobj(_AxesBase)
        for axis in (axes.xaxis, axes.yaxis)
        for label in axis.get_ticklabels(which="both")
    }
    page = canvas.bbox.padded(2)  # pixels that a letter may lean over
    found = []
    for each in canvas.findobj(Text):
        box = each.get_window_extent()
        is_drawn = each.get_visible() and each.get_text().strip() and id(each) not in ticks
        if is_drawn and not (page.contains(box.x0, box.y0) and page.contains(box.x1, box.y1)):
            found.append(each.get_text())
    return found

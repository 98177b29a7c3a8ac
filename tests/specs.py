"""Small specs for tests: D = 8, E = 4, unless a test says otherwise."""

from pathlib import Path

from moebench.spec import ModelSpec, RunSpec, TrainingSpec, expand, files, parse

ROOT = Path(__file__).parent.parent


def run_spec(router="softk", *, seed=0, options=None, training=None, **model):
    """A run of a tiny model with some of its settings changed."""
    small = {"num_layers": 2, "dim": 8, "num_heads": 2, "num_experts": 4}
    short = {"seq_len": 16, "batch_size": 4, "num_steps": 12, "warmup_steps": 2, "eval_every": 6}
    return RunSpec(
        experiment="test",
        router=router,
        router_options=options or {},
        seed=seed,
        corpus="test",
        tokenizer="char",
        model=ModelSpec(**small | model),
        training=TrainingSpec(**short | {"device": "cpu", "dtype": "float32"} | (training or {})),
    )


def read_config(*overlays):
    """config.yaml with other files of config/ laid over it, as Snakemake does."""
    return files.read([ROOT / "config" / name for name in ("config.yaml", *overlays)])


def runs_of(*overlays):
    """Every run of config.yaml and what is laid over it."""
    return expand(parse(read_config(*overlays)))

"""Mistakes in a config: each is named with its path, all at once, before anything runs."""

import pytest
from pydantic import ValidationError

from moebench.spec import ConfigError, expand, files, parse
from tests.specs import ROOT, read_config, run_spec


def put(config, path, value):
    """Set a dotted key."""
    *folders, key = path.split(".")
    for folder in folders:
        config = config[folder]
    config[key] = value


def problems(*changes):
    """What parsing says of config.yaml after changes of dotted keys."""
    config = read_config()
    for path, value in changes:
        put(config, path, value)
    with pytest.raises(ConfigError) as caught:
        parse(config)
    return dict(caught.value.problems)


UNKNOWN_KEYS = {
    "sedes": "seeds",
    "model.capacity_facter": "capacity_factor",
    "training.lerning_rate": "learning_rate",
    "timing.thread": "threads",
    "experiments.unified.sweeep": "sweep",
    "experiments.unified.model.capacity_facter": "capacity_factor",
    "experiments.unified.training.num_step": "num_steps",
}


@pytest.mark.parametrize("path", UNKNOWN_KEYS)
def test_an_unknown_key_is_named_with_its_path_and_the_nearest_key(path):
    overrides = [(f"experiments.unified.{part}", {}) for part in ("model", "training")]
    found = problems(*overrides, (path, 1))
    assert list(found) == [path]
    assert f"did you mean {UNKNOWN_KEYS[path]!r}?" in found[path]


def test_an_unknown_key_that_resembles_none_is_answered_with_all_keys():
    assert "known: threads, warmup_steps, num_steps" in problems(("timing.qqq", 1))["timing.qqq"]


OPTIONS = [
    ("experiments.unified.routers", "hash", {"table_sed": 1}, "did you mean 'table_seed'?"),
    ("experiments.unified.routers", "hash", {"table_seed": "a"}, "got 'a'"),
    ("experiments.unified.routers", "softk", {"noise": 1}, "unknown key 'noise'"),
    ("corpora", "stdlib_docs", {"source": "stdlib_docs", "max_byts": 1}, "'max_bytes'?"),
    ("corpora", "stdlib_docs", {"source": "stdlib_docs", "max_bytes": "1k"}, "got '1k'"),
    ("corpora", "text_file", {"source": "text_file"}, "path: is missing"),
    ("tokenizers", "char", {"unknwn": "count"}, "did you mean 'unknown'?"),
    ("tokenizers", "char", {"unknown": "cont"}, "'count' or 'error'"),
    ("tokenizers", "bpe", {"vocab_size": "many"}, "got 'many'"),
    ("tokenizers", "hub", {"revision": "main"}, "name: is missing"),
]


@pytest.mark.parametrize(("folder", "name", "options", "said"), OPTIONS)
def test_options_of_plug_ins_are_as_strict(folder, name, options, said):
    found = problems(("tokenizers", {}), (f"{folder}.{name}", options))
    [(path, what)] = found.items()
    assert path.startswith(folder)
    assert name in path + what
    assert said in what


UNKNOWN_NAMES = [
    ("experiments.unified.routers.topk_hrd", None, "topk_hard"),
    ("corpora.stdlib_docs.source", "stdlib_doc", "stdlib_docs"),
    ("corpus", "tinystorys", "tinystories"),
    ("experiments.unified.corpus", "tinystorys", "tinystories"),
    ("tokenizer", "chr", "char"),
    ("experiments.unified.tokenizer", "bite", "byte"),
    ("experiments.unified.figures", ["fronteir"], "frontier"),
    ("experiments.unified.baselines", ["dense_totl"], "dense_total"),
    ("model.dispatch", "sortd", "sorted"),
    ("model.gate", "linaer", "linear"),
]


@pytest.mark.parametrize(("path", "value", "nearest"), UNKNOWN_NAMES)
def test_an_unknown_name_is_answered_with_the_nearest_one_and_with_all(path, value, nearest):
    [(where, what)] = problems((path, value)).items()
    assert where.startswith(path)
    assert f"did you mean {nearest!r}? choose from " in what


def test_a_tokenizer_that_needs_an_option_is_refused_without_it():
    found = problems(("experiments.unified.tokenizer", "tokenizer_file"), ("tokenizers", {}))
    assert found == {
        "tokenizers.tokenizer_file.path": "is missing; tokenizer 'tokenizer_file' needs it"
    }


WRONG = [
    ("specialisation.passage_tokens", 65, "65 must be at most the 64 tokens of a window"),
    ("model.dim", "wide", "valid integer; got 'wide'"),
    ("model.dim", 64.5, "valid integer"),
    ("model.dim", True, "valid integer; got True"),
    ("model.num_experts", 0, "greater than or equal to 1"),
    ("model.capacity_factor", 0.0, "greater than 0"),
    ("model.capacity_factor", float("inf"), "finite number"),
    ("model.drop_policy", "random", "'position', 'gate' or 'none'"),
    ("training.learning_rate", "fast", "valid number; got 'fast'"),
    ("experiments.unified.training", {"learning_rate": "fast"}, "valid number; got 'fast'"),
    ("model.top_k", 9, "top_k=9 must be in 1..num_experts=8"),
    ("model.dim", 130, "dim=130 must be a multiple of num_heads=4"),
    ("model.dim", 12, "dim / num_heads = 3 must be even"),
    ("training.warmup_steps", 10_000, "warmup_steps=10000 must be less than num_steps="),
    ("experiments.unified.model", {"top_k": 9}, "top_k=9 must be in 1..num_experts=8"),
    ("experiments.unified.sweep", {"model.top_k": [1, 16]}, "top_k=16 must be in 1..num_experts"),
    ("experiments.unified.sweep", {"model.top_k": [1, "x"]}, "valid integer; got 'x'"),
    ("experiments.unified.sweep", {"model.top_k": []}, "has no values to take"),
    ("experiments.unified.sweep", {"model.top_k": [2, 2]}, "2 stands twice"),
    ("experiments.unified.sweep", {"model.topk": [2]}, "did you mean 'model.top_k'?"),
    ("experiments.unified.routers", {}, "name at least one router"),
    ("experiments.unified.routers", None, "keys with values, each with a colon"),
    ("experiments.unified.routers", ["softk"], "as in {key: value}; got ['softk']"),
    ("model", [1], "as in {key: value}; got [1]"),
    ("experiments.unified.sweep", {"model.top_k": 2}, "must be a list, as in [1, 2]; got 2"),
    ("device", "cuda", "did you mean training.device or"),
    ("experiments.unified.baselines", ["dense", "dense"], "'dense' stands twice"),
    ("experiments.unified.seeds", [3, 3], "3 stands twice"),
    ("training.ranks", 3, "ranks=3 must divide batch_size=8"),
    ("experiments.unified.sweep", {"training.ranks": [1, 2]}, "takes one value in an experiment"),
    ("launcher", "mpiexec -n 4", "must be auto or contain {ranks}"),
    ("waterfall.training.ranks", 2, "training.ranks=2 must be 1 in the waterfall"),
    ("model.num_shared_experts", 2, "must be less than top_k * expert_granularity = 2"),
    ("model.expert_granularity", 5, "must divide the hidden width of an expert, ffn_mult * dim ="),
    ("training.balance_scope", "global", "'batch' or 'sequence'; got 'global'"),
    ("experiments.capacity_quality.reuses", "unfied", "did you mean 'unified'?"),
    ("experiments.capacity_quality.reuses", "router_arch", "'router_arch' takes runs itself"),
    ("experiments", {}, "at least one experiment"),
    (
        "experiments",
        {"a/b": {"routers": {"softk": None}}},
        "must consist of letters, digits, '_' and '-'; got 'a/b'",
    ),
    ("seeds", [1, 1], "1 stands twice"),
    ("seeds", [], "[] must be one or more integers >= 0"),
    ("seeds", [-1], "[-1] must be one or more integers >= 0"),
]


@pytest.mark.parametrize(("path", "value", "said"), WRONG)
def test_a_value_that_cannot_be_used_is_refused_under_its_path(path, value, said):
    [(where, what)] = problems((path, value)).items()
    assert where.split(".")[0] == path.split(".")[0]
    assert said in what


@pytest.mark.parametrize("swept", [False, True])
def test_a_router_that_chooses_among_sequences_is_refused_a_batch_of_one(swept):
    one = {"sweep": {"training.batch_size": [2, 1]}} if swept else {"training": {"batch_size": 1}}
    experiment = {"routers": {"softk": None, "expert_choice_position": None}, **one}
    found = problems(("experiments.unified", experiment))
    assert found == {
        "experiments.unified.routers.expert_choice_position": (
            "chooses among the sequences of a batch, and training.batch_size=1 gives it one; make "
            "it 2 or more, or leave the router out"
        )
    }


def test_a_router_that_chooses_among_sequences_is_refused_a_rank_of_one_window():
    training = {"batch_size": 4, "ranks": 4, "routing_scope": "rank"}
    routers = {"softk": None, "expert_choice_position": None}
    [(where, what)] = problems(
        ("experiments.unified", {"routers": routers, "training": training})
    ).items()
    assert where == "experiments.unified.routers.expert_choice_position"
    assert "training.routing_scope=rank gives it one; make it global" in what


def test_every_problem_is_listed_at_once_one_a_line():
    found = problems(("sedes", 1), ("model.top_k", 9), ("training.warmup_steps", 10_000))
    assert set(found) == {"sedes", "model", "training"}
    config = read_config() | {"sedes": 1, "seeds": []}
    with pytest.raises(ConfigError) as caught:
        parse(config)
    first, *lines = str(caught.value).splitlines()
    assert first == "the config is not valid:"
    assert sorted(line.split(":")[0].strip() for line in lines) == ["sedes", "seeds"]


@pytest.mark.parametrize("key", ["corpora", "corpus", "experiments"])
def test_a_missing_key_is_named(key):
    config = read_config()
    del config[key]
    with pytest.raises(ConfigError, match=f"{key}: is missing"):
        parse(config)


def test_what_the_command_line_gives_as_text_is_taken_for_what_it_spells():
    """Snakemake takes all inside ``--config key={...}`` for text."""
    config = read_config()
    config["training"] |= {"ranks": "2", "compile": "true"}
    config["energy"] |= {"num_processes": "null", "stop_after_s": "60"}
    config["energy"]["gpu"] = {"is_owner": "true", "power_limit_w": "300", "clock_hz": "null"}
    parsed = parse(config)
    assert (parsed.training.ranks, parsed.training.compile) == (2, True)
    assert (parsed.energy.num_processes, parsed.energy.stop_after_s) == (None, 60.0)
    assert parsed.energy.gpu.model_dump() == {
        "is_owner": True, "power_limit_w": 300.0, "clock_hz": None
    }  # fmt: skip


@pytest.mark.parametrize("text", ["1e-3", "1.0e-3", "0.001"])
def test_a_number_that_yaml_takes_for_text_is_taken_for_the_number(text):
    config = read_config()
    config["training"]["learning_rate"] = text
    config["experiments"]["unified"]["training"] = {"weight_decay": text}
    config["experiments"]["unified"]["sweep"] = {"training.z_coef": [text]}
    parsed = parse(config)
    assert parsed.training.learning_rate == 1e-3
    mine = [run for run in expand(parsed).values() if run.experiment == "unified"]
    for run in mine:
        assert (run.training.learning_rate, run.training.weight_decay) == (1e-3, 1e-3)
        assert run.training.z_coef == 1e-3


def test_a_whole_number_may_stand_for_a_fraction():
    config = read_config()
    config["training"]["learning_rate"] = 1
    assert parse(config).training.learning_rate == 1.0


def test_specs_are_frozen():
    run = run_spec()
    for spec, key in ((run, "seed"), (run.model, "dim"), (run.training, "num_steps")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(spec, key, 1)


def test_a_run_is_the_same_after_a_round_trip_through_plain_values():
    run = run_spec("hash", options={"table_seed": 3})
    assert type(run)(**run.model_dump()) == run


def test_config_files_are_laid_over_each_other_as_snakemake_does():
    yaml = pytest.importorskip("yaml")
    update_config = pytest.importorskip("snakemake.utils").update_config
    names = ["config.yaml", "seeds.yaml", "hour.yaml", "smoke.yaml"]
    merged = {}
    for name in names:
        update_config(merged, yaml.safe_load((ROOT / "config" / name).read_text()))
    assert files.read([ROOT / "config" / name for name in names]) == merged


@pytest.mark.parametrize(
    ("text", "said"), [("- a", "no keys"), ("", "no keys"), ("a: b: c", "not a YAML file")]
)
def test_a_file_that_is_no_config_is_named_in_one_line(tmp_path, text, said):
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=said) as caught:
        files.read([path])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)

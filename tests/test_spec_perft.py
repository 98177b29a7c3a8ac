"""The PERFT room in the config: its grid, and what of it is refused before anything runs."""

import functools

import pytest

from moebench import published_perft
from moebench.spec import ConfigError, parse
from moebench.spec.adapters import AdapterSpec
from moebench.spec.perft import slug
from tests.specs import ROOT, read_config


@functools.cache
def config():
    """The default config with little beside the room."""
    whole = read_config()
    unified = whole["experiments"]["unified"] | {"routers": {"softk": None}, "figures": []}
    kept = {key: whole[key] for key in ("corpora", "corpus", "perft")}
    return kept | {"experiments": {"unified": unified}}


def room(**changes):
    perft = {**config()["perft"], "figures": [], **changes}
    return parse({**config(), "perft": perft}).perft


def problems(**changes):
    with pytest.raises(ConfigError) as caught:
        room(**changes)
    return dict(caught.value.problems)


def test_a_grid_is_every_combination_of_ranks_and_options():
    cells = room(
        adapters=[{"variant": "routed", "rank": [2, 4], "num_adapters": [4, 8], "top_k": [1, 2]}]
    ).cells([0, 1, 2])
    assert len(cells) == 8
    assert "routed_rank=4_num_adapters=8_top_k=2" in cells
    assert [run.seed for run in cells["routed_rank=2_num_adapters=4_top_k=1"]] == [0, 1, 2]


def test_seeds_of_the_room_come_before_those_of_the_config():
    [runs] = room(adapters=[{"variant": "single"}], seeds=[5]).cells([0, 1]).values()
    assert [run.seed for run in runs] == [5]


def test_a_learning_rate_of_its_own_reaches_only_its_variant():
    cells = room(
        adapters=[{"variant": "single", "learning_rate": 0.5}, {"variant": "embedded"}]
    ).cells([0])
    rates = {name: runs[0].finetuning.learning_rate for name, runs in cells.items()}
    assert rates["single_rank=8"] == 0.5
    assert rates["embedded_rank=8"] == room().finetuning.learning_rate != 0.5


def test_every_setting_that_is_not_as_usual_is_in_the_name():
    plain = AdapterSpec(variant="single", rank=4)
    assert slug(plain) == "single_rank=4"
    unusual = AdapterSpec(variant="single", rank=4, alpha=3.0, dropout=0.1)
    assert slug(unusual) == "single_rank=4_alpha=3.0_dropout=0.1"
    assert slug(AdapterSpec(variant="single", rank=4, inner="parallel")).endswith("inner=parallel")


ROUTED = {"variant": "routed", "rank": [2], "num_adapters": 4, "top_k": 1}
BAD_ADAPTERS = [
    (ROUTED | {"top_k": 5}, "top_k=5 must be in 1..num_adapters=4"),
    (ROUTED | {"top_k": []}, "'top_k' has no values to take"),
    (ROUTED | {"ruter": "frozen"}, "did you mean 'router'?"),
    (ROUTED | {"router": "frosen"}, "got 'frosen'"),
    ({"variant": "routed", "rank": [2]}, "num_adapters: is missing"),
    ({"variant": "single", "top_k": 1}, "unknown key 'top_k'"),
    ({"variant": "singel"}, "did you mean 'single'?"),
    ({"variant": "single", "rank": []}, "there is no value to take"),
    ({"variant": "single", "rank": [4, 4]}, "4 stands twice"),
    ({"variant": "single", "rank": [0]}, "greater than or equal to 1"),
    ({"variant": "single", "inner": "parallel", "alpha": 3.0}, "alpha=3.0 is of lora"),
]


@pytest.mark.parametrize(("adapter", "said"), BAD_ADAPTERS)
def test_an_adapter_that_cannot_be_is_named_by_its_place(adapter, said):
    found = problems(adapters=[{"variant": "embedded"}, adapter])
    [(path, what)] = found.items()
    assert path.startswith("perft.adapters.1")
    assert said in what


def test_one_adapter_asked_for_twice_is_refused():
    same = [{"variant": "single", "rank": [2, 4]}, {"variant": "single", "rank": [4]}]
    assert "'single_rank=4' stands twice" in problems(adapters=same)["perft.adapters"]
    assert "describe at least one" in problems(adapters=[])["perft.adapters"]


def test_a_rank_larger_than_the_hidden_size_is_refused_where_the_size_is_known():
    adapters = [{"variant": "single", "rank": [200]}]
    told = problems(adapters=adapters)["perft"]
    assert "rank=200 of 'single' is larger than the base's hidden size 64" in told
    assert room(adapters=adapters, base={"source": "local", "path": "model"})


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ({"source": "local"}, "source 'local' needs path"),
        ({"source": "hub", "name": "a/b"}, "source 'hub' needs revision"),
        ({"source": "embedded", "path": "x"}, "path means nothing where source is 'embedded'"),
        ({"source": "hubb"}, "'embedded', 'local' or 'hub'"),
    ],
)
def test_a_base_needs_what_its_source_needs_and_nothing_else(base, said):
    [what] = problems(base=base).values()
    assert said in what


@pytest.mark.parametrize(
    ("questions", "said"),
    [
        ({"source": "local"}, "path: is missing"),
        ({"source": "generated", "num_question": 3}, "did you mean 'num_questions'?"),
        ({"source": "locl"}, "did you mean 'local'?"),
    ],
)
def test_options_of_a_source_of_questions_are_strict(questions, said):
    [what] = problems(questions=questions).values()
    assert said in what


def test_the_base_is_pretrained_on_the_text_of_the_config_unless_it_has_its_own():
    assert room().base.run("stdlib_docs", "char").corpus == "stdlib_docs"
    own = room(base={"corpus": "text_file", "tokenizer": "byte"}).base.run("stdlib_docs", "char")
    assert (own.corpus, own.tokenizer) == ("text_file", "byte")
    told = problems(base={"corpus": "tinystorys"})
    assert "did you mean 'tinystories'?" in told["perft.base.corpus"]


@functools.cache
def published_cells():
    return parse(read_config("seeds.yaml")).perft.cells([0, 1, 2])


def grid(table):
    """What tells published adapters apart; None where a variant has no such number."""
    keys = table[["variant", "rank", "num_adapters", "top_k"]].astype(object)
    return set(keys.where(keys.notna(), None).itertuples(index=False, name=None))


def test_the_published_grid_is_asked_for_whole_and_more_only_of_what_was_not_published():
    cells = published_cells()
    published = grid(published_perft.read(ROOT / "resources" / "published" / "perft.csv"))
    asked = [runs[0].adapter for runs in cells.values()]
    usual = {
        (each.variant, each.rank, each.options.get("num_adapters"), each.options.get("top_k"))
        for each in asked
        if not {"router", "legacy_weighting"} & set(each.options)
    }
    assert published <= usual
    assert {variant for variant, *_ in usual - published} == {"dense", "attention_lora"}
    ranks = {
        variant: {each.rank for each in asked if each.variant == variant} for variant, *_ in usual
    }
    assert set(map(frozenset, ranks.values())) == {frozenset({8, 16, 32})}
    assert {each.dropout for each in asked} == {0.05}


@pytest.mark.slow
def test_adapters_train_as_long_and_as_fast_as_published():
    [training] = {each.finetuning for arm in published_cells().values() for each in arm}
    assert (training.num_steps, training.batch_size, training.cutoff) == (500, 16, 256)
    assert (training.learning_rate, training.warmup_steps) == (3e-5, 100)
    assert (training.eval_every, training.weight_decay) == (100, 0.0)

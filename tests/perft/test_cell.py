"""A cell of the grid: all its seeds, finished ones kept, and its arms timed in turn."""

import itertools
import json

import pytest

from moebench import machine, records
from moebench.perft import cell
from moebench.perft.cell import Inputs, finetune_cell, training_questions
from moebench.perft.finetune import Finetuner
from moebench.perft.timing import time_adapters, timed_step
from moebench.questions.encode import EncodedQuestion
from moebench.spec import TimingSpec
from tests.perft.tiny import VOCAB_SIZE, as_numbers, olmoe, questions, run_spec, spec_of, tiny_base


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A base model and questions in files, as rules leave them."""
    folder = tmp_path_factory.mktemp("inputs")
    olmoe().save_pretrained(folder)
    found = Inputs(base=folder, train=folder / "train.jsonl", held_out=folder / "held_out.jsonl")
    for path, number in ((found.train, 24), (found.held_out, 6)):
        lines = []
        for each in questions(number):
            prompt, right = list(each.ids[: each.num_prompt]), list(each.ids[each.num_prompt :])
            other = [(token + 1) % VOCAB_SIZE for token in right]
            lines.append(vars(EncodedQuestion(prompt=prompt, outputs=[right, other], right=0)))
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return found


def run(inputs, folder, specs):
    adapters = [folder / f"adapter_seed={spec.seed}.safetensors" for spec in specs]
    finetune_cell(specs, inputs, folder / "rows.jsonl", adapters, "code")
    return records.read([folder / "rows.jsonl"])


SPECS = [run_spec(seed=seed, num_steps=4, eval_every=2, checkpoint_every=2) for seed in (0, 1)]


def test_every_seed_has_its_rows_and_its_adapter_and_nothing_else_is_left(inputs, tmp_path):
    rows = run(inputs, tmp_path, SPECS)
    finals = [row for row in rows if row.kind == "final"]
    assert [row.spec["seed"] for row in finals] == [0, 1]
    assert {"answer_nll_nats", "accuracy", "num_activated_trainable_params"} <= set(
        finals[0].values
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "adapter_seed=0.safetensors",
        "adapter_seed=1.safetensors",
        "rows.jsonl",
    ]


@pytest.mark.slow
def test_a_killed_cell_keeps_its_finished_seeds_and_ends_as_if_nothing_had_happened(
    inputs, tmp_path, monkeypatch
):
    whole = run(inputs, tmp_path / "whole", SPECS)
    trained = []

    def finetune(spec, *rest):
        trained.append(spec.seed)
        if trained == [0, 1]:
            raise KeyboardInterrupt
        return original(spec, *rest)

    original = cell.finetune
    monkeypatch.setattr(cell, "finetune", finetune)
    with pytest.raises(KeyboardInterrupt):
        run(inputs, tmp_path / "killed", SPECS)
    again = run(inputs, tmp_path / "killed", SPECS)
    assert trained == [0, 1, 1]
    assert as_numbers(again) == as_numbers(whole)


@pytest.mark.slow
def test_a_seed_that_was_finished_with_another_spec_is_done_again(inputs, tmp_path, monkeypatch):
    def finetune(spec, *rest):
        trained.append(spec.seed)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return original(spec, *rest)

    original, trained = cell.finetune, []
    monkeypatch.setattr(cell, "finetune", finetune)
    with pytest.raises(KeyboardInterrupt):
        run(inputs, tmp_path, SPECS)
    others = [run_spec(seed=seed, num_steps=4, eval_every=2, learning_rate=5e-3) for seed in (0, 1)]
    rows = run(inputs, tmp_path, others)
    assert trained == [0, 1, 0, 1]
    assert {row.spec["finetuning"]["learning_rate"] for row in rows} == {5e-3}


@pytest.mark.slow
def test_adapters_learn_the_answers_of_the_questions(inputs, tmp_path):
    rows = run(inputs, tmp_path, [run_spec(num_steps=60, learning_rate=3e-2, eval_every=60)])
    base, last = [row.values for row in rows if row.kind == "validation"]
    assert last["answer_nll_nats"] < base["answer_nll_nats"] - 0.3


def test_a_training_question_is_its_prompt_and_its_right_output(inputs):
    found = training_questions(inputs.train)
    assert found == questions(24)


@pytest.mark.slow
def test_arms_are_timed_in_turn_on_equal_batches_and_warm_up_leaves_no_row(
    inputs, tmp_path, monkeypatch
):
    monkeypatch.setattr(machine, "LOCK", tmp_path / "lock")
    specs = [run_spec(spec_of("single")), run_spec(spec_of("dense", options={"num_adapters": 2}))]
    rows = time_adapters(
        specs, inputs.base, inputs.train, TimingSpec(warmup_steps=2, num_steps=3), "code"
    )
    assert len(rows) == 2 * 3
    for turn in range(3):
        mine = [row for row in rows if row.values["round"] == turn]
        assert {row.spec["adapter"]["variant"] for row in mine} == {"single", "dense"}
        assert len({row.values["train_tokens"] for row in mine}) == 1
    for row in rows:
        parts = sum(row.values[key] for key in ("forward_s", "backward_s", "optimiser_s"))
        assert parts == pytest.approx(row.values["train_time_s"])


def test_the_clock_stands_outside_the_making_of_the_batch():
    arm = Finetuner(run_spec(), tiny_base(), questions())
    clock = itertools.count(10.0, 0.5).__next__
    values = timed_step(arm, 1, clock)
    assert values["train_time_s"] == 1.5

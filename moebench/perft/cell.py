"""One cell of the grid: the same adapter with every seed, on one base model that is read once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moebench import provenance, records
from moebench.perft.base import AdaptedModel
from moebench.perft.base_model import load_base
from moebench.perft.evaluate import Values, score
from moebench.perft.finetune import Files, finetune
from moebench.perft.questions import Encoded
from moebench.questions import encode
from moebench.records import Row
from moebench.setting import prepare
from moebench.spec.adapters import AdapterRunSpec


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the runs of a cell share: a base model's folder, and encoded questions."""

    base: Path
    train: Path
    held_out: Path


def finetune_cell(
    specs: Sequence[AdapterRunSpec], inputs: Inputs, rows: Path, adapters: Sequence[Path], code: str
) -> None:
    """Train and score one adapter a seed; write their adapters, and all their rows at the end.

    A seed's rows are kept beside ``rows`` from when it is finished, so that a cell that was killed
    goes on with the seed it was at, and within it from its last checkpoint.
    """
    training = specs[0].finetuning
    setting = prepare(training.device, training.dtype, training.threads)
    base, questions = load_base(inputs.base, setting), training_questions(inputs.train)
    held_out = encode.read(inputs.held_out)
    identity = _identity(inputs, code)

    def scored(model: AdaptedModel) -> Values:
        return score(model, held_out, training.batch_size)

    found = []
    kept = [rows.with_name(f"seed={spec.seed}.{identity}.jsonl") for spec in specs]
    for spec, part, adapter in zip(specs, kept, adapters, strict=True):
        finished = _finished(part, spec, adapter)
        if not finished:
            files = Files(checkpoint=rows.with_name(f"seed={spec.seed}.pt"), adapter=adapter)
            finished = finetune(spec, base, questions, scored, files, code)
            records.write(finished, part)
        found += finished
    records.write(found, rows)
    for part in kept:
        part.unlink()


def training_questions(path: Path) -> list[Encoded]:
    """Each question with its right output."""
    return [
        Encoded(ids=each.prompt + each.outputs[each.right], num_prompt=len(each.prompt))
        for each in encode.read(path)
    ]


def _identity(inputs: Inputs, code: str) -> str:
    """Digest of what decides rows besides their spec: code, base model and questions."""
    weights = sorted(inputs.base.glob("*.safetensors"))
    files = [inputs.base / "config.json", *weights, inputs.train, inputs.held_out]
    digests = [provenance.file_digest(file) for file in files]
    return provenance.json_digest([code, digests])[:16]


def _finished(part: Path, spec: AdapterRunSpec, adapter: Path) -> list[Row]:
    """Rows of a seed that an earlier, killed job finished; none where it did not."""
    if not part.is_file() or not adapter.is_file():
        return []
    rows = records.read([part])
    if rows[0].spec != spec.model_dump():
        return []
    print(f"{part}: seed {spec.seed} is finished already", flush=True)
    return rows

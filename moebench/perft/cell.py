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

    What a seed leaves is kept beside ``rows`` from when it is finished, under names that are no
    output of the job, so that a cell that was killed goes on with the seed it was at, and within it
    from its last checkpoint.
    """
    training = specs[0].finetuning
    setting = prepare(training.device, training.dtype, training.threads)
    base = load_base(inputs.base, setting)
    questions, held_out = training_questions(inputs.train), encode.read(inputs.held_out)
    identity = _identity(inputs, base.identity, code)

    def scored(model: AdaptedModel) -> Values:
        return score(model, held_out, training.batch_size)

    parts = [_Part.beside(rows, spec.seed, identity) for spec in specs]
    found = []
    for spec, part in zip(specs, parts, strict=True):
        finished = part.finished(spec)
        if not finished:
            files = Files(checkpoint=rows.with_name(f"seed={spec.seed}.pt"), adapter=part.adapter)
            finished = finetune(spec, base, questions, scored, files, code)
            records.write(finished, part.rows)
        found += finished
    records.write(found, rows)
    for part, adapter in zip(parts, adapters, strict=True):
        part.adapter.replace(adapter)
        part.rows.unlink()


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What one finished seed leaves until its cell is finished."""

    rows: Path
    adapter: Path

    @classmethod
    def beside(cls, rows: Path, seed: int, identity: str) -> "_Part":
        """Files whose names tell all that decides their content, but the spec."""
        stem = f"seed={seed}.{identity}"
        return cls(
            rows=rows.with_name(f"{stem}.jsonl"), adapter=rows.with_name(f"{stem}.safetensors")
        )

    def finished(self, spec: AdapterRunSpec) -> list[Row]:
        """Rows of a seed that an earlier, killed job finished; none where it did not."""
        if not (self.rows.is_file() and self.adapter.is_file()):
            return []
        rows = records.read([self.rows])
        if rows[0].spec != spec.model_dump():
            return []
        print(f"{self.rows}: seed {spec.seed} is finished already", flush=True)
        return rows


def training_questions(path: Path) -> list[Encoded]:
    """Each question with its right output."""
    return [
        Encoded(ids=each.prompt + each.outputs[each.right], num_prompt=len(each.prompt))
        for each in encode.read(path)
    ]


def _identity(inputs: Inputs, base: str, code: str) -> str:
    """Digest of what decides rows besides their spec: code, base model and questions."""
    digests = [provenance.file_digest(path) for path in (inputs.train, inputs.held_out)]
    return provenance.json_digest([code, base, digests])[:16]

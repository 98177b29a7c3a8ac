"""What the rules of adapters depend on: their base model, their questions, their code."""

import re

from moebench.questions import export as question_export
from moebench.questions.question import QuestionError


def finetuning_threads(wildcards):
    """Cores that the finetuning of an adapter claims: all, where jobs would share one GPU."""
    finetuning = CONFIG.perft.finetuning
    if finetuning.device == "cuda" and workflow.local_exec:
        return workflow.cores
    return shared_cores(finetuning.threads)


def perft_pretraining(config):
    """How the PERFT room's base is pretrained; None where it is not, or there is no such room."""
    if config.perft is None or config.perft.base.source != "embedded":
        return None
    return config.perft.base.run(config.corpus, config.tokenizer)


def perft_text(config):
    """The tokenised text that the PERFT room's base is pretrained on."""
    base = perft_pretraining(config)
    return token_files(base.corpus, base.tokenizer) if base else {}


def perft_base(config):
    """Files of the PERFT room's base: the model's, the tokenizer's, rows of its training if any."""
    base = config.perft.base
    if base.source == "embedded":
        run, folder = perft_pretraining(config), "results/perft/base/embedded"
        text = f"results/corpora/{run.corpus}"
        return {
            "model": [f"{folder}/config.json", f"{folder}/model.safetensors"],
            "tokenizer": [
                f"{text}/{run.tokenizer}/tokens.json",
                f"{text}/train.jsonl",
            ],
            "rows": f"{folder}/rows.jsonl",
        }
    if base.source == "hub":
        folder = f"results/perft/base/hub-{base.revision}"
        model = [f"{folder}/config.json", f"{folder}/files.txt"]
        return {"model": model, "tokenizer": f"{folder}/tokenizer.json", "rows": []}
    folder = Path(base.path)
    if not (folder / "config.json").is_file():
        raise WorkflowError(
            f"perft.base.path: {folder} holds no config.json; name a folder with a model "
            "in Hugging Face format"
        )
    weights = sorted(map(str, folder.glob("*.safetensors")))
    return {
        "model": [f"{folder}/config.json", *weights],
        "tokenizer": f"{folder}/tokenizer.json",
        "rows": [],
    }


def perft_rows():
    """Rows of the PERFT room: its base, its adapters, and what was timed."""
    if not CONFIG.perft:
        return []
    base = perft_base(CONFIG)["rows"]
    arms = [*CONFIG.perft.cells(CONFIG.seeds), "timing"]
    return ([base] if base else []) + [
        f"results/runs/perft/{arm}/rows.jsonl" for arm in arms
    ]


def question_files(config):
    """The user's own files that questions are read from."""
    try:
        return question_export.load(config.perft.questions).files()
    except QuestionError as error:
        raise WorkflowError(str(error)) from None


def adapter_code(specs, entry):
    """The modules that decide the outcome of finetuning: an entry point, and its plug-ins."""
    variants = dict.fromkeys(spec.adapter.variant for spec in specs)
    plugins = [f"moebench.perft.adapters.{variant}" for variant in variants]
    return [f"moebench.perft.{entry}", *plugins]

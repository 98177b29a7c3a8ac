"""The tokenizer of a model on the Hugging Face hub, by name: EleutherAI/gpt-neo-125M."""

from collections.abc import Sequence

from huggingface_hub import constants, hf_hub_download

from moebench.tokenizers.subword import Subword, read

_FILE = "tokenizer.json"


class Hub(Subword):
    """The entries of the model's file; the documents do not shape it, but must come back from it.

    ``revision`` is a branch, a tag or a commit; only a commit stays what it is.
    """

    def __init__(self, documents: Sequence[str], *, name: str, revision: str = "main"):
        where = f"hub: {name} at {revision}"
        try:
            path = hf_hub_download(name, _FILE, revision=revision)
        except OSError as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(
                f"{where}: cannot read {_FILE} from {constants.ENDPOINT} ({reason}); connect to "
                "the network, correct the name, or take a local copy with tokenizer_file"
            ) from None
        super().__init__(read(path, where), where)

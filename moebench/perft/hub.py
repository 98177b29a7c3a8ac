"""A base model from the Hugging Face hub, at a pinned revision, with its checksums."""

import hashlib
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

from moebench import provenance
from moebench.perft.base_model import BaseModelError

_WANTED = ["*.json", "*.safetensors", "*.txt", "*.model"]  # weights, configuration, tokenizer
_COMMIT = r"[0-9a-f]{40}"
_TIMEOUT_S = 10


def fetch(name: str, revision: str, folder: Path, endpoint: str | None = None) -> None:
    """Download a model into ``folder``; what a killed download left is gone on from.

    Every file is checked against the digest that the hub states for it. BaseModelError without
    network, for an unknown model or revision, for a branch in place of a commit, and for a file
    that is not what the hub says.
    """
    if re.fullmatch(_COMMIT, revision) is None:
        raise BaseModelError(
            f"{name}: revision {revision!r} is not pinned; give a commit's 40 hexadecimal digits"
        )
    api = HfApi(endpoint=endpoint)
    try:
        stated = api.model_info(
            name, revision=revision, files_metadata=True, timeout=_TIMEOUT_S
        ).siblings
        api.snapshot_download(name, revision=revision, local_dir=folder, allow_patterns=_WANTED)
    except (OSError, HTTPError) as error:
        place = endpoint or constants.ENDPOINT
        raise BaseModelError(
            f"{name}: cannot read revision {revision[:12]} from {place} ({_first_line(error)}); "
            "connect to the network, correct name and revision, or name a local folder"
        ) from None
    for file in stated or []:
        if any(fnmatch(file.rfilename, pattern) for pattern in _WANTED):
            _check(folder / file.rfilename, file)


def _check(path: Path, stated: Any) -> None:
    """Compare with sha256 where the hub states it, and with git's digest elsewhere."""
    if stated.lfs is not None:
        found, wanted = provenance.file_digest(path), stated.lfs.sha256
    else:
        content = path.read_bytes()
        blob = f"blob {len(content)}\0".encode() + content
        found, wanted = hashlib.sha1(blob).hexdigest(), stated.blob_id
    if found != wanted:
        path.unlink()
        raise BaseModelError(
            f"{path}: its digest {found[:12]} is not the {wanted[:12]} that the hub states; the "
            "file was removed, so fetch again"
        )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__

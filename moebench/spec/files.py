"""Config files: read, and laid one over the other as Snakemake does."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml


def read(paths: Sequence[str | Path]) -> dict[str, Any]:
    """Return the config of the first file with those after it laid over it, key by key.

    Raises ValueError for a file that is not there, or that holds no keys with values.
    """
    config: dict[str, Any] = {}
    for path in paths:
        _lay_over(config, _mapping(Path(path)))
    return config


def _lay_over(config: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        below = config.get(key)
        if isinstance(value, Mapping) and isinstance(below, dict):
            _lay_over(below, value)
        else:
            config[key] = value


def _mapping(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; name a file that is there") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = " ".join(str(error).split())
        raise ValueError(f"{path}: not a YAML file ({line}); correct it") from None
    if not isinstance(content, Mapping):
        raise ValueError(f"{path}: holds no keys with values; see config/config.yaml")
    return content

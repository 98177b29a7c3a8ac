"""What is wrong with a config, in one line for each problem."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from moebench import registry

Problem = tuple[str, str]  # path of the key, what is wrong with its value
_KEYS = "must be keys with values, each with a colon, as in {key: value}"
_WORDS = {  # by pydantic's type of an error, where its own words are those of a programmer
    "dict_type": _KEYS,
    "model_type": _KEYS,
    "model_attributes_type": _KEYS,
    "list_type": "must be a list, as in [1, 2]",
    "string_pattern_mismatch": "must consist of letters, digits, '_' and '-'",  # the only pattern
}


class ConfigError(ValueError):
    """The config asks for something that cannot be run. Its text holds one problem a line."""

    def __init__(self, problems: Iterable[Problem]):
        self.problems = list(dict.fromkeys(problems))
        lines = [f"{path}: {what}" for path, what in self.problems]
        super().__init__("\n  ".join(["the config is not valid:", *lines]))


def one_of(name: str, known: Iterable[str]) -> str:
    """Return the name; ValueError, with the nearest known one, for any other."""
    if name not in known:
        raise ValueError(unknown(name, known))
    return name


def unknown(name: str, known: Iterable[str]) -> str:
    """Say that a name is not known, and which ones are."""
    near = difflib.get_close_matches(str(name), list(known), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown name {name!r}; {hint}choose from {', '.join(known)}"


def check_options(package: str, options: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse options that plug-ins of a package do not have, or values they do not take."""
    found = []
    for name, given in options.items():
        model = registry.options(package, name)
        try:
            model.model_validate(given)
        except ValidationError as error:
            found += [problem(model, name, each) for each in error.errors()]
    if found:
        raise ValueError("; ".join(f"{path}: {what}" for path, what in found))


def problem(model: type[BaseModel], where: str, error: ErrorDetails) -> Problem:
    """Pydantic's account of one mistake, in one line of ours."""
    keys = [str(key) for key in error["loc"] if key != "[key]"]
    path = ".".join(filter(None, [where, *keys])) or "top level"
    value = error["input"]
    if error["type"] == "extra_forbidden":
        return path, _unknown_key(model, error["loc"])
    if error["type"] == "missing":
        return path, "is missing"
    if error["type"] == "value_error":
        return path, str(error["ctx"]["error"])
    message = error["msg"][0].lower() + error["msg"][1:]
    return path, f"{_WORDS.get(error['type'], message)}; got {value!r}"


def _unknown_key(model: type[BaseModel], path: tuple[int | str, ...]) -> str:
    """Where the key that was meant stands: a level down, or beside this one under a like name."""
    key, fields = str(path[-1]), _fields_at(model, path[:-1])
    below = [f"{field}.{key}" for field in model.model_fields if key in _fields_at(model, (field,))]
    if len(path) == 1 and below:
        return f"unknown key {key!r}; did you mean {' or '.join(below)}?"
    near = difflib.get_close_matches(key, fields, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(fields)}"
    return f"unknown key {key!r}{hint}"


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Field names of the (nested) spec that a path of keys leads to."""
    for key in path:
        field = model.model_fields.get(str(key))
        inner = field.annotation if field else None
        arguments = getattr(inner, "__args__", ())
        default = type(field.default) if field else None
        specs = [each for each in (default, inner, *arguments) if _is_spec(each)]
        model = specs[0] if specs else model
    return list(model.model_fields)


def _is_spec(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, BaseModel)

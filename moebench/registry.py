"""Plug-ins by file name: what config calls ``expert_choice`` is ``routers/expert_choice.py``.

All but ``load`` only read a plug-in's source, so that building the DAG never imports torch.
"""

import ast
import contextlib
import functools
import importlib
import inspect
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, create_model

T = TypeVar("T")

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

ROOT = Path(__file__).parent
INFRASTRUCTURE = (
    *("__init__", "__main__", "base"),
    *("style", "labelling", "notes", "adapters", "smoothing"),  # of figures, as are the next
    *("layouts", "sweeps", "agreement", "networks", "against_size", "crossover_rows", "conditions"),
    *("capacities", "experts", "repairs", "surfaces", "ticks"),
    *("proof", "instruments"),  # of meters
    "subword",  # of tokenizers
    "legacy",  # of routers
)


@functools.cache  # one config asks some hundred times
def names(package: str) -> tuple[str, ...]:
    """Names of the plug-ins in ``moebench.{package}``: every module but the shared ones."""
    modules = {path.stem for path in ROOT.joinpath(*package.split(".")).glob("*.py")}
    return tuple(sorted(modules.difference(INFRASTRUCTURE)))


@functools.cache
def options(package: str, name: str) -> type[BaseModel]:
    """Return the strict model of what config may set for a plug-in.

    The options are the keyword-only parameters of the constructor of the plug-in's class; the
    parameters before the ``*`` are supplied by the library.
    """
    constructor = _constructor(package, name)
    fields: dict[str, Any] = {}
    if constructor is not None:
        arguments = zip(constructor.args.kwonlyargs, constructor.args.kw_defaults, strict=True)
        for argument, default in arguments:
            assert argument.annotation is not None, f"{package}.{name}: {argument.arg} has no type"
            kind = eval(ast.unparse(argument.annotation), {"Literal": Literal})  # our own source
            read = BeforeValidator(lambda value, kind=kind: spelled(value, kind))
            given = ... if default is None else ast.literal_eval(default)
            fields[argument.arg] = (Annotated[kind, read], given)
    return create_model(f"{name} options", __config__=STRICT, **fields)


_WORDS: dict[Any, dict[str, bool | None]] = {
    bool: {"true": True, "false": False},
    NoneType: {"null": None},
}


def spelled(value: Any, kind: Any) -> Any:
    """Text as the number, truth or null it spells, where such is wanted; anything else as it is.

    YAML takes 1e-3 for text, and so does Snakemake all that stands inside ``--config key={...}``.
    """
    if kind in (list[int], list[float]) and isinstance(value, list):
        return [spelled(each, kind.__args__[0]) for each in value]
    wanted = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if not isinstance(value, str) or str in wanted:
        return value
    for each in wanted:
        if value in (words := _WORDS.get(each, {})):
            return words[value]
        if each in (int, float):
            with contextlib.suppress(ValueError):
                return each(value)
    return value


def summary(package: str, name: str) -> str:
    """First line of the docstring of a plug-in's module."""
    return (ast.get_docstring(_parse(package, name)) or "").partition("\n")[0]


def constant(package: str, name: str, attribute: str) -> Any:
    """Return a literal that a plug-in's class declares, without importing the plug-in."""
    declared = _declared(package, name, attribute)
    assert declared is not None, f"{package}.{name} declares no {attribute}"
    return ast.literal_eval(declared)


def flag(package: str, name: str, attribute: str) -> bool:
    """Whether a plug-in's class declares an attribute to be true; its interface says it is not."""
    declared = _declared(package, name, attribute)
    return declared is not None and bool(ast.literal_eval(declared))


def load(interface: type[T], name: str) -> type[T]:
    """Import and return the one subclass of ``interface`` that plug-in ``name`` defines.

    Raises ValueError, with the names there are, for a plug-in that does not exist.
    """
    package = ".".join(interface.__module__.split(".")[1:-1])
    if name not in names(package):
        raise ValueError(
            f"unknown {interface.__name__.lower()} {name!r}; "
            f"choose from {', '.join(names(package))}"
        )
    module = importlib.import_module(f"moebench.{package}.{name}")
    found = [
        thing
        for thing in vars(module).values()
        if inspect.isclass(thing)
        and issubclass(thing, interface)
        and thing.__module__ == module.__name__
    ]
    assert len(found) == 1, f"{module.__name__} must define one {interface.__name__}, has {found}"
    return found[0]


def _parse(package: str, name: str) -> ast.Module:
    return _tree((ROOT.joinpath(*package.split(".")) / f"{name}.py").read_text())


@functools.cache
def _tree(source: str) -> ast.Module:
    return ast.parse(source)


def _declared(package: str, name: str, attribute: str) -> ast.expr | None:
    """Value that a plug-in's class gives to a class attribute; None where it inherits it."""
    for statement in _parse(package, name).body:
        for node in statement.body if isinstance(statement, ast.ClassDef) else ():
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == attribute:
                return node.value
    return None


def _constructor(package: str, name: str) -> ast.FunctionDef | None:
    """``__init__`` of the plug-in's class; None where the class inherits it from its interface."""
    for statement in _parse(package, name).body:
        for node in statement.body if isinstance(statement, ast.ClassDef) else ():
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                return node
    return None

"""Every key of the config and every option of a plug-in, as Markdown tables."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from moebench import registry
from moebench.spec.kinds import BASELINES
from moebench.spec.models import Config

Schema = Mapping[str, Any]  # a JSON schema, as pydantic derives it from a spec

# Package of plug-ins: its heading, and where their options are written.
PLUG_INS = {
    "routers": ("Routers", "`experiments.<name>.routers.<router>`"),
    "corpora": ("Corpora", "`corpora.<name>`, beside `source`"),
    "tokenizers": ("Tokenizers", "`tokenizers.<tokenizer>`"),
    "gates": ("Gates", None),
    "dispatch": ("Dispatch", None),
    "kernels": ("Kernels", None),
    "meters": ("Meters", "`energy.meters.<meter>`"),
    "perft.adapters": ("Adapters", "`perft.adapters[]`, beside `variant`"),
    "questions.sources": ("Questions", "`perft.questions`, beside `source`"),
    "figures": ("Figures", None),
}
HEADER = ("key", "type", "default", "unit", "meaning")
BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
NAMES = {"string": "text", "boolean": "true or false", "null": "null"}


def explain() -> str:
    """Explain all keys, then all plug-ins with their options."""
    schema = Config.model_json_schema()
    parts = ["## Keys", _table(HEADER, list(_keys(schema, schema["$defs"], "")))]
    for package, (heading, place) in PLUG_INS.items():
        parts.append(f"## {heading}")
        if place is not None:
            parts.append(f"Options are written under {place}.")
        parts.append(_plug_ins(package))
    baselines = [(f"`{name}`", meaning) for name, meaning in BASELINES.items()]
    parts += ["## Baselines", _table(("name", "what it is"), baselines)]
    return "\n\n".join(parts) + "\n"


def kind(schema: Schema) -> str:
    """What a value must be, in words: ``integer >= 1``."""
    if "kind" in schema:
        return str(schema["kind"])
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if "anyOf" in schema:
        return " or ".join(kind(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of: {kind(schema['items'])}" if schema["items"] else "list"
    if schema.get("type") == "object":
        return _mapping(schema)
    bounds = [f"{sign} {schema[key]}" for key, sign in BOUNDS.items() if key in schema]
    name = str(schema["type"])
    return " ".join([NAMES.get(name, name), " and ".join(bounds)]).strip()


def _keys(schema: Schema, definitions: Schema, prefix: str) -> Iterator[tuple[str, ...]]:
    """A row for each key under a spec, and for those of the specs below it."""
    required = schema.get("required", ())
    for key, field in schema["properties"].items():
        inner, path = _spec_below(field, definitions), f"{prefix}{key}"
        if inner is None:
            yield _row(path, field, key in required)
        elif "anyOf" in field:
            yield _row(path, {**field, "kind": "the keys below, or null"}, key in required)
            yield from _keys(inner, definitions, f"{path}.")
        elif "items" in field:
            yield _row(path, {**field, "kind": "list of the keys below"}, key in required)
            yield from _keys(inner, definitions, f"{path}[].")
        elif "$ref" in field:
            yield from _keys(inner, definitions, f"{path}.")
        else:
            yield _row(path, {**field, "kind": "mapping of names to the keys below"}, True)
            yield from _keys(inner, definitions, f"{path}.<name>.")


def _spec_below(field: Schema, definitions: Schema) -> Schema | None:
    """The spec that a key holds, or that all it lists or names are; None for a plain value."""
    if "kind" in field:
        return None
    places = (field, _values(field), field.get("items") or {})
    reference = next(filter(None, map(_reference, places)), None)
    return None if reference is None else definitions[reference.rpartition("/")[2]]


def _reference(field: Schema) -> str | None:
    """Where the spec of a field is defined, which may be one of its alternatives."""
    alternatives = (field, *field.get("anyOf", ()))
    return next((str(each["$ref"]) for each in alternatives if "$ref" in each), None)


def _values(field: Schema) -> Schema:
    """The kind of a mapping's values; empty where they may be anything."""
    by_pattern = field.get("patternProperties", {})
    for values in (field.get("additionalProperties"), *by_pattern.values()):
        if isinstance(values, Mapping):
            return values
    return {}


def _mapping(schema: Schema) -> str:
    keys, values = schema.get("propertyNames", {"type": "string"}), _values(schema)
    return f"mapping: {kind(keys)} to {kind(values)}" if values else "options"


def _row(path: str, field: Schema, is_required: bool) -> tuple[str, ...]:
    default = "required" if is_required else f"`{json.dumps(field['default'])}`"
    meaning = field.get("description", "")
    return f"`{path}`", kind(field), default, field.get("unit", ""), meaning


def _plug_ins(package: str) -> str:
    """One row per plug-in, then one per option."""
    names = registry.names(package)
    known = [(f"`{name}`", registry.summary(package, name).replace("``", "`")) for name in names]
    given = [row for name in names for row in _options(package, name)]
    tables = [_table(("name", "what it is"), known)]
    if given:
        tables.append(_table(("plug-in", "option", "type", "default"), given))
    return "\n\n".join(tables)


def _options(package: str, name: str) -> Iterator[tuple[str, ...]]:
    schema = registry.options(package, name).model_json_schema()
    for option, field in schema.get("properties", {}).items():
        _, *rest = _row(option, field, option in schema.get("required", ()))
        yield (f"`{name}`", f"`{option}`", *rest[:2])


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

"""Turns what pydantic finds wrong into sentences with key, value and allowed range."""

from __future__ import annotations

import difflib
import math
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from device.config import Config
from device.config_lines import KeyPath

UNITS = {
    "_per_s": "per second",
    "_per_kg": "per kilogram",
    "_deg": "degrees",
    "_kg": "kilograms",
    "_m_s": "metres per second",
    "_m": "metres",
    "_s": "seconds",
    "_hours": "hours",
    "_hz": "hertz",
    "_us": "microseconds",
    "_counts": "counts",
    "_days": "days",
}
"""By the ending of a key; the longer ending goes first."""


@dataclass(frozen=True, slots=True)
class ConfigFault:
    """One thing that is wrong: where it stands and a sentence that ends with what is allowed."""

    path: KeyPath
    problem: str

    @property
    def key(self) -> str:
        """As a person writes it: ``cameras[1].name`` is the name of the second [[cameras]]."""
        text = ""
        for part in self.path:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        return text


def unit_of(key: str) -> str | None:
    """The unit that a key's ending names, in words; None for a key without one."""
    return next((unit for ending, unit in UNITS.items() if key.endswith(ending)), None)


def show_value(value: Any) -> str:
    """A TOML value on one line, shortened; for messages."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = '"' + value.replace("\n", "\\n") + '"'
    elif isinstance(value, Mapping):
        text = "{ " + ", ".join(f"{name} = {show_value(item)}" for name, item in value.items()) + " }"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(show_value(item) for item in value) + "]"
    else:
        text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def schema_faults(error: ValidationError, data: Mapping[str, Any]) -> list[ConfigFault]:
    """Every fault of one validation, in the order of the schema."""
    return [_fault(item["type"], tuple(item["loc"]), data) for item in error.errors(include_url=False)]


def _fault(kind: str, path: KeyPath, data: Mapping[str, Any]) -> ConfigFault:
    if kind == "extra_forbidden":
        return ConfigFault(path, _unknown_key(path))
    if kind == "missing":
        return ConfigFault(path, f"is missing; {_allowed(path)}")
    value = _value_at(data, path)
    hint = ""
    if isinstance(value, str) and _number_wanted(path):
        hint = ", without quotes or unit"
    elif isinstance(value, float) and not math.isfinite(value):
        hint = ", finite"
    return ConfigFault(path, f"= {show_value(value)}: {_allowed(path)}{hint}")


def _value_at(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data[part]
    return data


def _last_name(path: KeyPath) -> str:
    return next(part for part in reversed(path) if isinstance(part, str))


def _unknown_key(path: KeyPath) -> str:
    name = str(path[-1])
    model = _model_at(path[:-1])
    known = list(model.model_fields) if model else []
    what = "section" if len(path) == 1 else "key"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"is no known {what}; did you mean {close[0]}?"
    elsewhere = [section for section, field in Config.model_fields.items() if name in _fields_of(field.annotation)]
    if elsewhere:
        return f"is no known {what} here; did you mean [{elsewhere[0]}] {name}?"
    return f"is no known {what}; allowed: {', '.join(known)}"


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _fields_of(annotation: Any) -> set[str]:
    return {name for model in _models_in(annotation) for name in model.model_fields}


def _model_at(path: KeyPath) -> type[BaseModel] | None:
    model: type[BaseModel] | None = Config
    for part in path:
        if isinstance(part, int):
            continue
        if model is None or part not in model.model_fields:
            return None
        model = next(_models_in(model.model_fields[part].annotation), None)
    return model


def _field_at(path: KeyPath) -> FieldInfo | None:
    names = [part for part in path if isinstance(part, str)]
    model = _model_at(tuple(names[:-1]))
    return model.model_fields.get(names[-1]) if model and names else None


def _number_wanted(path: KeyPath) -> bool:
    field = _field_at(path)
    return field is not None and bool({int, float} & set(_plain_types(field.annotation)))


def _plain_types(annotation: Any) -> Iterator[Any]:
    if get_args(annotation) and get_origin(annotation) is not Literal:
        for argument in get_args(annotation):
            yield from _plain_types(argument)
    else:
        yield annotation


def _allowed(path: KeyPath) -> str:
    """ "allowed 0 to 90 (degrees)" for the field that the path leads to."""
    field = _field_at(path)
    if field is None:
        return "not understood here"
    annotation: Any = field.annotation
    if get_origin(annotation) is tuple and isinstance(path[-1], int):
        annotation = get_args(annotation)[0]
    unit = unit_of(_last_name(path))
    return f"allowed {describe(annotation, field.metadata)}{f' ({unit})' if unit else ''}"


def allowed_words(key: str) -> str:
    """What its field alone allows for a key, with its unit: "above 0 to 1000 kilograms"; empty for an unknown one."""
    path = tuple(key.split("."))
    field = _field_at(path)
    if field is None:
        return ""
    words = describe(field.annotation, field.metadata).replace(" in quotes", "")
    words = words.partition(" that matches ")[0] if field.description is None else field.description
    if not _number_wanted(path):
        return words
    unit = unit_of(path[-1])
    if unit is None:
        return words
    span, comma, noun = words.partition(", ")
    return f"{span} {unit}{comma}{noun}"


def describe(annotation: Any, metadata: list[Any]) -> str:
    """What a value of this type may be, in words; ``metadata`` carries the bounds that pydantic took off it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return describe(arguments[0], [*metadata, *_unpacked(arguments[1:])])
    if origin in (Union, types.UnionType):
        return describe(next(item for item in arguments if item is not type(None)), metadata)
    if origin is Literal:
        return ", ".join(str(item) for item in arguments)
    if origin is tuple:
        return f"a list of: {describe(arguments[0], [])}"
    if annotation is bool:
        return "true or false"
    if annotation in (int, float):
        return _range(metadata, "a whole number" if annotation is int else "a number")
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"a table with {', '.join(annotation.model_fields)}"
    if annotation is Path:
        return "a path in quotes"
    pattern = next((item.pattern for item in metadata if getattr(item, "pattern", None)), None)
    return f"a text in quotes{f' that matches {pattern}' if pattern else ''}"


def _unpacked(items: tuple[Any, ...]) -> Iterator[Any]:
    for item in items:
        yield from item.metadata if isinstance(item, FieldInfo) else (item,)


def _range(metadata: list[Any], noun: str) -> str:
    low = high = ""
    for item in metadata:
        if isinstance(item, annotated_types.Ge):
            low = _bound(item.ge)
        elif isinstance(item, annotated_types.Gt):
            low = f"above {_bound(item.gt)}"
        elif isinstance(item, annotated_types.Le):
            high = _bound(item.le)
    if low and high:
        return f"{low} to {high}, {noun}" if noun == "a whole number" else f"{low} to {high}"
    return f"{noun} {low}".strip() if low else noun


def _bound(value: Any) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:g}"

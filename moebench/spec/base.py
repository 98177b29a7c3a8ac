"""What every part of the config has in common."""

from typing import Any

from pydantic import BaseModel, ValidationInfo, field_validator

from moebench import registry


class Spec(BaseModel):
    """Frozen, strict about types, and without a place for unknown keys."""

    model_config = registry.STRICT

    @field_validator("*", mode="before")
    @classmethod
    def _text_as_value(cls, value: Any, info: ValidationInfo) -> Any:
        assert info.field_name is not None
        return registry.spelled(value, cls.model_fields[info.field_name].annotation)


class RoomSpec(Spec):
    """A question of its own, with tables, figures and a page named after its key in the config."""

    figures: list[str]

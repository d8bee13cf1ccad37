"""The fields of one JSON object, taken one by one."""

from collections.abc import Callable
from typing import Any

from anyworker.devserver.wire import fields

AUDIT = ("ownerApp", "createTime", "updateTime", "createdBy", "updatedBy")
"""What every definition says about its making, in the server's order."""


class Reader:
    """Take the fields of a JSON object; an absent field has its default, null is the type's own zero.

    Args:
        source: What JSON gave.
        cls: The class that the server makes of it, by its full name.

    Raises:
        RequestRefused: 500, it is no object; from each method too: a field has the wrong type.
    """

    def __init__(self, source: object, cls: str) -> None:
        self._source = fields.record(source, cls)

    def is_null(self, key: str) -> bool:
        """Tell whether a field is there and null."""
        return key in self._source and self._source[key] is None

    def is_absent(self, key: str) -> bool:
        """Tell whether a field is not there."""
        return key not in self._source

    def value(self, key: str) -> Any:
        """Return a field as it is, None if it is absent."""
        return self._source.get(key)

    def text(self, key: str, default: str | None = None) -> str | None:
        """Return a text."""
        return fields.text(self._source[key]) if key in self._source else default

    def whole(self, key: str, default: int = 0, kind: str = "int") -> int:
        """Return a whole number of a primitive type."""
        return (fields.whole(self._source[key], kind) or 0) if key in self._source else default

    def boxed(self, key: str) -> int | None:
        """Return a whole number that may be missing."""
        return fields.whole(self._source.get(key), "java.lang.Integer")

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return a boolean."""
        return bool(fields.flag(self._source[key])) if key in self._source else default

    def boxed_flag(self, key: str) -> bool | None:
        """Return a boolean that may be missing."""
        return fields.flag(self._source.get(key), "java.lang.Boolean")

    def texts(self, key: str) -> list[str | None]:
        """Return a list of texts."""
        return fields.texts(self._source.get(key)) or []

    def mapping(self, key: str, kind: str = fields.ANY) -> dict[str, Any]:
        """Return an object with any keys; the class of its values is only named, not checked."""
        return fields.mapping(self._source.get(key), kind) or {}

    def text_mapping(self, key: str) -> dict[str, str | None]:
        """Return an object of texts with any keys."""
        given = fields.mapping(self._source.get(key), "java.lang.String") or {}
        return {name: fields.text(value) for name, value in given.items()}

    def choice(self, key: str, choice: fields.Choice, default: str) -> str:
        """Return a name of an enum."""
        return choice.take(self._source.get(key)) or default

    def records(self, key: str, cls: str) -> list[Any]:
        """Return a list of objects of a class, not looked at."""
        value = self._source.get(key)
        return [] if value is None else fields.records(value, cls)

    def inner(self, key: str, read: Callable[[object], dict[str, Any]]) -> dict[str, Any] | None:
        """Return an object that is read by a function of its own, None if it is absent."""
        value = self._source.get(key)
        return None if value is None else read(value)

    def audit(self) -> dict[str, Any]:
        """Return what says when and by whom an object was made; times are 0 when absent."""
        times = {
            key: fields.whole(self._source.get(key), "java.lang.Long") or 0
            for key in ("createTime", "updateTime")
        }
        people = {key: self.text(key) for key in ("createdBy", "updatedBy")}
        return {"ownerApp": self.text("ownerApp"), **times, **people}

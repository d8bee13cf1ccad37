"""What the command line names: a workflow's input, and files of definitions."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from anyworker.dev.definitions import Definition, Definitions, sort_definitions
from anyworker.errors import ConfigurationError


def read_input(text: str, stdin: IO[bytes]) -> dict[str, Any]:
    """Return a workflow's input.

    Args:
        text: JSON, or ``@FILE``, or ``-`` for standard input.
        stdin: Standard input.

    Raises:
        ConfigurationError: It is no JSON object, or the file cannot be read.
    """
    if text == "-":
        place, content = "standard input", stdin.read()
    elif text.startswith("@"):
        place, content = text[1:], _content(text[1:])
    else:
        place, content = "--input", text.encode(errors="surrogateescape")
    value = _parsed(content, place)
    if not isinstance(value, dict):
        example = '{"name": "World"}'
        message = f"{place}: a workflow's input is an object, like {example}, not {_kind(value)}"
        raise ConfigurationError(message)
    return value


def read_definitions(files: Iterable[str]) -> Definitions:
    """Return what is defined in files, each with one definition or a list of them.

    Raises:
        ConfigurationError: A file cannot be read, or holds no definitions.
    """
    found: list[Definition] = []
    for file in files:
        value = _parsed(_content(file), file)
        for position, definition in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(definition, dict):
                place = f"{file}, item {position}" if isinstance(value, list) else file
                message = f"{place}: expected a definition, an object with a name, not {_kind(definition)}"
                raise ConfigurationError(message)
            found.append(definition)
    return sort_definitions(found)


def _content(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        message = f"{file}: {error.strerror}"
        raise ConfigurationError(message) from None


def _parsed(content: bytes, place: str) -> Any:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{place}: not UTF-8, at byte {error.start}"
        raise ConfigurationError(message) from None
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        message = f"{place}: not JSON: {error.msg} at {where}{_excerpt(text, error)}"
        raise ConfigurationError(message) from None
    except (ValueError, RecursionError) as error:
        message = f"{place}: not JSON: {error}"
        raise ConfigurationError(message) from None


def _excerpt(text: str, error: json.JSONDecodeError) -> str:
    """Return the line that is wrong and a pointer below it, nothing for the end of the text."""
    line = text[error.pos - error.colno + 1 :].partition("\n")[0]
    if not text[error.pos :].strip():
        return ""
    start = max(0, error.colno - 1 - 30)
    return f"\n  {line[start : start + 60]}\n  {' ' * (error.colno - 1 - start)}^"


def _refuse_constant(name: str) -> None:
    message = f"{name} is no JSON value"
    raise ValueError(message)


def _kind(value: object) -> str:
    kinds = {
        list: "an array",
        str: "a text",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        dict: "an object",
    }
    return kinds.get(type(value), "null")

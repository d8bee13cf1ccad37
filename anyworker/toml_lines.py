"""On which line of a TOML text a key stands. The parser of the standard library does not tell."""

import re
from collections.abc import Sequence

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEY = rf"{_PART}(?:\s*\.\s*{_PART})*"
_TABLE = re.compile(rf"\s*\[\[?\s*({_KEY})\s*\]\]?\s*(?:#.*)?")
_PAIR = re.compile(rf"\s*({_KEY})\s*=")
_PARTS = re.compile(_PART)


def line_of(text: str, path: Sequence[str]) -> int | None:
    """Return the line of a key, or of the innermost table around it that is written out; None if neither is.

    A key inside of a multi-line text can be mistaken for one of the file's own: good enough for a message.

    Args:
        text: The whole file.
        path: The key's parts, from the outermost table.
    """
    wanted = tuple(path)
    table: tuple[str, ...] = ()
    best, line = 0, None
    for number, content in enumerate(text.splitlines(), 1):
        if header := _TABLE.fullmatch(content):
            found = table = _parts(header[1])
        elif pair := _PAIR.match(content):
            found = (*table, *_parts(pair[1]))
        else:
            continue
        if len(found) > best and wanted[: len(found)] == found:
            best, line = len(found), number
    return line


def _parts(key: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PARTS.findall(key))

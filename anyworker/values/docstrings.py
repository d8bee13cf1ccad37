"""What docstrings say of parameters and members, in Google's and Sphinx's notation."""

import inspect
import re
from collections.abc import Iterator

_SECTION = re.compile(r"(?P<name>[A-Z][A-Za-z ]*):\s*$")
_PARAMETERS = frozenset(
    {"Args", "Arguments", "Parameters", "Keyword Args", "Keyword Arguments", "Attributes"}
)
_RETURNS = frozenset({"Returns", "Return"})
_ENTRY = re.compile(r"\*{0,2}(?P<name>\w+)\s*(?:\(.*?\))?\s*:(?:\s+(?P<text>.*)|$)")
_TYPE_BEFORE = re.compile(r"^[\w.]+(?:\[.*?\])?(?: \| [\w.]+(?:\[.*?\])?)*:\s+(?=\S)")
"""How Google's notation begins a return value whose type it tells."""
_FIELD = re.compile(r":(?P<role>\w+)(?P<rest>[^:]*):\s*(?P<text>.*)")
_PARAMETER_ROLES = frozenset(
    {"param", "parameter", "arg", "argument", "key", "keyword", "ivar", "var", "cvar"}
)
_RETURN_ROLES = frozenset({"return", "returns"})


def summary(subject: object) -> str | None:
    """Return the first paragraph of the docstring that an object has of its own, as one line."""
    paragraph: list[str] = []
    for line in _lines(subject):
        if not line or line.startswith(":") or _SECTION.match(line):
            break
        paragraph.append(line.strip())
    return " ".join(paragraph) or None


def parameters(subject: object) -> dict[str, str]:
    """Return what a docstring says of each parameter or member, each text as one line."""
    return {name: text for name, text in _described(_lines(subject)) if name is not None and text}


def returns(subject: object) -> str | None:
    """Return what a docstring says of the return value, as one line."""
    return next((text for name, text in _described(_lines(subject)) if name is None and text), None)


def _lines(subject: object) -> list[str]:
    doc = getattr(subject, "__doc__", None)
    if not isinstance(doc, str) or _is_made_up(subject, doc):
        return []
    return inspect.cleandoc(doc).splitlines()


def _is_made_up(subject: object, doc: str) -> bool:
    """Tell whether a class has only inherited its text, or the signature that dataclasses write into it."""
    if not isinstance(subject, type):
        return False
    inherited = any(doc is base.__doc__ for base in subject.__mro__[1:])
    return inherited or doc.startswith((f"{subject.__name__}(", "dict("))


def _described(lines: list[str]) -> Iterator[tuple[str | None, str]]:
    """Yield name and text of everything described; the name is None for the return value."""
    for start, line in enumerate(lines):
        if section := _SECTION.match(line):
            block = _block(lines, start, 0)
            if section["name"] in _PARAMETERS:
                yield from _entries(block)
            elif section["name"] in _RETURNS:
                yield None, _TYPE_BEFORE.sub("", _joined(block), count=1)
        elif field := _FIELD.match(line):
            text = _joined([field["text"], *_block(lines, start, 0)])
            words = field["rest"].split()
            if field["role"] in _PARAMETER_ROLES and words:
                yield words[-1].lstrip("*"), text
            elif field["role"] in _RETURN_ROLES:
                yield None, text


def _block(lines: list[str], start: int, indent: int) -> list[str]:
    """Return the lines after one that are indented more than it."""
    block: list[str] = []
    for line in lines[start + 1 :]:
        if line and _indent(line) <= indent:
            break
        block.append(line)
    return block


def _entries(block: list[str]) -> Iterator[tuple[str, str]]:
    inner = min((_indent(line) for line in block if line), default=0)
    for start, line in enumerate(block):
        if line and _indent(line) == inner and (entry := _ENTRY.match(line.strip())):
            yield entry["name"], _joined([entry["text"] or "", *_block(block, start, inner)])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _joined(lines: list[str]) -> str:
    return " ".join(word for line in lines for word in line.split())

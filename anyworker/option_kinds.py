"""The kinds of values that options take: which are accepted, and how a text of the environment is read."""

import abc
import logging
import math
import re
import reprlib

import attrs

SERVER_INT_MAX = 2**31 - 1

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?|[+-]?\.[0-9]+", re.ASCII)
# Control characters and line separators would forge log lines, surrogates have no UTF-8.
_NOT_ONE_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_RATE = re.compile(r"([0-9]+)/([smh])", re.ASCII)
RATE_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
"""Seconds, by the letter after the stroke."""
_FLAGS = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 80


def shown(value: object) -> str:
    """Return a value as an error message shows it: one line of bounded length."""
    return _short.repr(value).replace("\n", " ")


def is_one_line(text: str) -> bool:
    """Tell whether a text stays on its line in a log, and has a form in UTF-8."""
    return _NOT_ONE_LINE.search(text) is None


class Kind(abc.ABC):
    """What values an option takes."""

    @property
    @abc.abstractmethod
    def accepted(self) -> str:
        """The accepted values, as a phrase that follows "expected"."""

    @abc.abstractmethod
    def parse(self, text: str) -> object:
        """Return the value that a text stands for, its range unchecked.

        Raises:
            ValueError: It stands for none.
        """

    @abc.abstractmethod
    def check(self, value: object) -> object:
        """Return a value in its plain type.

        Raises:
            ValueError: It is not accepted.
        """

    def resolve(self, value: object) -> object:
        """Return an accepted value as the runner uses it, durations in seconds."""
        return value


@attrs.frozen
class Whole(Kind):
    """An integer within limits, both included."""

    minimum: int
    maximum: int = SERVER_INT_MAX

    @property
    def accepted(self) -> str:
        return f"an integer from {self.minimum} to {self.maximum}"

    def parse(self, text: str) -> object:
        if not _INTEGER.fullmatch(text):
            raise ValueError(text)
        return int(text)

    def check(self, value: object) -> object:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(value)  # noqa: TRY004 - one exception says "not accepted"
        if not self.minimum <= value <= self.maximum:
            raise ValueError(value)
        return int(value)


@attrs.frozen
class Millis(Whole):
    """Whole milliseconds, resolved to seconds."""

    @property
    def accepted(self) -> str:
        return f"{super().accepted} (milliseconds)"

    def resolve(self, value: object) -> object:
        return value / 1000 if isinstance(value, int) else value


@attrs.frozen
class Seconds(Kind):
    """A positive, finite number of seconds."""

    @property
    def accepted(self) -> str:
        return f"a number of seconds above 0 and below {SERVER_INT_MAX}"

    def parse(self, text: str) -> object:
        if not _DECIMAL.fullmatch(text):
            raise ValueError(text)
        return float(text)

    def check(self, value: object) -> object:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueError(value)  # noqa: TRY004 - one exception says "not accepted"
        # The comparison comes first: float() of a huge integer overflows.
        if not 0 < value < SERVER_INT_MAX or not math.isfinite(value):
            raise ValueError(value)
        return float(value)


@attrs.frozen
class Flag(Kind):
    """True or false."""

    @property
    def accepted(self) -> str:
        return "true or false (in the environment also 1, yes, on, 0, no, off, in any case)"

    def parse(self, text: str) -> object:
        if text.lower() not in _FLAGS:
            raise ValueError(text)
        return _FLAGS[text.lower()]

    def check(self, value: object) -> object:
        if not isinstance(value, bool):
            raise ValueError(value)  # noqa: TRY004 - one exception says "not accepted"
        return value


@attrs.frozen
class Level(Kind):
    """A level of `logging`, by name or number."""

    @property
    def accepted(self) -> str:
        return "a level of logging by name, such as INFO, or number, 1 to 50"

    def parse(self, text: str) -> object:
        return int(text) if _INTEGER.fullmatch(text) else text

    def check(self, value: object) -> object:
        number = logging.getLevelNamesMapping().get(value.upper()) if isinstance(value, str) else value
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= logging.CRITICAL:
            raise ValueError(value)
        return int(number)


@attrs.frozen
class PerTime(Kind):
    """A number of tasks in a second, a minute or an hour."""

    @property
    def accepted(self) -> str:
        return f"a number of tasks, 1 to {SERVER_INT_MAX}, in a second, minute or hour: 100/s, 100/m or 100/h"

    def parse(self, text: str) -> object:
        return text

    def check(self, value: object) -> object:
        match = _RATE.fullmatch(value) if isinstance(value, str) else None
        # The length comes first: int() refuses numbers of thousands of digits.
        if (
            match is None
            or len(match[1]) > len(str(SERVER_INT_MAX))
            or not 1 <= int(match[1]) <= SERVER_INT_MAX
        ):
            raise ValueError(value)
        return f"{int(match[1])}/{match[2]}"


@attrs.frozen
class Text(Kind):
    """One line of text."""

    refused_characters: str = ""
    refused_value: str | None = None

    @property
    def accepted(self) -> str:
        phrase = "one line of text, not empty and without white space around it"
        if self.refused_characters:
            phrase += f", without any of {self.refused_characters!r}"
        return phrase + (f", not {self.refused_value}" if self.refused_value else "")

    def parse(self, text: str) -> object:
        return text

    def check(self, value: object) -> object:
        if not isinstance(value, str) or not value or value != value.strip() or not is_one_line(value):
            raise ValueError(value)
        if any(character in value for character in self.refused_characters):
            raise ValueError(value)
        if self.refused_value is not None and value.upper() == self.refused_value:
            raise ValueError(value)
        return value

"""What the server says to text that is no JSON, found as its reader finds it: token by token."""

import re
import string

import attrs

LONGEST_NUMBER = 1000
"""Digits of a number."""

_ANY_VALUE = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_REDACTED = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: "
_NON_STANDARD = "enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"
_COMMENT = (
    "maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS' not enabled for "
    "parser)"
)
_NO_PLUS = (
    "JSON spec does not allow numbers to have plus signs: "
    "enable `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow"
)
_NO_DIGIT = "expected digit (0-9) to follow minus sign, for valid numeric value"
_NO_DECIMAL = "Decimal point not followed by a digit"
_SPACE = " \t\r\n"
_DIGITS = re.compile(r"[0-9]*")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_WORD = re.compile(r"[\w$]*")
_LETTERS = frozenset(f"{string.ascii_letters}_$")
_LITERALS = {"null": "VALUE_NULL", "true": "VALUE_TRUE", "false": "VALUE_FALSE"}
_INFINITE = frozenset({"NaN", "INF", "Infinity", "-INF", "-Infinity"})
_LONGEST_WORD = 256
"""Characters of an unknown word that a message shows."""
_ESCAPED = frozenset('"\\/bfnrt')
_CLOSED_BY = {"}": "Object", "]": "Array"}


def fault_of(text: str) -> str | None:
    """Return what is wrong with the first JSON value of a text, None if nothing is."""
    scan = _Scan(text)
    try:
        scan.read_value()
    except _Fault as fault:
        return str(fault)
    return None


class _Fault(Exception):  # no error: it leaves the scan that found it
    """The text is no JSON; says why."""


def _shown(char: str) -> str:
    return f"'{char}' (code {ord(char)})" if char >= " " else f"(CTRL-CHAR, code {ord(char)})"


def _unexpected(char: str, expected: str) -> _Fault:
    return _Fault(f"Unexpected character ({_shown(char)}): {expected}")


def _unexpected_in_number(char: str, why: str) -> _Fault:
    return _Fault(f"Unexpected character ({_shown(char)}) in numeric value: {why}")


def _end_in(place: str) -> _Fault:
    return _Fault(f"Unexpected end-of-input in {place}")


@attrs.define
class _Container:
    """An array or object that is not closed yet, or the root."""

    kind: str
    start: int
    entries: int = 0


class _Scan:
    """One reading of a text, as far as its first value goes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._root = _Container("root", 0)
        self._open = [self._root]
        self._token = "null"  # noqa: S105  # the last token, as the server's reader calls it

    def read_value(self) -> None:
        """Read until the first value is complete."""
        while not self._root.entries or len(self._open) > 1:
            self._read_token()

    def _read_token(self) -> None:
        inside, char = self._open[-1], self._next()
        if not char:
            place = f"expected close marker for {inside.kind} (start marker at {self._place(inside)})"
            message = f"Unexpected end-of-input: {place}"
            raise _Fault(message)
        if char in _CLOSED_BY:
            self._close(inside, char)
            return
        if inside.entries:
            if char != ",":
                raise _unexpected(char, f"was expecting comma to separate {inside.kind} entries")
            char = self._next_within(inside, 1)
        if inside.kind == "Object":
            char = self._read_name(inside, char)
        inside.entries += 1
        self._read_start(inside, char)

    def _next(self) -> str:
        """Return the next character that is no white space, empty at the end."""
        while char := self._peek():
            if char == "/":
                raise _unexpected(char, _COMMENT)
            if char >= " " and char not in _SPACE:
                return char
            if char not in _SPACE:
                between = r"only regular white space (\r, \n, \t) is allowed between tokens"
                message = f"Illegal character ({_shown(char)}): {between}"
                raise _Fault(message)
            self._at += 1
        return ""

    def _next_within(self, inside: _Container, skipped: int = 0) -> str:
        self._at += skipped
        char = self._next()
        if not char:
            message = f"Unexpected end-of-input within/between {inside.kind} entries"
            raise _Fault(message)
        return char

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, place: str) -> str:
        char = self._peek()
        if not char:
            raise _end_in(place)
        self._at += 1
        return char

    def _take_odd(self, place: str) -> str:
        """Return the next character that is not merely itself in a string."""
        self._skip(_PLAIN)
        return self._take(place)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        self._at = self._at if found is None else found.end()

    def _place(self, inside: _Container) -> str:
        """Return where a container begins; columns count bytes."""
        before = self._text[: inside.start]
        line = f"{_REDACTED}{before.count(chr(10)) + 1}"
        if inside is self._root:
            return f"{line}]"
        return f"{line}, column: {len(before.rpartition(chr(10))[2].encode()) + 1}]"

    def _close(self, inside: _Container, char: str) -> None:
        if inside.kind != _CLOSED_BY[char]:
            expected = "]" if char == "}" else "}"
            place = f"(for {inside.kind} starting at {self._place(inside)})"
            message = f"Unexpected close marker '{char}': expected '{expected}' {place}"
            raise _Fault(message)
        self._open.pop()
        self._at += 1
        self._token = f"END_{inside.kind.upper()}"

    def _read_name(self, inside: _Container, char: str) -> str:
        """Read the name of an entry and the colon; return the character after these."""
        if char != '"':
            raise _unexpected(char, "was expecting double-quote to start field name")
        self._read_string("name", "field name")
        self._token = "FIELD_NAME"  # noqa: S105  # as above
        char = self._next_within(inside)
        if char != ":":
            raise _unexpected(char, "was expecting a colon to separate field name and value")
        return self._next_within(inside, 1)

    def _read_start(self, inside: _Container, char: str) -> None:
        """Read a value, or the beginning of one that has entries."""
        if char == '"':
            self._read_string("string value", "VALUE_STRING")
            self._token = "VALUE_STRING"  # noqa: S105  # as above
        elif char in "[{":
            kind = "Array" if char == "[" else "Object"
            self._open.append(_Container(kind, self._at))
            self._at += 1
            self._token = f"START_{kind.upper()}"
        elif char in string.digits or char == "-":
            self._read_number()
        elif char in _LETTERS:
            self._read_word()
        else:
            raise _no_value(inside, char)

    def _read_string(self, kind: str, place: str) -> None:
        self._at += 1
        while (char := self._take_odd(place)) != '"':
            if char == "\\":
                self._read_escape()
            elif char < " ":
                told = f"has to be escaped using backslash to be included in {kind}"
                message = f"Illegal unquoted character ({_shown(char)}): {told}"
                raise _Fault(message)

    def _read_escape(self) -> None:
        place = "character escape sequence"
        char = self._take(place)
        if char == "u":
            for _ in range(4):
                if (digit := self._take(place)) not in string.hexdigits:
                    raise _unexpected(digit, "expected a hex-digit for character escape sequence")
        elif char not in _ESCAPED:
            message = f"Unrecognized character escape {_shown(char)}"
            raise _Fault(message)

    def _read_word(self, sign: str = "") -> None:
        found = _WORD.match(self._text, self._at)
        word = sign + (found[0] if found else "")
        if word in _INFINITE:
            message = f"Non-standard token '{word}': {_NON_STANDARD}"
            raise _Fault(message)
        if word not in _LITERALS:
            shown = word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}..."
            message = f"Unrecognized token '{shown}': was expecting {_ANY_VALUE}"
            raise _Fault(message)
        self._at += len(word)
        self._token = _LITERALS[word]

    def _read_number(self) -> None:
        start = self._at
        if self._peek() == "-":
            self._at += 1
            self._check_negative()
        if self._peek() == "0" and self._text[self._at + 1 : self._at + 2].isdecimal():
            raise _Fault("Invalid numeric value: Leading zeroes not allowed")
        self._skip(_DIGITS)
        token = "VALUE_NUMBER_INT"  # noqa: S105  # as above
        if self._peek() == ".":
            self._at += 1
            self._require_digit(_NO_DECIMAL, at_end=_unexpected_in_number(".", _NO_DECIMAL))
            self._skip(_DIGITS)
            token = "VALUE_NUMBER_FLOAT"  # noqa: S105  # as above
        if self._peek() in {"e", "E"}:
            self._at += 1
            self._at += self._peek() in {"+", "-"}
            self._require_digit("Exponent indicator not followed by a digit", at_end=_end_in(self._token))
            self._skip(_DIGITS)
            token = "VALUE_NUMBER_FLOAT"  # noqa: S105  # as above
        self._token = token
        digits = sum(map(str.isdigit, self._text[start : self._at]))
        if digits > LONGEST_NUMBER:
            limit = f"({LONGEST_NUMBER}, from `StreamReadConstraints.getMaxNumberLength()`)"
            message = f"Number value length ({digits}) exceeds the maximum allowed {limit}"
            raise _Fault(message)

    def _check_negative(self) -> None:
        """Refuse what follows a minus sign and is no digit."""
        char = self._peek()
        if char == ".":
            raise _unexpected(char, f"expected a valid value {_ANY_VALUE}")
        if char == "I":
            if self._text[self._at + 1 : self._at + 2] in {"n", "N"}:
                self._read_word("-")
            self._at += 1
        self._require_digit(_NO_DIGIT, at_end=_end_in(self._token))

    def _require_digit(self, why: str, at_end: _Fault) -> None:
        char = self._peek()
        if not char:
            raise at_end
        if char not in string.digits:
            raise _unexpected_in_number(char, why)


def _no_value(inside: _Container, char: str) -> _Fault:
    if not char.isascii():
        # The reader takes the first byte for a letter, and stumbles over the second.
        return _Fault(f"Invalid UTF-8 start byte 0x{char.encode()[1]:02x}")
    if char == "+":
        return _unexpected_in_number(char, _NO_PLUS)
    if char in ",}" or (char == "]" and inside.kind == "Array"):
        return _unexpected(char, "expected a value")
    return _unexpected(char, f"expected a valid value {_ANY_VALUE}")

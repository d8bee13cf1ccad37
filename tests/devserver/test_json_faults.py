"""What is wrong with a text is found where it is no JSON, and only there."""

import json
from typing import NoReturn

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from anyworker.devserver.wire.errors import RequestRefused
from anyworker.devserver.wire.jsonfaults import fault_of
from anyworker.devserver.wire.jsontext import decode

PIECES = st.sampled_from([*'{}[]:,"\\/ \n+-.eEux019', '"a"', "true", "null", "NaN", "Infinity", "\x01", "ä"])


def refuse(name: str) -> NoReturn:
    raise ValueError(name)


def is_json(text: str) -> bool:
    """Tell whether a text begins with a JSON value."""
    try:
        json.JSONDecoder(parse_constant=refuse).raw_decode(text.lstrip(" \t\r\n"))
    except ValueError:
        return False
    return True


@given(st.lists(PIECES, min_size=1, max_size=12).map("".join))
@example('"\\u12')
@example("[1e5,-0.5]")
def test_fault_is_found_where_there_is_one_and_only_there(text: str) -> None:
    if not text.strip(" \t\r\n"):
        return
    fault = fault_of(text)
    # At the root a number, or what begins as a word, may be followed by anything for Python's reader.
    if fault is not None and is_json(text):
        assert text.lstrip()[0] in "-0123456789tn"
    else:
        assert (fault is None) == is_json(text)


def test_broken_text_of_many_megabytes_is_refused_at_once() -> None:
    with pytest.raises(RequestRefused, match="Unexpected end-of-input in VALUE_STRING"):
        decode(b'{"a":"' + b"x" * 30_000_000)


def test_text_of_many_digits_is_no_number() -> None:
    text = "1" * 5000
    assert decode(json.dumps({"a": text}).encode()) == {"a": text}

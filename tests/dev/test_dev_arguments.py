"""What the command line names: input and files."""

import contextlib
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyworker.dev.arguments import read_definitions, read_input
from anyworker.errors import ConfigurationError


def read(text: str, stdin: bytes = b"") -> dict[str, object]:
    return read_input(text, io.BytesIO(stdin))


def test_input_is_json_or_a_file_or_standard_input(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes('\ufeff{"a": "ü"}'.encode())
    assert read('{"a": 1}') == {"a": 1}
    assert read(f"@{tmp_path / 'a.json'}") == {"a": "ü"}
    assert read("-", b'{"a": 2}') == {"a": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1', "line 1, column 8"),
        ('{"a": 1,\n "b" 2}', 'line 2, column 6\n   "b" 2}\n       ^'),
        ("", "--input: not JSON"),
        ("3", "not a number"),
        ("null", "not null"),
        ('"x"', "not a text"),
        ("true", "not a boolean"),
        ("@/nowhere/at.all", "/nowhere/at.all: No such file"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_bad_input_is_named_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    assert said in str(caught.value)


def test_text_that_breaks_off_has_no_line_to_point_at() -> None:
    with pytest.raises(ConfigurationError, match=r"Expecting value at line 2, column 1$"):
        read('{"a":\n')


@given(st.text())
def test_every_text_is_an_object_or_refused(text: str) -> None:
    if text == "-" or text.startswith("@"):
        return
    with contextlib.suppress(ConfigurationError):
        assert isinstance(read(text), dict)


def test_files_hold_one_definition_or_a_list(tmp_path: Path) -> None:
    one, many = tmp_path / "one.json", tmp_path / "many.json"
    one.write_text('{"name": "a", "tasks": []}')
    many.write_text('[{"name": "b", "tasks": []}, {"name": "t", "retryCount": 1}]')
    found = read_definitions([str(one), str(many)])
    assert found.names == ["a", "b"]
    assert [task["name"] for task in found.tasks] == ["t"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[3]", "item 0: expected a definition"),
        (b'"x"', "not a text"),
        (b"\xff\xfe{", "not UTF-8, at byte 0"),
    ],
)
def test_bad_files_are_named(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        read_definitions([str(tmp_path / "bad.json")])
    assert str(caught.value).startswith(f"{tmp_path / 'bad.json'}")
    assert said in str(caught.value)

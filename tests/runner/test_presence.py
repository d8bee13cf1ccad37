"""Word that processes leave of themselves for the time after their death."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from anyworker.runner.outbox.presence import Member, Will, Word, directory_of, left

WILL = Will(
    "http://server/api", (Member("work", "host-1-aa"), Member("toil", "host-1-aa", "eu", restartable=True))
)

DYING = """
import os, sys
from anyworker.runner.outbox.presence import Will, Word
word = Word.leave(sys.argv[1], "host-2-bb", Will("http://server/api", ()))
reader, writer = os.pipe()
if os.fork() == 0:
    os.write(writer, b"x")
    sys.stdin.read()  # it outlives its parent
    os._exit(0)
os.read(reader, 1)
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    return tmp_path / "results.db"


def test_word_of_the_living_is_not_taken(outbox: Path) -> None:
    word = Word.leave(outbox, "host-1-aa", WILL)
    [path] = left(outbox)
    with pytest.raises(BlockingIOError):
        Word.take(path)
    word.close()
    taken = Word.take(path)
    assert taken is not None
    assert taken.will == WILL
    taken.close()


def test_word_is_taken_by_one_only_and_by_another_if_that_one_dies_too(outbox: Path) -> None:
    Word.leave(outbox, "host-1-aa", WILL).close()
    [path] = left(outbox)
    first = Word.take(path)
    assert first is not None
    with pytest.raises(BlockingIOError):
        Word.take(path)
    first.close()
    second = Word.take(path)
    assert second is not None
    second.forget()
    assert not list(left(outbox))
    assert Word.take(path) is None


def test_word_is_for_its_user_alone(outbox: Path) -> None:
    word = Word.leave(outbox, "host-1-aa", WILL)
    assert stat.S_IMODE(word.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory_of(outbox).stat().st_mode) == 0o700
    word.forget()


def test_word_that_is_being_written_is_nobodys_yet(outbox: Path) -> None:
    assert not list(left(outbox))
    directory_of(outbox).mkdir()
    (directory_of(outbox) / "host-1-aa.new").touch()
    assert not list(left(outbox))


def test_word_that_says_something_else_is_no_word(outbox: Path) -> None:
    directory_of(outbox).mkdir()
    (directory_of(outbox) / "host-1-aa").write_text('{"server": 1}')
    [path] = left(outbox)
    with pytest.raises(ValueError, match="server"):
        Word.take(path)


def test_word_of_a_killed_process_is_taken_although_what_it_forked_lives(outbox: Path) -> None:
    reader, writer = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", DYING, outbox], stdin=reader)
    os.close(reader)
    try:
        assert process.wait(20) == -9
        [path] = left(outbox)
        word = Word.take(path)
        assert word is not None
        word.close()
    finally:
        os.close(writer)

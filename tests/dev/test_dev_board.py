"""What moves, and how it is put into words."""

import io

import pytest
from dev_changes import change

from anyworker.dev.board import Board
from anyworker.dev.hands import Hands
from anyworker.dev.plain import PlainView
from anyworker.dev.showing import clean, duration


def test_tasks_wait_then_are_in_hand_then_count() -> None:
    board = Board()
    board.apply(change("SCHEDULED"))
    assert list(board.waiting) == ["t1"]
    board.apply(change("IN_PROGRESS", 100, worker_id="w"))
    assert (list(board.waiting), list(board.in_hand)) == ([], ["t1"])
    row = board.apply(change("COMPLETED", 350, worker_id="w"))
    assert (board.in_hand, board.ended) == ({}, {"COMPLETED": 1})
    assert row.seconds() == 0.25
    assert row.worker_id == "w"


def test_task_handed_back_keeps_the_time_of_its_start() -> None:
    board = Board()
    for status, at in (("SCHEDULED", 0), ("IN_PROGRESS", 10), ("SCHEDULED", 20), ("IN_PROGRESS", 30)):
        row = board.apply(change(status, at))
    assert row.seconds(40) == 0.03


def test_workflows_run_until_they_have_ended() -> None:
    board, itself = Board(), {"task_id": None, "reference": None, "task_type": None}
    board.apply(change("RUNNING", **itself))
    board.apply(change("PAUSED", **itself))
    assert len(board.workflows) == 1
    row = board.apply(change("TERMINATED", 2000, **itself, reason="enough"))
    assert board.workflows == {}
    assert (row.seconds(), row.reason) == (2.0, "enough")


def test_hands_know_what_a_worker_has_left() -> None:
    hands = Hands()
    hands.note(change("IN_PROGRESS", worker_id="a"))
    hands.note(change("IN_PROGRESS", worker_id="b", task_id="t2"))
    hands.note(change("IN_PROGRESS", task_id="join"))
    assert hands.of(["a"]) == ["t1"]
    hands.note(change("COMPLETED", worker_id="a"))
    assert hands.of(["a", "b"]) == ["t2"]


def test_plain_view_writes_one_line_for_each_change_and_output_as_it_is() -> None:
    out, err = io.BytesIO(), io.BytesIO()
    view = PlainView(out, err)
    view.show_change(change("RUNNING", task_id=None, reference=None, task_type=None))
    view.show_change(change("IN_PROGRESS", worker_id="w", reference="a", task_type="b"))
    view.show_change(change("FAILED", 1500, worker_id="w", reason="no\nluck \x1b[2J"))
    view.show_line(b"\xff raw\n", is_error=True)
    view.show_notice("bad", is_error=True)
    lines = [line.partition("  ")[2] for line in out.getvalue().decode().splitlines()]
    assert lines == [
        "order/01234567  workflow  RUNNING",
        "order/01234567  a (b)  IN_PROGRESS  w",
        "order/01234567  a (b)  FAILED  w  1.50s  no\\nluck \\x1b[2J",
    ]
    assert err.getvalue() == b"\xff raw\nbad\n"


def test_plain_view_survives_a_reader_that_has_gone() -> None:
    out = io.BytesIO()
    view = PlainView(out, out)
    out.close()
    view.show_change(change("RUNNING"))
    view.refresh()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain 日本 é", "plain 日本 é"),
        ("a\r\n\tb", "a\\r\\n\\tb"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\u202eevil", "\\u202eevil"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("\ud800", "\\ud800"),
    ],
)
def test_texts_of_users_move_no_cursor(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, ""),
        (0.0, "0ms"),
        (0.9994, "999ms"),
        (1.0, "1.00s"),
        (59.99, "59.99s"),
        (61, "1m01s"),
        (7260, "2h01m"),
    ],
)
def test_durations_read_well(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown

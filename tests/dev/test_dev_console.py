"""One thread shows everything, in order, on whatever there is to write to."""

import io
import logging
import re
import threading

import pytest
from dev_changes import change

from anyworker.dev import screen
from anyworker.dev.console import Console, ConsoleHandler
from anyworker.dev.plain import PlainView
from anyworker.dev.screen import ScreenView


class Terminal(io.StringIO):
    """A terminal of so many columns."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "30")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def shown(terminal: Terminal) -> list[str]:
    """Return what was written, without colours and movements, line by line."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue().replace("\r", "\n")).splitlines()


def test_what_threads_tell_comes_whole_and_in_the_order_of_each() -> None:
    out = io.BytesIO()

    def tell(console: Console, name: str) -> None:
        for number in range(200):
            console.line(f"{name} {number}\n".encode(), is_error=False)

    with Console(lambda: PlainView(out, out)) as console:
        threads = [threading.Thread(target=tell, args=(console, name)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = out.getvalue().decode().splitlines()
    for name in "abc":
        assert [line for line in lines if line.startswith(name)] == [f"{name} {n}" for n in range(200)]
    assert len(lines) == 600


def test_log_records_and_problems_go_to_standard_error() -> None:
    out, err = io.BytesIO(), io.BytesIO()
    with Console(lambda: PlainView(out, err)) as console:
        handler = ConsoleHandler(console)
        handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "said %s", ("so",), None))
        handler.flush()
        assert err.getvalue() == b"said so\n"
        console.problems(["one", "two"])
        console.notice("fine")
    assert (out.getvalue(), err.getvalue()) == (b"fine\n", b"said so\none\ntwo\n")


def test_screen_keeps_what_moves_below_and_lets_the_rest_scroll(terminal: Terminal) -> None:
    view = ScreenView(terminal, None)
    view.show_state("http://here")
    view.show_change(change("IN_PROGRESS", worker_id="w"))
    view.refresh()
    assert any("IN_PROGRESS" in line for line in shown(terminal))
    assert any("http://here" in line and "1 in hand" in line for line in shown(terminal))
    view.show_line(b"a print\n", is_error=False)
    view.show_change(change("FAILED", 1500, worker_id="w", reason="no \x1b[2J luck " * 20))
    view.close()
    lines = shown(terminal)
    assert "a print" in [line.strip() for line in lines]
    assert any("FAILED" in line and "1.50s" in line for line in lines)
    assert "no \\x1b[2J luck" in " ".join(lines)
    assert "\x1b[2J" not in terminal.getvalue()
    assert max(map(len, lines)) <= 100


def test_screen_shows_the_first_of_many_and_counts_the_rest(terminal: Terminal) -> None:
    view = ScreenView(terminal, None)
    for number in range(200):
        view.show_change(change("SCHEDULED", task_id=f"t{number}"))
    view.refresh()
    lines = shown(terminal)
    view.close()
    assert sum("SCHEDULED" in line for line in lines) == 12
    assert any("and 188 more" in line for line in lines)


def test_screen_says_of_a_workflow_only_what_its_task_does_not(terminal: Terminal) -> None:
    view = ScreenView(terminal, None)
    itself = {"task_id": None, "reference": None, "task_type": None}
    for workflow_id, tasks in (("single000", ["a"]), ("double000", ["b", "c"]), ("nothing00", [])):
        view.show_change(change("RUNNING", workflow_id=workflow_id, **itself))
        for task_id in tasks:
            view.show_change(change("SCHEDULED", workflow_id=workflow_id, task_id=task_id))
            view.show_change(change("COMPLETED", workflow_id=workflow_id, task_id=task_id))
        view.show_change(change("COMPLETED", workflow_id=workflow_id, **itself))
    view.close()
    said = [line for line in shown(terminal) if " workflow " in line]
    assert [name in "".join(said) for name in ("single00", "double00", "nothing0")] == [False, True, True]


def test_screen_leaves_errors_to_a_standard_error_elsewhere(terminal: Terminal) -> None:
    err = io.BytesIO()
    view = ScreenView(terminal, err)
    view.show_line(b"log line\n", is_error=True)
    view.show_notice("a problem", is_error=True)
    view.close()
    assert err.getvalue() == b"log line\na problem\n"
    assert "log line" not in terminal.getvalue()


def test_colours_of_workers_stay_and_their_movements_go(terminal: Terminal) -> None:
    view = ScreenView(terminal, None)
    view.show_line(b"\x1b[31mred\x1b[0m \x1b[2Jover\n", is_error=False)
    view.close()
    assert "\x1b[31mred" in terminal.getvalue()
    assert "\x1b[2J" not in terminal.getvalue()


@pytest.mark.parametrize("width", [10, 40, 72, 100, 250])
@pytest.mark.parametrize("name", ["a", "long_" * 30, "発注" * 30])
def test_lines_fit_every_terminal(width: int, name: str) -> None:
    columns = screen._Columns.of(width)
    view = ScreenView(Terminal(), None)
    row = view._board.apply(
        change("FAILED_WITH_TERMINAL_ERROR", workflow_name=name, reference=name, worker_id=name)
    )
    line = view._line(row, columns, 1.0)
    view.close()
    assert line.cell_len <= max(width, 58)

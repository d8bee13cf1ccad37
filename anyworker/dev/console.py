"""One thread that shows everything: nothing that happens waits for a terminal, and no two lines mix."""

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from typing import Self

from anyworker.dev.showing import View
from anyworker.devserver.records.changes import Change

_LAST_WORDS_SECONDS = 5.0
"""How long a terminal that does not take it is waited for at the end."""
_FAREWELL_SECONDS = 0.4
"""The same for a forced exit."""
_MOST_STEPS = 1000
"""How much is taken in before it is shown."""

_Step = Callable[[View], None]


class Console:
    """Shows what happens, from whatever thread it is told. Used as a context manager.

    Args:
        make_view: Makes the view, in the console's own thread: what it imports delays nobody.
    """

    def __init__(self, make_view: Callable[[], View]) -> None:
        self._make_view = make_view
        self._steps: queue.SimpleQueue[_Step | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="anyworker console", daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Show what has been told so far, and no more; leave the terminal as it was."""
        self._steps.put(None)
        self._thread.join(_LAST_WORDS_SECONDS)

    def change(self, change: Change) -> None:
        """Show a change."""
        self._steps.put(lambda view: view.show_change(change))

    def line(self, line: bytes, *, is_error: bool) -> None:
        """Show a line that a process wrote."""
        self._steps.put(lambda view: view.show_line(line, is_error=is_error))

    def notice(self, text: str, *, is_error: bool = False) -> None:
        """Show a text of the command's own."""
        self._steps.put(lambda view: view.show_notice(text, is_error=is_error))

    def problems(self, problems: Iterable[str]) -> None:
        """Show what is wrong."""
        for problem in problems:
            self.notice(problem, is_error=True)

    def state(self, text: str) -> None:
        """Show how things stand, until they stand otherwise."""
        self._steps.put(lambda view: view.show_state(text))

    def flush(self) -> None:
        """Wait, not for long, until what has been told so far is shown."""
        shown = threading.Event()

        def show(view: View) -> None:
            view.refresh()
            shown.set()

        self._steps.put(show)
        shown.wait(_FAREWELL_SECONDS)

    def _run(self) -> None:
        view = self._make_view()
        patience: float | None = None
        while self._take_steps(view, patience):
            patience = view.refresh()
        view.close()

    def _take_steps(self, view: View, patience: float | None) -> bool:
        """Take in what is there, waiting for the first of it; return whether more is to come."""
        try:
            step = self._steps.get(timeout=patience)
            for _ in range(_MOST_STEPS):
                if step is None:
                    return False
                step(view)
                step = self._steps.get_nowait()
        except queue.Empty:
            return True
        if step is not None:
            step(view)
        return step is not None


class ConsoleHandler(logging.Handler):
    """Shows log records by a console."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record."""
        self._console.notice(self.format(record), is_error=True)

    def flush(self) -> None:
        """Wait until the records so far are shown."""
        self._console.flush()

"""The official SDK under measurement, where `subject.py` has anyworker: its worker, run by its task handler.

    /path/to/venv/bin/python benchmarks/official_subject.py --url http://127.0.0.1:PORT --slots 10

It needs an interpreter with ``conductor-python``. The CPU time is that of the process in which the handler
runs the worker; those beside it, its parent among them, are left out. It logs nothing below a warning.
"""

import asyncio
import json
import logging
import sys
import tempfile
import threading
from pathlib import Path

from conductor.client.automator.task_handler import TaskHandler
from conductor.client.configuration.configuration import Configuration
from conductor.client.worker.worker import Worker
from meter import Meter, Settings, settings_of_command_line

logging.disable(logging.INFO)


class Subject:
    """A function for the worker, which tells in a file what it has measured."""

    def __init__(self, settings: Settings, told: Path) -> None:
        self._meter = Meter(settings)
        self._told = told
        self._seconds = settings.io_ms / 1000

    async def greet_async(self, name: str) -> str:
        """Wait, count, and return the name."""
        if self._seconds:
            await asyncio.sleep(self._seconds)
        return self._counted(name)

    def greet(self, name: str) -> str:
        """Wait, count, and return the name."""
        if self._seconds:
            threading.Event().wait(self._seconds)
        return self._counted(name)

    def _counted(self, name: str) -> str:
        if self._meter.tick():
            unfinished = self._told.with_suffix(".part")
            unfinished.write_text(json.dumps(self._meter.figures()))
            unfinished.rename(self._told)
        return name


def main() -> None:
    """Work off the backlog and print what a task has cost."""
    settings = settings_of_command_line(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "figures.json")
        subject = Subject(settings, told)
        function = subject.greet_async if settings.mode == "async" else subject.greet
        worker = Worker("greet", function, thread_count=settings.slots)
        configuration = Configuration(server_api_url=f"{settings.url}/api")
        with TaskHandler([worker], configuration, scan_for_annotated_workers=False) as handler:
            handler.start_processes()
            while not told.exists():
                threading.Event().wait(0.05)
            # The last results are on their way.
            threading.Event().wait(1 + settings.slots / 100)
        sys.stdout.write(told.read_text() + "\n")


if __name__ == "__main__":
    main()

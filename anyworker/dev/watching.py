"""Notice that the code of the workers has changed."""

import os
from collections.abc import Callable
from pathlib import Path

import anyio
from anyio.abc import TaskGroup
from watchfiles import Change, awatch

from anyworker.dev.messages import Sources

_DEBOUNCE_MS = 400
"""For how long saves that follow each other make one reload."""
_STEP_MS = 50
"""How long nothing must have been saved for that."""


class Watcher:
    """Watches where code comes from, until it is told to watch something else.

    Args:
        tasks: Where it runs.
        tell: Gets the files that have changed.
    """

    def __init__(self, tasks: TaskGroup, tell: Callable[[list[str]], None]) -> None:
        self._tasks = tasks
        self._tell = tell
        self._sources = Sources()
        self._is_any_welcome = False
        self._stop = anyio.Event()

    def watch(self, sources: Sources, *, is_any_welcome: bool = False) -> None:
        """Watch these sources instead of the earlier ones.

        Args:
            sources: Where the code comes from.
            is_any_welcome: Let every ``.py`` file beside the lone ones count: one that was missed may appear.
        """
        self._is_any_welcome = is_any_welcome
        if sources == self._sources:
            return
        self.stop()
        self._stop = anyio.Event()
        self._sources = sources
        # A lone file is watched through its directory: editors put a new file in the place of the old.
        beside = {str(Path(file).parent) for file in sources.files}
        for directories, is_recursive in ((beside, False), (sources.packages, True)):
            if present := [directory for directory in directories if Path(directory).is_dir()]:
                self._tasks.start_soon(self._run, present, is_recursive, self._stop)

    def stop(self) -> None:
        """Watch nothing more; the threads that wait for the system end by themselves."""
        self._stop.set()

    async def _run(self, directories: list[str], is_recursive: bool, stop: anyio.Event) -> None:
        async for changes in awatch(
            *directories,
            watch_filter=self._is_meant,
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            stop_event=stop,
            recursive=is_recursive,
            ignore_permission_denied=True,
        ):
            self._tell(sorted({path for _, path in changes}))

    def _is_meant(self, _: Change, path: str) -> bool:
        if not path.endswith(".py"):
            return False
        if path in self._sources.files or self._is_any_welcome:
            return True
        return any(path.startswith(f"{directory}{os.sep}") for directory in self._sources.packages)

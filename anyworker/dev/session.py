"""One run of the command: the workers' process through its reloads, and a workflow to start.

Everything that happens comes in as a message, one after the other, and the phase says what it means: no two
reactions run side by side.
"""

import math
import os
from typing import assert_never

import anyio

from anyworker.conductor.client import ConductorClient
from anyworker.conductor.models import Workflow
from anyworker.configuration import Configuration
from anyworker.dev import messages
from anyworker.dev.console import Console
from anyworker.dev.definitions import attempt, declared_tasks, trial_definitions
from anyworker.dev.hands import Hands
from anyworker.dev.happenings import Changed, Ended, Finished, Happening, Phase, Said, Stopped
from anyworker.dev.process import WorkerProcess
from anyworker.dev.server import Server
from anyworker.dev.settings import EXIT_ENDED_BADLY, Settings
from anyworker.dev.texts import outcome_text, welcome
from anyworker.dev.watching import Watcher
from anyworker.devserver import DevServer
from anyworker.errors import ConfigurationError
from anyworker.fleet.control.signals import SignalStages, Stage
from anyworker.fleet.conventions import EXIT_ABANDONED, EXIT_COULD_NOT_START
from anyworker.fleet.fleet import CANCEL_SECONDS
from anyworker.fleet.processes.exits import describe_status

RELOAD_GRACE = 2.0
"""Seconds that tasks in hand may take to finish before a reload; then they are handed back."""
_KILL_AFTER = 1.0
"""Seconds after their cancellation for which a reload waits for functions that go on all the same."""
_LEAVE_AFTER = CANCEL_SECONDS + 4.0
"""The same at the end, where the process says itself what it had to abandon."""
_STABLE_SECONDS = 1.0
"""A process that dies sooner than this after it began to work would die again at once."""


class Session:
    """Keeps workers running beside a dev server.

    Args:
        settings: What the command was told.
        console: Shows what happens.
        server: The dev server.
        url: Where it serves its API.
        process: The first process of the workers.
    """

    def __init__(
        self, settings: Settings, console: Console, server: DevServer, url: str, process: WorkerProcess
    ) -> None:
        self._settings = settings
        self._console = console
        self._dev_server = server
        self._url = url
        self._process = process
        self._phase = Phase.IMPORTING
        self._hands = Hands()
        server.engine.on_change.append(self._hands.note)
        self._send, self._happenings = anyio.create_memory_object_stream[Happening](math.inf)
        self._sources = messages.Sources()
        self._cards: list[messages.Card] = []
        self._worker_ids: list[str] = []
        self._serving_since = math.inf
        self._has_served = False
        self._status: int | None = None
        """The exit status, as soon as it is certain."""
        self.finished: Workflow | None = None
        """The workflow that was waited for, once it has ended."""

    async def run(self, stages: SignalStages) -> int:
        """Run until a signal, or until what was to be done once is done; return the exit status."""
        configuration = Configuration(server_api_url=self._url, proxy="")
        with self._send, self._happenings:
            async with ConductorClient(configuration) as client, anyio.create_task_group() as tasks:
                self._tasks, self._server = tasks, Server(client)
                self._watcher = Watcher(tasks, lambda paths: self._tell(Changed(paths)))
                tasks.start_soon(client.keep_time)
                tasks.start_soon(stages.follow, lambda stage: self._tell(Stopped(stage)))
                self._begin(self._process)
                try:
                    await self._attend()
                finally:
                    self._watcher.stop()
                    tasks.cancel_scope.cancel()
        return self._status or 0

    def close(self) -> None:
        """Leave no process behind, whatever happened."""
        self._process.close()

    def _tell(self, happening: Happening) -> None:
        self._send.send_nowait(happening)

    async def _attend(self) -> None:
        async for happening in self._happenings:
            match happening:
                case Stopped(stage=Stage.CANCEL):
                    self._process.say(messages.Cancel())
                case Stopped():
                    self._stop()
                case Changed(paths):
                    self._reload(paths)
                case Said(process, report):
                    if process is self._process:
                        await self._hear(report)
                case Finished(workflow):
                    self._finish(workflow)
                case Ended(process, status):
                    if process is self._process and await self._bury(status):
                        return
                case _:
                    assert_never(happening)

    # The process of the workers

    def _begin(self, process: WorkerProcess) -> None:
        self._process = process
        self._phase = Phase.IMPORTING
        self._serving_since = math.inf
        self._worker_ids = []
        process.say(self._settings.wanted)
        self._tasks.start_soon(self._follow, process)

    async def _follow(self, process: WorkerProcess) -> None:
        while (report := await process.listen()) is not None:
            self._tell(Said(process, report))
        self._tell(Ended(process, await process.ended()))

    async def _hear(self, report: messages.Report) -> None:
        match report:
            case messages.Declared(workers, sources):
                self._watch(sources)
                await self._introduce(workers)
            case messages.Refused(problems, sources):
                self._watch(self._sources | (sources or messages.Sources()), is_any_welcome=True)
                self._console.problems(problems)
            case messages.Serving(worker_ids):
                self._worker_ids = worker_ids
                await self._welcome()
            case messages.Draining():
                # Its waiting polls keep it from ending, and bring nothing that it would run.
                self._dev_server.hurry()
            case _:
                assert_never(report)

    async def _introduce(self, cards: list[messages.Card]) -> None:
        """Register what the workers need; then let them begin."""
        if self._phase is not Phase.IMPORTING:
            return
        self._cards = cards
        given = self._settings.definitions
        try:
            needed = trial_definitions(cards) if given is None else declared_tasks(cards, given) + given
            await self._server.register(needed)
        except ConfigurationError as error:
            self._console.problems(error.problems)
            self._end(messages.Cancel(), _KILL_AFTER)
            return
        self._process.say(messages.Serve(self._url, self._settings.grace))

    async def _welcome(self) -> None:
        if self._phase is not Phase.IMPORTING:
            return
        self._phase = Phase.SERVING
        self._dev_server.relax()
        self._serving_since = anyio.current_time()
        count = f"{len(self._cards)} worker{'s' * (len(self._cards) != 1)}"
        self._console.state(f"{self._url}  {count}")
        if self._has_served:
            self._console.notice(f"Reloaded: {count}")
            return
        self._has_served = True
        self._console.notice(welcome(self._cards, self._url, self._settings))
        if self._settings.start is not None:
            await self._start(self._settings.start)

    async def _bury(self, status: int) -> bool:
        """Go on after the end of the process; return whether it was the last."""
        phase = self._phase
        self._process.close()
        # Polls of a process that is no more take tasks all the same.
        self._dev_server.hurry()
        left = self._hands.of(self._worker_ids)
        match phase:
            case Phase.STOPPING:
                if self._status is None:
                    self._status = 0 if status == 0 else EXIT_ABANDONED
                return True
            case Phase.LEAVING:
                await self._server.give_back(left, None)
                self._begin_anew()
                return False
            case Phase.IMPORTING:
                if status not in {0, EXIT_COULD_NOT_START}:
                    self._console.problems([f"the process of the workers {describe_status(status)}"])
            case Phase.SERVING | Phase.BROKEN:
                blame = f"the process of the workers {describe_status(status)} while it ran the task"
                await self._server.give_back(left, blame)
                self._console.problems([f"The process of the workers {describe_status(status)}"])
                # A task that was to blame has failed, and is not given out for ever.
                if left or anyio.current_time() - self._serving_since >= _STABLE_SECONDS:
                    self._begin_anew()
                    return False
            case _:
                assert_never(phase)
        return self._is_over()

    def _end(self, order: messages.Order, patience: float) -> None:
        """Tell the process to end, and end it after so many seconds if it does not."""
        self._process.say(order)
        self._tasks.start_soon(self._process.kill_after, patience)

    def _begin_anew(self) -> None:
        self._begin(WorkerProcess.begin(self._settings.backend, self._settings.level, self._console.line))

    def _is_over(self) -> bool:
        """Return whether there is no hope of workers: at the start, or where no change is waited for."""
        if not self._has_served or not self._settings.has_reload:
            self._status = EXIT_COULD_NOT_START if self._status is None else self._status
            return True
        self._phase = Phase.BROKEN
        self._dev_server.relax()
        self._console.state(f"{self._url}  no workers until the code changes")
        self._console.notice("No workers; the next change of the code tries again", is_error=True)
        return False

    # Reloading

    def _watch(self, sources: messages.Sources, *, is_any_welcome: bool = False) -> None:
        self._sources = sources
        if self._settings.has_reload:
            self._watcher.watch(sources, is_any_welcome=is_any_welcome)

    def _reload(self, paths: list[str]) -> None:
        if self._phase in {Phase.STOPPING, Phase.LEAVING}:
            return
        self._console.notice(f"Reloading: {', '.join(os.path.relpath(path) for path in paths)} changed")
        self._console.state(f"{self._url}  reloading")
        if self._phase is Phase.BROKEN:
            self._begin_anew()
        elif self._phase is Phase.IMPORTING:
            self._phase = Phase.LEAVING
            self._process.kill()
        else:
            self._phase = Phase.LEAVING
            self._end(messages.Drain(RELOAD_GRACE), RELOAD_GRACE + _KILL_AFTER)

    # The end

    def _stop(self) -> None:
        """Begin to end, the workers first."""
        phase, self._phase = self._phase, Phase.STOPPING
        self._console.state("stopping")
        if self._settings.is_once and self._status is None:
            self._status = EXIT_ENDED_BADLY
            self._console.notice("Stopped before the workflow had ended", is_error=True)
        if phase is Phase.BROKEN:
            self._tell(Ended(self._process, 0))
        elif phase is Phase.IMPORTING:
            # It has no task yet, and modules that are being imported cannot be asked to stop.
            self._status = 0 if self._status is None else self._status
            self._process.kill()
        else:
            if tasks := self._hands.of(self._worker_ids):
                self._console.notice(
                    f"Draining: {len(tasks)} in hand, {self._settings.grace:g} s to finish; again to cancel"
                )
            self._end(messages.Drain(), self._settings.grace + _LEAVE_AFTER)

    # The workflow to start

    async def _start(self, name: str) -> None:
        try:
            wanted = attempt(name, self._settings.input, self._cards, self._settings.definitions)
            workflow_id = await self._server.start(wanted)
        except ConfigurationError as error:
            self._console.problems(error.problems)
            self._status = EXIT_COULD_NOT_START
            self._stop()
            return
        self._console.notice(f"Started {name}: {workflow_id}")
        self._tasks.start_soon(self._wait_for, workflow_id)

    async def _wait_for(self, workflow_id: str) -> None:
        self._tell(Finished(await self._server.result(workflow_id)))

    def _finish(self, workflow: Workflow) -> None:
        self.finished = workflow
        if not self._settings.is_once:
            self._console.notice(outcome_text(workflow), is_error=workflow.status != "COMPLETED")
        elif self._phase is not Phase.STOPPING:
            self._status = 0 if workflow.status == "COMPLETED" else EXIT_ENDED_BADLY
            self._stop()

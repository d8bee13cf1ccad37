"""Let workflows flow on a real server while everything around them breaks, and count what came of them.

    python tests/e2e/chaos.py --who asyncio --seconds 180 --seed 1
    python tests/e2e/chaos.py --who official --python VENV/bin/python

Children and parents are SIGKILLed and SIGTERMed, fleets are rolled and killed as a whole, the server is
SIGKILLed and started again on its database, and a proxy delays, halves and drops connections, in an order
that the seed gives. Prints the figures as JSON (``chaos_count.count`` says what they mean). The server is
the run's own; see ``tests/real_server.py``.

Exit status: 0 if all that anyworker promises held, or another was driven; 1 if not; 77 if the server cannot
be had on this machine.
"""

import argparse
import ctypes
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import anyio.from_thread
import anyio.to_thread
import attrs

TESTS = Path(__file__).parents[1]
sys.path.append(str(TESTS))

import real_server  # noqa: E402 - its directory has been added
from bound_process import UnavailableError, free_port  # noqa: E402
from chaos_count import Loss, Outage, Record, count  # noqa: E402
from chaos_fleets import Fleets  # noqa: E402
from chaos_flow import Flow, client  # noqa: E402
from chaos_proxy import Proxy, seeded_weather  # noqa: E402

SUBJECTS = Path(__file__).parent / "chaos_subjects"
PROCESSES = 2
STORM = {"delay": 0.05, "halve": 0.03, "drop": 0.05}
"""Likelihoods, for each piece that the proxy carries."""
STORM_SECONDS = (2.0, 6.0)
FAULTS = (
    *("kill_child", "kill_child", "term_child", "kill_parent", "term_parent", "roll", "kill_fleet"),
    *("storm", "storm", "kill_server"),
)
PR_SET_CHILD_SUBREAPER = 36

Fault = Callable[[], Awaitable[None]]


class Server:
    """A server that is killed and started again on its data."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.outages: list[Outage] = []
        self._end = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    async def start(self, tasks: anyio.abc.TaskGroup) -> None:
        """Run it in the task group until `end`; return when it answers."""
        answers, self._end = anyio.Event(), threading.Event()
        # The system ends it with the thread that started it, which has to last as long.
        tasks.start_soon(anyio.to_thread.run_sync, self._live, self._end, answers)
        await answers.wait()

    def _live(self, end: threading.Event, answers: anyio.Event) -> None:
        with real_server.running_in(self.directory, self.port):
            anyio.from_thread.run_sync(answers.set)
            end.wait()

    def end(self) -> None:
        """Kill it."""
        self._end.set()


@attrs.define(eq=False)
class Chaos:
    """All that breaks.

    Args:
        fleets: Of workers.
        server: Theirs.
        proxy: Between them.
        dice: Chooses what, and when.
        tasks: Runs the server.
        names: Of what is to be done; a name given twice comes twice as often.
        pauses: Seconds between two faults, from and to.
    """

    fleets: Fleets
    server: Server
    proxy: Proxy
    dice: random.Random
    tasks: anyio.abc.TaskGroup
    names: Sequence[str]
    pauses: tuple[float, float]
    done: dict[str, int] = attrs.field(factory=dict)
    """How often what was done."""
    _locks: dict[str, anyio.Lock] = attrs.field(
        factory=lambda: {name: anyio.Lock() for name in ("storm", "kill_server")}
    )
    """Of what lasts, and goes on while other things happen, one after another of its kind."""

    async def run(self, seconds: float) -> None:
        """Break one thing after another for so long, each of them once at least.

        A storm and an outage go on while others happen, and are over when this returns.
        """
        deadline, hand = anyio.current_time() + seconds, self._shuffled()
        async with anyio.create_task_group() as lasting:
            while hand or anyio.current_time() < deadline:
                hand = hand or self._shuffled()
                name = hand.pop()
                self.done[name] = self.done.get(name, 0) + 1
                if name in self._locks:
                    lasting.start_soon(self._alone, self._locks[name], getattr(self, name))
                else:
                    await getattr(self.fleets, name)()
                await anyio.sleep(self.dice.uniform(*self.pauses))

    def _shuffled(self) -> list[str]:
        names = list(self.names)
        self.dice.shuffle(names)
        return names

    async def _alone(self, lock: anyio.Lock, fault: Fault) -> None:
        async with lock:
            await fault()

    async def storm(self) -> None:
        """Let the proxy delay, halve and drop for a while."""
        self.proxy.weather.turn(**STORM)
        await anyio.sleep(self.dice.uniform(*STORM_SECONDS))
        self.proxy.weather.turn()

    async def kill_server(self) -> None:
        """SIGKILL for the server, which starts again at once."""
        killed = time.monotonic_ns()
        self.server.end()
        await self.server.start(self.tasks)
        self.server.outages.append(Outage(killed, time.monotonic_ns()))


async def play(options: argparse.Namespace, directory: Path) -> dict[str, Any]:
    """Return the figures of a run."""
    dice = random.Random(options.seed)
    server, journal, losses = Server(directory), directory / "journal", list[Loss]()
    journal.touch()
    proxy = Proxy(
        server.port,
        seeded_weather(options.seed),
        lambda task_id: losses.append(Loss(task_id, time.monotonic_ns())),
    )
    async with anyio.create_task_group() as tasks, proxy.serving() as port, client(server.url) as http:
        try:
            await server.start(tasks)
            flow = Flow(http, f"chaos_{options.seed}", random.Random(options.seed), options.rate)
            await flow.register()
            fleets = Fleets(
                command(options, flow.prefix, directory),
                environment(f"http://127.0.0.1:{port}/api"),
                directory,
                journal,
                dice,
            )
            chaos = Chaos(fleets, server, proxy, dice, tasks, options.faults, options.pauses)
            try:
                await break_while_flowing(options, flow, chaos)
            finally:
                with anyio.CancelScope(shield=True):
                    left = await fleets.close()
            workflows = await flow.read()
        finally:
            server.end()
    outages = [round((each.back - each.killed) / 1e9, 1) for each in server.outages]
    seen = (fleets.deaths, losses, server.outages)
    figures = count(Record(journal.read_text(), flow.started, workflows, *seen))
    return {
        "who": options.who,
        "seed": options.seed,
        "seconds": options.seconds,
        "done": chaos.done,
        "connections_cut": proxy.cuts,
        "outages_seconds": outages,
        **figures,
        "exit_statuses": fleets.exits,
        "processes_left": left,
    }


async def break_while_flowing(options: argparse.Namespace, flow: Flow, chaos: Chaos) -> None:
    """Let workflows flow, break what can be broken, and wait until all workflows have ended."""
    async with anyio.create_task_group() as flowing:
        chaos.fleets.start()
        flowing.start_soon(flow.run)
        await chaos.fleets.until_at_work()
        await chaos.run(options.seconds)
        flowing.cancel_scope.cancel()
    await flow.settle(options.patience)


def command(options: argparse.Namespace, prefix: str, directory: Path) -> list[str]:
    """Return what starts a fleet."""
    script = "official.py" if options.who == "official" else "ours.py"
    arguments = [prefix, PROCESSES, directory / "journal"]
    if options.who != "official":
        arguments += [directory / "outbox.db", options.who, *options.update_retry_delays]
    return [str(options.python), str(SUBJECTS / script), *map(str, arguments)]


def environment(url: str) -> dict[str, str]:
    """Return the environment of a fleet, in which nothing else says how it is to work."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    return kept | {"CONDUCTOR_SERVER_URL": url}


def broken(figures: dict[str, Any]) -> list[str]:
    """Return which of anyworker's promises a run did not find kept."""
    nothing = (
        "wrong",
        "unfinished",
        "results_lost",
        "run_by_two_at_once",
        "waited_for_response_timeout",
        "of_fleets_killed_whole",
        "processes_left",
    )
    found = [f"{name}: {figures[name]}" for name in nothing if figures[name]]
    if any(status != 0 for status in figures["exit_statuses"]):
        found.append(f"exit_statuses: {figures['exit_statuses']}")
    return found if figures["workflows"] else ["no workflow was started"]


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        description="Break everything around workers, and count what came of it."
    )
    parser.add_argument("--who", choices=("asyncio", "trio", "official"), default="asyncio")
    parser.add_argument("--seconds", type=float, default=180.0, help="how long things break (180)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--faults",
        nargs="+",
        choices=sorted(set(FAULTS)),
        default=FAULTS,
        metavar="FAULT",
        help=f"what is done, more often what is named more often: {' '.join(FAULTS)}",
    )
    parser.add_argument(
        "--pauses", type=float, nargs=2, default=(1.0, 4.0), help="seconds between two faults (1 4)"
    )
    parser.add_argument("--rate", type=float, default=4.0, help="workflows a second (4)")
    parser.add_argument("--patience", type=float, default=120.0, help="most seconds to settle after (120)")
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the workers")
    parser.add_argument("--update-retry-delays", type=float, nargs="+", default=[10.0, 20.0, 30.0])
    parser.add_argument("--directory", help="keep logs, journal and databases in this new directory")
    return parser.parse_args()


def main() -> int:
    """Play a run; see the module's docstring."""
    options = arguments()
    try:
        real_server.java()
        real_server.jar()
    except UnavailableError as error:
        print(f"chaos: {error}", file=sys.stderr)
        return real_server.UNAVAILABLE
    # Children whose parent was killed come to this process, which then sees that they end.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as scratch:
        directory = Path(options.directory or scratch).absolute()
        directory.mkdir(exist_ok=True)
        figures = anyio.run(play, options, directory)
    found = broken(figures) if options.who != "official" else []
    print(json.dumps(figures | {"broken": found}, indent=2))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

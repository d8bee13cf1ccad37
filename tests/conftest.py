"""What every test gets without asking, and the few things it can ask for.

Backends: an ``async def`` test runs on asyncio, uvloop and trio. ``@pytest.mark.virtual_time`` (also as
``pytestmark``) runs it under virtual time instead, on asyncio and trio, each with a fresh clock at 0.0.
Choose backends by hand with ``@pytest.mark.parametrize("anyio_backend", ["uvloop"], indirect=True)``; the
names are the keys of ``BACKENDS``. The same goes for plain functions that ask for ``anyio_backend``, for
example to hand its two parts to ``anyio.run(..., backend=name, backend_options=options)``.

Blocking calls: one made through anyworker's code on asyncio's loop raises ``blockbuster.BlockingError``, also
one that a test's own worker function makes. ``@pytest.mark.blocking`` allows them.

Isolation: before each test the registry of workers is empty and no setting of Conductor or of a proxy is in
the environment; after it no process and no thread may be left.

The real server: tests that ask for ``conductor_url`` (marked ``real_server`` thereby) run under
``pytest --real-server``, which starts one, or with ``CONDUCTOR_SERVER_URL`` set, which names one.
``--real-server=postgres`` and ``--real-server=redis`` start it with that back end in place of SQLite, or say
that the named one has it.

Simulation: ``--seeds`` and ``--first-seed`` say which of its runs are played.

Hypothesis: profile ``fast``, or ``ci`` (the same every time) where ``CI`` is set, or the one that
``--hypothesis-profile`` names; ``full`` is the long one. Tests marked ``full`` run under that one only.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import real_server
from blockbuster import blockbuster_ctx

from anyworker.registry import clear_registry
from anyworker.testing import virtual_backend

Backend = tuple[str, dict[str, Any]]

BACKENDS: dict[str, Callable[[], Backend]] = {
    "asyncio": lambda: ("asyncio", {}),
    "uvloop": lambda: ("asyncio", {"use_uvloop": True}),
    "trio": lambda: ("trio", {}),
    "virtual-asyncio": lambda: virtual_backend("asyncio"),
    "virtual-trio": lambda: virtual_backend("trio"),
}
REAL_TIME = ("asyncio", "uvloop", "trio")
VIRTUAL_TIME = ("virtual-asyncio", "virtual-trio")

FOREIGN_SETTINGS = ("conductor_", "conductor.", "http_proxy", "https_proxy", "all_proxy", "no_proxy")
"""Beginnings of environment variables, in lower case, that would change what a test does."""

THREAD_GRACE = 2.0
"""Real seconds for a thread that was told to end."""

hypothesis.settings.register_profile("fast", max_examples=50, stateful_step_count=30, deadline=None)
hypothesis.settings.register_profile(
    "ci", max_examples=100, stateful_step_count=30, deadline=None, derandomize=True, print_blob=True
)
hypothesis.settings.register_profile("full", max_examples=2000, stateful_step_count=60, deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "fast")

url_key = pytest.StashKey[str | None]()
unavailable_key = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    # One option for each value, so that what follows the bare one is never taken for its value.
    for backend in real_server.BACKENDS:
        parser.addoption(
            *(["--real-server"] if backend == real_server.DEFAULT_BACKEND else []),
            f"--real-server={backend}",
            dest="real_server",
            action="store_const",
            const=backend,
            help=f"start a real Conductor server on {backend} for the tests that need one",
        )
    parser.addoption(
        "--seeds", type=int, help="how many runs the simulation plays: 500, and 5000 in the full profile"
    )
    parser.addoption("--first-seed", type=int, default=0, help="the first of them")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[url_key] = os.environ.get("CONDUCTOR_SERVER_URL")


# ---------------------------------------------------------------- backends


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test its backends, unless it chose them itself."""
    if "anyio_backend" not in metafunc.fixturenames:
        return
    chosen = (marker.args[0] for marker in metafunc.definition.iter_markers("parametrize"))
    if any("anyio_backend" in names for names in chosen):
        return
    is_virtual = metafunc.definition.get_closest_marker("virtual_time") is not None
    metafunc.parametrize("anyio_backend", VIRTUAL_TIME if is_virtual else REAL_TIME, indirect=True)


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    """Return the backend to run on, and its options, made afresh for each test."""
    return BACKENDS[request.param]()


# ---------------------------------------------------------------- isolation


@pytest.fixture(autouse=True)
def leave_nothing_behind() -> Iterator[None]:
    """Fail a test after which a process or a thread is left that was not there before it."""
    processes, threads = child_processes(), set(threading.enumerate())
    yield
    assert not (child_processes() - processes), "the test left child processes behind"
    assert not lasting_threads(threads), "the test left threads behind"


def child_processes() -> set[str]:
    """Return the command lines, after their pids, of this process's children, where /proc tells."""
    found = set[str]()
    for children in Path("/proc/self/task").glob("*/children"):
        for pid in _text(children).split():
            command = _text(Path("/proc", pid, "cmdline")).replace("\0", " ")
            found.add(f"{pid} {command or '(not waited for)'}")
    return found


def _text(path: Path) -> str:
    """Return what a file of /proc says, nothing if its thread or process has just ended."""
    try:
        return path.read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def lasting_threads(known: set[threading.Thread]) -> list[threading.Thread]:
    """Return the non-daemon threads beside the known ones that do not end by themselves."""
    new = [thread for thread in threading.enumerate() if not thread.daemon and thread not in known]
    for thread in new:
        thread.join(THREAD_GRACE)
    return [thread for thread in new if thread.is_alive()]


@pytest.fixture(autouse=True)
def isolated_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away every variable that would change what a test does."""
    for name in list(os.environ):
        if name.lower().startswith(FOREIGN_SETTINGS):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def empty_registry() -> Iterator[None]:
    """Begin and end without registered workers."""
    clear_registry()
    yield
    clear_registry()


@pytest.fixture(autouse=True)
def no_blocking_calls(request: pytest.FixtureRequest) -> Iterator[None]:
    """Refuse blocking calls from anyworker's code on asyncio's loop; threads and trio are not affected."""
    with ExitStack() as stack:
        if "anyio_backend" in request.fixturenames and request.node.get_closest_marker("blocking") is None:
            stack.enter_context(blockbuster_ctx("anyworker"))
        yield


# ---------------------------------------------------------------- the real server


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs the real server, and skip what is not wanted."""
    is_wanted = config.getoption("real_server") or config.stash[url_key]
    no_server = pytest.mark.skip(reason="needs a Conductor server: --real-server or CONDUCTOR_SERVER_URL")
    is_full = config.getoption("--hypothesis-profile") == "full"
    too_long = pytest.mark.skip(reason="takes long: --hypothesis-profile=full")
    for item in items:
        if "conductor_url" in getattr(item, "fixturenames", ()):
            item.add_marker("real_server")
        if not is_wanted and item.get_closest_marker("real_server"):
            item.add_marker(no_server)
        if not is_full and item.get_closest_marker("full"):
            item.add_marker(too_long)


@pytest.fixture(scope="session")
def conductor_backend(pytestconfig: pytest.Config) -> str:
    """Return what the real server keeps its data in."""
    return str(pytestconfig.getoption("real_server") or real_server.DEFAULT_BACKEND)


@pytest.fixture(scope="session")
def conductor_url(pytestconfig: pytest.Config, conductor_backend: str) -> Iterator[str]:
    """Return the API's base URL of a real Conductor server, shared by the whole session."""
    if named := pytestconfig.stash[url_key]:
        yield named
        return
    with ExitStack() as stack:
        try:
            url = stack.enter_context(real_server.running(conductor_backend))
        except real_server.UnavailableError as error:
            pytestconfig.stash[unavailable_key] = str(error)
            pytest.skip(f"no real Conductor server: {error}")
        yield url


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say aloud that the real server was asked for and could not be had."""
    if (reason := config.stash.get(unavailable_key, None)) is not None:
        terminalreporter.write_line(f"real-server tests SKIPPED, no server: {reason}", yellow=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a session that leaves a process or a thread behind, also one of a shared fixture."""
    left = [*child_processes(), *map(str, lasting_threads({threading.main_thread()}))]
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print(f"\nthe session left behind: {left}", file=sys.stderr)

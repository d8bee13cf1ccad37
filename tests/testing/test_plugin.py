"""The pytest plugin, in sessions of its users: plain, anyio's plugin, pytest-asyncio, pytest-trio."""

import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from anyworker import worker_task
from anyworker.testing import Conductor, VirtualTime

SHARED = """
import anyio
import pytest
from anyworker import get_task_context, TaskInProgress
from anyworker.testing import run_task

class Flaky:
    __name__ = "flaky"
    def __init__(self): self.left = 2
    async def __call__(self):
        self.left -= 1
        if self.left >= 0: raise ValueError("not yet")
        return "done"

def greet(name): return f"Hello {name}"
"""

PLAIN = (
    SHARED
    + """
def test_on_the_real_clock(conductor):
    assert conductor.run(greet, {"name": "Ada"}).output == {"result": "Hello Ada"}

def test_each_test_has_a_server_of_its_own(conductor):
    with pytest.raises(Exception, match="No such workflow"):
        conductor.start("greet")

@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_time_goes_on_from_loop_to_loop(conductor, anyworker_time, backend):
    assert anyworker_time.now() == 0
    assert conductor.run(Flaky(), backend=backend).status == "COMPLETED"
    assert 120 <= anyworker_time.now() < 121
    conductor.let_pass(60)
    assert 180 <= anyworker_time.now() < 181

def test_run_task_is_in_virtual_time_too(anyworker_time):
    async def patient(): await anyio.sleep(3600)
    assert run_task(patient).status == "COMPLETED"
    assert anyworker_time.now() == 3600

def test_own_loops_are_real_without_the_fixture():
    async def now(): return anyio.current_time()
    assert run_task(now).output["result"] > 0
"""
)

ASYNC = """
@FIXTURE
async def thing():
    await anyio.sleep(0.001)
    yield 1

@MARK
async def test_on_the_real_clock(conductor):
    with anyio.fail_after(10):
        assert (await conductor.run_async(greet, {"name": "Ada"})).output == {"result": "Hello Ada"}

@MARK
async def test_in_virtual_time(conductor, anyworker_time):
    assert anyworker_time.now() == 0
    async with conductor.workers(flaky := Flaky()):
        workflow = await conductor.run_async(flaky, workers=[])
    assert workflow.status == "COMPLETED"
    assert 120 <= anyworker_time.now() < 121
    before = anyworker_time.now()
    await anyio.sleep(24 * 3600)
    assert anyworker_time.now() - before == 24 * 3600

@MARK
async def test_with_an_async_fixture(anyworker_time, thing):
    await anyio.sleep(3600)
    assert (anyworker_time.now(), thing) == (3600, 1)

@MARK
@pytest.mark.xfail(reason="it fails", strict=True)
async def test_a_failure_is_a_failure(anyworker_time):
    await anyio.sleep(3600)
    assert False

@MARK
async def test_time_is_real_without_the_fixture(request):
    from anyworker.testing.takeover import is_time_virtual
    assert not is_time_virtual()
"""

OWN_LOOPS = PLAIN.removeprefix(SHARED).replace("test_on_the_real_clock", "test_plainly")

OFF = {
    "plain": ["no:anyio", "no:asyncio", "no:trio"],
    "anyio": ["no:asyncio", "no:trio"],
    "asyncio": ["no:anyio", "no:trio"],
    "trio": ["no:anyio", "no:asyncio"],
}


def session(directory: Path, plugin: str, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as a user does who has one of the plugins."""
    (directory / "test_theirs.py").write_text(text)
    (directory / "pytest.ini").write_text(
        "[pytest]\n" + ("asyncio_default_fixture_loop_scope = function\n" if plugin == "asyncio" else "")
    )
    switches = [part for name in OFF[plugin] for part in ("-p", name)]
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", *switches, *options]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_plain_pytest_has_the_fixtures(tmp_path: Path) -> None:
    done = session(tmp_path, "plain", PLAIN)
    assert "6 passed" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("plugin", "fixture", "tests"),
    [
        ("anyio", "@pytest.fixture", 14),
        ("asyncio", "@pytest_asyncio.fixture", 10),
        ("trio", "@pytest.fixture", 10),
    ],
)
def test_async_tests_have_the_fixtures(tmp_path: Path, plugin: str, fixture: str, tests: int) -> None:
    text = ASYNC.replace("@FIXTURE", fixture).replace("@MARK", f"@pytest.mark.{plugin}")
    text = SHARED + text + OWN_LOOPS
    if plugin == "asyncio":
        text = f"import pytest_asyncio\n{text}"
    done = session(tmp_path, plugin, text)
    xfailed = 2 if plugin == "anyio" else 1
    assert f"{tests} passed, {xfailed} xfailed" in done.stdout, done.stdout


@pytest.mark.parametrize("plugin", ["anyio", "asyncio", "trio"])
def test_waiting_for_nothing_ends_a_test(tmp_path: Path, plugin: str) -> None:
    text = (
        SHARED
        + f"""
@pytest.mark.{plugin}
async def test_deadlock(anyworker_time):
    await anyio.Event().wait()
"""
    )
    done = session(tmp_path, plugin, text, *(["-k", "not trio"] if plugin == "anyio" else []))
    assert "1 failed" in done.stdout, done.stdout
    assert "DeadlockError" in done.stdout, done.stdout


def test_tests_that_the_mode_of_pytest_trio_marks_have_virtual_time(tmp_path: Path) -> None:
    text = """
import trio

async def test_it(anyworker_time):
    await trio.sleep(3600)
    assert anyworker_time.now() == 3600
"""
    done = session(tmp_path, "trio", text, "-o", "trio_mode=true")
    assert "1 passed" in done.stdout, done.stdout


def test_a_clock_of_the_tests_own_is_kept(tmp_path: Path) -> None:
    text = """
import pytest
import trio

@pytest.mark.trio
async def test_both(autojump_clock, anyworker_time):
    assert trio.lowlevel.current_clock() is autojump_clock
    await trio.sleep(60)
    assert anyworker_time.now() == 60
"""
    done = session(tmp_path, "trio", text)
    assert "1 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("plugin", ["anyio", "asyncio"])
def test_examples_of_hypothesis_run_in_virtual_time(tmp_path: Path, plugin: str) -> None:
    text = f"""
import anyio
import pytest
from hypothesis import HealthCheck, given, settings, strategies

@pytest.mark.{plugin}
@settings(max_examples=5, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(hours=strategies.integers(1, 9))
async def test_it(anyworker_time, hours):
    await anyio.sleep(hours * 3600)
    assert anyworker_time.now() == hours * 3600
"""
    done = session(tmp_path, plugin, text)
    assert f"{2 if plugin == 'anyio' else 1} passed" in done.stdout, done.stdout


def test_a_loop_that_keeps_its_own_time_says_what_to_do(tmp_path: Path) -> None:
    text = """
import anyio
import pytest

@pytest.fixture(scope="module")
def anyio_backend():
    return "trio"

@pytest.fixture(scope="module")
async def shared():
    yield 1

@pytest.mark.anyio
async def test_late(anyworker_time, shared):
    await anyio.sleep(3600)
"""
    done = session(tmp_path, "anyio", text)
    assert "1 failed" in done.stdout, done.stdout
    assert 'return anyworker.testing.virtual_backend("trio")' in done.stdout


def test_uvloop_makes_way_for_virtual_time(tmp_path: Path) -> None:
    text = """
import anyio
import pytest

@pytest.fixture
def anyio_backend():
    return "asyncio", {"use_uvloop": True}

@pytest.mark.anyio
async def test_it(anyworker_time):
    await anyio.sleep(3600)
    assert anyworker_time.now() == 3600
"""
    done = session(tmp_path, "anyio", text)
    assert "1 passed" in done.stdout, done.stdout


IMPORTED = """
import sys, time
import pytest
before, started = set(sys.modules), time.perf_counter()
import anyworker.testing.plugin
print(*sorted(name for name in set(sys.modules) - before), round((time.perf_counter() - started) * 1000))
"""


def test_the_plugin_imports_nothing_that_is_not_used() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], capture_output=True, text=True, timeout=60, check=True
    )
    *modules, _ = done.stdout.split()
    assert [name for name in modules if not name.startswith("anyworker")] == []
    assert [name for name in modules if name.startswith("anyworker")] == [
        "anyworker",
        "anyworker.lazy",
        "anyworker.testing",
        "anyworker.testing.plugin",
    ]


# Here, beside anyio's plugin and our own conftest.


async def test_the_fixtures_work_in_our_own_tests(conductor: Conductor, anyworker_time: VirtualTime) -> None:
    @worker_task("greet")
    def greet(name: str) -> str:
        return f"Hello {name}"

    assert (await conductor.run_async(greet, {"name": "Ada"})).output == {"result": "Hello Ada"}
    before = anyworker_time.now()
    await anyio.sleep(3600)
    assert anyworker_time.now() - before == 3600

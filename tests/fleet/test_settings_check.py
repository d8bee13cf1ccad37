"""Settings of a fleet that cannot work."""

import contextlib
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest

import anyworker
from anyworker import ConfigurationError, TaskHandler, Worker
from anyworker.fleet.settings_check import check_settings

FINE: dict[str, object] = {
    "watchdog": 0.5,
    "restart_max_attempts": 3,
    "max_tasks_per_process": 1,
    "max_rss_mb": 200,
}


@pytest.mark.parametrize("processes", [2, 64, "per-worker"])
def test_what_can_work_is_accepted(processes: object) -> None:
    check_settings("trio", {}, processes, FINE)
    check_settings("asyncio", {}, processes, dict.fromkeys(FINE))


@pytest.mark.parametrize("processes", [0, -1, True, 1.5, "2", "per_worker", None])
def test_number_of_processes_that_is_none_is_named(processes: object) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^processes=.*expected a number of processes, 1 or more, or 'per-worker'$"
    ):
        check_settings("asyncio", {}, processes, {})


@pytest.mark.parametrize("value", [0, -1, True, "5", math.inf, math.nan])
@pytest.mark.parametrize("name", FINE)
def test_limit_that_is_no_number_is_named(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_settings("asyncio", {}, 2, {**FINE, name: value})
    [problem] = caught.value.problems
    assert problem.startswith(f"{name}={value!r}: expected")


def test_limit_of_a_process_without_a_parent_has_no_effect_and_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="max_tasks_per_process=1: has no effect") as caught:
        check_settings("asyncio", {}, 1, FINE)
    assert len(caught.value.problems) == 2
    check_settings("asyncio", {}, 1, FINE, is_supervised=True)


def test_all_problems_are_told_together() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_settings("uvloop", {}, 0, {"watchdog": 0})
    assert [problem.partition("=")[0] for problem in caught.value.problems] == [
        "backend",
        "processes",
        "watchdog",
    ]


BAD: dict[str, Any] = {
    "backend": "curio",
    "processes": 0,
    "watchdog": 0,
    "grace": -1,
    "lifespan": 3,
    "middleware": [3],
    "event_listeners": [3],
}
TOLD = {*BAD} - {"event_listeners"} | {"event listener 3"}


def test_run_tells_all_that_is_wrong_together(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        anyworker.run(Worker("any", print), **BAD)
    assert caught.value.code == 3
    assert [name for name in TOLD if f"Cannot start: {name}" not in caplog.text] == []


def test_handler_tells_all_that_is_wrong_together() -> None:
    with pytest.raises(ConfigurationError) as caught:
        TaskHandler(Worker("any", print), **BAD)
    assert [name for name in TOLD if not any(each.startswith(name) for each in caught.value.problems)] == []


def test_modules_that_cannot_be_imported_hide_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit):
        anyworker.run(import_modules=["no_module_of_this_name"], grace=-1)
    assert "no_module_of_this_name" in caplog.text
    assert "grace: -1" in caplog.text
    assert "no workers" not in caplog.text


@contextlib.asynccontextmanager
async def pool() -> AsyncIterator[None]:
    yield


def test_lifespan_that_was_called_already_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigurationError, match="leave out its parentheses"):
        TaskHandler(Worker("any", print), lifespan=pool())  # type: ignore[arg-type]  # on purpose

"""Settings of a fleet that cannot work."""

import math

import pytest

from anyworker import ConfigurationError
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

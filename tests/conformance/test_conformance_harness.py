"""The suite as a whole: that it is large enough, complete, and fails where it should."""

from collections import Counter

import pytest
from black_box import Conductor
from captures import WIRE
from conformance_cases import BACKENDS, Case, all_cases, case
from conformance_servers import run_beside, run_in_process

from anyworker.devserver import DevServer
from anyworker.devserver.serve import serve_in_thread

LEAST = 120


def section(identifier: str) -> str:
    """Return a case's chapter of the contract, with the section where that has some."""
    return identifier.partition("-")[0]


def test_each_section_has_cases_and_there_are_many() -> None:
    found = Counter(section(case.id) for case in all_cases())
    for name in ("2", "3", "4", "5.1", "5.2", "5.3", "5.4"):
        assert found[name] >= 4, name
    assert found.total() > LEAST


def test_each_captured_error_is_a_case() -> None:
    known = {case.id for case in all_cases()}
    assert {f"4-{path.stem.removeprefix('error-')}" for path in WIRE.glob("error-*.json")} <= known


def test_no_server_is_left_out_without_a_reason() -> None:
    assert all(case.why for case in all_cases() if case.only)
    for backend in BACKENDS.values():
        assert sum(case.fits(backend) for case in all_cases()) > LEAST


def test_two_cases_of_one_id_are_refused() -> None:
    with pytest.raises(AssertionError, match="two cases"):
        case(all_cases()[0].id)(never)


async def never(conductor: Conductor) -> None:
    """Fail."""
    assert await conductor.get(f"/tasks/poll/{conductor.unique()}") is not None, "nobody is there"


def test_failing_case_fails_in_process() -> None:
    with pytest.raises(AssertionError, match="nobody is there"):
        run_in_process(Case("x", never), BACKENDS["dev-fill"])


def test_failing_case_fails_on_a_socket_and_hurts_no_other() -> None:
    async def fine(conductor: Conductor) -> None:
        await conductor.begin(await conductor.single())

    cases = [Case("fails", never), Case("passes", fine)]
    with serve_in_thread(server=DevServer()) as url:
        outcomes = run_beside(cases, url, "dev-socket")
    outcomes["passes"].show()
    with pytest.raises(AssertionError, match="nobody is there"):
        outcomes["fails"].show()


@pytest.mark.parametrize(("least", "most"), [(1.01, 2.0), (0.0, 0.99)])
def test_virtual_durations_are_held_to_the_hundredth(least: float, most: float) -> None:
    async def wait(conductor: Conductor) -> None:
        with conductor.took(least, most):
            await conductor.elapse(1.0)

    with pytest.raises(AssertionError, match=r"took 1\.000 s"):
        run_in_process(Case("x", wait), BACKENDS["dev-fill"])

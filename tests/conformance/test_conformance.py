"""Every case on every server: the dev server, in process and on a socket, and a real one if there is one."""

from collections.abc import Mapping

import pytest
from conformance_cases import BACKENDS, Backend, Case, all_cases
from conformance_servers import Outcome, Shown, run_in_process

SERVERS = {
    "test_case_in_process": ("dev-fill", "dev-first"),
    "test_case_on_a_socket": ("dev-socket",),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Pair each case with each server."""
    if "case" not in metafunc.fixturenames:
        return
    names = SERVERS.get(metafunc.function.__name__) or (metafunc.config.getoption("real_server") or "sqlite",)
    pairs = [pair(BACKENDS[name], case) for name in names for case in all_cases()]
    metafunc.parametrize(("backend", "case"), pairs)


def pair(backend: Backend, case: Case) -> object:
    """Return a case on a back end, with what is known beforehand."""
    marks = []
    if not case.fits(backend):
        marks.append(pytest.mark.skip(reason=f"not on {backend.name}: {case.why}"))
    elif why := case.why_broken(backend):
        # In real time a machine under load can make a wrong duration right.
        marks.append(pytest.mark.xfail(strict=backend.is_virtual, reason=why))
    return pytest.param(backend, case, id=f"{backend.name}-{case.id}", marks=marks)


def test_case_in_process(backend: Backend, case: Case, shown: Shown) -> None:
    shown.counts[backend.name] += 1
    run_in_process(case, backend)


def test_case_on_a_socket(
    backend: Backend, case: Case, shown: Shown, socket_outcomes: Mapping[str, Outcome]
) -> None:
    shown.show(backend, case, socket_outcomes[case.id])


def test_case_on_the_real_server(
    backend: Backend, case: Case, shown: Shown, real_outcomes: Mapping[str, Outcome]
) -> None:
    shown.show(backend, case, real_outcomes[case.id])

"""Servers for the conformance suite, and the count of the cases that each has been shown."""

from collections.abc import Iterator, Mapping

import conformance_cases
import pytest
from conformance_cases import BACKENDS, Case
from conformance_servers import Outcome, Shown, run_beside

from anyworker.devserver.serve import serve_in_thread

pytest.register_assert_rewrite("captures", *conformance_cases.case_modules())

Outcomes = Mapping[str, Outcome]

shown_key = pytest.StashKey[Shown]()


@pytest.fixture
def shown(pytestconfig: pytest.Config) -> Shown:
    """Return what the servers have been shown so far."""
    return pytestconfig.stash.setdefault(shown_key, Shown())


@pytest.fixture(scope="session")
def socket_outcomes(request: pytest.FixtureRequest) -> Iterator[Outcomes]:
    """Run the chosen cases against a dev server on a socket."""
    with serve_in_thread() as url:
        yield run_beside(chosen(request.session, "dev-socket"), url, "dev-socket")


@pytest.fixture(scope="session")
def real_outcomes(request: pytest.FixtureRequest, conductor_url: str, conductor_backend: str) -> Outcomes:
    """Run the chosen cases against a real server."""
    return run_beside(chosen(request.session, conductor_backend), conductor_url, conductor_backend)


def chosen(session: pytest.Session, backend_name: str) -> list[Case]:
    """Return the cases that the session's tests want to see on a back end."""
    backend = BACKENDS[backend_name]
    wanted = (
        item.callspec.params
        for item in session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    )
    return [
        params["case"]
        for params in wanted
        if params.get("backend") is backend and params["case"].fits(backend)
    ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the count."""
    if (shown := config.stash.get(shown_key, None)) is None:
        return
    said = ", ".join(f"{count} cases on {name}" for name, count in shown.counts.items())
    terminalreporter.write_line(f"conformance: {said}", bold=True)
    if shown.again:
        terminalreporter.write_line(f"conformance: only at the second try, alone: {', '.join(shown.again)}")

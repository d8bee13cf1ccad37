"""Tell after how many seeds each planted bug was found."""

import pytest
from planted_faults import FOUND_AFTER


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for name, seeds in report.user_properties:
            if name == FOUND_AFTER:
                bug = report.nodeid.partition("[")[2].rstrip("]")
                terminalreporter.write_line(f"the simulation finds {bug} after {seeds} seeds")

"""A worker cut short at each await of its code, one run for each, on both backends."""

import pytest
from cut_short import Way, cut_short
from injection import Site

from anyworker.testing.clock import VIRTUAL_BACKENDS, BackendName

MOST = 6
"""How often the same await counts; every time in the full profile."""
ROOMS = ("calling/", "delivery.py", "leases/", "outbox/", "polls/", "poller.py", "runner.py", "settling.py")
"""Where a task must have waited when its worker was cut short: execution, delivery, leasing and the loop."""


@pytest.mark.parametrize("way", ["stop", "host", "terminate", "abandon"])
@pytest.mark.parametrize("backend", VIRTUAL_BACKENDS)
def test_nothing_is_lost_wherever_a_worker_is_cut_short(
    way: Way, backend: BackendName, pytestconfig: pytest.Config
) -> None:
    is_full = pytestconfig.getoption("--hypothesis-profile") == "full"
    at, sites = 0, set[Site]()
    while (cut := cut_short(way, at, backend, most=float("inf") if is_full else MOST)).site is not None:
        if cut.violations:
            told = "\n".join([f"{way} at moment {at}, in {cut.site}:", *cut.violations, "", *cut.trace])
            pytest.fail(told, pytrace=False)
        sites.add(cut.site)
        at += 1
    assert not cut.violations
    for room in ROOMS:
        assert any(file.startswith(room) for file, _, _ in sites), f"no task has waited in {room}"

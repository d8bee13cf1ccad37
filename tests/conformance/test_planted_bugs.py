"""The suite's own test: a dev server with a bug in it does not pass."""

from collections.abc import Callable

import pytest
from conformance_cases import BACKENDS, Case, all_cases
from conformance_servers import run_in_process
from planted_bugs import Bug, all_bugs

BACKEND = BACKENDS["dev-fill"]
BUGS = all_bugs()


def test_at_least_fifteen_bugs_are_planted() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 15


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_bug_is_found(bug: Bug, record_property: Callable[[str, object], None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch)
        found_by = first_to_fail(bug.section)
    assert found_by is not None, f"no case of section {bug.section} fails although {bug.name}"
    record_property("found_by", found_by.id)
    assert passes(found_by), f"{found_by.id} fails when {bug.name}, but without that too"


def first_to_fail(section: str) -> Case | None:
    """Return the first case of a section that fails, None if all pass."""
    for case in all_cases():
        is_of_interest = case.id.startswith(section) and case.fits(BACKEND)
        if is_of_interest and case.why_broken(BACKEND) is None and not passes(case):
            return case
    return None


def passes(case: Case) -> bool:
    """Tell whether a case passes."""
    try:
        run_in_process(case, BACKEND)
    except Exception:  # noqa: BLE001 - whatever a case raises is its way to fail
        return False
    return True

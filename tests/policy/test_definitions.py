"""What registering a definition comes to."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyworker.errors import RegistrationRefused
from anyworker.policy.definitions import plan_registration

FIELDS = st.dictionaries(
    st.sampled_from(["retryCount", "retryDelaySeconds", "ownerEmail"]), st.integers(0, 3)
)


@given(FIELDS, FIELDS)
def test_what_is_said_is_changed_and_nothing_else(said: dict[str, Any], existing: dict[str, Any]) -> None:
    said, existing = {**said, "name": "t"}, {**existing, "name": "t", "unknownField": 1}
    done = plan_registration(said, existing, overwrite=True)
    assert (done.outcome == "unchanged") == (existing.items() >= said.items())
    if done.outcome == "updated":
        assert done.definition == {**existing, **said}
        assert set(done.changes) == {key for key in said if said[key] != existing.get(key)}


@given(FIELDS, FIELDS)
def test_without_overwriting_nothing_is_sent(said: dict[str, Any], existing: dict[str, Any]) -> None:
    done = plan_registration({**said, "name": "t"}, {**existing, "name": "t"}, overwrite=False)
    assert (done.outcome, done.definition) == ("kept", {})


@given(FIELDS, st.booleans())
def test_what_the_server_lacks_is_created_as_said(said: dict[str, Any], overwrite: bool) -> None:
    done = plan_registration({**said, "name": "t"}, None, overwrite=overwrite)
    assert (done.outcome, done.definition) == ("created", {**said, "name": "t"})


def test_fields_that_the_server_adds_to_a_schema_are_no_change() -> None:
    schema = {"name": "t_input", "data": {"type": "object"}}
    existing = {"name": "t", "inputSchema": {**schema, "createTime": 0}}
    assert (
        plan_registration({"name": "t", "inputSchema": schema}, existing, overwrite=True).outcome
        == "unchanged"
    )
    other = {**schema, "data": {"type": "array"}}
    assert (
        plan_registration({"name": "t", "inputSchema": other}, existing, overwrite=True).outcome == "updated"
    )


def test_a_reference_replaces_a_schema_that_is_embedded() -> None:
    said = {"name": "t_input", "version": 1, "type": "JSON"}
    embedded = {"name": "t", "inputSchema": {**said, "data": {"type": "object"}}}
    done = plan_registration({"name": "t", "inputSchema": said}, embedded, overwrite=True)
    assert done.definition["inputSchema"] == said
    referring = {"name": "t", "inputSchema": {**said, "createTime": 0}}
    assert (
        plan_registration({"name": "t", "inputSchema": said}, referring, overwrite=True).outcome
        == "unchanged"
    )


@pytest.mark.parametrize(
    ("said", "existing", "message"),
    [
        (
            {"timeoutSeconds": 30},
            None,
            "responseTimeoutSeconds=3600 (the server's default) is above timeoutSeconds=30 (the code's)",
        ),
        (
            {"timeoutSeconds": 30},
            {"responseTimeoutSeconds": 60},
            "responseTimeoutSeconds=60 (the one on the server) is above timeoutSeconds=30 (the code's)",
        ),
        (
            {"responseTimeoutSeconds": 40},
            {"timeoutSeconds": 30},
            "responseTimeoutSeconds=40 (the code's) is above timeoutSeconds=30 (the one on the server)",
        ),
        (
            {"timeoutSeconds": 9, "responseTimeoutSeconds": 1, "totalTimeoutSeconds": 8},
            None,
            "timeoutSeconds=9 (the code's) is above totalTimeoutSeconds=8 (the code's)",
        ),
    ],
)
def test_limits_that_contradict_each_other_are_named_with_their_sources(
    said: dict[str, Any], existing: dict[str, Any] | None, message: str
) -> None:
    with pytest.raises(RegistrationRefused) as caught:
        plan_registration({**said, "name": "t"}, existing, overwrite=True)
    assert message in str(caught.value)
    assert "'t'" in str(caught.value)


def test_everything_that_the_server_would_refuse_is_named_at_once() -> None:
    said = {"retryCount": -1, "responseTimeoutSeconds": 0, "timeoutSeconds": 9, "totalTimeoutSeconds": 8}
    with pytest.raises(RegistrationRefused) as caught:
        plan_registration({**said, "name": "t"}, {"pollTimeoutSeconds": None}, overwrite=True)
    for problem in ("retryCount=-1 is below 0", "responseTimeoutSeconds=0 is below 1", "timeoutSeconds=9"):
        assert problem in str(caught.value)


def test_limits_that_are_equal_or_none_are_fine() -> None:
    said = {"name": "t", "timeoutSeconds": 5, "responseTimeoutSeconds": 5, "totalTimeoutSeconds": 0}
    assert plan_registration(said, None, overwrite=True).outcome == "created"

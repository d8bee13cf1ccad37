"""Events that are made in a short way are the same as those of their class."""

from dataclasses import replace

import pytest

from anyworker.events.kinds import TaskEvent, made

FIELDS = {"task_type": "greet", "task_id": "t", "worker_id": "w", "workflow_instance_id": "f"}


def test_made_event_equals_one_that_its_class_makes() -> None:
    event = made(TaskEvent, **FIELDS)
    plain = TaskEvent(**FIELDS, timestamp=event.timestamp)
    assert (event, repr(event), hash(event)) == (plain, repr(plain), hash(plain))
    assert TaskEvent(**FIELDS).timestamp >= event.timestamp
    assert replace(event, task_id="u").task_id == "u"


def test_made_event_is_frozen() -> None:
    with pytest.raises(AttributeError):
        made(TaskEvent, **FIELDS).task_id = "u"  # type: ignore[misc]  # it is what is tested

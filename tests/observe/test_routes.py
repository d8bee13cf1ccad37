"""Paths of requests become a few routes."""

import pytest

from anyworker.observe.routes import ROUTES, route


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/tasks", "/tasks"),
        ("/tasks/update-v2", "/tasks/update-v2"),
        ("/tasks/search", "/tasks/search"),
        ("/tasks/poll/batch/update-v2", "/tasks/poll/batch/{taskType}"),
        ("/tasks/6f9c", "/tasks/{taskId}"),
        ("/tasks/6f9c/log", "/tasks/{taskId}/log"),
        ("/tasks/queue/sizes", "/tasks/queue/sizes"),
        ("/metadata/taskdefs/greet", "/metadata/taskdefs/{taskType}"),
        ("/workflow/decide/6f9c", "/workflow/decide/{workflowId}"),
        ("/workflow/6f9c", "/workflow/{workflowId}"),
        ("/a/b/c/d/e/f/g", "other"),
    ],
)
def test_route_of_a_path(path: str, expected: str) -> None:
    assert route(path) == expected


def test_every_route_is_its_own() -> None:
    assert [route(each) for each in ROUTES] == list(ROUTES)

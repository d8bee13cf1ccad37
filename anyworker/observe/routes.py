"""The route of a request: its path with what varies replaced by names, so that metrics stay few."""

ROUTES = (
    "/tasks",
    "/tasks/update-v2",
    "/tasks/search",
    "/tasks/search-v2",
    "/tasks/queue/sizes",
    "/tasks/queue/polldata",
    "/tasks/poll/batch/{taskType}",
    "/tasks/{taskId}",
    "/tasks/{taskId}/log",
    "/metadata/taskdefs",
    "/metadata/taskdefs/{taskType}",
    "/metadata/workflow",
    "/metadata/workflow/{name}",
    "/metadata/workflow/{name}/{version}",
    "/workflow",
    "/workflow/decide/{workflowId}",
    "/workflow/{workflowId}",
    "/schema",
    "/schema/{name}/{version}",
    "/token",
    "/version",
)
"""All that the client asks for. Of two that fit, the one with fewer names comes first."""

_SPLIT = [(each, each.split("/")) for each in ROUTES]


def route(path: str) -> str:
    """Return the route of a path below the API's URL, ``other`` for none of the client's."""
    segments = path.split("/")
    for template, parts in _SPLIT:
        if len(parts) == len(segments) and all(map(_fits, parts, segments)):
            return template
    return "other"


def _fits(part: str, segment: str) -> bool:
    return part == segment or part.startswith("{")

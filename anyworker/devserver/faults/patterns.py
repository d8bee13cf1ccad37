"""Which requests a fault is meant for: methods and paths, as the API's documentation writes them."""

import difflib
import re
from collections.abc import Iterable, Sequence

import attrs

from anyworker.devserver.http.exchange import Request, segments
from anyworker.devserver.http.routing import Router
from anyworker.errors import ConfigurationError

ANY = "*"
REST = "**"

_FEW = 3
"""Endpoints that a message can name all."""
_METHODS = re.compile(r"\*|[A-Z]+(?:\|[A-Z]+)*")

Route = tuple[str, str]
"""Method and path template of an endpoint."""


@attrs.frozen
class Target:
    """A request as patterns see it."""

    method: str
    segments: tuple[str, ...]
    """Decoded, without ``api``."""
    template: tuple[str, ...] | None
    """The segments of the endpoint's template, None where there is no endpoint."""

    @property
    def name(self) -> str:
        """Method and template; one for all paths where there is no endpoint."""
        return f"{self.method} {'nowhere' if self.template is None else '/'.join(self.template)}"


@attrs.frozen
class Pattern:
    """One ``METHOD /path``, either of which may be left out."""

    text: str
    _methods: frozenset[str] | None
    _segments: tuple[str, ...] | None

    def fits(self, target: Target) -> bool:
        """Tell whether a request is meant."""
        method = "GET" if target.method == "HEAD" and not self._is_for("HEAD") else target.method
        return self._is_for(method) and self._fits_path(target.segments, target.template)

    def fits_route(self, method: str, template: tuple[str, ...]) -> bool:
        """Tell whether some request to an endpoint is meant."""
        return self._is_for(method) and self._fits_path(template, template)

    def _is_for(self, method: str) -> bool:
        return self._methods is None or method in self._methods

    def _fits_path(self, path: tuple[str, ...], template: tuple[str, ...] | None) -> bool:
        wanted = self._segments
        if wanted is None:
            return True
        if wanted and wanted[-1] == REST:
            wanted = wanted[:-1]
            path = path[: len(wanted)]
        if len(wanted) != len(path):
            return False
        shape = path if template is None else template
        return all(map(_fits_segment, wanted, path, shape[: len(wanted)]))


def _fits_segment(wanted: str, given: str, shape: str) -> bool:
    if wanted == ANY:
        return True
    if _is_variable(wanted):
        # What the API takes as a word of its own, such as "search", is no {id}.
        return _is_variable(shape) or shape != given
    return wanted == given or _is_variable(given)


def _is_variable(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("}")


def parse(text: str) -> Pattern:
    """Read a pattern.

    Args:
        text: ``POST /tasks``, ``GET|HEAD /tasks/poll/batch/{type}``, ``/tasks/poll/batch/greet``, ``GET``,
            ``/workflow/**``, ``*``: a segment in braces is what the API takes as a variable there, ``*`` any
            one segment, ``**`` at the end any rest. Whether it begins with ``/api`` does not matter.

    Raises:
        ConfigurationError: It has another form.
    """
    methods, _, path = text.strip().partition(" ")
    if methods.startswith("/"):
        methods, path = ANY, text
    path = path.strip()
    if not _METHODS.fullmatch(methods) or (path and not path.startswith("/")):
        problem = f"{text!r} is no pattern: write METHOD /path, such as 'POST /tasks', or '*' for any request"
        raise ConfigurationError(problem)
    if "?" in path:
        problem = f"{text!r}: a query cannot be matched; leave out what follows the question mark"
        raise ConfigurationError(problem)
    return Pattern(
        text,
        None if methods == ANY else frozenset(methods.split("|")),
        _below_api(path.split("/")[1:]) if path else None,
    )


def _below_api(path: Sequence[str]) -> tuple[str, ...]:
    return tuple(path[1:] if path[0] == "api" else path)


class Routes:
    """Endpoints of a server, for those who match requests.

    Args:
        routes: The endpoints.
        kind: What messages call one of them.
    """

    def __init__(self, routes: Iterable[Route], kind: str) -> None:
        self._kind = kind
        self._router: Router[tuple[str, ...]] = Router()
        self._known: list[tuple[str, tuple[str, ...]]] = []
        for method, path in routes:
            template = _below_api(path.split("/")[1:])
            self._router.add(method, path, template)
            self._known.append((method, template))

    def target(self, request: Request) -> Target:
        """Return how patterns see a request."""
        path = segments(request.path)
        found = self._router.find("GET" if request.method == "HEAD" else request.method, path)
        return Target(request.method, _below_api(path), found[0] if isinstance(found, tuple) else None)

    def has(self, pattern: Pattern) -> bool:
        """Tell whether a pattern is for something."""
        return any(pattern.fits_route(method, template) for method, template in self._known)

    def check(self, pattern: Pattern) -> None:
        """See to it that a pattern is for something.

        Raises:
            ConfigurationError: No request to any endpoint is meant.
        """
        if self.has(pattern):
            return
        known = {f"{method} /{'/'.join(template)}" for method, template in self._known}
        near = difflib.get_close_matches(pattern.text.replace("/api/", "/"), sorted(known), 3, 0.5)
        if len(known) <= _FEW:
            near = sorted(known)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        problem = f"{pattern.text!r} fits no {self._kind}{hint}"
        raise ConfigurationError(problem)

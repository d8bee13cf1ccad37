"""Faults over HTTP, for testers whose worker is no Python program: off unless asked for.

Everything is JSON, beside the API and not under ``/api``. A fault is ``{"kind": NAME, ...}``: the name of a
method of :class:`~anyworker.devserver.faults.faults.Faults`, or ``pass``, and its arguments by their names.

| request | effect |
|---|---|
| ``POST /admin/faults`` with a fault or a list of faults | adds them, all or none |
| ``POST /admin/faults/script`` with a list of faults | the same, each beginning when the one before is over |
| ``GET /admin/faults`` | all faults, how often each kind has hit, the last hits |
| ``GET``, ``DELETE /admin/faults/{id}`` | shows, removes one |
| ``DELETE /admin/faults`` | removes all, and lets go on what waits because of them |
| ``POST /admin/faults/release``, ``…/{id}/release`` | lets go on what waits, and keeps the faults |
| ``POST /admin/faults/reset`` | removes all, and begins counts and hits anew |

A request that makes no sense is answered 400 with ``{"status", "message", "problems"}``.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from anyworker.devserver.faults.faults import Faults
from anyworker.devserver.faults.kinds import Reply
from anyworker.devserver.faults.rules import Fault
from anyworker.devserver.faults.steps import add_all
from anyworker.devserver.http.exchange import JSON, Answer, Request, as_json, segments
from anyworker.devserver.http.routing import Router, WrongMethod
from anyworker.devserver.shells.shell import Respond
from anyworker.errors import ConfigurationError

ROOT = "/admin/faults"
LOG_SHOWN = 100

_Endpoint = Callable[[Request, tuple[str, ...]], Answer]


class Admin:
    """The admin route of a server.

    Args:
        faults: What it shows and changes.
        respond: What answers all other requests.
    """

    def __init__(self, faults: Faults, respond: Respond) -> None:
        self._faults = faults
        self._respond = respond
        self._router: Router[_Endpoint] = Router()
        add = self._router.add
        add("GET", ROOT, lambda _request, _path: as_json(self._overview()))
        add("POST", ROOT, self._add)
        add("DELETE", ROOT, lambda _request, _path: self._undo(faults.clear))
        add("POST", f"{ROOT}/script", lambda request, _path: _added(faults.script(_body(request))))
        add("POST", f"{ROOT}/release", lambda _request, _path: self._undo(faults.release))
        add("POST", f"{ROOT}/reset", lambda _request, _path: self._undo(faults.reset))
        add("GET", f"{ROOT}/{{id}}", lambda _request, path: self._show(path[0]))
        add("DELETE", f"{ROOT}/{{id}}", lambda _request, path: self._change(path[0], _remove))
        add("POST", f"{ROOT}/{{id}}/release", lambda _request, path: self._change(path[0], _release))

    async def respond(self, request: Request) -> Reply:
        """Carry out a request; what is not for this route is passed on."""
        if request.path.startswith("/admin/"):
            return self._handle(request)
        return await self._respond(request)

    def _handle(self, request: Request) -> Answer:
        found = self._router.find(request.method, segments(request.path))
        match found:
            case None:
                return _refused(404, f"no such path: {request.path}; all is under {ROOT}")
            case WrongMethod():
                return _refused(405, f"{request.path} takes {', '.join(found.allowed)}")
            case endpoint, variables:
                try:
                    return endpoint(request, variables)
                except ConfigurationError as error:
                    return _refused(400, *error.problems)

    def _add(self, request: Request, _path: tuple[str, ...]) -> Answer:
        given = _body(request)
        return _added(add_all(self._faults.add, given if isinstance(given, list) else [given]))

    def _undo(self, undo: Callable[[], None]) -> Answer:
        undo()
        return as_json(self._overview())

    def _show(self, number: str) -> Answer:
        fault = self._find(number)
        return _unknown(number) if fault is None else as_json(_shown(fault))

    def _change(self, number: str, change: Callable[[Fault], None]) -> Answer:
        fault = self._find(number)
        if fault is None:
            return _unknown(number)
        change(fault)
        return as_json(_shown(fault))

    def _find(self, number: str) -> Fault | None:
        return self._faults.find(int(number)) if number.isdecimal() else None

    def _overview(self) -> dict[str, Any]:
        hits = list(self._faults.log)[-LOG_SHOWN:]
        return {
            "faults": [_shown(fault) for fault in self._faults],
            "counts": dict(self._faults.counts),
            "log": [
                {"at": hit.at, "request": hit.request, "kind": hit.kind, "fault": hit.fault} for hit in hits
            ],
        }


def _remove(fault: Fault) -> None:
    fault.remove()


def _release(fault: Fault) -> None:
    fault.release()


def _shown(fault: Fault) -> dict[str, Any]:
    return {
        "id": fault.number,
        "kind": fault.name,
        "match": fault.match,
        "times": fault.times,
        "hits": fault.hits,
        "seen": fault.seen,
        "waiting": fault.waiting,
    }


def _added(faults: Sequence[Fault]) -> Answer:
    return as_json({"faults": [_shown(fault) for fault in faults]})


def _body(request: Request) -> Any:
    try:
        return msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem = f"the body is no JSON: {error}"
        raise ConfigurationError(problem) from None


def _unknown(number: str) -> Answer:
    return _refused(404, f"no fault {number!r}")


def _refused(status: int, *problems: str) -> Answer:
    body = {"status": status, "message": "; ".join(problems), "problems": problems}
    return Answer(status, JSON, msgspec.json.encode(body))

"""What an Orkes server has beyond Conductor OSS, as far as workers use it: tokens and schemas."""

from anyworker.devserver.http.exchange import Answer, Call, Endpoints, Request, as_json
from anyworker.devserver.orkes.schemas import SchemaEndpoints
from anyworker.devserver.orkes.tokens import Tokens
from anyworker.devserver.wire import fields

_TOKEN = "/api/token"  # noqa: S105  # a path
_TOKEN_REQUEST = "io.orkes.conductor.common.model.GenerateTokenRequest"  # noqa: S105  # the name of a class
_ISSUE = f"public java.lang.Object io.orkes.conductor.server.rest.TokenResource.generate({_TOKEN_REQUEST})"
_OPEN = frozenset({_TOKEN, "/api/health", "/api/version"})
"""What needs no token, beside all that is not under ``/api``."""


class Orkes:
    """Who is let in, and the endpoints that the flavor adds.

    Args:
        tokens: Issues tokens and knows which are good.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def admit(self, request: Request, now: int) -> None:
        """Let a request pass.

        Args:
            request: Any request.
            now: Epoch milliseconds.

        Raises:
            Unauthorized: It needs a token and has none that is good.
        """
        if request.path.startswith("/api/") and request.path not in _OPEN:
            self._tokens.holder(request.token, now)

    def endpoints(self) -> Endpoints:
        """Yield method, path and handler of what the flavor adds."""
        yield "POST", _TOKEN, self._issue
        yield "GET", f"{_TOKEN}/userInfo", self._user
        schemas = SchemaEndpoints()
        yield "POST", "/api/schema", schemas.save
        yield "GET", "/api/schema", schemas.schemas
        for path in ("/api/schema/{name}", "/api/schema/{name}/{version}"):
            yield "GET", path, schemas.schema
            yield "DELETE", path, schemas.remove

    def _issue(self, call: Call) -> Answer:
        body = fields.record(call.json(_ISSUE), _TOKEN_REQUEST)
        key_id, key_secret = fields.text(body.get("keyId")), fields.text(body.get("keySecret"))
        return as_json({"token": self._tokens.issue(key_id, key_secret, call.now)})

    def _user(self, call: Call) -> Answer:
        holder = self._tokens.holder(call.request.token, call.now)
        return as_json({"id": holder, "name": holder, "roles": [], "groups": [], "applicationUser": True})

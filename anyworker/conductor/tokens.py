"""Where a token comes from: key and secret against the server, or a function of the user's."""

import inspect
import re
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread
import attrs
import msgspec

from anyworker.conductor.answers import answer_error, is_markup, not_json_error
from anyworker.conductor.exchange import Answer
from anyworker.conductor.replay import FETCH_TOKEN
from anyworker.conductor.wire import JSON, Wire
from anyworker.configuration import AuthenticationSettings, Configuration, TokenProvider
from anyworker.errors import AuthorizationError, ConductorError, ResponseError

TokenFetcher = Callable[[], Awaitable[str | None]]
"""Return a new token; None if the server has no authentication. Raises ConductorError."""

_PATH = "/token"
_MASK = b"***"
_TOKEN = re.compile(r"[!-~]+")


class _TokenAnswer(msgspec.Struct):
    token: str


def token_fetcher(configuration: Configuration, wire: Wire, headers: bytes) -> TokenFetcher | None:
    """Return how this configuration gets tokens; None if it needs none.

    Args:
        configuration: Names key and secret, or a provider.
        wire: Carries the request.
        headers: Lines that every request has.
    """
    if configuration.token_provider is not None:
        return _Provider(configuration.token_provider)
    if configuration.authentication_settings is not None:
        return _KeyAndSecret(configuration.authentication_settings, wire, headers)
    return None


@attrs.frozen(eq=False)
class _KeyAndSecret:
    settings: AuthenticationSettings
    wire: Wire
    headers: bytes = attrs.field(repr=False)

    async def __call__(self) -> str | None:
        # Read for each token: the files may have been rotated since the last one.
        key = await _value(self.settings.key_id, self.settings.key_id_file)
        secret = await _value(self.settings.key_secret, self.settings.key_secret_file)
        body = msgspec.json.encode({"keyId": key, "keySecret": secret})
        target = self.wire.target(_PATH)
        answer = await self.wire.send(FETCH_TOKEN, target, self.headers + JSON, body)
        if answer.status == 404:
            return None
        if 200 <= answer.status < 300:
            return self._token(answer)
        masked = attrs.evolve(answer, body=answer.body.replace(secret.encode(), _MASK))
        raise _refusal(answer_error(masked, self.wire.request(FETCH_TOKEN, target)))

    def _token(self, answer: Answer) -> str:
        request = self.wire.request(FETCH_TOKEN, self.wire.target(_PATH))
        if is_markup(answer):
            raise not_json_error(answer, request, "")
        try:
            token = msgspec.json.decode(answer.body, type=_TokenAnswer).token
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            token = ""
        if not _TOKEN.fullmatch(token):
            # What the body holds may be a secret under another name.
            raise request.unexpected("the answer holds no usable token", answer.status)
        return token


async def _value(value: str | None, path: str | None) -> str:
    if path is None:
        return value or ""
    try:
        return (await anyio.Path(path).read_text(encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _failed("READ", path, f"{type(error).__name__}: {error}") from error


def _refusal(error: ConductorError) -> ConductorError:
    if not isinstance(error, ResponseError) or error.status is None or error.is_retryable:
        return error
    return AuthorizationError(
        error.message, method=error.method, path=error.path, status=error.status, is_retryable=True
    )


@attrs.frozen(eq=False)
class _Provider:
    provider: TokenProvider

    async def __call__(self) -> str:
        try:
            token = await self._called()
        except Exception as error:
            raise _failed("CALL", "token_provider", f"it raised {type(error).__name__}: {error}") from error
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise _failed(
                "CALL", "token_provider", f"it returned no usable token, but {type(token).__name__}"
            )
        return token

    async def _called(self) -> object:
        if inspect.iscoroutinefunction(self.provider):
            return await self.provider()
        # A plain function may block, and one that never returns must not hold up a shutdown. The list is
        # for trio, which takes a coroutine for a mistake.
        [token] = await anyio.to_thread.run_sync(lambda: [self.provider()], abandon_on_cancel=True)
        return await token if inspect.isawaitable(token) else token


def _failed(method: str, path: str, reason: str) -> AuthorizationError:
    # No server said 401, but without a token it would.
    return AuthorizationError(reason, method=method, path=path, status=401, is_retryable=True)

"""Where the server is and how to reach it: checked when built, the same for every process."""

import copy
import inspect
import os
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs

from anyworker import checks
from anyworker.environment import ALL
from anyworker.errors import ConfigurationError
from anyworker.proxies import environment_proxy
from anyworker.settings_file import SettingsFile, find_settings, read_settings
from anyworker.settings_server import server_arguments

if TYPE_CHECKING:
    # At run time only whoever opens a connection pays for importing httpx.
    import httpx

DEFAULT_SERVER_URL = "http://localhost:8080/api"
SERVER_URL = "CONDUCTOR_SERVER_URL"
AUTH_VARIABLES = {
    "key_id": "CONDUCTOR_AUTH_KEY",
    "key_secret": "CONDUCTOR_AUTH_SECRET",
    "key_id_file": "CONDUCTOR_AUTH_KEY_FILE",
    "key_secret_file": "CONDUCTOR_AUTH_SECRET_FILE",
}
_ARGUMENT = "argument"
_DEFAULT = "default"
_ENVIRONMENT = "environment"

TokenProvider = Callable[[], str | Awaitable[str]]
TransportFactory = Callable[[], "httpx.AsyncBaseTransport"]


def _path(value: str | os.PathLike[str] | None) -> str | None:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


@attrs.frozen
class AuthenticationSettings:
    """A key and its secret, each as a value or in a file.

    Files are read for every token that is asked for, so a key that was rotated is found without a restart.

    Raises:
        ConfigurationError: A part is missing, given twice, or its file cannot be read.
    """

    key_id: str | None = attrs.field(default=None, repr=False)
    key_secret: str | None = attrs.field(default=None, repr=False)
    key_id_file: str | None = attrs.field(default=None, converter=_path, kw_only=True)
    key_secret_file: str | None = attrs.field(default=None, converter=_path, kw_only=True)

    def __attrs_post_init__(self) -> None:
        names = {name: name for name in AUTH_VARIABLES}
        if problems := checks.credential_problems(attrs.asdict(self), names, _ARGUMENT):
            raise ConfigurationError(problems)


def _shown_header_names(headers: Mapping[str, str]) -> str:
    return repr(sorted(headers))


def _shown_proxy(proxy: str | None) -> str:
    return repr(proxy and checks.without_secrets(proxy))


@attrs.frozen(init=False)
class Configuration:
    """How to reach the server. Arguments win over the environment, which is read when this is built.

    Args:
        base_url: The server without ``/api``, which is appended.
        server_api_url: The API's URL as it is, by default ``CONDUCTOR_SERVER_URL`` or
            ``http://localhost:8080/api``.
        authentication_settings: By default from ``CONDUCTOR_AUTH_KEY`` and ``CONDUCTOR_AUTH_SECRET``, or
            from files named by these with ``_FILE`` appended; without any, no token is sent.
        auth_token_ttl_min: Minutes after which a token is too old; a new one is fetched shortly before.
        token_provider: Returns a token, or an awaitable of one, instead of key and secret. A plain
            function is called in a worker thread.
        headers: Sent with every request.
        verify_ssl: False accepts any certificate. A function that makes an `ssl.SSLContext` settles all TLS.
        ssl_ca_cert: File or directory of certificates to trust instead of the system's.
        cert_file: Client certificate in PEM; may hold the key as well.
        key_file: The client certificate's key in PEM, not encrypted.
        proxy: URL of a proxy; an empty one means none. By default as ``HTTP_PROXY``, ``HTTPS_PROXY``,
            ``ALL_PROXY`` and ``NO_PROXY`` say.
        transport: Carries the requests, by its own TLS and proxy settings; or a function that makes one.
        connect_timeout: Seconds to a usable connection.
        read_timeout: Seconds from a request sent to its whole answer, beyond what the server may wait.
        write_timeout: Seconds for sending a request.
        environ: Read instead of the process's environment.

    Raises:
        ConfigurationError: Names every value that cannot work, not only the first.
    """

    server_api_url: str
    authentication_settings: AuthenticationSettings | None
    auth_token_ttl_min: float
    token_provider: TokenProvider | None
    headers: Mapping[str, str] = attrs.field(repr=_shown_header_names, hash=False)
    verify_ssl: bool | Callable[[], ssl.SSLContext]
    ssl_ca_cert: str | None
    cert_file: str | None
    key_file: str | None
    proxy: str | None = attrs.field(repr=_shown_proxy)
    transport: "httpx.AsyncBaseTransport | TransportFactory | None"
    connect_timeout: float
    read_timeout: float
    write_timeout: float
    sources: Mapping[str, str] = attrs.field(init=False, repr=False, eq=False)
    """Where each value came from: ``argument``, ``default``, a variable's name, or ``file:key``."""
    file: SettingsFile | None = attrs.field(init=False, repr=False, eq=False)
    """The settings file that it was read from; it also holds options of workers, which run with these."""

    def __init__(
        self,
        base_url: str | None = None,
        *,
        server_api_url: str | None = None,
        authentication_settings: AuthenticationSettings | None = None,
        auth_token_ttl_min: float = 45,
        token_provider: TokenProvider | None = None,
        headers: Mapping[str, str] | None = None,
        verify_ssl: bool | Callable[[], ssl.SSLContext] = True,
        ssl_ca_cert: str | os.PathLike[str] | None = None,
        cert_file: str | os.PathLike[str] | None = None,
        key_file: str | os.PathLike[str] | None = None,
        proxy: str | None = None,
        transport: "httpx.AsyncBaseTransport | TransportFactory | None" = None,
        connect_timeout: float = 10.0,
        read_timeout: float = 30.0,
        write_timeout: float = 30.0,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        build = _Build(
            os.environ if environ is None else environ,
            {
                "auth_token_ttl_min": auth_token_ttl_min,
                "token_provider": token_provider,
                "headers": headers or {},
                "verify_ssl": verify_ssl,
                "ssl_ca_cert": _path(ssl_ca_cert),
                "cert_file": _path(cert_file),
                "key_file": _path(key_file),
                "transport": transport,
                "connect_timeout": connect_timeout,
                "read_timeout": read_timeout,
                "write_timeout": write_timeout,
            },
        )
        build.resolve_url(base_url, server_api_url)
        build.resolve_authentication(authentication_settings)
        build.resolve_proxy(proxy)
        self.__attrs_init__(**build.checked_values())
        object.__setattr__(self, "sources", build.sources)
        object.__setattr__(self, "file", None)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str] | None = None, *, environ: Mapping[str, str] | None = None
    ) -> Self:
        """Read a settings file, for the server and for the options of the workers that run with it.

        The environment wins over the file.

        Args:
            path: The file; by default ``anyworker.toml``, or ``pyproject.toml`` with ``[tool.anyworker]``, in
                the working directory. Where there is neither, the environment alone counts.
            environ: Read instead of the process's environment.

        Raises:
            ConfigurationError: The file cannot be read, or something in it cannot work; all of it is named.
        """
        file = find_settings(Path.cwd()) if path is None else read_settings(path)
        return cls.of_file(file, os.environ if environ is None else environ)

    @classmethod
    def of_file(cls, file: SettingsFile | None, environ: Mapping[str, str]) -> Self:
        """Return what a file that was read, and the environment over it, come to.

        Raises:
            ConfigurationError: Something cannot work; all of it is named.
        """
        if file is None:
            return cls(environ=environ)
        said = server_arguments(
            file, environ, url=SERVER_URL, auth=AUTH_VARIABLES, default_url=DEFAULT_SERVER_URL
        )
        if said.authentication is not None and not said.problems:
            said.values["authentication_settings"] = AuthenticationSettings(**said.authentication)
        try:
            configuration = cls(**said.values, environ=environ)
        except ConfigurationError as error:
            raise ConfigurationError([*said.problems, *said.placed(error.problems)]) from error
        if said.problems:
            raise ConfigurationError(said.problems)
        object.__setattr__(configuration, "sources", {**configuration.sources, **said.sources})
        object.__setattr__(configuration, "file", file)
        return configuration

    def for_workers(self, task_types: Collection[str]) -> "Configuration":
        """Return this for a process that has only some workers: its file then says nothing of others."""
        if self.file is None:
            return self
        tables = {name: table for name, table in self.file.workers.items() if name in {*task_types, ALL}}
        copied = copy.copy(self)
        object.__setattr__(copied, "file", attrs.evolve(self.file, workers=tables))
        return copied

    def ssl_context(self) -> ssl.SSLContext:
        """Return a context that trusts and shows what this configuration says."""
        if callable(self.verify_ssl):
            return self.verify_ssl()
        try:
            context = ssl.create_default_context(cafile=self.ssl_ca_cert)
        except IsADirectoryError:
            context = ssl.create_default_context(capath=self.ssl_ca_cert)
        if not self.verify_ssl:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.cert_file is not None:
            # An encrypted key would otherwise be asked for on the terminal.
            context.load_cert_chain(self.cert_file, self.key_file, password="")
        return context


@attrs.define(eq=False)
class _Build:
    """The steps that look at the environment; they collect what is wrong and where values came from."""

    environ: Mapping[str, str]
    values: dict[str, Any]
    problems: list[str] = attrs.field(factory=list)
    sources: dict[str, str] = attrs.field(factory=dict)

    def resolve_url(self, base_url: str | None, server_api_url: str | None) -> None:
        key, url, source = "server_api_url", DEFAULT_SERVER_URL, _DEFAULT
        reason: str | None
        if base_url is not None and server_api_url is not None:
            shown = f"{checks.shown_url(server_api_url)}, base_url={checks.shown_url(base_url)}"
            reason = "both are given; leave one out"
            self.problems.append(checks.problem("server_api_url", shown, _ARGUMENT, reason))
        elif server_api_url is not None:
            key, url, source = "server_api_url", server_api_url, _ARGUMENT
        elif base_url is not None:
            key, url, source = "base_url", base_url, _ARGUMENT
        elif found := self.environ.get(SERVER_URL, "").strip():
            key, url, source = SERVER_URL, found, _ENVIRONMENT
        if (reason := checks.url_reason(url)) is not None:
            self.problems.append(checks.problem(key, checks.shown_url(url), source, reason))
            url = DEFAULT_SERVER_URL
        scheme, separator, rest = url.strip().rstrip("/").partition("://")
        url = scheme.lower() + separator + rest
        self.values["server_api_url"] = f"{url.removesuffix('/api')}/api" if key == "base_url" else url
        self.sources["server_api_url"] = SERVER_URL if source == _ENVIRONMENT else source

    def resolve_authentication(self, settings: AuthenticationSettings | None) -> None:
        self.values["authentication_settings"] = settings
        self.sources["authentication_settings"] = _DEFAULT if settings is None else _ARGUMENT
        if settings is not None or self.values["token_provider"] is not None:
            return
        found = {field: self.environ.get(name, "").strip() or None for field, name in AUTH_VARIABLES.items()}
        if not any(found.values()):
            return
        if problems := checks.credential_problems(found, AUTH_VARIABLES, _ENVIRONMENT):
            self.problems += problems
            return
        names = [AUTH_VARIABLES[field] for field, value in found.items() if value]
        self.sources["authentication_settings"] = ", ".join(names)
        self.values["authentication_settings"] = AuthenticationSettings(**found)

    def resolve_proxy(self, proxy: str | None) -> None:
        key, source = "proxy", _DEFAULT if proxy is None else _ARGUMENT
        self.sources["proxy"] = source
        if proxy is None and self.values["transport"] is None:
            found = environment_proxy(self.values["server_api_url"], self.environ)
            if found is not None:
                proxy, key = found
                self.sources["proxy"], source = key, _ENVIRONMENT
        self.values["proxy"] = proxy
        if proxy and (reason := checks.proxy_reason(proxy)) is not None:
            self.problems.append(checks.problem(key, checks.shown_url(proxy), source, reason))

    def checked_values(self) -> dict[str, Any]:
        self.problems += checks.value_problems(self.values)
        if self.problems:
            raise ConfigurationError(self.problems)
        parameters = inspect.signature(Configuration).parameters
        for name in self.values.keys() - self.sources.keys():
            is_default = self.values[name] in (parameters[name].default, {})
            self.sources[name] = _DEFAULT if is_default else _ARGUMENT
        return {**self.values, "headers": dict(self.values["headers"])}

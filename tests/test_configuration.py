"""Settings: where they come from, what is refused, and that TLS and proxy settings are what happens."""

import pickle
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import attrs
import httpx
import pytest
import trustme
from anyio.streams.tls import TLSListener
from hypothesis import given
from hypothesis import strategies as st

from anyworker.client import ConductorClient
from anyworker.conductor.foreign import ForeignExchange
from anyworker.conductor.http1 import Origin
from anyworker.conductor.wire import open_exchange
from anyworker.configuration import AuthenticationSettings, Configuration
from anyworker.errors import ConfigurationError, TransportError
from anyworker.proxies import environment_proxy

# ---------------------------------------------------------------- sources


def test_without_anything_the_server_is_the_local_one():
    configuration = Configuration(environ={})
    assert configuration.server_api_url == "http://localhost:8080/api"
    assert configuration.authentication_settings is None
    assert configuration.auth_token_ttl_min == 45
    assert configuration.proxy is None
    assert set(configuration.sources.values()) == {"default"}


def test_the_environment_is_read_when_it_is_built(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CONDUCTOR_SERVER_URL", "https://h.test:1/api/\n")
    monkeypatch.setenv("CONDUCTOR_AUTH_KEY", "k")
    monkeypatch.setenv("CONDUCTOR_AUTH_SECRET", "s\n")
    configuration = Configuration()
    assert configuration.server_api_url == "https://h.test:1/api"
    assert configuration.authentication_settings == AuthenticationSettings("k", "s")
    assert configuration.sources["server_api_url"] == "CONDUCTOR_SERVER_URL"
    assert configuration.sources["authentication_settings"] == "CONDUCTOR_AUTH_KEY, CONDUCTOR_AUTH_SECRET"


def test_arguments_win_over_the_environment():
    environ = {
        "CONDUCTOR_SERVER_URL": "ftp://never looked at",
        "CONDUCTOR_AUTH_KEY": "k without secret",
        "HTTP_PROXY": "nonsense://",
    }
    settings = AuthenticationSettings("a", "b")
    configuration = Configuration(
        server_api_url="http://h.test/api", authentication_settings=settings, proxy="", environ=environ
    )
    assert configuration.server_api_url == "http://h.test/api"
    assert configuration.authentication_settings == settings
    assert not configuration.proxy
    assert configuration.sources["server_api_url"] == "argument"


def test_empty_variables_count_as_not_set():
    names = ["SERVER_URL", "AUTH_KEY", "AUTH_SECRET", "AUTH_KEY_FILE", "AUTH_SECRET_FILE"]
    assert Configuration(
        environ=dict.fromkeys((f"CONDUCTOR_{name}" for name in names), " ")
    ) == Configuration(environ={})


def test_a_token_provider_stands_in_for_the_key_of_the_environment():
    environ = {"CONDUCTOR_AUTH_KEY": "k", "CONDUCTOR_AUTH_SECRET": "s"}
    configuration = Configuration(token_provider=str, environ=environ)
    assert configuration.authentication_settings is None


@pytest.mark.parametrize(
    ("base_url", "api_url"),
    [
        ("http://h.test:8080", "http://h.test:8080/api"),
        ("http://h.test/", "http://h.test/api"),
        ("HTTPS://h.test/conductor/", "https://h.test/conductor/api"),
        ("http://h.test/api/", "http://h.test/api"),
        ("http://[::1]:8080", "http://[::1]:8080/api"),
    ],
)
def test_a_base_url_gets_the_apis_path(base_url, api_url):
    assert Configuration(base_url, environ={}).server_api_url == api_url


def test_files_for_key_and_secret_come_from_the_environment_too(tmp_path: Path):
    for name in ("key", "secret"):
        (tmp_path / name).write_text(name)
    environ = {
        "CONDUCTOR_AUTH_KEY_FILE": str(tmp_path / "key"),
        "CONDUCTOR_AUTH_SECRET_FILE": str(tmp_path / "secret"),
    }
    assert Configuration(environ=environ).authentication_settings == AuthenticationSettings(
        key_id_file=tmp_path / "key", key_secret_file=tmp_path / "secret"
    )


def test_it_can_be_evolved_pickled_and_compared():
    configuration = Configuration("http://h.test", headers={"a": "b"}, environ={})
    evolved = attrs.evolve(configuration, verify_ssl=False)
    assert evolved.server_api_url == configuration.server_api_url
    assert evolved.headers == {"a": "b"}
    assert not evolved.verify_ssl
    copy = pickle.loads(pickle.dumps(configuration))
    assert copy == configuration
    assert copy.sources == configuration.sources
    assert hash(copy) == hash(configuration)


def test_secrets_stand_in_no_repr():
    configuration = Configuration(
        authentication_settings=AuthenticationSettings("k3y", "s3cret"),
        headers={"X-Tenant": "t3nant"},
        proxy="http://user:passw0rd@proxy.test:3128",
        environ={},
    )
    shown = repr(configuration)
    assert "X-Tenant" in shown
    assert "proxy.test:3128" in shown
    for secret in ("k3y", "s3cret", "t3nant", "passw0rd"):
        assert secret not in shown


# ---------------------------------------------------------------- refusals


def problems_of(**arguments: object) -> tuple[str, ...]:
    arguments.setdefault("environ", {})
    with pytest.raises(ConfigurationError) as caught:
        Configuration(**arguments)
    return caught.value.problems


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8080/api",
        "ftp://h.test/api",
        "h.test",
        "http://",
        "http:///api",
        "http://h.test:port/api",
        "http://h.test:99999/api",
        "http://h.test:0/api",
        "http://h.test/a b",
        "http://h.test/api\r\nX: y",
        "http://h.test/api?x",
        "http://h.test/api?",
        "http://h.test/api#x",
        "http://h.test/a\\b",
        "http://h_%.test/api",
        "http://[::1/api",
        "http://[zz]/api",
        "http://bücher.test/api",
        "http://-/api",
        7,
        "",
    ],
)
def test_a_bad_server_url_is_named_with_its_source_and_a_remedy(url):
    [problem] = problems_of(server_api_url=url)
    assert problem.startswith(f"server_api_url={url!r} (argument): ")
    if isinstance(url, str) and url.strip():
        [problem] = problems_of(environ={"CONDUCTOR_SERVER_URL": url})
        assert problem.startswith(f"CONDUCTOR_SERVER_URL={url!r} (environment): ")


def test_user_and_password_in_the_url_are_refused_and_masked():
    [problem] = problems_of(environ={"CONDUCTOR_SERVER_URL": "http://ada:s3cret@h.test/api"})
    assert "s3cret" not in problem
    assert "http://***@h.test/api" in problem
    assert "CONDUCTOR_AUTH_KEY" in problem


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True, "45", None])
@pytest.mark.parametrize("key", ["auth_token_ttl_min", "connect_timeout", "read_timeout", "write_timeout"])
def test_a_duration_must_be_a_positive_number(key, value):
    [problem] = problems_of(**{key: value})
    assert problem.startswith(f"{key}={value!r} (argument): it must be a number of ")


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"CONDUCTOR_AUTH_KEY": "k3y"}, "CONDUCTOR_AUTH_SECRET"),
        ({"CONDUCTOR_AUTH_SECRET": "s3cret"}, "CONDUCTOR_AUTH_KEY"),
        (
            {"CONDUCTOR_AUTH_KEY": "k3y", "CONDUCTOR_AUTH_SECRET_FILE": "/no/such"},
            "CONDUCTOR_AUTH_SECRET_FILE",
        ),
        (
            {"CONDUCTOR_AUTH_KEY": "k3y", "CONDUCTOR_AUTH_SECRET": "s3cret", "CONDUCTOR_AUTH_KEY_FILE": "/x"},
            "CONDUCTOR_AUTH_KEY_FILE",
        ),
    ],
)
def test_a_key_with_a_part_missing_or_doubled_is_refused(environ, named):
    [problem] = problems_of(environ=environ)
    assert named in problem
    assert "(environment): " in problem
    assert "k3y" not in problem
    assert "s3cret" not in problem


def test_authentication_settings_are_checked_by_themselves(tmp_path: Path):
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConfigurationError, match="key_secret"):
        AuthenticationSettings("key")
    with pytest.raises(ConfigurationError, match="file is empty"):
        AuthenticationSettings("key", key_secret_file=tmp_path / "empty")
    with pytest.raises(ConfigurationError) as caught:
        AuthenticationSettings()
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"X": "a\r\nb"},
        {"X": "a\nb"},
        {"X": "a\0b"},
        {"X": "\u20ac"},
        {"X": 7},
        {"X Y": "a"},
        {"X:": "a"},
        {"": "a"},
        {7: "a"},
        {"Host": "a"},
        {"content-length": "1"},
        {"Content-Type": "text/plain"},
        {"Transfer-Encoding": "chunked"},
    ],
)
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(headers):
    [problem] = problems_of(headers=headers)
    assert problem.startswith(f"headers[{next(iter(headers))!r}]=*** (argument): ")


def test_two_tokens_are_refused():
    settings = AuthenticationSettings("a", "b")
    assert len(problems_of(authentication_settings=settings, token_provider=str)) == 1
    assert len(problems_of(authentication_settings=settings, headers={"X-Authorization": "t"})) == 1
    assert Configuration(headers={"X-Authorization": "t"}, environ={}).headers == {"X-Authorization": "t"}


def test_both_urls_are_one_too_many():
    [problem] = problems_of(base_url="http://a.test", server_api_url="http://b.test/api")
    assert "http://a.test" in problem
    assert "http://b.test/api" in problem


@pytest.mark.parametrize(
    "arguments",
    [
        {"verify_ssl": "no"},
        {"token_provider": "token"},
        {"authentication_settings": ("k", "s")},
        {"headers": ["a"]},
        {"transport": httpx.Client},
        {"proxy": "proxy:3128"},
        {"proxy": "gopher://proxy:3128"},
        {"proxy": "http://"},
        {"transport": httpx.MockTransport(lambda _: httpx.Response(200)), "proxy": "http://p.test"},
        {"transport": httpx.MockTransport(lambda _: httpx.Response(200)), "verify_ssl": False},
    ],
    ids=repr,
)
def test_a_value_of_the_wrong_kind_or_without_effect_is_refused(arguments):
    [problem] = problems_of(**arguments)
    assert next(iter(arguments)) in problem


def test_all_problems_are_told_together():
    problems = problems_of(
        server_api_url="ftp://x",
        auth_token_ttl_min=-1,
        read_timeout=0,
        headers={"X": "a\r\nb"},
        proxy="x://y",
        key_file="/no/such",
        ssl_ca_cert="/no/such",
        environ={"CONDUCTOR_AUTH_KEY": "k"},
    )
    assert len(problems) == 8


@given(st.text(), st.dictionaries(st.text(), st.text(), max_size=2), st.text())
def test_any_text_is_taken_or_refused(url, headers, proxy):
    try:
        Configuration(server_api_url=url, headers=headers, proxy=proxy, environ={})
    except ConfigurationError as error:
        assert error.problems  # noqa: PT017 (either outcome is right)


# ---------------------------------------------------------------- proxies


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("http://h.test/api", {}, None),
        ("http://h.test/api", {"HTTP_PROXY": "http://p:1"}, ("http://p:1", "HTTP_PROXY")),
        ("http://h.test/api", {"HTTPS_PROXY": "http://p:1"}, None),
        ("https://h.test/api", {"HTTPS_PROXY": "p:1"}, ("http://p:1", "HTTPS_PROXY")),
        ("https://h.test/api", {"ALL_PROXY": "socks5://p:1"}, ("socks5://p:1", "ALL_PROXY")),
        ("http://h.test", {"http_proxy": "http://a", "HTTP_PROXY": "http://b"}, ("http://a", "http_proxy")),
        ("http://h.test", {"HTTP_PROXY": "", "ALL_PROXY": "http://c"}, ("http://c", "ALL_PROXY")),
        ("http://h.test", {"HTTP_PROXY": "http://evil", "REQUEST_METHOD": "GET"}, None),
    ],
)
def test_the_environments_proxy(url, environ, expected):
    assert environment_proxy(url, environ) == expected


@pytest.mark.parametrize(
    ("no_proxy", "url", "is_direct"),
    [
        ("*", "http://h.test", True),
        ("h.test", "http://h.test", True),
        ("H.test", "http://h.TEST", True),
        ("h.test", "http://a.h.test", True),
        (".h.test", "http://a.h.test", True),
        ("*.h.test", "http://a.h.test", True),
        ("h.test", "http://ah.test", False),
        ("other.test, h.test ,", "http://h.test", True),
        ("h.test:8080", "http://h.test:8080", True),
        ("h.test:8080", "http://h.test", False),
        ("h.test:80", "http://h.test", True),
        ("10.0.0.0/8", "http://10.1.2.3:8080", True),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("127.0.0.1", "http://127.0.0.1:5000", True),
        ("::1", "http://[::1]:8080", True),
        ("[::1]", "http://[::1]:8080", True),
        ("10.0.0.0/8", "http://[::1]", False),
        ("10.0.0.0/8", "http://h.test", False),
        ("", "http://h.test", False),
        (", ,", "http://h.test", False),
    ],
)
def test_no_proxy_excludes_hosts(no_proxy, url, is_direct):
    environ = {"http_proxy": "http://p:1", "NO_PROXY": no_proxy}
    assert (environment_proxy(url, environ) is None) is is_direct


async def test_a_proxy_carries_the_requests():
    """A plain server plays the proxy: it sees the absolute URL of a host that does not exist."""
    lines: list[bytes] = []

    async def serve(stream: anyio.abc.ByteStream) -> None:
        async with stream:
            lines.append((await stream.receive()).split(b"\r\n")[0])
            await stream.send(b"HTTP/1.1 200 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with anyio.fail_after(10):
        async with listening(serve) as port:
            environ = {"HTTP_PROXY": f"http://127.0.0.1:{port}"}
            async with ConductorClient(Configuration("http://no-such.test", environ=environ)) as client:
                await client.decide("w")
    assert lines == [b"PUT http://no-such.test/api/workflow/decide/w HTTP/1.1"]


async def test_the_configuration_chooses_what_carries_the_requests():
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    assert isinstance(await open_exchange(Configuration(environ={})), Origin)
    foreign = await open_exchange(Configuration(transport=transport, environ={}))
    assert isinstance(foreign, ForeignExchange)
    proxied = await open_exchange(Configuration(proxy="http://127.0.0.1:1", environ={}))
    assert isinstance(proxied, ForeignExchange)
    await proxied.aclose()
    excluded = {"ALL_PROXY": "http://127.0.0.1:1", "NO_PROXY": "localhost"}
    assert isinstance(await open_exchange(Configuration(environ=excluded)), Origin)


async def test_a_factory_makes_a_transport_for_each_client():
    made: list[httpx.MockTransport] = []

    def make() -> httpx.MockTransport:
        made.append(httpx.MockTransport(lambda _: httpx.Response(200, json=[])))
        return made[-1]

    configuration = Configuration(transport=make, environ={})
    for count in (1, 2):
        async with ConductorClient(configuration) as client:
            assert await client.poll("a", count=1, timeout=0, worker_id="w") == []
        assert len(made) == count
    with pytest.raises(ConfigurationError, match="made None"):
        await open_exchange(Configuration(transport=lambda: None, environ={}))


def test_a_function_makes_the_ssl_context():
    context = ssl.create_default_context()
    assert Configuration(verify_ssl=lambda: context, environ={}).ssl_context() is context
    [problem] = problems_of(verify_ssl=ssl.create_default_context, key_file="/no/such")
    assert "key_file" in problem
    assert "verify_ssl" in problem


async def test_a_transport_of_the_users_carries_the_requests():
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"token": "T"} if request.url.path == "/api/token" else [])

    configuration = Configuration(
        "https://h.test:8443",
        transport=httpx.MockTransport(handle),
        authentication_settings=AuthenticationSettings("k", "s"),
        environ={"HTTPS_PROXY": "http://127.0.0.1:1"},
    )
    async with ConductorClient(configuration) as client:
        assert await client.poll("a b", count=1, timeout=0, worker_id="w") == []
    assert [str(request.url) for request in seen] == [
        "https://h.test:8443/api/token",
        "https://h.test:8443/api/tasks/poll/batch/a%20b?workerid=w&count=1&timeout=0",
    ]
    assert seen[1].headers["x-authorization"] == "T"


# ---------------------------------------------------------------- TLS


@attrs.frozen
class Certificates:
    """Files of a private authority, a server and a client."""

    authority: trustme.CA
    ca: str
    directory: str
    client: str
    client_key: str
    client_with_key: str
    other_ca: str
    encrypted_key: str


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("tls")
    authority, other = trustme.CA(), trustme.CA()
    client = authority.issue_cert("worker@example.test")
    files = {
        "ca": authority.cert_pem.bytes(),
        "client": b"".join(pem.bytes() for pem in client.cert_chain_pems),
        "client_key": client.private_key_pem.bytes(),
        "client_with_key": client.private_key_and_cert_chain_pem.bytes(),
        "other_ca": other.cert_pem.bytes(),
        "encrypted_key": encrypted(client.private_key_pem.bytes()),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return Certificates(authority, directory=str(folder), **{name: str(folder / name) for name in files})


def encrypted(key: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization

    loaded = serialization.load_pem_private_key(key, None)
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )


@asynccontextmanager
async def listening(serve, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    served = listener if context is None else TLSListener(listener, context, standard_compatible=False)
    async with served, anyio.create_task_group() as tasks:
        tasks.start_soon(served.serve, serve)
        yield port
        tasks.cancel_scope.cancel()


async def answer_once(stream: anyio.abc.ByteStream) -> None:
    async with stream:
        try:
            await stream.receive()
            await stream.send(b"HTTP/1.1 200 \r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return


@asynccontextmanager
async def tls_server(certificates: Certificates, *, client_needed: bool = False) -> AsyncIterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # With TLS 1.3 a client learns of its refused certificate only when it reads.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    certificates.authority.issue_cert("127.0.0.1").configure_cert(context)
    if client_needed:
        context.verify_mode = ssl.CERT_REQUIRED
        certificates.authority.configure_trust(context)
    async with listening(answer_once, context) as port:
        yield f"https://127.0.0.1:{port}"


async def reach(configuration: Configuration) -> None:
    with anyio.fail_after(10):
        async with ConductorClient(configuration) as client:
            await client.queue_sizes(["a"])


@pytest.fixture
def trusting(certificates: Certificates):
    """Return a way to build configurations off the loop, as a program does before it starts one."""

    async def build(url: str, **options: object) -> Configuration:
        return await anyio.to_thread.run_sync(lambda: Configuration(url, environ={}, **options))

    return build


async def test_the_systems_certificates_are_trusted_by_default_and_a_private_one_is_not(
    certificates, trusting
):
    async with tls_server(certificates) as url:
        with pytest.raises(TransportError, match=r"(?i)certificate") as caught:
            await reach(await trusting(url))
    assert not caught.value.may_have_arrived


@pytest.mark.parametrize("form", ["file", "path"])
async def test_a_private_authority_is_trusted_when_it_is_named(certificates, trusting, form):
    path = certificates.ca if form == "file" else Path(certificates.ca)
    async with tls_server(certificates) as url:
        await reach(await trusting(url, ssl_ca_cert=path))


async def test_a_named_authority_is_the_only_one(certificates, trusting):
    async with tls_server(certificates) as url:
        with pytest.raises(TransportError, match=r"(?i)certificate"):
            await reach(await trusting(url, ssl_ca_cert=certificates.other_ca))


async def test_without_verification_any_certificate_is_good(certificates, trusting):
    async with tls_server(certificates) as url:
        await reach(await trusting(url.replace("127.0.0.1", "localhost"), verify_ssl=False))


async def test_the_name_in_the_certificate_counts(certificates, trusting):
    async with tls_server(certificates) as url:
        with pytest.raises(TransportError):
            await reach(await trusting(url.replace("127.0.0.1", "localhost"), ssl_ca_cert=certificates.ca))


@pytest.mark.parametrize("form", ["two files", "one file"])
async def test_a_client_certificate_is_shown(certificates, trusting, form):
    options = {"cert_file": certificates.client_with_key}
    if form == "two files":
        options = {"cert_file": certificates.client, "key_file": certificates.client_key}
    async with tls_server(certificates, client_needed=True) as url:
        with pytest.raises(TransportError):
            await reach(await trusting(url, ssl_ca_cert=certificates.ca))
        await reach(await trusting(url, ssl_ca_cert=certificates.ca, **options))


def test_a_directory_of_certificates_is_taken(certificates):
    context = Configuration("https://h.test", ssl_ca_cert=certificates.directory, environ={}).ssl_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"ssl_ca_cert": "missing"}, "ssl_ca_cert='.*missing' .*No such file"),
        ({"ssl_ca_cert": "client_key"}, "ssl_ca_cert=.*no certificate"),
        ({"cert_file": "client"}, "cert_file=.*key_file is missing"),
        ({"cert_file": "missing", "key_file": "client_key"}, "missing cannot be read"),
        ({"cert_file": "client", "key_file": "missing"}, "missing cannot be read"),
        ({"cert_file": "client", "key_file": "encrypted_key"}, "unencrypted"),
        ({"cert_file": "ca", "key_file": "client_key"}, "do not work together"),
        ({"key_file": "client_key"}, "key_file=.*cert_file is missing"),
    ],
    ids=repr,
)
def test_a_bad_tls_setting_stops_the_start(certificates, options, reason):
    named = {key: f"{certificates.directory}/{name}" for key, name in options.items()}
    with pytest.raises(ConfigurationError, match=reason):
        Configuration("https://h.test", environ={}, **named)


@pytest.mark.parametrize("name", ["ssl_ca_cert", "cert_file", "key_file"])
def test_context_where_a_path_belongs_is_refused_with_the_remedy(name: str) -> None:
    wrong: dict[str, Any] = {name: ssl.create_default_context()}
    with pytest.raises(ConfigurationError, match=f"^{name}=SSLContext .*a function given as verify_ssl$"):
        Configuration("http://localhost/api", **wrong)

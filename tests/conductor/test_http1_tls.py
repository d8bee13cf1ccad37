"""Exchanges and idle connections over TLS."""

import ssl
from contextlib import AbstractAsyncContextManager

import anyio
import attrs
import httpx
import pytest
import trustme
from anyio.streams.tls import TLSAttribute
from scripted_server import (
    OK,
    TIMEOUTS,
    Peer,
    Script,
    ScriptedServer,
    answer_ok,
    connected,
    get,
    scripted_server,
)

from anyworker.conductor.exchange import Exchange
from anyworker.conductor.http1 import Http1Transport

BIG = bytes(range(256)) * 40_000


@attrs.frozen
class Contexts:
    """Both ends of TLS."""

    server: ssl.SSLContext
    elsewhere: ssl.SSLContext
    """Of a server with the certificate of another host."""
    client: ssl.SSLContext
    """Trusts the authority of both."""


@pytest.fixture
def contexts() -> Contexts:
    authority = trustme.CA()
    server, elsewhere = (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(2))
    server.set_alpn_protocols(["h2", "http/1.1"])
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.issue_cert("elsewhere.example").configure_cert(elsewhere)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return Contexts(server, elsewhere, client)


def encrypted(
    script: Script, contexts: Contexts
) -> AbstractAsyncContextManager[tuple[ScriptedServer, Exchange]]:
    """Return what :func:`connected` does, over TLS with a certificate that is trusted."""
    return connected(script, server_context=contexts.server, client_context=contexts.client)


async def test_tls_connection_is_kept_and_speaks_http1(contexts: Contexts) -> None:
    protocols = []

    async def script(peer: Peer) -> None:
        protocols.append(peer.stream.extra(TLSAttribute.alpn_protocol))
        await answer_ok(peer)

    async with encrypted(script, contexts) as (server, exchange):
        for _ in range(5):
            assert (await get(exchange)).body == b"ok"
        assert server.connections == 1
        assert protocols == ["http/1.1"]


async def test_large_bodies_travel_over_tls(contexts: Contexts) -> None:
    with anyio.fail_after(20):
        async with (
            scripted_server(answer_ok, ssl_context=contexts.server) as server,
            Http1Transport(ssl_context=contexts.client) as transport,
        ):
            for _ in range(2):
                await transport.origin(server.url).exchange(b"POST", b"/", b"", BIG, TIMEOUTS)
            assert server.connections == 1
            assert server.requests[1].endswith(BIG)


async def test_untrusted_certificate_is_a_connect_error(contexts: Contexts) -> None:
    async with connected(answer_ok, server_context=contexts.server) as (server, exchange):
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await get(exchange)
        assert not server.requests


async def test_certificate_of_another_host_is_a_connect_error(contexts: Contexts) -> None:
    async with encrypted(answer_ok, attrs.evolve(contexts, server=contexts.elsewhere)) as (_, exchange):
        with pytest.raises(httpx.ConnectError):
            await get(exchange)


@pytest.mark.parametrize("answer", [OK, b"HTTP/1.1 200 \r\n\r\nok"])
async def test_tls_cut_without_goodbye_spoils_only_an_answer_without_a_length(
    contexts: Contexts, answer: bytes
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)
        await peer.finish()

    async with encrypted(script, contexts) as (_, exchange):
        if answer == OK:
            assert (await get(exchange)).body == b"ok"
        else:
            with pytest.raises(httpx.RemoteProtocolError, match="broke off"):
                await get(exchange)


@pytest.mark.parametrize("news", ["nothing", "end", "goodbye", "408", "half a record"])
async def test_idle_tls_connection_with_news_is_not_used(contexts: Contexts, news: str) -> None:
    happened = anyio.Event()

    async def script(peer: Peer) -> None:
        if peer.number:
            await answer_ok(peer)
        await peer.request()
        await peer.send(OK)
        await peer.server.idle.wait()
        if news == "408":
            await peer.send(b"HTTP/1.1 408 \r\nContent-Length: 0\r\n\r\n")
        if news == "half a record":
            await peer.stream.transport_stream.send(b"\x17\x03\x03\x00\x40abc")
            await peer.finish()
        if news == "goodbye":
            with anyio.move_on_after(0.1):
                await peer.stream.unwrap()
        if news == "end":
            await peer.finish()
        happened.set()
        if news == "nothing":
            await answer_ok(peer)
        await peer.until_closed()

    async with encrypted(script, contexts) as (server, exchange):
        await get(exchange)
        server.idle.set()
        await happened.wait()
        for _ in range(3):
            assert (await get(exchange)).status == 200
        assert (server.connections, len(server.requests)) == (1 if news == "nothing" else 2, 4)


async def test_bytes_behind_an_answer_end_a_tls_connection(contexts: Contexts) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        tls = peer.stream.extra(TLSAttribute.ssl_object)
        # Two records in one packet: reading the first decrypts nothing of the second.
        tls.write(OK)
        tls.write(b"x")
        await peer.stream._flush_write_bio()
        await peer.until_closed()

    async with encrypted(script, contexts) as (server, exchange):
        for _ in range(2):
            assert (await get(exchange)).body == b"ok"
        assert server.connections == 2


async def test_idle_tls_connection_survives_what_is_only_tls(contexts: Contexts) -> None:
    contexts.server.verify_mode = ssl.CERT_OPTIONAL
    contexts.client.post_handshake_auth = True
    happened = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.server.idle.wait()
        tls = peer.stream.extra(TLSAttribute.ssl_object)
        tls.verify_client_post_handshake()
        tls.do_handshake()
        await peer.stream._flush_write_bio()
        happened.set()
        await answer_ok(peer)

    async with encrypted(script, contexts) as (server, exchange):
        await get(exchange)
        server.idle.set()
        await happened.wait()
        for _ in range(3):
            assert (await get(exchange)).status == 200
        assert (server.connections, len(server.requests)) == (1, 4)

"""A server behind TLS, with a certificate of one's own authority, client certificates, and a proxy.

    python examples/secured.py https://conductor.example/api ca.pem client.pem http://proxy:3128

Authority, client certificate (with its key in the same file) and proxy may be left out, from the end. A
settings file says the same by ``ssl_ca_cert``, ``cert_file``, ``key_file`` and ``proxy`` in ``[server]``.
"""

import sys

import anyio

from anyworker import Configuration
from anyworker.client import ConductorClient


def secured(
    url: str, authority: str | None = None, own: str | None = None, proxy: str | None = None
) -> Configuration:
    """Return how to reach a server; ``anyworker.run(configuration=...)`` takes it."""
    return Configuration(server_api_url=url, ssl_ca_cert=authority, cert_file=own, key_file=own, proxy=proxy)


async def main(configuration: Configuration) -> None:
    """Ask the server what it is."""
    async with ConductorClient(configuration) as client:
        print(await client.greet())


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit("Name the API's URL, and then authority, certificate and proxy where there are some.")
    anyio.run(main, secured(*sys.argv[1:]))

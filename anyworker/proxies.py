"""Which proxy the environment wants for a URL."""

import ipaddress
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def environment_proxy(url: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the proxy for a URL and the variable that names it; None for a direct connection.

    ``HTTP_PROXY`` or ``HTTPS_PROXY`` by the URL's scheme, else ``ALL_PROXY``; lower case wins over upper
    case; a value without a scheme means ``http://``. ``NO_PROXY`` excludes hosts: a comma-separated list of
    names (which include their subdomains), addresses, networks (``10.0.0.0/8``), each with an optional
    port, or ``*``.

    Args:
        url: Absolute http or https URL.
        environ: The environment.
    """
    for variable in _variables(urlsplit(url).scheme, environ):
        if proxy := environ.get(variable, "").strip():
            if _is_excluded(url, environ.get("no_proxy") or environ.get("NO_PROXY") or ""):
                return None
            return (proxy if "://" in proxy else f"http://{proxy}"), variable
    return None


def _variables(scheme: str, environ: Mapping[str, str]) -> Iterator[str]:
    yield f"{scheme}_proxy"
    # Under CGI a client can set HTTP_PROXY by a request header named Proxy.
    if scheme != "http" or "REQUEST_METHOD" not in environ:
        yield f"{scheme}_proxy".upper()
    yield "all_proxy"
    yield "ALL_PROXY"


def _is_excluded(url: str, no_proxy: str) -> bool:
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    entries = (entry.strip().lower() for entry in no_proxy.split(","))
    return any(entry == "*" or _matches(entry, host, port) for entry in entries if entry)


def _matches(entry: str, host: str, port: int) -> bool:
    if (network := _network(entry)) is not None:
        address = _network(host)
        return address is not None and address.version == network.version and _contains(network, address)
    name, colon, number = entry.rpartition(":")
    if colon and number.isdecimal():
        return int(number) == port and _matches(name, host, port)
    name = entry.removeprefix("*").removeprefix(".").rstrip(".")
    return host == name or host.endswith(f".{name}")


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text.removeprefix("[").removesuffix("]"), strict=False)
    except ValueError:
        return None


def _contains(network: _Network, address: _Network) -> bool:
    return address.network_address in network

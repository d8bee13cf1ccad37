"""What a configuration's values must be; each check returns the reason of a refusal, never raises."""

import importlib.util
import ipaddress
import math
import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?")
_URL_CHARACTERS = re.compile(r"[!-~]+")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OWN_HEADERS = frozenset(
    [
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
_PROXY_SCHEMES = frozenset(["http", "https", "socks5", "socks5h"])
_MASK = "***"


def problem(key: str, shown: str, source: str, reason: str) -> str:
    """Return the sentence that names key, value, source and reason."""
    return f"{key}={shown} ({source}): {reason}"


def without_secrets(url: str) -> str:
    """Return a URL with its user and password, and the values of a query, masked."""
    shown = re.sub(r"([?&][^=&#]*=)[^&#]*", rf"\1{_MASK}", url)
    head, separator, rest = shown.partition("://")
    authority, slash, path = rest.partition("/")
    userinfo, at, host = authority.rpartition("@")
    return f"{head}{separator}{_MASK if userinfo else ''}{at}{host}{slash}{path}" if separator else shown


def shown_url(url: object) -> str:
    """Return a URL as an error may show it."""
    return repr(without_secrets(url) if isinstance(url, str) else url)


def _split(url: object) -> SplitResult | str:
    if not isinstance(url, str):
        return "it must be text"
    if not _URL_CHARACTERS.fullmatch(url.strip()):
        return "it must consist of printable ASCII characters without spaces"
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        return f"it is no URL: {error}"
    if port == 0 or not _is_host(parts.hostname or ""):
        return "it names no usable host and port, as http://localhost:8080/api does"
    return parts


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(_HOST.fullmatch(host))
    return True


def url_reason(url: object) -> str | None:
    """Return why a URL cannot be the server's; None if it can."""
    example = "write it as http://localhost:8080/api"
    if isinstance(url, str) and not re.match(r"\s*https?://", url, re.IGNORECASE):
        return f"it must begin with http:// or https://; {example}"
    parts = _split(url)
    if isinstance(parts, str):
        return parts
    if parts.username is not None or parts.password is not None:
        return (
            "user and password do not belong into the URL; set CONDUCTOR_AUTH_KEY and CONDUCTOR_AUTH_SECRET"
        )
    if "?" in parts.geturl() or "#" in str(url) or "\\" in parts.path or "?" in str(url):
        return f"a query, fragment or backslash has no place in it; {example}"
    return None


def proxy_reason(url: object) -> str | None:
    """Return why a URL cannot be a proxy's; None if it can."""
    parts = _split(url)
    if isinstance(parts, str):
        return parts
    if parts.scheme not in _PROXY_SCHEMES:
        return f"its scheme must be one of {', '.join(sorted(_PROXY_SCHEMES))}, as in http://proxy:3128"
    if parts.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        return "a SOCKS proxy needs the package socksio; install httpx[socks]"
    return None


def credential_problems(found: Mapping[str, str | None], names: Mapping[str, str], source: str) -> list[str]:
    """Return what is wrong with a key and its secret.

    Args:
        found: ``key_id``, ``key_secret``, ``key_id_file``, ``key_secret_file``; None or empty if not given.
        names: What the user calls each of them.
        source: Where they came from.
    """
    problems = []
    for part, other in (("key_id", "key_secret"), ("key_secret", "key_id")):
        value, path = found[part], found[f"{part}_file"]
        name, file_name = names[part], names[f"{part}_file"]
        if value and path:
            problems.append(f"{name}={_MASK}, {file_name}={path!r} ({source}): both are given; leave one out")
        elif not value and not path:
            reason = f"it is missing beside {names[other]}; set it or {file_name}"
            problems.append(problem(name, repr(value), source, reason))
        elif value and not isinstance(value, str):
            problems.append(problem(name, _MASK, source, "it must be text"))
        elif path and (trouble := _file_reason(path)):
            problems.append(problem(file_name, repr(path), source, trouble))
    return problems


def _file_reason(path: str) -> str | None:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        return f"the file cannot be read: {reason}"
    return None if text.strip() else "the file is empty"


def value_problems(values: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a configuration's values beyond URL, proxy and key."""
    return [
        *_number_problems(values),
        *_header_problems(values),
        *_kind_problems(values),
        *_transport_problems(values),
        *_tls_problems(values),
    ]


def _number_problems(values: Mapping[str, Any]) -> list[str]:
    units = {
        "auth_token_ttl_min": "minutes",
        "connect_timeout": "seconds",
        "read_timeout": "seconds",
        "write_timeout": "seconds",
    }
    return [
        problem(key, repr(values[key]), "argument", f"it must be a number of {unit} above 0")
        for key, unit in units.items()
        if not _is_positive(values[key])
    ]


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _header_problems(values: Mapping[str, Any]) -> list[str]:
    headers = values["headers"]
    if not isinstance(headers, Mapping):
        return [problem("headers", repr(type(headers).__name__), "argument", "it must map names to values")]
    has_token = values["authentication_settings"] or values["token_provider"]
    return [
        problem(f"headers[{name!r}]", _MASK, "argument", reason)
        for name, value in headers.items()
        if (reason := _header_reason(name, value, has_token=bool(has_token)))
    ]


def _header_reason(name: object, value: object, *, has_token: bool) -> str | None:
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        return "this is no header name: letters, digits and -"
    if name.lower() in _OWN_HEADERS:
        return "this header belongs to the client itself; leave it out"
    if name.lower() == "x-authorization" and has_token:
        return "the token is sent in this header; leave it out, or the key and token_provider"
    if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
        return "its value must be text of Latin-1 characters without line breaks and control characters"
    return None


def _kind_problems(values: Mapping[str, Any]) -> list[str]:
    provider, settings, verify = (
        values[name] for name in ("token_provider", "authentication_settings", "verify_ssl")
    )
    problems = []
    if not isinstance(verify, bool) and not callable(verify):
        reason = "it must be True, False or a function that makes an ssl.SSLContext"
        problems.append(problem("verify_ssl", repr(verify), "argument", reason))
    if provider is not None and not callable(provider):
        problems.append(
            problem("token_provider", _MASK, "argument", "it must be a function that returns a token")
        )
    if settings is not None and not hasattr(settings, "key_secret_file"):
        problems.append(
            problem("authentication_settings", _MASK, "argument", "it must be AuthenticationSettings")
        )
    if provider is not None and settings is not None:
        reason = "token_provider is given, too; leave one out"
        problems.append(problem("authentication_settings", _MASK, "argument", reason))
    return problems


def _transport_problems(values: Mapping[str, Any]) -> list[str]:
    transport = values["transport"]
    if transport is None:
        return []
    is_factory = callable(transport) and not isinstance(transport, type)
    if not is_factory and not hasattr(transport, "handle_async_request"):
        kind = type(transport).__name__
        reason = "it must be an httpx.AsyncBaseTransport, or a function that makes one"
        return [problem("transport", kind, "argument", reason)]
    reason = "it has no effect beside transport, which has its own; set it there"
    shown = {name: values[name] for name in ("ssl_ca_cert", "cert_file", "key_file", "verify_ssl")}
    problems = [
        problem(name, repr(value), "argument", reason)
        for name, value in shown.items()
        if value is not None and value is not True
    ]
    if values["proxy"]:
        problems.append(problem("proxy", shown_url(values["proxy"]), "argument", reason))
    return problems


def _tls_problems(values: Mapping[str, Any]) -> list[str]:
    authority, certificate, key = (values[name] for name in ("ssl_ca_cert", "cert_file", "key_file"))
    files = (("ssl_ca_cert", authority), ("cert_file", certificate), ("key_file", key))
    no_path = "it must be a path; an ssl.SSLContext comes from a function given as verify_ssl"
    problems = [
        problem(name, type(value).__name__, "argument", no_path)
        for name, value in files
        if not isinstance(value, str | None)
    ]
    if problems:
        return problems
    if callable(values["verify_ssl"]) and values["transport"] is None:
        useless = "it has no effect beside the function given as verify_ssl; set it there"
        return [problem(name, repr(path), "argument", useless) for name, path in files if path is not None]
    if authority is not None and (reason := _authority_reason(authority)):
        problems.append(problem("ssl_ca_cert", repr(authority), "argument", reason))
    if key is not None and certificate is None:
        problems.append(
            problem("key_file", repr(key), "argument", "cert_file is missing beside it; set it, too")
        )
    if certificate is not None and (reason := _certificate_reason(certificate, key)):
        problems.append(problem("cert_file", repr(certificate), "argument", reason))
    return problems


def _authority_reason(path: str) -> str | None:
    if os.path.isdir(path):
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        return "the file holds no certificate in PEM format"
    except OSError as error:
        return f"the file cannot be read: {error.strerror}"
    return None


def _certificate_reason(certificate: str, key: str | None) -> str | None:
    for path in filter(None, (certificate, key)):
        try:
            Path(path).read_bytes()
        except OSError as error:
            return f"the file {path} cannot be read: {error.strerror}"
    try:
        # An encrypted key would otherwise be asked for on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        missing = "" if key else "; key_file is missing, or the key belongs into the same file"
        why = error.reason or "no certificate and unencrypted key in PEM format"
        return f"certificate and key do not work together: {why}{missing}"
    return None

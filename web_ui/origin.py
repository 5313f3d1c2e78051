"""Where a request comes from: this machine's own screen, and which page."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from flask import Request

_PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


def _is_loopback(address: str | None) -> bool:
    if address is None:
        return False
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def host_name(asked: Request) -> str | None:
    """The name under which this machine was asked, in lower case, without the port; None for none."""
    try:
        return urlsplit(f"//{asked.host}").hostname
    except ValueError:
        return None


def host_is_loopback(asked: Request) -> bool:
    return _is_loopback(host_name(asked))


def is_from_machine(asked: Request) -> bool:
    """From this machine's own loopback, under a loopback name, not through a proxy.

    The name matters: a foreign page whose name was made to resolve to 127.0.0.1 (DNS rebinding)
    sends its own name as Host.
    """
    through_proxy = any(header in asked.headers for header in _PROXY_HEADERS)
    return not through_proxy and _is_loopback(asked.remote_addr) and host_is_loopback(asked)


def is_same_origin(asked: Request) -> bool:
    """False when a browser says that another site's page asks. Programs send neither header."""
    site = asked.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = asked.headers.get("Origin")
    return origin is None or origin == f"{asked.scheme}://{asked.host}"

"""Fetching a URL with limits: addresses, redirects, time, size. Needs the extra ``stance[feeds]``.

The address is vetted twice: when the name was resolved, before a connection could tell whether somebody
listens there, and when the connection stands, before anything is sent, so that names that change their
address between the two look-ups are covered. Both hold for each redirect.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from stance.sources.raw import ReadError
from stance.version import __version__

MAX_REDIRECTS: Final = 5
USER_AGENT: Final = f"stance/{__version__} (labels news sentences; reads feeds and pages)"
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_CHUNK: Final = 65536
_V4_IN_V6: Final = (  # networks whose addresses carry an IPv4 address: (network, bits below it)
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("::/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)
_NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(network)
    for network in ("64:ff9b:1::/48", "2001::/23", "100::/64", "5f00::/16", "fec0::/10", "192.88.99.0/24")
)


@dataclass(frozen=True, slots=True)
class Response:
    """What a server answered: `body` unpacked and within the limit, header names in lower case."""

    url: str
    status: int
    reason: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def media_type(self) -> str | None:
        """The media type without parameters, in lower case; None where none is given."""
        value = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return value or None

    @property
    def charset(self) -> str | None:
        """The character set that the server names, or None."""
        for part in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = part.partition("=")
            if name.strip().lower() == "charset":
                return value.strip(" \"'") or None
        return None


class FetchError(ReadError):
    """A URL that was not fetched: refused, out of reach, too slow, too large.

    `passing` says that another try may succeed: the server was slow or out of reach.
    """

    def __init__(self, place: str, message: str, *, passing: bool = False) -> None:
        super().__init__(place, message)
        self.passing = passing


def public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, through every kind of tunnel."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = _carried(ip)
    if inner is not None:
        return public(str(inner))
    if any(ip.version == network.version and ip in network for network in _NOT_PUBLIC):
        return False
    closed = ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback or ip.is_link_local
    return ip.is_global and not closed


def fetch(
    url: str,
    *,
    allow_private: bool = False,
    timeout: float = 20.0,
    limit: int = 16 * 2**20,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer to a GET of `url` after redirects, whatever its status.

    `timeout` is for the whole of it, `limit` in bytes after unpacking.

    Raises:
        FetchError: the message says what and, where there is one, the cure.
    """
    deadline = time.monotonic() + timeout
    current = url
    for _ in range(MAX_REDIRECTS + 1):
        response = _get(current, url, allow_private, deadline, timeout, limit, headers or {})
        location = response.headers.get("location")
        if response.status not in _REDIRECTS or not location:
            return response
        current = urljoin(current, location)
    raise FetchError(url, f"redirects more than {MAX_REDIRECTS} times; check the address")


def fetch_page(url: str, *, allow_private: bool, timeout: float, limit: int) -> Response:
    """`fetch`, where anything but 200 is an error."""
    response = fetch(url, allow_private=allow_private, timeout=timeout, limit=limit)
    if response.status != 200:
        raise FetchError(url, f"the server answered {response.status} {response.reason}; check the address")
    return response


def _get(
    url: str,
    asked: str,
    allow_private: bool,
    deadline: float,
    timeout: float,
    limit: int,
    headers: Mapping[str, str],
) -> Response:
    try:
        import urllib3
    except ImportError:
        raise FetchError(asked, "fetching needs urllib3; pip install 'stance[feeds]'") from None
    _check_url(url, asked)
    guard = _Guard(asked, allow_private, deadline)
    left = max(0.01, deadline - time.monotonic())
    pools = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=left, read=left))
    _guard_pools(pools, guard)
    sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", "Accept": "*/*", **headers}
    watchdog = threading.Timer(left, guard.cut)
    watchdog.daemon = True
    watchdog.start()
    try:
        answer = pools.request(
            "GET", url, headers=sent, redirect=False, preload_content=False, decode_content=False
        )
        try:
            found = {name.lower(): value for name, value in answer.headers.items()}
            body = b"" if answer.status in _REDIRECTS else _body(answer, found, asked, deadline, limit)
        finally:
            answer.close()
    except FetchError:
        raise
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as fault:
        if guard.refused is not None:
            raise guard.refused from None
        if guard.was_cut or time.monotonic() >= deadline:
            raise _late(asked, timeout) from None
        raise FetchError(
            asked, f"cannot be fetched ({_short(fault)}); check the address and the network", passing=True
        ) from None
    finally:
        watchdog.cancel()
        pools.clear()
    if guard.was_cut:
        raise _late(asked, timeout)
    return Response(url, answer.status, answer.reason or "", body, found)


class _Guard:
    """Vets each new connection and can cut it from another thread when time is up."""

    def __init__(self, asked: str, allow_private: bool, deadline: float) -> None:
        self._asked, self._allow_private, self._deadline = asked, allow_private, deadline
        self._socket: socket.socket | None = None
        self.refused: FetchError | None = None
        self.was_cut = False

    def vet(self, host: str, port: int | None) -> None:
        """Refuse a private address before a connection to it could tell whether somebody listens there."""
        if self._allow_private:
            return
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            return  # the connection itself will say so
        for *_, address in found:
            self._refuse_private(str(address[0]))

    def admit(self, connected: socket.socket) -> None:
        """Keep the socket, or close it and raise: a name may lead elsewhere the second time it is asked."""
        try:
            self._refuse_private(connected.getpeername()[0])
        except FetchError:
            connected.close()
            raise
        self._socket = connected
        if time.monotonic() >= self._deadline:
            self.cut()

    def _refuse_private(self, address: str) -> None:
        if not self._allow_private and not public(address):
            self.refused = FetchError(
                self._asked, f"leads to the private address {address}; use --allow-private if that is meant"
            )
            raise self.refused

    def cut(self) -> None:
        self.was_cut = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _guard_pools(pools: Any, guard: _Guard) -> None:
    """Make every connection of `pools` pass through `guard` before anything is sent."""
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

    def guarded(pool: Any) -> type:
        class Connection(pool.ConnectionCls):  # type: ignore[misc]
            def _new_conn(self) -> socket.socket:
                guard.vet(self.host, self.port)
                connected: socket.socket = super()._new_conn()
                guard.admit(connected)
                return connected

        return type(pool.__name__, (pool,), {"ConnectionCls": Connection})

    pools.pool_classes_by_scheme = {
        "http": guarded(HTTPConnectionPool),
        "https": guarded(HTTPSConnectionPool),
    }


def _check_url(url: str, asked: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as fault:
        raise FetchError(asked, f"not a web address ({fault}); check it") from None
    if parts.scheme not in ("http", "https") or not host:
        raise FetchError(
            asked, f"leads to '{parts.scheme or url[:20]}', which is not fetched; use http or https"
        )
    if parts.username is not None or parts.password is not None:
        raise FetchError(asked, "holds a user name or password; addresses end up in records, leave it out")


def _body(answer: Any, headers: Mapping[str, str], asked: str, deadline: float, limit: int) -> bytes:
    """The body, unpacked in bounded steps."""
    unpack = _unpacker(headers.get("content-encoding", ""), asked)
    parts: list[bytes] = []
    size = 0
    while True:
        packed = answer.read1(_CHUNK, decode_content=False)
        if time.monotonic() >= deadline:
            raise OSError("time is up")
        part = unpack(packed, limit + 1 - size)
        size += len(part)
        if size > limit:
            raise FetchError(asked, f"larger than {limit / 2**20:g} MB; it was not read")
        parts.append(part)
        if not packed:
            return b"".join(parts)


def _unpacker(coding: str, asked: str) -> Callable[[bytes, int], bytes]:
    """A function from packed bytes and a bound to what they unpack to, cut off at the bound."""
    names = [name.strip().lower() for name in coding.split(",") if name.strip()]
    names = [name for name in names if name != "identity"]
    if not names:
        return lambda data, most: data[:most]
    if names not in (["gzip"], ["x-gzip"]):
        raise FetchError(asked, f"comes packed as '{coding[:40]}', which was not asked for; it was not read")
    engine = zlib.decompressobj(wbits=31)

    def unpack(data: bytes, most: int) -> bytes:
        try:
            part = engine.decompress(data, most) if data else engine.flush()[:most]
        except zlib.error as fault:
            raise FetchError(asked, f"damaged gzip ({fault}); try again") from None
        if not data and not engine.eof:
            raise FetchError(asked, "its gzip stream ends too early; try again")
        return part

    return unpack


def _carried(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address inside an IPv6 address of a tunnel or translator."""
    if isinstance(ip, ipaddress.IPv4Address):
        return None
    for network, below in _V4_IN_V6:
        if ip in network:
            return ipaddress.IPv4Address((int(ip) >> below) & 0xFFFFFFFF)
    return None


def _late(asked: str, timeout: float) -> FetchError:
    return FetchError(asked, f"took longer than {timeout:g} s; raise --timeout or try later", passing=True)


def _short(fault: BaseException) -> str:
    text = str(fault).split("(Caused by")[0].strip().rstrip(":")
    return (text.rpartition(": ")[2] or type(fault).__name__)[:160]

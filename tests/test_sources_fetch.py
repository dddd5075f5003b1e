"""Fetching from a real local server that misbehaves in every way we know."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

pytest.importorskip("urllib3", reason="needs the extra stance[feeds]")

from stance.document import Document
from stance.sources import Fault, ReadOptions, fetch, read
from stance.sources.fetch import FetchError, public

Answer = Callable[["Handler"], None]
PAGE = b"The minister said that the talks had been held.\n"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers: ClassVar[dict[str, Answer]] = {}
    seen: ClassVar[list[tuple[str, dict[str, str]]]] = []
    stopping = threading.Event()

    def do_GET(self) -> None:
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.answers[self.path.partition("?")[0]](self)
        self.close_connection = True

    def give(self, body: bytes = PAGE, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        headers.setdefault("Content_Type", "text/plain")
        headers.setdefault("Content_Length", str(len(body)))
        for name, value in headers.items():
            if value:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    Handler.stopping.set()
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    monkeypatch.setattr(Handler, "answers", answers)
    Handler.seen.clear()
    return answers


def get(url: str, **options: Any) -> fetch.Response:
    return fetch.fetch(url, **{"allow_private": True, "timeout": 30.0, **options})


def refused(url: str, **options: Any) -> str:
    with pytest.raises(FetchError) as caught:
        get(url, **options)
    return str(caught.value)


def test_a_page_is_fetched(server: str, answer: dict[str, Answer]) -> None:
    answer["/a"] = lambda handler: handler.give(Content_Type="text/plain; charset=utf-8", ETag='"1"')
    response = get(f"{server}/a", headers={"If-None-Match": '"0"'})
    assert (response.status, response.body, response.media_type, response.charset) == (
        200,
        PAGE,
        "text/plain",
        "utf-8",
    )
    assert response.headers["etag"] == '"1"'
    sent = Handler.seen[0][1]
    assert sent["if-none-match"] == '"0"'
    assert sent["user-agent"].startswith("stance/")
    assert "cookie" not in sent


def test_a_url_is_read_like_a_file(server: str, answer: dict[str, Answer]) -> None:
    rows = b'{"text": "One."}\n{"text": "Two."}\n'
    answer["/rows.jsonl"] = lambda handler: handler.give(rows)
    answer["/packed"] = lambda handler: handler.give(gzip.compress(PAGE))
    found = list(read([f"{server}/rows.jsonl", f"{server}/packed"], ReadOptions(allow_private=True)))
    assert [item.text for item in found if isinstance(item, Document)] == ["One.", "Two.", PAGE.decode()]


@pytest.mark.parametrize("status", [404, 410, 429, 500, 503])
def test_errors_are_answers_for_watchers_and_faults_for_readers(
    server: str, answer: dict[str, Answer], status: int
) -> None:
    answer["/a"] = lambda handler: handler.give(b"no", status, Retry_After="7")
    assert get(f"{server}/a").status == status
    assert get(f"{server}/a").headers["retry-after"] == "7"
    (fault,) = read([f"{server}/a"], ReadOptions(allow_private=True))
    assert f"the server answered {status}" in str(fault)


def test_the_servers_encoding_holds(server: str, answer: dict[str, Answer]) -> None:
    text = "Министр сказал: да.\n"
    answer["/a"] = lambda handler: handler.give(
        text.encode("koi8-r"), Content_Type="text/plain; charset=KOI8-R"
    )
    (document,) = read([f"{server}/a"], ReadOptions(allow_private=True, any_language=True))
    assert isinstance(document, Document)
    assert document.text == text


def test_not_modified_has_no_body(server: str, answer: dict[str, Answer]) -> None:
    answer["/a"] = lambda handler: handler.give(b"", 304)
    assert (get(f"{server}/a").status, get(f"{server}/a").body) == (304, b"")


def test_redirects_are_followed(server: str, answer: dict[str, Answer]) -> None:
    answer["/a"] = lambda handler: handler.give(b"", 302, Location="/b?x=1")
    answer["/b"] = lambda handler: handler.give()
    response = get(f"{server}/a")
    assert (response.url, response.body) == (f"{server}/b?x=1", PAGE)


def test_redirect_loops_end(server: str, answer: dict[str, Answer]) -> None:
    answer["/a"] = lambda handler: handler.give(b"", 301, Location="/a")
    assert "redirects more than 5 times" in refused(f"{server}/a")
    assert len(Handler.seen) == 6


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://example.org/", "gopher://x", "javascript:alert(1)", "http://"]
)
def test_redirects_out_of_the_web_are_refused(server: str, answer: dict[str, Answer], location: str) -> None:
    answer["/a"] = lambda handler: handler.give(b"", 302, Location=location)
    assert f"{server}/a" in refused(f"{server}/a")


def test_private_addresses_are_refused_before_anything_is_sent(
    server: str, answer: dict[str, Answer]
) -> None:
    answer["/a"] = lambda handler: handler.give()
    message = refused(f"{server}/a", allow_private=False)
    assert "private address 127.0.0.1; use --allow-private" in message
    assert "private address" in refused(server.replace("127.0.0.1", "localhost"), allow_private=False)
    assert Handler.seen == []


def test_a_private_address_is_refused_before_a_connection_tells_who_listens() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    assert "private address 127.0.0.1" in refused(f"http://127.0.0.1:{port}/", allow_private=False)
    assert "private address" not in refused(f"http://127.0.0.1:{port}/", allow_private=True)


def test_redirects_to_private_addresses_are_refused(
    server: str, answer: dict[str, Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = ThreadingHTTPServer(("127.0.0.2", 0), Handler)
    threading.Thread(target=inner.serve_forever, daemon=True).start()
    try:
        monkeypatch.setattr(fetch, "public", lambda address: address == "127.0.0.1")
        answer["/a"] = lambda handler: handler.give(
            b"", 302, Location=f"http://127.0.0.2:{inner.server_port}/secret"
        )
        answer["/secret"] = lambda handler: handler.give(b"secret")
        assert "private address 127.0.0.2" in refused(f"{server}/a", allow_private=False)
        assert [path for path, _ in Handler.seen] == ["/a"]
    finally:
        inner.shutdown()
        inner.server_close()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("64:ff9b::808:808", True),
        ("2002:808:808::1", True),
        ("::ffff:8.8.8.8", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("239.1.1.1", False),
        ("255.255.255.255", False),
        ("192.0.2.1", False),
        ("198.18.0.1", False),
        ("::1", False),
        ("::", False),
        ("::7f00:1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::1", False),
        ("2002:7f00:1::", False),
        ("2002:a00:1::", False),
        ("2001::1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("2001:db8::1", False),
    ],
)
def test_which_addresses_are_public(address: str, expected: bool) -> None:
    assert public(address) is expected


def test_large_bodies_are_refused(server: str, answer: dict[str, Answer]) -> None:
    def large(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(50 * 2**20))
        handler.end_headers()
        for _ in range(50):
            handler.wfile.write(bytes(2**20))

    answer["/a"] = large
    assert "larger than 1 MB" in refused(f"{server}/a", limit=2**20)


def test_endless_bodies_are_cut_off(server: str, answer: dict[str, Answer]) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while not Handler.stopping.is_set():
            handler.wfile.write(b"8000\r\n" + bytes(0x8000) + b"\r\n")

    answer["/a"] = endless
    assert "larger than 1 MB" in refused(f"{server}/a", limit=2**20)


def slowly(handler: Handler, pieces: bytes) -> None:
    for piece in pieces:
        if Handler.stopping.wait(0.05):
            return
        handler.wfile.write(bytes([piece]))
        handler.wfile.flush()


def test_slow_bodies_slow_headers_and_silence_end_at_the_limit(
    server: str, answer: dict[str, Answer]
) -> None:
    def slow_body(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        slowly(handler, bytes(100_000))

    answer["/body"] = slow_body
    answer["/headers"] = lambda handler: slowly(handler, b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 10_000)
    answer["/silence"] = lambda handler: Handler.stopping.wait(60) and None
    for path in ("/body", "/headers", "/silence"):
        assert "took longer than 0.5 s" in refused(f"{server}{path}", timeout=0.5)


def test_packed_bodies(server: str, answer: dict[str, Answer]) -> None:
    answer["/good"] = lambda handler: handler.give(gzip.compress(PAGE * 1000), Content_Encoding="gzip")
    answer["/cut"] = lambda handler: handler.give(gzip.compress(PAGE)[:-4], Content_Encoding="gzip")
    answer["/bad"] = lambda handler: handler.give(b"not gzip at all", Content_Encoding="gzip")
    answer["/other"] = lambda handler: handler.give(b"??", Content_Encoding="br")
    assert get(f"{server}/good").body == PAGE * 1000
    assert "ends too early" in refused(f"{server}/cut")
    assert "damaged gzip" in refused(f"{server}/bad")
    assert "packed as 'br'" in refused(f"{server}/other")


def test_a_packed_bomb_is_cut_off(server: str, answer: dict[str, Answer]) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(100)) + packer.flush()
    answer["/a"] = lambda handler: handler.give(bomb, Content_Encoding="gzip")
    assert "larger than 2 MB" in refused(f"{server}/a", limit=2 * 2**20)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
    ],
)
def test_broken_answers_are_sentences(server: str, answer: dict[str, Answer], data: bytes) -> None:
    answer["/a"] = lambda handler: handler.wfile.write(data) and None
    assert "cannot be fetched" in refused(f"{server}/a")


def test_unreachable_servers_are_sentences() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "cannot be fetched" in refused(f"http://127.0.0.1:{port}/")
    assert "cannot be fetched" in refused("http://no-such-host.invalid/")


@pytest.mark.parametrize(
    "url", ["http://user:pw@127.0.0.1/", "http://[::1/", "http://127.0.0.1:99999/", "http:///x"]
)
def test_odd_addresses_are_sentences(url: str) -> None:
    (fault,) = read([url], ReadOptions(allow_private=True))
    assert isinstance(fault, Fault)
    assert "\n" not in str(fault)

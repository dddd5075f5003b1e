"""A web server on this machine that says what a test tells it to."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.sax.saxutils import escape

Answer = Callable[["Handler"], None]


class Server(ThreadingHTTPServer):
    """`answers` by path; `asked` remembers every request with its headers in lower case."""

    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_port}"

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def feed(self, path: str, *items: str, etag: bool = True, title: str = "The Feed") -> str:
        """Serve an RSS feed of these items; its address."""
        body = rss(*items, title=title).encode()
        mark = f'"{hashlib.sha256(body).hexdigest()[:16]}"'

        def answer(handler: Handler) -> None:
            if etag and handler.headers.get("If-None-Match") == mark:
                handler.give(b"", 304)
            else:
                handler.give(body, Content_Type="application/rss+xml", ETag=mark if etag else "")

        self.answers[path] = answer
        return self.url + path


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append((path, {name.lower(): value for name, value in self.headers.items()}))
        answer = self.server.answers.get(path, lambda handler: handler.give(b"no", 404))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            answer(self)
        self.close_connection = True

    def give(self, body: bytes = b"", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            if value:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(host: str = "127.0.0.1") -> Iterator[Server]:
    server = Server(host)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()


def rss(*items: str, title: str = "The Feed") -> str:
    head = f"<?xml version='1.0'?><rss version='2.0'><channel><title>{escape(title)}</title>"
    return f"{head}{''.join(items)}</channel></rss>"


def item(text: str, *, guid: str | None = None, link: str | None = None, **more: str) -> str:
    """An RSS item; `text` is its description, HTML."""
    fields = {"description": text, "guid": guid, "link": link, **more}
    inner = "".join(
        f"<{name}>{escape(value)}</{name}>" for name, value in fields.items() if value is not None
    )
    return f"<item>{inner}</item>"


def numbered(number: int, words: str = "") -> str:
    """An item of its own, with three sentences for the small classifier."""
    text = f"Report {number}: orcs seen at place {number}.<br>Rain fell on day {number}.<br>“Junta” {words}"
    return item(text, guid=f"g{number}", link=f"https://example.org/{number}", title=f"Title {number}")

"""An HTTP server on loopback that resumes downloads, and misbehaves when told to."""

import hashlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Fault:
    """What goes wrong with one answer. cut: bytes after which the connection ends; stall: seconds of silence there."""

    status: int = 0
    cut: int = -1
    stall: float = 0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """files: path → content. faults: path → what happens to its next answers. asked: (path, Range header).

    login: the header Authorization without which nothing is given. logins: those that came.
    """

    port: int = 0
    scheme: str = "http"
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    login: str = ""
    logins: list[str] = field(default_factory=list)
    rate: int = 0  # bytes a second; 0: as fast as it goes
    ranges: bool = True
    etags: bool = True
    released: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/{path}"

    def put(self, path: str, content: bytes, *faults: Fault) -> str:
        self.files[path] = content
        self.faults[path] = list(faults)
        return self.url(path)


@contextmanager
def serve(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """tls: speak HTTPS with it."""
    state = Server(scheme="https" if tls else "http")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            answer(self, state)

        def do_HEAD(self) -> None:
            answer(self, state)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    if tls:
        http.socket = tls.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
    state.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        http.shutdown()
        http.server_close()
        thread.join()


def answer(handler: BaseHTTPRequestHandler, state: Server) -> None:
    path, asked = handler.path.lstrip("/"), handler.headers.get("Range", "")
    state.asked.append((path, asked))
    state.logins.append(handler.headers.get("Authorization", ""))
    content = state.files.get(path)
    fault = state.faults[path].pop(0) if state.faults.get(path) else Fault()
    if state.login and state.logins[-1] != state.login:
        fault = Fault(status=401)
    handler.close_connection = True
    if content is None or fault.status:
        handler.send_response(fault.status or 404)
        for name, value in {"Content-Length": "0", **fault.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        return
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    start = 0
    if asked and state.ranges and handler.headers.get("If-Range", etag) == etag:
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start >= len(content):
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(content)}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    else:
        handler.send_response(200)
    if state.etags:
        handler.send_header("ETag", etag)
    for name, value in {"Content-Length": str(len(content) - start), **fault.headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    body = content[start:]
    if fault.cut >= 0:
        body = body[: fault.cut]
    try:
        if state.rate:
            for begin in range(0, len(body), state.rate // 50):
                handler.wfile.write(body[begin : begin + state.rate // 50])
                state.released.wait(0.02)
        else:
            handler.wfile.write(body)
        handler.wfile.flush()
        if fault.stall:
            state.released.wait(fault.stall)
    except OSError:  # the client has gone away
        pass

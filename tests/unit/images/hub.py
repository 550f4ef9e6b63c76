"""A registry on loopback that asks for tokens, as the public ones do, and misbehaves when told to."""

import json
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.unit.cache.archives import Oci


@dataclass
class Hub:
    """One image, `app:v1`. uses: requests for which a token is good. faults: what happens to the next answers.

    A fault is a status, `cut` (the connection ends in the middle) or `hang` (nothing comes for some seconds).
    """

    layout: Oci = field(default_factory=Oci)
    address: str = ""
    uses: int = 1000
    faults: list[object] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)
    realm: str = ""
    released: threading.Event = field(default_factory=threading.Event)
    left: dict[str, int] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        return f"{self.address}/app:v1"

    def manifest(self, layer: bytes) -> str:
        """Put an image with this layer behind the tag; its digest."""
        config = self.layout.blob(json.dumps({"architecture": "amd64"}).encode())
        digests = {"config": config, "layer": self.layout.blob(layer)}
        parts = {key: {"digest": each, "size": len(self.blob(each))} for key, each in digests.items()}
        document = {"schemaVersion": 2, "config": parts["config"], "layers": [parts["layer"]]}
        self.digest = self.layout.blob(json.dumps(document).encode())
        return self.digest

    def blob(self, digest: str) -> bytes:
        return self.layout.blobs[f"blobs/{digest.replace(':', '/')}"]


@contextmanager
def serve(tls: ssl.SSLContext | None = None) -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            answer(self, hub)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    http.handle_error = lambda *_: None  # type: ignore[method-assign] - a client that goes away is no news
    hub.address = f"127.0.0.1:{http.server_address[1]}"
    hub.realm = f"{'https' if tls else 'http'}://{hub.address}/token"
    if tls:
        http.socket = tls.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield hub
    finally:
        hub.released.set()
        http.shutdown()
        http.server_close()
        thread.join()


def answer(handler: BaseHTTPRequestHandler, hub: Hub) -> None:
    path, _, query = handler.path.partition("?")
    if path == "/token":
        hub.credentials.append(handler.headers.get("Authorization", ""))
        hub.left[f"token-{len(hub.left)}"] = hub.uses
        return reply(handler, 200, json.dumps({"token": list(hub.left)[-1], "query": query}).encode())
    token = handler.headers.get("Authorization", "").removeprefix("Bearer ")
    if hub.left.get(token, 0) <= 0 or path == "/v2/":
        ask = f'Bearer realm="{hub.realm}",service="hub",scope="repository:app:pull"'
        return reply(handler, 401, b"{}", **{"Www-Authenticate": ask})
    hub.left[token] -= 1
    hub.asked.append(f"{path} {handler.headers.get('Range', '')}".strip())
    fault = hub.faults.pop(0) if hub.faults else None
    if isinstance(fault, int):
        return reply(handler, fault, b"{}")
    if fault == "hang":
        hub.released.wait(5)
    name = path.rpartition("/")[2]
    content = hub.blob(hub.digest if name == "v1" else name)
    kind = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"} if "/manifests/" in path else {}
    start = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    if start:
        kind["Content-Range"] = f"bytes {start[1]}-{len(content) - 1}/{len(content)}"
        return reply(handler, 206, content[int(start[1]) :], cut=fault == "cut", **kind)
    return reply(handler, 200, content, cut=fault == "cut", **kind)


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes, cut: bool = False, **headers: Any) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2] if cut else body)
    handler.close_connection = cut

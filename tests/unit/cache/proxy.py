"""An HTTP proxy, on loopback or where machines reach it, and an authority that nobody knows."""

import base64
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

UPSTREAM = "upstream.test"  # which only the proxy finds


@dataclass
class Proxy:
    """asked: method and target of each request. Whatever is asked for is found at host:upstream."""

    host: str = "127.0.0.1"
    port: int = 0
    upstream: int = 0
    password: str = ""
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        user = f"me:{self.password}@" if self.password else ""
        return f"http://{user}{self.host}:{self.port}"


@contextmanager
def proxy(upstream: int, password: str = "", host: str = "127.0.0.1") -> Iterator[Proxy]:
    state = Proxy(host=host, upstream=upstream, password=password)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_CONNECT(self) -> None:
            if self.allowed():
                with socket.create_connection((host, state.upstream), timeout=10) as server:
                    self.send_response(200)
                    self.end_headers()
                    back = threading.Thread(target=copy, args=(server, self.connection))
                    back.start()
                    copy(self.connection, server)
                    back.join(10)

        def do_GET(self) -> None:
            if self.allowed():
                with socket.create_connection((host, state.upstream), timeout=10) as server:
                    path = "/" + self.path.split("/", 3)[3]
                    given = [f"{name}: {value}" for name, value in self.headers.items()]
                    head = [f"{self.command} {path} HTTP/1.0", *given]
                    server.sendall("\r\n".join([*head, "", ""]).encode())
                    copy(server, self.connection)

        do_HEAD = do_GET

        def allowed(self) -> bool:
            state.asked.append(f"{self.command} {self.path}")
            self.close_connection = True
            wanted = "Basic " + base64.b64encode(f"me:{state.password}".encode()).decode()
            if not state.password or self.headers.get("Proxy-Authorization") == wanted:
                return True
            self.send_error(407)
            return False

    http = ThreadingHTTPServer((host, 0), Handler)
    http.daemon_threads = True
    state.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def authority(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """The file of a new authority, and what a server of UPSTREAM and 127.0.0.1 needs that it vouches for."""
    import ipaddress

    key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName(UPSTREAM), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    root = _certificate("test authority", key, "test authority", key, x509.BasicConstraints(ca=True, path_length=0))
    leaf = _certificate(UPSTREAM, server_key, "test authority", key, x509.SubjectAlternativeName(names))
    (folder / "ca.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    private = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + leaf.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return folder / "ca.pem", context


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .sign(signer, hashes.SHA256())
    )

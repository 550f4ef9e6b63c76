"""The daemon of one network of the limactl stub: it knows leases and names, as the real usernet does."""

import http.server
import json
import os
import signal
import socket
import socketserver
from pathlib import Path

from limactl_stub_state import write


class Api(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, endpoint: Path, prefix: str, leases: dict[str, str]) -> None:
        endpoint.unlink(missing_ok=True)
        super().__init__(str(endpoint), Handler)
        self.prefix = prefix
        self.leases = leases
        self.records: list[dict[str, str]] = []
        self.forwards: list[dict[str, str]] = []


class Handler(http.server.BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        zones = [{"Name": "internal.", "Records": self.server.records, "DefaultIP": ""}]
        known = {
            "/services/dns/all": zones,
            "/services/dhcp/leases": self.server.leases,
            "/services/forwarder/all": self.server.forwards,
        }
        self.answer(known[self.path])

    def do_POST(self) -> None:
        """`/lease/NAME`: a machine asks for an address: the one that its MAC has, else the lowest that is free."""
        if self.path == "/services/forwarder/expose":
            self.server.forwards.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer({})
            return
        name = self.path.removeprefix("/lease/")
        mac = f"mac-of-{name}"
        addresses = {known: address for address, known in self.server.leases.items()}
        if mac not in addresses:
            free = (f"{self.server.prefix}.{host}" for host in range(1, 255))
            addresses[mac] = next(address for address in free if address not in self.server.leases)
            self.server.leases[addresses[mac]] = mac
        self.server.records.insert(0, {"Name": f"lima-{name}", "IP": addresses[mac]})
        self.answer({})

    def answer(self, data: object) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(data).encode())

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass


def usernet(arguments: list[str]) -> None:
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    pid_file, gateway = Path(options["-p"]), options["--gateway"]
    prefix = gateway.rsplit(".", 1)[0]
    write(pid_file, f"{os.getpid()}\n")
    kept = pid_file.with_name("leases.json")
    leases = json.loads(kept.read_text()) if kept.exists() else {}
    server = Api(Path(options["-e"]), prefix, {**leases, f"{prefix}.2": "5a:94:ef:e4:0c:dd"})

    def end(*_: object) -> None:
        pid_file.unlink(missing_ok=True)
        os._exit(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(options["-e"].replace("_ep.sock", "_fd.sock"))
        server.serve_forever(poll_interval=60)

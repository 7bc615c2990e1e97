"""Answers the probes of the database container while Patroni does not run, because a restore in place takes as long as it takes.

Without an answer, the kubelet would kill the container (Kubernetes, "Configure Liveness, Readiness and Startup Probes"). The pod is
alive, but not ready. To everybody else who asks Patroni, this instance is not available."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CERTIFICATE = Path("/etc/patroni/~postgres-operator/patroni.crt+key")


class Probe(BaseHTTPRequestHandler):
    """Answers without a body."""

    timeout = 10

    def answer(self) -> None:
        """Answer every method in the same way."""
        self.send_response(200 if self.path.split("?")[0] == "/liveness" else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD = do_OPTIONS = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_: object) -> None:
        """Write nothing."""


class Server(ThreadingHTTPServer):
    """HTTPS on the port of Patroni, on all addresses."""

    daemon_threads = True

    def __init__(self, port: int, family: socket.AddressFamily) -> None:
        self.address_family = family
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(CERTIFICATE)
        super().__init__(("", port), Probe)

    def server_bind(self) -> None:
        """Accept IPv4 on the IPv6 socket too."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def get_request(self) -> tuple[socket.socket, object]:
        """Accept a connection. The thread of the request does the handshake, so a slow client does not delay others."""
        connection, address = super().get_request()
        return self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, *_: object) -> None:
        """Ignore clients that end their connection."""


@contextlib.contextmanager
def answered() -> Iterator[None]:
    """Answer probes until the end of the block."""
    port = int(os.environ["PATRONI_RESTAPI_LISTEN"].rsplit(":", 1)[1])
    try:
        server = Server(port, socket.AF_INET6)
    except OSError:  # a node without IPv6
        server = Server(port, socket.AF_INET)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()

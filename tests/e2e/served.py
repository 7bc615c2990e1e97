"""Prints the SHA-256 of the certificate that a server presents: `served.py HOST PORT postgres|tls`.

It runs in a pod of the Postgres image. Postgres and PgBouncer start TLS after a request for it (PostgreSQL, "Message Formats",
SSLRequest)."""

from __future__ import annotations

import hashlib
import socket
import ssl
import struct
import sys

SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def main() -> None:
    """Do a TLS handshake without verification, and print the digest."""
    host, port, protocol = sys.argv[1:]
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((host, int(port)), timeout=5) as plain:
        if protocol == "postgres":
            plain.sendall(SSL_REQUEST)
            if plain.recv(1) != b"S":
                sys.exit("the server speaks no TLS")
        with context.wrap_socket(plain, server_hostname=host) as connection:
            print(hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest())


if __name__ == "__main__":
    main()

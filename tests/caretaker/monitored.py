"""What the tests of the exporter need: the cluster, real backups, and a replica with TLS."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from servers import Server, administer, sql, verifier, version_of_pgbackrest

# isort: split
import facts
from surroundings import Wanted

ROLE = "ccp_monitoring"

def wanted(**more: Any) -> Wanted:
    """A cluster with a tenant and the exporter."""
    users = [
        {"name": "tenant", "verifier": verifier("tenant"), "options": "CREATEDB", "databases": ["app", "postgres"]},
        {"name": "other", "verifier": verifier("other"), "options": "", "databases": []},
    ]
    settings = {
        **{"databases": ["app"], "databaseInitSQL": None, "extensions": [], "schemaPerUser": False, "collectorConnections": 0},
        **{"stanza": True, "volumeRepositories": [1, 2], "cloudRepositories": [3], "pgbouncer": None, **more},
    }
    roles = {"users": users, "pgbouncer": None, "monitoring": {"name": ROLE, "verifier": verifier(ROLE)}}
    return Wanted(settings, roles)


@functools.cache
def backups_of_pgbackrest() -> str:
    """Return facts about real backups as JSON: a repository with two backups, one without, and a damaged one."""
    environment = {name: os.environ.get(name) for name in ("PATH", "PGHOST", "PGPORT", "PGUSER", "PGDATA")}
    server = Server(version_of_pgbackrest())
    directory = Path(tempfile.mkdtemp())
    try:
        options = {
            **{f"repo{number}-path": directory / f"repo{number}" for number in (1, 2, 3)},
            **{"lock-path": directory / "lock", "log-path": directory, "archive-check": "n", "start-fast": "y", "repo1-bundle": "y"},
        }
        database = {"pg1-path": os.environ["PGDATA"], "pg1-socket-path": os.environ["PGHOST"], "pg1-user": "postgres"}
        text = "\n".join(f"{name}={value}" for name, value in options.items())
        text += "\n[db]\n" + "\n".join(f"{name}={value}" for name, value in database.items())
        (directory / "pgbackrest.conf").write_text(f"[global]\n{text}\n")
        os.environ["PGBACKREST_CONFIG"] = str(directory / "pgbackrest.conf")
        for words in (["stanza-create"], ["--repo=1", "--type=full", "backup"], ["--repo=1", "--type=incr", "backup"]):
            subprocess.run(["pgbackrest", "--stanza=db", *words], check=True, capture_output=True)
        for file in (directory / "repo3").rglob("*.info*"):
            file.write_text("damaged")
        duty = facts.BackupFacts()
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            assert duty(wanted()) == facts.BACKUPS_SECONDS
            pause = duty(wanted())
            assert pause is not None and 0 < pause <= facts.BACKUPS_SECONDS
        return json.dumps({"said": said.getvalue(), **facts.facts.content["backups"]})
    finally:
        server.stop()
        shutil.rmtree(directory)
        os.environ.pop("PGBACKREST_CONFIG", None)
        os.environ.update({name: value for name, value in environment.items() if value is not None})


class Authority:
    """A CA with the certificate of a server."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=ca", "-days", "9",
                 "-keyout", "ca.key", "-out", "ca.crt")
        self.issue(5)

    def run(self, *words: str) -> None:
        """Run OpenSSL."""
        subprocess.run(["openssl", *words], cwd=self.directory, check=True, capture_output=True)

    def issue(self, days: int) -> None:
        """Issue the certificate of the server, for the name of a Service."""
        self.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=hippo-primary",
                 "-keyout", "tls.key", "-out", "tls.csr")
        self.run("x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", str(days),
                 "-out", "tls.crt")
        for name in ("tls.key", "tls.crt"):
            if os.geteuid() == 0:
                shutil.chown(self.directory / name, "nobody", "nogroup")
            (self.directory / name).chmod(0o600)


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Replica:
    """A replica of a server, which listens on a port with TLS."""

    def __init__(self, server: Server) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.port = free_port()
        if os.geteuid() == 0:
            shutil.chown(self.directory, "nobody", "nogroup")
        self.authority = Authority(self.directory)
        with open(server.directory / "data" / "pg_hba.conf", "a") as file:
            file.write("local replication postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        sql("SELECT pg_reload_conf()")
        data = str(self.directory / "data")
        administer(str(Path(server.pg_ctl[0]).parent / "pg_basebackup"), "-h", str(server.directory), "-U", "postgres", "-D", data,
                   "-R", "-c", "fast", "-X", "stream")
        settings = {
            **{"unix_socket_directories": str(self.directory), "port": str(self.port), "listen_addresses": "127.0.0.1"},
            **{"ssl": "on", "ssl_cert_file": f"{self.directory}/tls.crt", "ssl_key_file": f"{self.directory}/tls.key"},
            **{"shared_preload_libraries": "pg_stat_statements", "fsync": "off", "shared_buffers": "32MB"},
            **{"max_prepared_transactions": "4", "hot_standby_feedback": "on"},
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self.pg_ctl = [server.pg_ctl[0], "-D", data, "-l", str(self.directory / "log"), "-w"]
        administer(*self.pg_ctl, "-o", options, "start")

    def stop(self) -> None:
        """Stop it, and delete its data."""
        administer(*self.pg_ctl, "-m", "immediate", "stop")
        shutil.rmtree(self.directory)

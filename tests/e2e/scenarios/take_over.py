"""A cluster with existing Secrets as PGO creates them: passwords, verifiers and CA stay, and applications see no change.

The scenario needs `openssl` on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import framework
from framework import PREFIX, Test, hippo, until

PASSWORDS = {"hippo": "it's <so> wet: 100% /@?", "rhino": "horn"}


def authority(directory: Path) -> None:
    """Return a CA as PGO creates it: P-256, SHA-384, valid for ten years, and only for signing."""
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha384", "-days", "3650"]
    words += ["-addext", "keyUsage=critical,keyCertSign,cRLSign", "-subj", "/CN=postgres-operator-ca", "-keyout", str(directory / "ca.pkcs8")]
    words += ["-out", str(directory / "ca.crt")]
    framework.run("openssl", *words)
    framework.run("openssl", "ec", "-in", str(directory / "ca.pkcs8"), "-out", str(directory / "ca.key"))


def certificate(directory: Path, names: list[str]) -> dict[str, str]:
    """Return a certificate of that CA for these names, as the data of a Secret."""
    key, request, issued = (str(directory / name) for name in ("tls.key", "tls.csr", "tls.crt"))
    framework.run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    words = ["req", "-new", "-key", key, "-subj", f"/CN={names[0]}", "-out", request]
    words += ["-addext", f"subjectAltName={','.join(f'DNS:{name}' for name in names)}"]
    words += ["-addext", "keyUsage=critical,digitalSignature,keyEncipherment"]
    framework.run("openssl", *words)
    words = ["x509", "-req", "-in", request, "-CA", str(directory / "ca.crt"), "-CAkey", str(directory / "ca.key")]
    words += ["-sha384", "-days", "365", "-copy_extensions", "copyall", "-out", issued]
    framework.run("openssl", *words)
    return {name: (directory / name).read_text() for name in ("ca.crt", "tls.crt", "tls.key")}


def secret(name: str, data: dict[str, str]) -> dict[str, Any]:
    """Return a Secret with PGO's label."""
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    labels = {f"{PREFIX}cluster": "hippo"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": labels}, "data": encoded}


def secrets(test: Test, directory: Path) -> list[dict[str, Any]]:
    """Return the Secrets that PGO leaves: the CA, certificates, one user without a verifier and one with an old verifier."""
    authority(directory)
    service = f"hippo-primary.{test.namespace}.svc"
    old = hashlib.md5(f"{PASSWORDS['rhino']}rhino".encode()).hexdigest()
    return [
        secret("pgo-root-cacert", {f"root.{end}": (directory / f"ca.{end}").read_text() for end in ("crt", "key")}),
        secret("hippo-cluster-cert", certificate(directory, [f"{service}.cluster.local", service, "hippo-primary"])),
        secret("hippo-replication-cert", certificate(directory, ["_crunchyrepl"])),
        secret("hippo-pguser-hippo", {"password": PASSWORDS["hippo"], "user": "hippo"}),
        secret("hippo-pguser-rhino", {"password": PASSWORDS["rhino"], "user": "rhino", "verifier": f"md5{old}"}),
    ]


def run(test: Test) -> None:
    """Create the Secrets, render with them, and log in with the known passwords only."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        made = secrets(test, directory)
        bundle = (directory / "ca.crt").read_text()
        theirs = {"apiVersion": "v1", "kind": "List", "items": made}
        test.kubectl("create", "--filename=-", text=json.dumps(theirs))
        existing = directory / "existing.yaml"
        existing.write_text(test.kubectl("get", "secret", "--output=yaml"))
        # An old verifier needs its own authentication method: the default rule accepts only SCRAM, as with PGO.
        rules = [{"connection": "hostssl", "method": "md5"}]
        manifests = test.render(hippo(authentication={"rules": rules}), f"--existing={existing}")
    applied = time.time()
    words = ["apply", "--server-side", "--force-conflicts", "--field-manager=e2e", "--filename=-"]
    test.kubectl(*words, text=manifests)
    test.wait_until_well(2)

    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "authority"}, "data": {"ca.crt": bundle}}
    test.kubectl("apply", "--filename=-", text=json.dumps(config_map))
    pod = test.pod("client", ["sleep", "infinity"])
    pod["spec"]["volumes"] = [{"name": "authority", "configMap": {"name": "authority"}}]
    test.start_pod(pod)
    for user, database in (("hippo", "hippo"), ("rhino", "zoo")):
        kept = test.secret(f"hippo-pguser-{user}")["password"]
        test.expect(kept == PASSWORDS[user], f"the password of {user} is another one")
        # PgBouncer's connections to Postgres use SCRAM only.
        for service in ("primary", "replicas", "pgbouncer") if user == "hippo" else ("primary", "replicas"):
            where = (user, database, service)
            until(f"{where} logs in", lambda where=where: test.sql("SELECT 1", *where) == "1")
    test.figure("first logins with what was known before", time.time() - applied)
    verifiers = test.superuser(test.leader(), "SELECT rolpassword FROM pg_authid WHERE rolname IN ('hippo', 'rhino') ORDER BY 1")
    test.expect(verifiers.startswith("SCRAM-SHA-256$"), "hippo's verifier was not made")
    test.expect(verifiers.splitlines()[1].startswith("md5"), "rhino's verifier was not kept")
    replica = next(pod for pod in test.instances() if pod != test.leader())
    test.expect(test.superuser(replica, "SELECT count(*) FROM pg_stat_wal_receiver") == "1", "the replica does not stream")
    # PGO uses the same name in all clusters, so its certificate is replaced.
    shown = test.in_pod(replica, "cat", "/tmp/replication/tls.crt").strip()
    made_by_pgo = next(secret for secret in made if secret["metadata"]["name"] == "hippo-replication-cert")
    test.expect(shown != base64.b64decode(made_by_pgo["data"]["tls.crt"]).decode().strip(), "the replica shows PGO's certificate")
    test.in_pod(test.leader(), "pgbackrest", "--stanza=db", "check")

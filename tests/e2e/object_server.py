"""A server of the S3 protocol in a pod, with TLS and a CA of its own: Versity's gateway, which stores objects as files.

Pods have only the Postgres image, so the program is copied into one. It is a static binary that `make e2e` builds."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from framework import RESTRICTED, ROOT, Test, image
from programs import Skipped, until

BUCKET = "backups"
REGION = "here"
KEYS = {"repo1-s3-key": "the-access-key", "repo1-s3-key-secret": "the-secret-key"}

# The name of the Secret with the keys and the CA, and the path of the CA in the pods that use it.
SECRET = "s3"  # noqa: S105
CA_FILE = "/etc/pgbackrest/conf.d/ca.crt"

# Waits until the program is there. The metadata of objects is in files, because the volume may not have extended attributes.
SERVE = """
until [ -e /srv/versitygw/ready ]; do sleep 0.2; done
exec /srv/versitygw/program --port :7443 --cert /srv/tls.crt --key /srv/tls.key --region "$0" posix --sidecar /srv/metadata /srv/objects
"""
CERTIFICATE = """
cd /srv
mkdir -p objects/"$1" metadata versitygw
curve='-pkeyopt ec_paramgen_curve:P-256'
openssl req -x509 -newkey ec $curve -noenc -days 2 -subj '/CN=CA of a test' -keyout ca.key -out ca.crt
openssl req -newkey ec $curve -noenc -subj "/CN=$0" -addext "subjectAltName=DNS:$0" -keyout tls.key -out tls.csr
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -copy_extensions copy -days 2 -out tls.crt
"""


def program() -> Path:
    """Return the static binary of the server."""
    place = os.environ.get("VERSITYGW") or shutil.which("versitygw") or str(ROOT / ".cache" / "bin" / "versitygw")
    if not Path(place).is_file():
        raise Skipped("no versitygw: run `tools/install.sh versitygw`, or set VERSITYGW")
    return Path(place)


def host(test: Test) -> str:
    """Return the DNS name of the server. Its certificate is for this name."""
    return f"s3.{test.namespace}.svc"


def conf(**options: str) -> str:
    """Return a configuration file of pgBackRest with these options, and with the keys unless the options have others."""
    lines = {**KEYS, **{name.replace("_", "-"): value for name, value in options.items()}}
    return "".join(["[global]\n", *(f"{name}={value}\n" for name, value in lines.items())])


def put_secret(test: Test, name: str, **files: str) -> None:
    """Create or replace a Secret."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": files}
    test.apply_object(secret)


def start(test: Test) -> None:
    """Start the server, and create the Secret [`SECRET`] with `s3.conf` and `ca.crt`."""
    binary = program()
    container: dict[str, Any] = {
        "name": "server",
        "image": image(),
        "command": ["sh", "-c", SERVE, REGION],
        "env": [
            {"name": "ROOT_ACCESS_KEY", "value": KEYS["repo1-s3-key"]},
            {"name": "ROOT_SECRET_KEY", "value": KEYS["repo1-s3-key-secret"]},
        ],
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "srv", "mountPath": "/srv"}],
    }
    spec = {
        "automountServiceAccountToken": False,
        "containers": [container],
        "terminationGracePeriodSeconds": 0,
        "volumes": [{"name": "srv", "emptyDir": {}}],
    }
    labels = {"app": "s3"}
    test.apply_object(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "s3"},
            "spec": {"selector": labels, "ports": [{"port": 443, "targetPort": 7443}]},
        }
    )
    test.start_pod({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "s3", "labels": labels}, "spec": spec})
    test.in_pod("s3", "bash", "-ceu", CERTIFICATE, host(test), BUCKET, container="server")
    test.kubectl("cp", str(binary), "s3:/srv/versitygw/program")
    test.in_pod("s3", "sh", "-c", "chmod +x /srv/versitygw/program && touch /srv/versitygw/ready", container="server")
    until("the server listens", lambda: test.in_pod("s3", "bash", "-c", "</dev/tcp/localhost/7443 && echo yes", container="server"))
    authority = test.in_pod("s3", "cat", "/srv/ca.crt", container="server") + "\n"
    put_secret(test, SECRET, **{"s3.conf": conf(), "ca.crt": authority})


def objects(test: Test, path: str) -> list[str]:
    """Return the files of all objects below a path in the bucket."""
    found = test.in_pod("s3", "find", f"/srv/objects/{BUCKET}/{path}", "-type", "f", container="server")
    return found.splitlines()


def repository(test: Test, endpoint: str = "") -> dict[str, Any]:
    """Return `repo1` in the bucket."""
    return {"name": "repo1", "s3": {"bucket": BUCKET, "endpoint": endpoint or host(test), "region": REGION}}


def options(path: str) -> dict[str, str]:
    """Return the options of `repo1` for a server with a CA of its own and without a DNS name for each bucket."""
    return {"repo1-path": path, "repo1-s3-uri-style": "path", "repo1-storage-ca-file": CA_FILE}

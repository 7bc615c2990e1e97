"""Passwords in existing Secrets: only Patroni waits for its own, and no user can log in without its Secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

from framework import Test, hippo, until

from scenarios.patroni_api import USER, accepts

PASSWORDS = {"hippo": "not from the seed", "rhino": "neither is this"}
# A changed annotation makes the kubelet check at once. Otherwise it checks every minute.
SECONDS = 10


def verifier(password: str) -> str:
    """Return the verifier that PostgreSQL stores for a password (RFC 5802)."""
    salt = b"sixteen bytes ok"
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 4096)
    client, server = (hmac.digest(salted, name, "sha256") for name in (b"Client Key", b"Server Key"))
    texts = [base64.b64encode(value).decode() for value in (salt, hashlib.sha256(client).digest(), server)]
    return f"SCRAM-SHA-256$4096:{texts[0]}${texts[1]}:{texts[2]}"


def bring(test: Test, name: str, **values: str) -> None:
    """Apply a Secret, and make the kubelets of the instances check at once."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}
    test.kubectl("apply", "--filename=-", text=json.dumps(secret))
    for pod in test.instances():
        test.kubectl("annotate", "pod", pod, "--overwrite", f"example.com/look={time.time()}")


def bring_patroni(test: Test, password: str) -> None:
    """Apply the Secret with the password of Patroni's API."""
    authentication = {"username": USER, "password": password}
    bring(test, "hippo-patroni", **{"authentication.yaml": json.dumps({"restapi": {"authentication": authentication}})})


def login(test: Test, user: str, password: str, service: str = "primary") -> bool:
    """Whether a user can log in to its database with a password."""
    return test.logs_in(user, {"hippo": "hippo", "rhino": "zoo"}[user], password, service)


def run(test: Test) -> None:
    """Start without Secrets, then apply one after the other."""
    manifests = test.render(hippo(), "--credentials=reference")
    rendered = test.secrets(manifests)
    test.expect(
        not [name for name in rendered if "pguser" in name or name == "hippo-pgbouncer"], f"there: {rendered.keys()}"
    )
    test.apply_manifests(manifests)
    until("there are pods", lambda: len(test.instances()) == 2)
    bring_patroni(test, "mine")
    test.wait_until_well(2)
    test.expect(accepts(test, test.leader(), "mine"), "Patroni does not take the password that was brought")
    client = test.pod("client", ["sleep", "infinity"])
    container = client["spec"]["containers"][0]
    container["env"] = [entry for entry in container["env"] if "value" in entry]  # the others come from the Secret
    test.start_pod(client)
    roles = "SELECT count(*) FROM pg_roles WHERE rolname IN ('hippo', 'rhino')"
    until("both roles are there", lambda: test.superuser(test.leader(), roles) == "2")
    for user, password in PASSWORDS.items():
        test.expect(not login(test, user, password), f"{user} logs in without a Secret")
    test.expect("hippo-pguser-hippo" in test.caretaker_log(test.leader()), "the log does not name the missing Secret")

    bring(test, "hippo-pguser-hippo", password=PASSWORDS["hippo"])
    brought = time.time()
    until("hippo logs in", lambda: login(test, "hippo", PASSWORDS["hippo"]))
    test.figure("a password is brought: first login", time.time() - brought, SECONDS)
    bring(test, "hippo-pguser-rhino", verifier=verifier(PASSWORDS["rhino"]))
    until("rhino logs in", lambda: login(test, "rhino", PASSWORDS["rhino"]))
    own = 'it\'s 100% "mine"'
    users = '"_crunchypgbouncer" "{}"\n'.format(own.replace('"', '""'))
    bring(test, "hippo-pgbouncer", **{"pgbouncer-password": own, "pgbouncer-users.txt": users})
    until("PgBouncer takes hippo", lambda: login(test, "hippo", PASSWORDS["hippo"], "pgbouncer"), 150)

    bring(test, "hippo-pguser-hippo", password="another one")
    brought = time.time()
    until("hippo logs in with the new password", lambda: login(test, "hippo", "another one"))
    test.figure("a password is changed: first login", time.time() - brought, SECONDS)
    test.expect(not login(test, "hippo", PASSWORDS["hippo"]), "the old password still works")
    bring_patroni(test, "another one")
    for pod in test.instances():
        until(f"Patroni of {pod} takes another", lambda pod=pod: accepts(test, pod, "another one"))
        for name in ("caretaker", "database"):
            log = test.kubectl("logs", pod, f"--container={name}")
            test.expect(
                "another one" not in log and "SCRAM-SHA-256$" not in log, f"a secret is in the log of {name} of {pod}"
            )

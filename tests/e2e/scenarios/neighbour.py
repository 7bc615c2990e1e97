"""Attempts of a pod in the same namespace, which must fail, with the CA certificate or with all certificates of another cluster.

Each refused request is also sent by a client that may do it, so that the reason of the refusal is right."""

from __future__ import annotations

import copy

from framework import Failed, Test, hippo

PODS = "hippo-pods"

# Changes the cluster, if Patroni allows it. Prints the status of the answer.
CURL = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--max-time", "5"]

CERTIFICATES = "/etc/patroni/~postgres-operator"

READ_REPOSITORY = r"""
exec pgbackrest --config=/dev/null --stanza=db --log-level-file=off --io-timeout=5 --repo1-host="$0" --repo1-host-type=tls \
  --repo1-host-ca-file="$1" --repo1-path=/pgbackrest/repo1 "${@:2}" repo-ls archive
"""


def refused(test: Test, why: str, what: str, *act: object) -> None:
    """Expect a refusal for the right reason."""
    call, *arguments = act
    assert callable(call)
    try:
        answer = call(*arguments)
    except Failed as failure:
        test.expect(why in str(failure), f"{what} is refused, but not for `{why}`: {failure}")
        return
    raise Failed(f"{what} is possible: {answer}")


def patroni(test: Test, leader: str) -> None:
    """Patroni answers probes of all clients, but changes nothing for a client without a certificate."""
    url = f"https://{leader}.{PODS}:8008"
    name = f"https://{leader}.{PODS}.{test.namespace}.svc.cluster.local:8008"
    members = test.secret("hippo-instance1-certs")["patroni.ca-roots"]
    ask = lambda *words: test.in_pod(  # noqa: E731
        "client", *CURL, "--cacert", "/dev/stdin", *words, container="client", text=members
    )
    test.expect(ask(f"{name}/readiness") == "200", "no probe")
    body = ["--request", "POST", "--data", "{}"]
    for path in ("restart", "switchover", "failover", "reload", "reinitialize"):
        status = ask(*body, f"{name}/{path}")
        test.expect(status == "403", f"a neighbour's POST /{path} is answered with {status}")
    for method in ("PATCH", "PUT"):
        words = ["--request", method, "--data", '{"pause": true}', f"{name}/config"]
        status = ask(*words)
        test.expect(status == "403", f"a neighbour's {method} /config is answered with {status}")
    mine = ["--cert", f"{CERTIFICATES}/patroni.crt+key", "--cacert", f"{CERTIFICATES}/patroni.ca-roots"]
    status = test.in_pod(leader, *CURL, *mine, *body, f"{name}/reload")
    test.expect(status == "401", f"a POST /reload without a password is answered with {status}")
    user = f'user = "_crunchypatroni:{test.secret("hippo-patroni")["password"]}"'
    status = test.in_pod(leader, *CURL, "--config", "-", *mine, *body, f"{name}/reload", text=user)
    test.expect(status == "202", f"a member's POST /reload is answered with {status} ({url})")


def pgbackrest(test: Test, leader: str) -> None:
    """The repositories and data directories can only be read over TLS with a client certificate."""
    host = f"hippo-repo-host-0.{PODS}.{test.namespace}.svc.cluster.local"
    directory = "/etc/pgbackrest/conf.d/~postgres-operator"
    mine = [f"--repo1-host-cert-file={directory}/client-tls.crt", f"--repo1-host-key-file={directory}/client-tls.key"]
    words = ["bash", "-c", READ_REPOSITORY, host]
    test.expect("db" in test.in_pod(leader, *words, f"{directory}/tls-ca.crt", *mine), "members do not reach it either")
    script = ["client", *words, "/authority/ca.crt"]
    refused(test, "tls", "reading a repository", lambda: test.in_pod(*script, container="client"))


def login(test: Test) -> None:
    """No login without TLS, as a superuser, as a replica, or with credentials of another user."""
    test.expect(test.sql("SELECT 1") == "1", "hippo cannot log in at all")
    refused(test, "no encryption", "a login without TLS", lambda: test.sql("SELECT 1", sslmode="disable"))
    bouncer = lambda: test.sql("SELECT 1", service="pgbouncer", sslmode="disable")  # noqa: E731
    refused(test, "SSL required", "a login to PgBouncer without TLS", bouncer)
    for user in ("postgres", "_crunchyrepl", "_crunchypgbouncer", "ccp_monitoring"):
        attempt = lambda user=user: as_another(test, user)  # noqa: E731
        refused(test, "", f"a login as {user}", attempt)
    console = lambda: test.sql("SHOW USERS", database="pgbouncer", service="pgbouncer")  # noqa: E731
    refused(test, "FATAL", "PgBouncer's console", console)


def as_another(test: Test, user: str) -> str:
    """Log in as a user of the operating system with hippo's password."""
    return test.sql("SELECT 1", **{"user": "hippo", "database": f"postgres user={user}"})


REPLICATE = """
cd "$(mktemp -d)" && cat > all && umask 077 && csplit --quiet --prefix=part all '/^-----BEGIN CERTIFICATE/' && touch part00 part01
exec psql -XAtqwc "$1" "host=$0 user=_crunchyrepl dbname=postgres $2 sslmode=require sslkey=$PWD/part00 sslcert=$PWD/part01"
"""


def certificates_of_another(test: Test) -> None:
    """With the certificates of another cluster in the namespace, nobody can replicate this one, read its files, or change
    Patroni."""
    rhino = copy.deepcopy(hippo())
    rhino["metadata"]["name"] = "rhino"
    theirs = test.secrets(test.render(rhino))
    replica, backups, members = (theirs[f"rhino-{name}"] for name in ("replication-cert", "pgbackrest", "instance1-certs"))
    why = 'certificate authentication failed for user "_crunchyrepl"'
    pairs = {
        "replica": (replica["tls.key"] + replica["tls.crt"], why),
        "pgBackRest": (backups["pgbackrest-client.key"] + backups["pgbackrest-client.crt"], why),
        "pgBackRest's server": (members["pgbackrest-server.key"] + members["pgbackrest-server.crt"], why),
        # Certificates of a CA that only rhino's members trust.
        "Patroni": (members["patroni.crt-combined"], "alert unknown ca"),
    }
    mine = test.secret("hippo-replication-cert")
    host = f"hippo-primary.{test.namespace}.svc"
    ways = [("IDENTIFY_SYSTEM", "replication=true"), ("SELECT pg_read_binary_file('PG_VERSION')", "")]
    for sql, more in ways:
        act = lambda pair, sql=sql, more=more: test.in_pod(  # noqa: E731
            "client", "bash", "-c", REPLICATE, host, sql, more, container="client", text=pair
        )
        test.expect(act(mine["tls.key"] + mine["tls.crt"]), "its own replicas cannot either")
        for who, (pair, why) in pairs.items():
            refused(test, why, f"`{sql}` as rhino's {who}", act, pair)


def data(test: Test) -> None:
    """One user cannot read another user's tables, through Postgres and through PgBouncer."""
    test.sql("CREATE TABLE secrets AS SELECT 'hush' AS what", user="rhino", database="zoo")
    for service in ("primary", "pgbouncer"):
        mine = test.sql("SELECT what FROM rhino.secrets", user="rhino", database="zoo", service=service)
        test.expect(mine == "hush", "rhino cannot read what is rhino's")
        theirs = lambda service=service: test.sql("SELECT what FROM rhino.secrets", database="zoo", service=service)  # noqa: E731
        refused(test, "permission denied", f"reading another user's table through {service}", theirs)
    for act in ("CREATE TABLE public.mine ()", "CREATE SCHEMA mine", "SELECT * FROM pg_authid", "CREATE DATABASE mine"):
        refused(test, "permission denied", f"`{act}` by hippo", lambda act=act: test.sql(act, database="zoo"))


def run(test: Test) -> None:
    """Try all of these."""
    test.apply(hippo())
    test.wait_until_well(2)
    test.start_client()
    leader = test.leader()
    test.sql("SELECT 1", service="pgbouncer")
    patroni(test, leader)
    pgbackrest(test, leader)
    login(test)
    certificates_of_another(test)
    data(test)

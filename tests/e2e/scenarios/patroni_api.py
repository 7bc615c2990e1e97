"""Patroni's API refuses the certificates of another cluster, accepts those of its own, and shows no password."""

from __future__ import annotations

import json
import re
import threading
import time
from typing import Any

from framework import CLAIM, Test, decoded, hippo, until

from scenarios.users import processes

USER = "_crunchypatroni"
FILE = "/etc/patroni/~postgres-operator_restapi.yaml"

# Sends a request to Patroni with each certificate, and prints the status or the TLS error.
ASK = r"""
import base64, http.client, json, ssl, sys, tempfile
asked = json.load(sys.stdin)
answers = {}
for name, pem in asked["certificates"].items():
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(pem)
        file.flush()
        tls = ssl.create_default_context(cadata=asked["authority"])
        if pem:
            tls.load_cert_chain(file.name)
        headers = {"Authorization": "Basic " + base64.b64encode(asked["password"].encode()).decode()} if asked["password"] else {}
        connection = http.client.HTTPSConnection(asked["host"], 8008, context=tls, timeout=10)
        try:
            connection.request(asked["method"], asked["path"], asked["body"], headers)
            response = connection.getresponse()
            answers[name] = [response.status, response.read().decode()]
        except OSError as error:
            answers[name] = [0, type(error).__name__]
print(json.dumps(answers))
"""


def neighbour() -> dict[str, Any]:
    """Return another cluster of the namespace, with all components that have a certificate."""
    cluster = hippo(users=[{"name": "beta"}])
    cluster["metadata"]["name"] = "beta"
    cluster["spec"]["instances"] = [{"name": "instance1", "replicas": 1, "dataVolumeClaimSpec": CLAIM}]
    return cluster


def certificates(test: Test, cluster: str) -> dict[str, str]:
    """Return all keys with their certificates that pods of a cluster get from Secrets, by the name of the Secret."""
    pairs = {}
    for secret in test.get("secrets", f"--selector=postgres-operator.crunchydata.com/cluster={cluster}")["items"]:
        data = decoded(secret["data"])
        name = secret["metadata"]["name"]
        combined = data.get("patroni.crt-combined")
        if combined:
            pairs[name] = combined
        for key in data:
            if key.endswith(".key"):
                pairs[f"{name} {key}"] = data[key] + data[f"{key[:-4]}.crt"]
    return pairs


def ask(test: Test, pod: str, to: str, pairs: dict[str, str], password: str, request: str, body: Any = None) -> Any:
    """Send a request to the Patroni of `to` from a pod, with each of these certificates."""
    method, path = request.split()
    asked = {
        "authority": test.secret("hippo-instance1-certs")["patroni.ca-roots"],
        "body": None if body is None else json.dumps(body),
        "certificates": pairs,
        "host": f"{to}.hippo-pods.{test.namespace}.svc.cluster.local",
        "method": method,
        "password": password and f"{USER}:{password}",
        "path": path,
    }
    return json.loads(test.in_pod(pod, "python3", "-c", ASK, text=json.dumps(asked)))


def own(test: Test) -> dict[str, str]:
    """Return the certificate that members of the cluster use to call each other."""
    return {"own": test.secret("hippo-instance1-certs")["patroni.crt-combined"]}


def configuration(test: Test) -> str:
    """Return the configuration that Patroni shows without a certificate."""
    status, text = ask(test, "beta-instance1-0", test.leader(), {"none": ""}, "", "GET /config")["none"]
    test.expect(status == 200, f"GET /config is answered with {status}")
    return str(text)


def check_neighbour(test: Test) -> None:
    """No certificate of the other cluster can change anything, with any password."""
    pairs = certificates(test, "beta")
    test.expect(len(pairs) >= 6, f"only {sorted(pairs)}")
    before = configuration(test)
    password = test.secret("hippo-patroni")["password"]
    for credential in ("", test.secret("beta-patroni")["password"], password):
        for to in test.instances():
            body = {"postgresql": {"parameters": {"work_mem": "6MB"}}}
            answers = ask(test, "beta-instance1-0", to, {"none": "", **pairs}, credential, "PATCH /config", body)
            statuses = {name: status for name, (status, _) in answers.items()}
            # A client without a certificate can read but not change.
            # A client with one of these certificates cannot even connect.
            test.expect(statuses == {"none": 403, **dict.fromkeys(pairs, 0)}, f"answers to the neighbour: {statuses}")
    test.expect(configuration(test) == before, "the neighbour changed the configuration")
    status = ask(test, "beta-instance1-0", test.leader(), own(test), "", "POST /reload", {})["own"][0]
    test.expect(status == 401, f"the certificate without the password is answered with {status}")
    status = ask(test, "beta-instance1-0", test.leader(), {"none": ""}, password, "POST /reload", {})["none"][0]
    test.expect(status == 403, f"the password without a certificate is answered with {status}")
    status = ask(test, "beta-instance1-0", test.leader(), own(test), password, "POST /reload", {})["own"][0]
    test.expect(status == 202, f"the password with a certificate is answered with {status}")


def check_patronictl(test: Test) -> None:
    """In the container, `patronictl` works as before."""
    leader = test.leader()
    replica = next(pod for pod in test.instances() if pod != leader)
    test.expect(len(test.members()) == 2, "patronictl list shows not all")
    question = "SELECT pg_postmaster_start_time()"
    before = test.superuser(replica, question)
    print(test.in_pod(leader, "patronictl", "restart", "hippo-ha", replica, "--force"))
    until("the replica was restarted", lambda: test.superuser(replica, question) != before)
    test.wait_until_well(2)
    print(test.in_pod(leader, "patronictl", "switchover", "hippo-ha", "--candidate", replica, "--force"))
    test.expect(test.leader() == replica, "patronictl switchover moved nothing")
    test.wait_until_well(2)


def rules(*more: Any) -> dict[str, Any]:
    """Return `spec.authentication` with more rules before the one for all users."""
    return {"rules": [*more, {"connection": "hostssl", "method": "scram-sha-256"}]}


def check_rules(test: Test) -> None:
    """A password in a rule reaches Postgres, but no other reader. Nothing restarts."""
    options = {"ldapserver": "ldap.invalid", "ldapbasedn": "dc=x", "ldapbinddn": "cn=x", "ldapbindpasswd": "hush-hush"}
    rule = {"connection": "hostssl", "users": ["nobody"], "method": "ldap", "options": options}
    test.expect("pg_hba" in configuration(test), "GET /config shows no rules before")
    before = processes(test)
    question = "SELECT count(*) FROM pg_hba_file_rules WHERE 'ldapbindpasswd=hush-hush' = ANY (options)"
    applied = test.apply(hippo(authentication=rules(rule)))
    for pod in test.instances():
        until(f"{pod} has the rule", lambda pod=pod: test.superuser(pod, question) == "1")
    test.figure("rule with a password applies everywhere", time.time() - applied, target=30)
    until("GET /config has no rules", lambda: "pg_hba" not in configuration(test))
    test.expect("hush-hush" not in configuration(test), "GET /config shows the password")
    everything = test.kubectl("get", "configmaps,endpoints,pods,statefulsets", "--output=json")
    test.expect("hush-hush" not in everything, "the password is somewhere outside of the Secret")

    test.apply(hippo(authentication=rules()))
    for pod in test.instances():
        until(f"{pod} has the rule no more", lambda pod=pod: test.superuser(pod, question) == "0")
    until("GET /config has the rules again", lambda: "pg_hba" in configuration(test))
    test.expect(before == processes(test), "something restarted for a rule")


def check_parameter(test: Test) -> None:
    """The caretaker can still change the configuration."""
    parameters = {"dynamicConfiguration": {"postgresql": {"parameters": {"work_mem": "5MB"}}}}
    test.apply(hippo(authentication=rules(), patroni=parameters))
    for pod in test.instances():
        until(f"{pod} has work_mem", lambda pod=pod: test.superuser(pod, "SHOW work_mem") == "5MB")


def rotated(generation: int) -> dict[str, Any]:
    """Return the cluster with another password of Patroni's API."""
    cluster = hippo(authentication=rules())
    cluster["metadata"]["annotations"][f"pgrender.dev/rotate-password.{USER}"] = str(generation)
    return cluster


def accepts(test: Test, pod: str, password: str) -> bool:
    """Whether a Patroni accepts a password."""
    status = ask(test, pod, pod, own(test), password, "DELETE /restart")["own"][0]
    test.expect(status in (401, 404), f"DELETE /restart is answered with {status}")
    return bool(status == 404)


def check_rotation(test: Test) -> None:
    """The password changes in all pods within seconds. Nothing restarts, and no log contains it."""
    before, old = processes(test), test.secret("hippo-patroni")["password"]
    applied = test.apply(rotated(2))
    new = test.secret("hippo-patroni")["password"]
    test.expect(new != old and re.fullmatch("[A-Za-z0-9]{32}", new), "the password stays")
    for pod in test.instances():
        until(f"{pod} takes the new password", lambda pod=pod: accepts(test, pod, new))
        test.figure("new password of Patroni works", time.time() - applied, target=30)
        test.expect(not accepts(test, pod, old), f"{pod} takes the old password")
    test.expect(before == processes(test), "something restarted")
    test.superuser(test.leader(), "SELECT 1")
    test.apply(hippo(authentication=rules(), config={"parameters": {"work_mem": "7MB"}}))
    for pod in test.instances():
        until(f"{pod} has work_mem", lambda pod=pod: test.superuser(pod, "SHOW work_mem") == "7MB")
        for container in ("caretaker", "database"):
            log = test.kubectl("logs", pod, f"--container={container}")
            test.expect(new not in log and old not in log, f"the log of {container} of {pod} has a password")


def check_hand_over(test: Test) -> None:
    """If a leader stops while its Patroni still has the old password, it nevertheless hands over."""
    for generation in (None, 3):
        test.wait_until_well(2)
        leader = test.leader()
        log: list[str] = []
        words = ["logs", leader, "--container=database", "--follow", "--tail=1"]
        follower = threading.Thread(target=lambda log=log, words=words: log.append(test.kubectl(*words)))
        follower.start()
        if generation:
            test.apply(rotated(generation))
            new = test.secret("hippo-patroni")["password"]
            until(
                "the file is there", lambda new=new, leader=leader: new in test.in_pod(leader, "cat", FILE), pause=0.05
            )
        test.kubectl("delete", "pod", leader, "--wait=false")
        follower.join(90)
        test.expect(log and "pre-stop: handed over to" in log[0], f"no hand-over: {log}")
        test.expect(test.leader() != leader, "the leader stayed")
    test.wait_until_well(2)


def run(test: Test) -> None:
    """Create two clusters in one namespace, and run all checks."""
    test.apply(hippo(authentication=rules()))
    test.apply(neighbour())
    test.wait_until_well(2)
    until("the neighbour runs", lambda: "beta" in test.in_pod("beta-instance1-0", "patronictl", "list"), 120)
    check_neighbour(test)
    check_patronictl(test)
    check_parameter(test)
    check_rules(test)
    check_rotation(test)
    check_hand_over(test)

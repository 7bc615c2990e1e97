"""A new password for one user: it works within seconds, the old one no longer works, and nothing else changes."""

from __future__ import annotations

import time

from framework import Test, hippo, until

from scenarios.users import processes

SECONDS = 5


def run(test: Test) -> None:
    """Increase the generation of hippo's password."""
    cluster = hippo()
    before_manifests = test.render(cluster)
    test.apply_manifests(before_manifests)
    test.wait_until_well(2)
    test.start_client()
    for service in ("primary", "pgbouncer"):
        until(f"hippo logs in through {service}", lambda service=service: test.sql("SELECT 1", service=service))
    before = processes(test)
    old = test.secret("hippo-pguser-hippo")["password"]

    cluster["metadata"]["annotations"]["pgrender.dev/rotate-password.hippo"] = "2"
    manifests = test.render(cluster)
    old_secrets, new_secrets = test.secrets(before_manifests), test.secrets(manifests)
    changed = sorted(name for name, data in new_secrets.items() if data != old_secrets[name])
    test.expect(changed == ["hippo-caretaker", "hippo-pguser-hippo"], f"Secrets that change: {changed}")
    new = new_secrets["hippo-pguser-hippo"]["password"]
    test.expect(new != old, "the password stays")

    applied = test.apply_manifests(manifests)
    for service in ("primary", "pgbouncer"):
        until(f"the new password works through {service}", lambda service=service: test.logs_in("hippo", "hippo", new, service))
        test.figure(f"new password works through {service}", time.time() - applied, SECONDS)
        test.expect(not test.logs_in("hippo", "hippo", old, service), f"the old password still works through {service}")
    test.sql("SELECT 1", user="rhino")
    test.expect(before <= processes(test), "something restarted")
    for pod in test.instances():
        for container in ("caretaker", "database"):
            log = test.kubectl("logs", pod, f"--container={container}")
            test.expect(new not in log and "SCRAM-SHA-256$" not in log, f"a secret is in the log of {container} of {pod}")

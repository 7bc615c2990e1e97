"""An attacker who controls an instance pod: sends requests to the API server with the token of the pod."""

from __future__ import annotations

import json
from typing import Any

from framework import Test

CALL = r"""
account=/var/run/secrets/kubernetes.io/serviceaccount
exec curl --silent --show-error --max-time 10 --cacert "$account/ca.crt" --write-out '\n%{http_code}' --request "$0" --data @- \
  --header "Authorization: Bearer $(cat "$account/token")" --header "Content-Type: $2" \
  "https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/api/v1/namespaces/$(cat "$account/namespace")/$1"
"""

MERGE, APPLY, WHOLE = "application/merge-patch+json", "application/apply-patch+yaml", "application/json"


def instance_calls(
    test: Test, pod: str, method: str, path: str, body: Any = None, content: str = MERGE
) -> tuple[int, str]:
    """Send one request from the database container of a pod. Return the status and the text of the answer."""
    text = "" if body is None else json.dumps(body)
    answer = test.in_pod(pod, "bash", "-c", CALL, method, path, content, text=text)
    text, _, status = answer.rpartition("\n")
    return int(status), text

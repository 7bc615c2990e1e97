"""The progress of a restore in place: an annotation of the Endpoints `<cluster>-primary`, which all instances read, and a file on
each data volume.

The annotation is JSON: `id`, the value that requested the restore; `state`; `instance`, which restores; `message`, after a failure;
`backup`, if not the newest one is restored; `timeline`, that of the data from before; `request` and `since`, of a refused request;
`done`, the value of the last restore that is done; and `first`, the value with which the cluster was created. The states are

    refused     nothing has changed, because the restore cannot succeed
    stopping    the instances stop Patroni
    restoring   `instance` restores, and the others wait
    failed      as before, but the last attempt failed; it is repeated
    cancelled   the request is no longer in the spec, and the data was put back
    done

The file says which restore is in the data of this volume (`done`), so that none is repeated when the Endpoints are deleted, and in
which one this instance takes part (`doing`), because its data is aside then."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from surroundings import Refused, Wanted, data_directory, find, kubernetes, primary_path

ANNOTATION = "pgrender.dev/restore"
IN_PROGRESS = ("stopping", "restoring", "failed")


def read(endpoints: Any) -> dict[str, Any]:
    """Return the progress in Endpoints; empty if there is none."""
    annotations = endpoints["metadata"].get("annotations", {}) if endpoints else {}
    try:
        found = json.loads(annotations.get(ANNOTATION, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def find_progress(wanted: Wanted) -> dict[str, Any]:
    """Return the progress from the API server."""
    return read(find(primary_path(wanted)))


def is_in_progress(progress: dict[str, Any]) -> bool:
    """Whether the instances must not run Patroni."""
    return progress.get("state") in IN_PROGRESS


def record(wanted: Wanted, trigger: str, state: str, endpoints: Any = None, **more: str | None) -> None:
    """Write the progress. Fail if the Endpoints, which are read if they are not given, have changed since."""
    endpoints = endpoints or kubernetes("GET", primary_path(wanted))
    before = read(endpoints)
    kept = {"done": before.get("done"), "first": before.get("first")}
    if is_in_progress(before):
        kept.update(backup=before.get("backup"), timeline=before.get("timeline"))
    progress = {**kept, "id": trigger, "state": state, "instance": os.environ["PATRONI_NAME"], **more}
    if state == "done":
        progress["done"] = trigger
    annotations = {ANNOTATION: json.dumps({key: value for key, value in progress.items() if value})}
    version = endpoints["metadata"]["resourceVersion"]
    kubernetes("PATCH", primary_path(wanted), {"metadata": {"annotations": annotations, "resourceVersion": version}})


def acknowledge(trigger: str | None) -> None:
    """Annotate this pod, while its Patroni does not run and will not start. None removes the annotation."""
    me = os.environ["PATRONI_NAME"]
    try:
        kubernetes("PATCH", f"/pods/{me}", {"metadata": {"annotations": {ANNOTATION: trigger}}})
    except Refused as refused:
        if refused.status != 404:
            raise


def file() -> Path:
    """Return the file on the data volume."""
    return data_directory().parent / "pgrender-restore.json"


def memory() -> dict[str, Any]:
    """Return the content of the file; empty if there is none."""
    try:
        found = json.loads(file().read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def remembered() -> dict[str, str]:
    """Return the annotation for new Endpoints: the last restore of this instance."""
    mine = memory()
    done = mine.get("done")
    if not done:
        return {}
    progress = {"id": done, "state": "done", "done": done, "first": mine.get("first")}
    return {ANNOTATION: json.dumps({key: value for key, value in progress.items() if value})}


def remember(**changes: Any) -> None:
    """Change values of the file. None removes a value."""
    content = {key: value for key, value in {**memory(), **changes}.items() if value is not None}
    new = Path(f"{file()}.new")
    new.write_text(json.dumps(content, sort_keys=True))
    with open(new) as written:
        os.fsync(written.fileno())
    new.replace(file())

"""The data of an instance while the cluster is restored in place: moved aside, put back, or removed.

The data directory and the directory of the WAL, which may be on another volume, get a suffix. Renaming needs no space and no time.
Every step may be interrupted and repeated."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from surroundings import Failure, data_directory

SUFFIX = ".before-restore"


def aside() -> Path:
    """Return the name of the data directory while it is aside."""
    return Path(f"{data_directory()}{SUFFIX}")


def has_data(directory: Path) -> bool:
    """Whether there is anything in a directory. The init container creates an empty data directory."""
    return directory.is_dir() and any(directory.iterdir())


def remove(directory: Path) -> None:
    """Remove a data directory and the WAL behind its link, or what is left of them."""
    link = directory / "pg_wal"
    if link.is_symlink():
        shutil.rmtree(link.resolve(), ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)
    if directory.exists():
        raise Failure(f"{directory} cannot be removed")


def move(source: Path, target: Path, old: str, new: str) -> None:
    """Rename a data directory. First rename the directory behind `pg_wal`, whose suffix changes from `old` to `new`, and point the
    link at it."""
    link = source / "pg_wal"
    if link.is_symlink():
        # An interrupted run may have renamed the directory without changing the link.
        place = os.readlink(link).removesuffix(SUFFIX)
        here, there = Path(place + old), Path(place + new)
        if here.exists():
            # Left over, if somebody has removed only the data directory that was aside.
            shutil.rmtree(there, ignore_errors=True)
            here.rename(there)
        changed = source / "pg_wal.new"
        changed.unlink(missing_ok=True)
        changed.symlink_to(there)
        changed.replace(link)
    source.rename(target)


def move_aside() -> None:
    """Move the data aside, if it is not aside yet."""
    data, kept = data_directory(), aside()
    if has_data(data) and not kept.exists():
        move(data, kept, "", SUFFIX)
        os.sync()


def put_back() -> None:
    """Move the data back, if it is aside. What was restored so far is removed."""
    data, kept = data_directory(), aside()
    if not kept.exists():
        return
    link = kept / "pg_wal"
    if link.is_symlink():
        place = os.readlink(link).removesuffix(SUFFIX)
        # While the WAL is aside, the directory without the suffix belongs to what was restored.
        if Path(place + SUFFIX).exists():
            shutil.rmtree(place, ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)
    move(kept, data, SUFFIX, "")
    os.sync()

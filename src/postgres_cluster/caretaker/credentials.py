"""Verifiers of the roles whose Secret is not rendered but brought by the user (`credentials: reference`).

The Secret holds a verifier, which wins, or a password. Neither is ever part of a message."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import stringprep
import unicodedata
from pathlib import Path
from typing import Any

from postgres import psql
from surroundings import SETTINGS, Failure

# What PostgreSQL takes for a verifier; it would take anything else for a password (`get_password_type`).
VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)|md5[0-9a-f]{32}")
ITERATIONS = 4096

STORED = """
SELECT coalesce(json_object_agg(rolname, rolpassword), '{}') FROM pg_catalog.pg_authid WHERE rolname IN
  (SELECT json_array_elements_text(current_setting('caretaker.arguments')::json))
"""


def complete(roles: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Give roles their verifiers, and say what is wrong with their Secrets. One without gets an empty verifier, which
    leaves its password as it is."""
    referenced = [role["name"] for role in roles if "secret" in role]
    stored = json.loads("".join(psql(STORED, arguments=referenced))) if referenced else {}
    completed, wrong = [], []
    for role in roles:
        if "secret" in role:
            try:
                role = {**role, "verifier": verifier_of(role, stored.get(role["name"]))}
            except Failure as failure:
                wrong.append(str(failure))
                role = {**role, "verifier": ""}
        completed.append(role)
    return completed, wrong


def verifier_of(role: dict[str, Any], stored: str | None) -> str:
    """Give the verifier of the Secret or, of its password, the one that the database has already or else a new one."""
    directory, secret = SETTINGS / "credentials" / role["name"], role["secret"]
    verifier = (content(directory / "verifier", secret) or "").strip()
    if verifier:
        if not VERIFIER.fullmatch(verifier):
            raise Failure(f"the verifier in Secret {secret} is none: write one of PostgreSQL's, or leave it out")
        return verifier
    password = content(directory / "password", secret)
    if not password:
        raise Failure(f"Secret {secret} is not there, or has neither verifier nor password")
    if stored and fits(password, stored):
        return stored
    return scram(password, os.urandom(16), ITERATIONS)


def content(path: Path, secret: str) -> str | None:
    """Read a key of a Secret; None where there is no such key."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise Failure(f"the {path.name} in Secret {secret} is not UTF-8") from None


def fits(password: str, verifier: str) -> bool:
    """Whether a verifier is of this password. Of MD5 it is never said: a new one is better."""
    parts = VERIFIER.fullmatch(verifier)
    if parts is None or parts[1] is None:
        return False
    return hmac.compare_digest(scram(password, base64.b64decode(parts[2]), int(parts[1])), verifier)


def scram(password: str, salt: bytes, iterations: int) -> str:
    """Compute a verifier (RFC 5802; PostgreSQL's `scram_build_secret`)."""
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password).encode(), salt, iterations)
    client, server = (hmac.digest(salted, name, "sha256") for name in (b"Client Key", b"Server Key"))
    texts = [base64.b64encode(value).decode() for value in (salt, hashlib.sha256(client).digest(), server)]
    return f"SCRAM-SHA-256${iterations}:{texts[0]}${texts[1]}:{texts[2]}"


def prepared(password: str) -> str:
    """SASLprep (RFC 4013), and the password as it is where that refuses it or leaves nothing (`pg_saslprep`)."""
    if password.isascii():
        return password
    mapped = [" " if stringprep.in_table_c12(char) else char for char in password if not stringprep.in_table_b1(char)]
    text = unicodedata.normalize("NFKC", "".join(mapped))
    refused = (
        stringprep.in_table_a1,
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
    )
    if not text or any(table(char) for char in text for table in refused):
        return password
    if any(map(stringprep.in_table_d1, text)):
        # Text from right to left has nothing from left to right, and begins and ends so (RFC 3454, section 6).
        ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
        if not ends or any(map(stringprep.in_table_d2, text)):
            return password
    return text

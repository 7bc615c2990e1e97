"""Verifiers of roles with an existing Secret (`credentials: reference`).

The Secret has a verifier or a password; the verifier has priority. No message contains either."""

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

# The formats of a verifier. PostgreSQL treats any other text as a password (`get_password_type`).
VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)|md5[0-9a-f]{32}")
ITERATIONS = 4096

STORED = """
SELECT coalesce(json_object_agg(rolname, rolpassword), '{}') FROM pg_catalog.pg_authid WHERE rolname IN
  (SELECT json_array_elements_text(current_setting('caretaker.arguments')::json))
"""


def complete(roles: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the roles with their verifiers, and the errors in their Secrets. After an error the verifier is empty: the password
    stays unchanged."""
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
    """Return the verifier in the Secret. If it has a password, return the stored verifier if it matches, otherwise a new one."""
    directory, secret = SETTINGS / "credentials" / role["name"], role["secret"]
    verifier = (content(directory / "verifier", secret) or "").strip()
    if verifier:
        if not VERIFIER.fullmatch(verifier):
            raise Failure(f"the verifier in Secret {secret} is not in a format of PostgreSQL: correct or remove it")
        return verifier
    password = content(directory / "password", secret)
    if not password:
        raise Failure(f"Secret {secret} does not exist, or has neither verifier nor password")
    if stored and fits(password, stored):
        return stored
    return scram(password, os.urandom(16), ITERATIONS)


def content(path: Path, secret: str) -> str | None:
    """Read a key of a Secret; None if it has no such key."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise Failure(f"the {path.name} in Secret {secret} is not UTF-8") from None


def fits(password: str, verifier: str) -> bool:
    """Whether a verifier matches this password. False for MD5, so that it is replaced by SCRAM."""
    parts = VERIFIER.fullmatch(verifier)
    if parts is None or parts[1] is None:
        return False
    return hmac.compare_digest(scram(password, base64.b64decode(parts[2]), int(parts[1])), verifier)


def scram(password: str, salt: bytes, iterations: int) -> str:
    """Return a new verifier (RFC 5802; PostgreSQL, `scram_build_secret`)."""
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password).encode(), salt, iterations)
    client, server = (hmac.digest(salted, name, "sha256") for name in (b"Client Key", b"Server Key"))
    texts = [base64.b64encode(value).decode() for value in (salt, hashlib.sha256(client).digest(), server)]
    return f"SCRAM-SHA-256${iterations}:{texts[0]}${texts[1]}:{texts[2]}"


def prepared(password: str) -> str:
    """Apply SASLprep (RFC 4013). Return the password unchanged if SASLprep rejects it or the result is empty (`pg_saslprep`)."""
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
        # Right-to-left text must begin and end so, and must not contain left-to-right characters (RFC 3454, section 6).
        ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
        if not ends or any(map(stringprep.in_table_d2, text)):
            return password
    return text

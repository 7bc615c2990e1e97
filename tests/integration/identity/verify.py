"""Derives every value of fixtures/identity again, only from the description in src/identity/context.rs.

    verify.py DIRECTORY

vectors.json needs only the standard library, hippo.json the package `cryptography` (44 or newer, for deterministic
signatures). Exits with 1 and a line for each difference.
"""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import stringprep
import sys
import unicodedata

ALPHABETS = {
    "ascii": [chr(code) for code in range(0x28, 0x7E) if chr(code) not in "\\`"],
    "alphanumeric": [chr(code) for code in range(0x30, 0x7B) if chr(code).isalnum()],
}
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
DAY = 86400
# Seconds since 1970 of the first and the last second of every authority.
AUTHORITY_VALIDITY = (1546300800, 2524607999)


def hkdf(seed, info, length):
    """HKDF (RFC 5869) with SHA-256."""
    pseudo_random_key = hmac.digest(b"pgrender/v1", seed, "sha256")
    stream, block = b"", b""
    while len(stream) < length:
        block = hmac.digest(pseudo_random_key, block + info + bytes([len(stream) // 32 + 1]), "sha256")
        stream += block
    return stream[:length]


def draw(seed, parts, length, counter=0):
    encoded = [str(part).encode() for part in [*parts, counter]]
    return hkdf(seed, b"".join(len(part).to_bytes(4, "big") + part for part in encoded), length)


def private_key(seed, parts):
    counter = 0
    while not 0 < (scalar := int.from_bytes(draw(seed, parts, 32, counter), "big")) < P256_ORDER:
        counter += 1
    return scalar


def serial(seed, parts):
    number = int.from_bytes(draw(seed, parts, 16), "big")
    return number & ~(1 << 127) | 1 << 126


def password(seed, namespace, cluster, user, alphabet, length, generation, all_generation=1):
    characters = ALPHABETS[alphabet]
    limit = 256 // len(characters) * len(characters)
    parts = ["password", namespace, cluster, user, alphabet, generation]
    if all_generation > 1:
        parts.append(all_generation)
    text, counter = "", 0
    while len(text) < length:
        stream = draw(seed, parts, 64, counter)
        text += "".join(characters[byte % len(characters)] for byte in stream if byte < limit)
        counter += 1
    return text[:length]


def saslprep(text):
    """Apply SASLprep (RFC 4013). Return the text unchanged if SASLprep rejects it or the result is empty."""
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c))
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    prohibited = [
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
        stringprep.in_table_a1,
    ]
    if not prepared or any(table(c) for table in prohibited for c in prepared):
        return text
    if any(map(stringprep.in_table_d1, prepared)):
        ends = stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1])
        if any(map(stringprep.in_table_d2, prepared)) or not ends:
            return text
    return prepared


def verifier(text, salt):
    prepared = text if text.isascii() else saslprep(text)
    salted = hashlib.pbkdf2_hmac("sha256", prepared.encode(), salt, 4096)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt, stored_key, server_key = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256$4096:{salt}${stored_key}:{server_key}"


def window(value):
    """Return the start of the window, and the first and last second of validity."""
    length, lifetime = value.get("window_days", 182), value.get("lifetime_days", 397)
    start = value["time"] - value["time"] % (length * DAY)
    return start, start - 3600, start - 3600 + lifetime * DAY


def certificate_parts(value):
    start = window(value)[0]
    return [*(value[part] for part in ("namespace", "cluster", "role", "name", "generation")), start]


def certificate_serial_parts(value):
    _, not_before, not_after = window(value)
    authority = [value["trust_domain"], value["authority_generation"]]
    return ["certificate/serial", *certificate_parts(value), *authority, not_before, not_after, *value["names"]]


def outcome(seed, value):
    match value["context"]:
        case "authority/key":
            return f"{private_key(seed, ['authority/key', value['trust_domain'], value['generation']]):064x}"
        case "authority/serial":
            return f"{serial(seed, ['authority/serial', value['trust_domain'], value['generation']]):032x}"
        case "certificate/key":
            return f"{private_key(seed, ['certificate/key', *certificate_parts(value)]):064x}"
        case "certificate/serial":
            return f"{serial(seed, certificate_serial_parts(value)):032x}"
        case "password":
            fields = ("namespace", "cluster", "user", "alphabet", "length", "generation")
            return password(seed, *(value[field] for field in fields), value.get("all_generation", 1))
        case "scram/salt":
            parts = ["scram/salt", *(value[field] for field in ("namespace", "cluster", "user", "password"))]
            return base64.b64encode(draw(seed, parts, 16)).decode()
        case "scram/verifier":
            return verifier(value["password"], base64.b64decode(value["salt"]))
        case "fingerprint/key":
            return draw(seed, ["fingerprint/key", value["namespace"], value["cluster"]], 32).hex()


def check_vectors(vectors):
    """Yield a difference for each value that this file derives otherwise."""
    seed = vectors["seed"].encode()
    for value in vectors["values"]:
        if outcome(seed, value) != value["outcome"]:
            yield f"{value}: derived {outcome(seed, value)}"


def check_certificate(pem, key, issuer_key, issuer_name, expected):
    """Yield a difference for each field of a certificate, including the signature, because none is random."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    certificate = x509.load_pem_x509_certificate(pem.encode())
    point = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    extensions = {extension.oid: extension for extension in certificate.extensions}

    def extension(kind):
        return certificate.extensions.get_extension_for_class(kind).value if kind.oid in extensions else None

    def identifier(public_key):
        return hashlib.sha256(public_key.public_bytes(*point)).digest()[:20]

    names, purposes = extension(x509.SubjectAlternativeName), extension(x509.ExtendedKeyUsage)
    authority_identifier = extension(x509.AuthorityKeyIdentifier)
    usage = extension(x509.KeyUsage)
    is_authority = expected["purposes"] is None
    found = {
        "key": certificate.public_key().public_bytes(*point),
        "serial": certificate.serial_number,
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "validity": tuple(
            int(date.timestamp()) for date in (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
        ),
        "names": names and names.get_values_for_type(x509.DNSName),
        "purposes": purposes and [purpose._name for purpose in purposes],
        "critical": {extension.oid._name for extension in extensions.values() if extension.critical},
        "constraints": extension(x509.BasicConstraints),
        "usage": (usage.digital_signature, usage.key_encipherment, usage.key_cert_sign, usage.crl_sign),
        "subject identifier": extension(x509.SubjectKeyIdentifier).digest,
        "authority identifier": authority_identifier and authority_identifier.key_identifier,
        "signature": certificate.signature,
    }
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    wanted = {
        "key": key.public_key().public_bytes(*point),
        "serial": expected["serial"],
        "subject": f"CN={expected['common_name']}",
        "issuer": f"CN={issuer_name}",
        "validity": expected["validity"],
        "names": expected["names"],
        "purposes": expected["purposes"],
        "critical": {"basicConstraints", "keyUsage"},
        "constraints": x509.BasicConstraints(is_authority, 0 if is_authority else None),
        "usage": (not is_authority, not is_authority, is_authority, is_authority),
        "subject identifier": identifier(key.public_key()),
        "authority identifier": None if is_authority else identifier(issuer_key.public_key()),
        "signature": issuer_key.sign(certificate.tbs_certificate_bytes, algorithm),
    }
    for field, value in wanted.items():
        if found[field] != value:
            yield f"{expected['common_name']}: {field} is {found[field]}, derived {value}"


def check_identity(identity):
    """Yield a difference for each value of a complete identity of `hippo` in `postgres-operator`."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    seed, time = identity["seed"].encode(), identity["time"]
    namespace, cluster = "postgres-operator", "hippo"

    def load(parts):
        return ec.derive_private_key(private_key(seed, parts), ec.SECP256R1())

    for user, credential in identity["credentials"].items():
        length = 32 if user in ("_crunchypgbouncer", "_crunchypatroni") else 24
        text = password(seed, namespace, cluster, user, credential["alphabet"], length, credential["generation"])
        salt = draw(seed, ["scram/salt", namespace, cluster, user, text], 16)
        derived = {"password": text, "verifier": verifier(text, salt)}
        if user == "_crunchypatroni":
            del derived["verifier"]  # Postgres does not have it
        for field, value in derived.items():
            if credential[field] != value:
                yield f"{user}: {field} is {credential[field]}, derived {value}"

    members = f"{namespace}/{cluster}"
    for bundle, domain in ("trust_bundle", namespace), ("members_bundle", members):
        for generation, pem in enumerate(identity[bundle], 1):
            key = load(["authority/key", domain, generation])
            name = f"pgrender-ca {domain} {generation}"
            number = serial(seed, ["authority/serial", domain, generation])
            expected = dict(common_name=name, serial=number, validity=AUTHORITY_VALIDITY, names=None, purposes=None)
            yield from check_certificate(pem, key, key, name, expected)

    for certificate in identity["certificates"]:
        value = {"namespace": namespace, "cluster": cluster, "generation": 1, "time": time, **certificate}
        domain = members if value["role"] == "member" else namespace
        value |= {"trust_domain": domain, "authority_generation": 1}
        key = load(["certificate/key", *certificate_parts(value)])
        expected = dict(
            common_name=value["names"][0],
            serial=serial(seed, certificate_serial_parts(value)),
            validity=window(value)[1:],
            names=value["names"],
            purposes=value["purposes"],
        )
        issuer = load(["authority/key", domain, 1])
        issuer_name = f"pgrender-ca {domain} 1"
        yield from check_certificate(value["certificate"], key, issuer, issuer_name, expected)
        form = serialization.PrivateFormat.TraditionalOpenSSL
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        if hashlib.sha256(pem).hexdigest() != value["key_sha256"]:
            yield f"{value['names'][0]}: the key file differs"


def main():
    directory = pathlib.Path(sys.argv[1])
    differences = list(check_vectors(json.loads((directory / "vectors.json").read_text())))
    try:
        import cryptography  # noqa: F401
    except ImportError:
        print("skipped: hippo.json, which needs the Python package `cryptography`")
        if os.environ.get("CI") == "true":
            differences.append("no `cryptography`, and CI=true")
    else:
        differences += check_identity(json.loads((directory / "hippo.json").read_text()))
    print(*differences, sep="\n", end="\n" if differences else "")
    sys.exit(bool(differences))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Runs the program with inputs of at most 1 MiB that are made to cost much time and memory. Fails if one takes more than
a second of CPU time or 256 MiB, or if the exit code is neither 0 nor 1.

Usage: tools/limits.py PROGRAM [NAME]...
"""

import base64
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator

MAX_SECONDS = 1.0
MAX_MEBIBYTES = 256.0
SIZE = 1024 * 1024
SEED = "fIPd3g744M5JlsE0f/Qt3Dcee0zG0lYaGpkFXC59IdM="

HEAD = """\
apiVersion: postgres-operator.crunchydata.com/v1
kind: PostgresCluster
"""
STORAGE = "{accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}"
SETS = f"instances: [{{dataVolumeClaimSpec: {STORAGE}}}]"


def fill(item: Callable[[int], str], size: int = SIZE - 4096) -> str:
    """Return as many items as fit."""
    parts, length, number = [], 0, 0
    while length < size:
        part = item(number)
        parts.append(part)
        length += len(part)
        number += 1
    return "".join(parts)


def cluster(name: str = "hippo", spec: str = "", metadata: str = "") -> str:
    """A cluster with more lines in its spec and its metadata."""
    sets = "" if "instances:" in spec else f"  {SETS}\n"
    return f"{HEAD}metadata:\n  name: {name}\n  namespace: shop\n{metadata}spec:\n  postgresVersion: 17\n{sets}{spec}"


def with_all(name: str) -> str:
    """A cluster with all components."""
    return cluster(
        name,
        f"  proxy: {{pgBouncer: {{}}}}\n  monitoring: {{pgmonitor: {{exporter: {{}}}}}}\n"
        f"  backups: {{pgbackrest: {{repos: [{{name: repo1, volume: {{volumeClaimSpec: {STORAGE}}}}}]}}}}\n",
    )


def block(key: str, item: Callable[[int], str], indent: int = 2, size: int = SIZE - 4096) -> str:
    """A field of the spec that is a list or mapping of many items."""
    blanks = " " * indent
    return f"{blanks}{key}:\n" + fill(lambda number: f"{blanks}  {item(number)}\n", size)


def merged(count: int, spec: str = "", size: int = 0) -> str:
    """Clusters that copy all but their name from one cluster with `<<`."""
    base = "apiVersion: v1\nkind: List\nitems:\n- &base\n  apiVersion: postgres-operator.crunchydata.com/v1\n  kind: PostgresCluster\n"
    filler = f"    dynamicConfiguration: {{x: {'y' * size}}}\n" if size else ""
    patroni = f"    patroni:\n  {filler}" if filler else ""
    base += (
        f"  metadata: {{name: c, namespace: shop}}\n  spec: &spec\n    postgresVersion: 17\n    {SETS}\n{patroni}{spec}"
    )
    return base + "".join(
        f"- {{<<: *base, metadata: {{name: c{number}, namespace: shop}}}}\n" for number in range(count)
    )


def users(count: int) -> str:
    return "  users:\n" + "".join(f"  - name: u{number}\n" for number in range(count))


def secret(name: str, data: dict[str, str], section: str = "stringData") -> str:
    lines = "".join(f"  {key}: {value}\n" for key, value in data.items())
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: shop}}\n{section}:\n{lines}"


def empty_map(number: object) -> str:
    """A ConfigMap without data."""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a{number}, namespace: shop}}\n"


def verifiers(count: int, rounds: int) -> str:
    """Users with verifiers of many iterations."""
    key = "A" * 43 + "="
    verifier = f"SCRAM-SHA-256${rounds}:c2FsdHNhbHRzYWx0c2FsdA==${key}:{key}"
    made = [cluster("hippo", users(count))]
    made += [
        secret(f"hippo-pguser-u{number}", {"password": f"p{number}", "verifier": verifier}) for number in range(count)
    ]
    return "---\n".join(made)


def documents(item: Callable[[int], str], size: int = SIZE - 4096) -> str:
    return fill(lambda number: "---\n" + item(number), size)


def cases() -> Iterator[tuple[str, str]]:
    """Yield each input with its name."""
    yield "clusters by merge keys", merged(2500)
    yield "clusters by merge keys, to the full", merged(18000)
    yield "large clusters by merge keys", merged(120, size=400_000)
    yield "clusters", documents(lambda number: cluster(f"c{number}"))
    yield "clusters with everything", documents(lambda number: with_all(f"c{number}"))
    yield "90 clusters with everything", "---\n".join(with_all(f"c{number}") for number in range(90))
    yield "clusters with many users", documents(lambda number: cluster(f"c{number}", users(64)))
    yield "60 clusters with many users", "---\n".join(cluster(f"c{number}", users(64)) for number in range(60))
    yield "one cluster again and again", documents(lambda _: cluster())
    yield (
        "one cluster again and again, once large",
        cluster("hippo", block("config", lambda n: f"p{n}: x", 2, SIZE // 2))
        + documents(lambda _: cluster(), SIZE // 2),
    )
    yield "broken clusters", documents(lambda number: f"{HEAD}metadata: {{name: c{number}}}\nspec: 1\n")
    yield "clusters of no version", documents(lambda _: "{apiVersion: x, kind: PostgresCluster}\n")
    yield (
        "tiny clusters",
        documents(lambda _: "{apiVersion: postgres-operator.crunchydata.com/v1, kind: PostgresCluster}\n"),
    )
    yield "unknown fields", cluster("hippo", fill(lambda number: f"  u{number}: 1\n"))
    yield "unknown fields, nearly right", cluster("hippo", fill(lambda number: f"  instancez{number}: 1\n"))
    yield "unknown fields at the top", fill(lambda number: f"speck{number}: 1\n") + cluster()
    yield "unknown fields, long", cluster("hippo", fill(lambda number: f"  ? {'instances' * 2000}{number}\n  : 1\n"))
    yield "one unknown field, very long", cluster("hippo", f"  ? {'instances' * 110_000}\n  : 1\n")
    yield "unknown fields of many sets", cluster("hippo", block("instances", lambda n: f"- {{u{n}: 1}}"))
    yield "bad labels", cluster("hippo", "  metadata:\n" + block("labels", lambda n: f"a_{n}_: x", 4))
    yield "labels", cluster("hippo", "  metadata:\n" + block("labels", lambda n: f"a{n}: x", 4))
    yield "annotations", cluster("hippo", "  metadata:\n" + block("annotations", lambda n: f"a{n}: x", 4))
    sets = f"  instances: [{{replicas: 256, dataVolumeClaimSpec: {STORAGE}, walVolumeClaimSpec: {STORAGE}}}]\n"
    yield (
        "annotations of many claims",
        cluster("hippo", sets + f"  metadata: {{annotations: {{a: {'x' * 250_000}}}}}\n"),
    )
    yield (
        "labels of many claims",
        cluster("hippo", sets + "  metadata:\n" + block("labels", lambda n: f"a{n}: x", 4, 200_000)),
    )
    # Almost the allowed size.
    yield "annotations just allowed", cluster("hippo", sets + f"  metadata: {{annotations: {{a: {'x' * 70_000}}}}}\n")
    labels = "  metadata:\n    labels:\n" + "".join(f"      a{n}: x\n" for n in range(690))
    yield "labels just allowed", cluster("hippo", sets + labels)
    yield "users just allowed", "---\n".join(cluster(f"c{number}", users(64)) for number in range(13))
    yield "instances just allowed", "---\n".join(cluster(f"c{number}", sets) for number in range(23))
    parameters = "  patroni:\n    dynamicConfiguration:\n" + block("a", lambda n: f"k{n}: v", 6, 80_000)
    yield "dynamic configuration just allowed", "---\n".join(cluster(f"c{number}", parameters) for number in range(11))
    yield "256 instances", cluster("hippo", sets)
    yield "60 clusters of 256 instances", "---\n".join(cluster(f"c{number}", sets) for number in range(60))
    yield "instances beyond measure", cluster("hippo", sets.replace("256", "2147483647"))
    sets = "  instances:\n" + "".join(f"  - {{name: s{n}, dataVolumeClaimSpec: {STORAGE}}}\n" for n in range(256))
    yield "256 sets", cluster("hippo", sets)
    yield (
        "256 sets that pull much",
        cluster("hippo", sets + block("imagePullSecrets", lambda n: f"- {{name: s{n}}}", 2, SIZE // 2)),
    )
    yield "sets", cluster("hippo", block("instances", lambda n: f"- {{name: s{n}, dataVolumeClaimSpec: {STORAGE}}}"))
    yield (
        "sets of one name",
        cluster("hippo", block("instances", lambda n: f"- {{name: s, replicas: 1, dataVolumeClaimSpec: {STORAGE}}}")),
    )
    containers = f"  instances:\n  - dataVolumeClaimSpec: {STORAGE}\n"
    yield "containers", cluster("hippo", containers + block("containers", lambda n: f"- {{name: c{n}, image: i}}", 4))
    yield (
        "containers of one name",
        cluster("hippo", containers + block("containers", lambda n: "- {name: c, image: i}", 4)),
    )
    yield (
        "databases of a user",
        cluster("hippo", "  users:\n  - name: u\n" + block("databases", lambda n: f"- d{n}", 4)),
    )
    yield "users", cluster("hippo", block("users", lambda n: f"- name: u{n}"))
    yield "users of one name", cluster("hippo", block("users", lambda n: "- name: u"))
    yield "parameters", cluster("hippo", "  config:\n" + block("parameters", lambda n: f"a.p{n}: x", 4))
    yield "unknown parameters", cluster("hippo", "  config:\n" + block("parameters", lambda n: f"p{n}: x", 4))
    yield "rules", cluster("hippo", "  authentication:\n" + block("rules", lambda n: f"- hba: local all u{n} md5", 4))
    yield (
        "dynamic configuration",
        cluster("hippo", "  patroni:\n    dynamicConfiguration:\n      a:\n" + fill(lambda n: f"      - k{n}: v\n")),
    )
    yield "dynamic list", cluster("hippo", "  patroni:\n    dynamicConfiguration:\n      a: [" + "a," * 500_000 + "]\n")
    yield (
        "global of pgbackrest",
        cluster("hippo", "  backups:\n    pgbackrest:\n" + block("global", lambda n: f"a{n}: x", 6)),
    )
    yield (
        "repositories",
        cluster(
            "hippo",
            "  backups:\n    pgbackrest:\n"
            + block("repos", lambda n: f"- {{name: repo1, volume: {{volumeClaimSpec: {STORAGE}}}}}", 6),
        ),
    )
    queries = "  monitoring:\n    pgmonitor:\n      exporter:\n"
    absent = cluster("hippo", queries + block("configuration", lambda n: f"- configMap: {{name: b{n}}}", 8, SIZE // 2))
    yield "files of queries that are not there", absent + fill(lambda n: f"---\n{empty_map(n)}", SIZE // 2 - 8192)
    same = cluster("hippo", queries + block("configuration", lambda _: "- configMap: {name: a}", 8, SIZE // 2))
    file = "".join(f"    a{n}: {{query: SELECT 1, metrics: [{{total: {{usage: GAUGE}}}}]}}\n" for n in range(6000))
    yield "one file of queries again and again", f"{same}---\n{empty_map('')}data:\n  a.yml: |\n{file}"
    yield "verifiers of many rounds", verifiers(64, 100_000)
    yield "verifiers of some rounds", verifiers(64, 16_000)
    yield "a long value", cluster("hippo", f"  image: {'x' * 1_000_000}\n")
    yield (
        "long values that fit no pattern",
        cluster("hippo", block("users", lambda n: f"- {{name: {'x' * 8000}, options: {'y' * 8000}}}")),
    )
    yield "secrets", cluster() + documents(lambda n: secret(f"s{n}", {"a": "b"}))
    yield "one secret again and again", cluster() + documents(lambda _: secret("hippo-pguser-hippo", {"password": "b"}))
    yield (
        "one secret with two contents",
        cluster() + documents(lambda n: secret("hippo-pguser-hippo", {"password": f"b{n}"})),
    )
    yield (
        "a root for many clusters",
        (
            documents(lambda n: cluster(f"c{n}"), 30_000)
            + "---\n"
            + secret("pgo-root-cacert", {"z": "z"})
            + fill(lambda n: f"  k{n}: v\n", 800_000)
        ),
    )
    yield (
        "many roots for many clusters",
        (
            documents(lambda n: cluster(f"c{n}"), 30_000)
            + documents(lambda n: secret("pgo-root-cacert", {"a": "b"}), 900_000)
        ),
    )
    yield (
        "seeds",
        cluster()
        + documents(
            lambda n: (
                f"{{kind: Secret, apiVersion: v1, metadata: {{name: s{n}, annotations: {{pgrender.dev/seed: 'true'}}}}}}\n"
            )
        ),
    )
    yield "documents", documents(lambda _: "a: 1\n")
    yield "values", cluster() + "---\n[" + "a," * 500_000 + "]\n"
    yield "mappings", cluster() + "---\n[" + "{a: b}," * 145_000 + "]\n"
    yield "anchors", cluster() + "---\n" + fill(lambda n: f"- &a{n} x\n")
    yield "aliases", cluster() + "---\n- &a {b: c}\n" + fill(lambda _: "- *a\n")
    yield "aliases of a list", cluster() + "---\n- &a [" + "x," * 100 + "]\n" + "- *a\n" * 9000
    yield "aliases of a text", cluster() + f"---\n- &a {'x' * 500_000}\n" + "- *a\n" * 100
    yield (
        "merge keys",
        cluster() + "---\n- &a {" + ", ".join(f"k{n}: v" for n in range(900)) + "}\n" + "- {<<: *a}\n" * 500,
    )
    yield "merge keys, many at once", cluster() + "---\n- &a {b: c}\n- {<<: [" + "*a," * 300_000 + "]}\n"
    yield "deep", cluster() + "---\n" + "[" * 500_000
    yield "deep again and again", cluster() + "---\n" + ("- " + "[" * 60 + "]" * 60 + "\n") * 8000
    yield "a deep error", cluster("hippo", "  patroni: " + "{a: " * 55 + "}" * 55 + "\n")
    yield "duplicate keys", cluster("hippo", fill(lambda _: "  port: 1\n"))
    yield "duplicate keys in flow style", cluster() + "---\n{" + "a," * 490_000 + "}\n"
    yield "unresolved aliases in flow style", cluster() + "---\n[" + "*b," * 330_000 + "]\n"
    yield "unresolved aliases", cluster("hippo", fill(lambda n: f"  a{n}: *b\n"))
    yield "numbers", cluster() + "---\n- " + "1" * 1_000_000 + "\n- 1e" + "9" * 40_000 + "\n"
    yield "comments", cluster() + "#\n" * 500_000
    yield "blank lines", cluster() + "\n" * 1_000_000
    yield "a block scalar", cluster() + "---\na: |\n" + "  b\n" * 260_000
    yield "tags", cluster() + "---\n" + "- !!str a\n" * 100_000
    yield "metadata", cluster("hippo", "", block("annotations", lambda n: f"a{n}: x"))
    yield "finalizers", cluster("hippo", "", block("finalizers", lambda n: f"- a{n}/b"))
    yield "managed fields", cluster("hippo", "", block("managedFields", lambda n: f"- {{manager: a{n}}}"))
    yield "a brought certificate of many names", many_names(90)
    yield "held authorities of one name", held(90, 64)
    yield "held authorities of one name, just allowed", held(20, 64)
    yield "held authorities, too many", held(90, 500)
    yield from findings()
    yield from quotes()
    yield from certificates()
    yield "nearly seeds", cluster() + documents(nearly_seed)
    many = fill(lambda n: f"pgrender.dev/seed{n}: '', ")
    yield (
        "nearly a seed again and again",
        cluster() + f"---\n{{kind: Secret, metadata: {{name: s, annotations: {{{many}}}}}}}\n",
    )


def nearly_seed(number: int) -> str:
    return f"{{kind: Secret, metadata: {{name: s{number}, annotations: {{pgrender.dev/seed: 'yes'}}}}}}\n"


def findings() -> Iterator[tuple[str, str]]:
    """Lists of short items, which are all wrong."""
    for item in ("1", "{}", "a", "[]"):
        items = f"[{(item + ',') * ((SIZE - 4096) // (len(item) + 1))}]"
        set_of = f"  instances: [{{dataVolumeClaimSpec: {STORAGE}, "
        yield f"environment of {item}", cluster("hippo", f"{set_of}containers: [{{name: a, env: {items}}}]}}]\n")
        yield f"tablespaces of {item}", cluster("hippo", f"{set_of}tablespaceVolumes: {items}}}]\n")
        yield f"tolerations of {item}", cluster("hippo", f"{set_of}tolerations: {items}}}]\n")
        yield f"instances of {item}", cluster("hippo", f"  instances: {items}\n")
        yield f"repositories of {item}", cluster("hippo", f"  backups: {{pgbackrest: {{repos: {items}}}}}\n")
        yield f"users of {item}", cluster("hippo", f"  users: {items}\n")
        yield f"databases of {item}", cluster("hippo", f"  users: [{{name: a, databases: {items}}}]\n")
        yield f"files of {item}", cluster("hippo", f"  config: {{files: {items}}}\n")
        yield f"rules of {item}", cluster("hippo", f"  authentication: {{rules: {items}}}\n")
        yield f"pull secrets of {item}", cluster("hippo", f"  imagePullSecrets: {items}\n")
        allowed = f"[{(item + ',') * 19_900}]"
        yield (
            f"just allowed: environment of {item}",
            cluster("hippo", f"{set_of}containers: [{{name: a, env: {allowed}}}]}}]\n"),
        )
        yield f"just allowed: files of {item}", cluster("hippo", f"  config: {{files: {allowed}}}\n")
        yield f"just allowed: instances of {item}", cluster("hippo", f"  instances: {allowed}\n")
        for field in ("pg_hba", "pg_ident"):
            dynamic = f"  patroni: {{dynamicConfiguration: {{postgresql: {{{field}: {items}}}}}}}\n"
            yield f"{field} of {item}", cluster("hippo", dynamic)


def quotes() -> Iterator[tuple[str, str]]:
    """Values in which many quotes follow each quote."""
    for name, value in (("pairs", "a='x' " * 170_000), ("quotes", "a=" + "''" * 500_000)):
        value = value.strip()
        yield (
            f"{name} of pgBouncer",
            cluster("hippo", f'  proxy: {{pgBouncer: {{config: {{databases: {{a: "{value}"}}}}}}}}\n'),
        )
    libraries = ",".join(['"a"'] * 250_000)
    yield "libraries", cluster("hippo", f"  config: {{parameters: {{shared_preload_libraries: '{libraries}'}}}}\n")


def certificates() -> Iterator[tuple[str, str]]:
    """Clusters with certificates and many CAs of the same name, none of which is the issuer."""
    for count, clusters in ((60, 1), (60, 100), (400, 1)):
        with tempfile.TemporaryDirectory() as directory:
            key, leaf, authorities = brought(directory, count)
        data = {"tls.crt": leaf + authorities, "ca.crt": authorities, "tls.key": key}
        encoded = {name: base64.b64encode(text.encode()).decode() for name, text in data.items()}
        spec = "  customTLSSecret: {name: server}\n  customReplicationTLSSecret: {name: client}\n"
        made = [cluster(f"c{number}", spec) for number in range(clusters)]
        made += [secret(name, encoded, "data") for name in ("server", "client")]
        yield f"{count} authorities of {clusters} clusters", "---\n".join(made)


def self_signed(directory: str, key: str, *more: str) -> str:
    """A certificate with the name `ca`. Its key is in a file of the directory."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650"]
    command = ["openssl", "req", "-x509", *curve, "-subj", "/CN=ca", *more, "-keyout", key, "-out", "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=directory).stdout


def many_names(clusters: int) -> str:
    """Clusters with one certificate for all purposes, which has as many names as OpenSSL's command line accepts."""
    names = ",".join(["DNS:a"] * 20_000)
    with tempfile.TemporaryDirectory() as directory:
        certificate = self_signed(directory, "key", "-addext", f"subjectAltName={names}")
        with open(os.path.join(directory, "key")) as file:
            data = {"tls.crt": certificate, "ca.crt": certificate, "tls.key": file.read()}
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in data.items()}
    bring = "  customTLSSecret: {name: own}\n  customReplicationTLSSecret: {name: own}\n"
    bring += "  proxy: {pgBouncer: {customTLSSecret: {name: own}}}\n"
    documents = [cluster(f"c{number}", bring) for number in range(clusters)]
    return "---\n".join([*documents, secret("own", encoded, "data")])


def held(clusters: int, count: int) -> str:
    """Clusters with an existing Secret, which trusts many CAs with the name of the issuer."""
    with tempfile.TemporaryDirectory() as directory:
        key, leaf, authorities = brought(directory, count)
    values = {"tls.crt": leaf, "tls.key": key, "ca.crt": authorities}
    items = [f"- &cluster {{{HEAD.strip().replace(chr(10), ', ')}, metadata: {{name: c, namespace: shop}}, spec: {{postgresVersion: 17, {SETS}}}}}\n"]
    items += [f"- {{<<: *cluster, metadata: {{name: c{number}, namespace: shop}}}}\n" for number in range(clusters)]
    for number in range(clusters):
        items.append(f"- apiVersion: v1\n  kind: Secret\n  metadata: {{name: c{number}-cluster-cert, namespace: shop}}\n  data:\n")
        for name, text in values.items():
            encoded = base64.b64encode(text.encode()).decode()
            anchor = name.replace(".", "")
            items.append(f"    {name}: " + (f"*{anchor}\n" if number else f"&{anchor} {encoded}\n"))
    return "apiVersion: v1\nkind: List\nitems:\n" + "".join(items)


def brought(directory: str, count: int) -> tuple[str, str, str]:
    """A key, its certificate, and many CAs with the name of the issuer."""
    authorities = [self_signed(directory, "ca.key") for _ in range(count)]
    # None of the CAs is the issuer. They only have the same name.
    leaf = self_signed(directory, "tls.key")
    with open(os.path.join(directory, "tls.key")) as file:
        return file.read(), leaf, "".join(authorities)


def as_list(text: str) -> str:
    """Return the documents of a text as items of a ResourceList."""
    items = []
    for document in text.split("---\n"):
        lines = document.splitlines()
        if lines:
            items.append("- " + "\n  ".join(lines) + "\n")
    return "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n" + "".join(items)


def function_cases() -> Iterator[tuple[str, str]]:
    """Yield inputs of the function that are not clusters."""
    head = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n"
    yield "clusters by merge keys as items", merged(2000)
    yield "items", head + "items:\n" + fill(lambda n: f"- {{kind: A, metadata: {{name: a{n}}}}}\n")
    yield "items of nothing", head + "items:\n" + fill(lambda _: "-\n")
    yield "items in flow style", head + "items: [" + fill(lambda n: f"{{kind: A, metadata: {{name: a{n}}}}},") + "]\n"
    yield (
        "items by aliases",
        head + "items:\n- &a {kind: A, metadata: {name: a}}\n" + fill(lambda _: "- *a\n", SIZE // 2),
    )
    yield "results", head + "items: []\nresults:\n" + fill(lambda n: f"- message: a{n}\n")
    yield (
        "results and errors",
        (
            as_list(cluster("hippo", fill(lambda n: f"  u{n}: 1\n", SIZE // 2)))
            + "results:\n"
            + fill(lambda n: f"- message: a{n}\n", SIZE // 2)
        ),
    )
    yield (
        "children of clusters that are gone",
        head
        + "items:\n"
        + fill(
            lambda n: f"- {{kind: A, metadata: {{name: a{n}, namespace: n, labels: {{pgrender.dev/cluster: c{n}}}}}}}\n"
        ),
    )
    yield (
        "configuration",
        as_list(cluster())
        + (
            "functionConfig:\n  apiVersion: pgrender.dev/v1alpha1\n  kind: PgRender\n  spec:\n"
            + fill(lambda n: f"    seedfil{n}: a\n")
        ),
    )
    yield (
        "configuration of a long field",
        as_list(cluster())
        + (
            "functionConfig:\n  apiVersion: pgrender.dev/v1alpha1\n  kind: PgRender\n  spec:\n"
            + f"    ? {'seed' * 250_000}\n    : a\n"
        ),
    )
    yield (
        "configuration of many domains",
        as_list(cluster())
        + (
            "functionConfig:\n  apiVersion: pgrender.dev/v1alpha1\n  kind: PgRender\n  spec:\n    trustAlso:\n"
            + fill(lambda n: f"    - a{n}\n")
        ),
    )
    yield (
        "configuration of many images",
        as_list(cluster())
        + (
            "functionConfig:\n  apiVersion: pgrender.dev/v1alpha1\n  kind: PgRender\n  spec:\n    images:\n"
            + fill(lambda n: f"      RELATED_IMAGE_{n}: a\n")
        ),
    )


def run(program: str, arguments: list[str], text: str, environment: dict[str, str]) -> tuple[int, float, float, str]:
    """Return exit code, seconds of CPU time, MiB of memory, and the first line of standard error."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as errors:
        source.write(text.encode())
        source.seek(0)
        null = os.open(os.devnull, os.O_WRONLY)
        streams = [(os.POSIX_SPAWN_DUP2, source.fileno(), 0), (os.POSIX_SPAWN_DUP2, null, 1)]
        streams.append((os.POSIX_SPAWN_DUP2, errors.fileno(), 2))
        variables = {"PGRENDER_SEED": SEED, "SOURCE_DATE_EPOCH": "1767225600"} | environment
        process = os.posix_spawn(program, [program, *arguments], variables, file_actions=streams)
        # A program that does not end must not block the other measurements.
        end = threading.Timer(30, os.kill, (process, signal.SIGKILL))
        end.start()
        _, status, usage = os.wait4(process, 0)
        end.cancel()
        os.close(null)
        errors.seek(0)
        said = errors.read(300).decode(errors="replace").splitlines()
    code = os.waitstatus_to_exitcode(status)
    return code, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, said[0] if said else ""


def main() -> None:
    program, names = os.path.abspath(sys.argv[1]), sys.argv[2:]
    failed = False
    # Child processes inherit this limit, so that the machine does not swap.
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))

    def measure(name: str, way: str, arguments: list[str], text: str, environment: dict[str, str]) -> None:
        nonlocal failed
        if names and not any(wanted in name for wanted in names):
            return
        code, seconds, mebibytes, said = run(program, arguments, text, environment)
        for _ in range(2):
            if seconds > MAX_SECONDS:
                # Other processes only add to the time, so the shortest time counts.
                seconds = min(seconds, run(program, arguments, text, environment)[1])
        bad = code not in (0, 1) or seconds > MAX_SECONDS or mebibytes > MAX_MEBIBYTES
        failed = failed or bad
        size = len(text) / SIZE
        mark = "  TOO MUCH" if bad else ""
        print(
            f"{name} ({way}, {size:.2f} MiB): {seconds:.2f} s, {mebibytes:.0f} MiB, exit {code}{mark}  {said[:110] if names or bad else ''}",
            flush=True,
        )

    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as configuration:
        configuration.write("apiVersion: pgrender.dev/v1alpha1\nkind: PgRender\n")
        configuration.flush()
        for name, text in cases():
            measure(name, "render", ["render"], text, {})
            measure(name, "check", ["check"], text, {})
            measure(name, "function", [], as_list(text), {})
            measure(name, "plugin", [configuration.name], text, {"KUSTOMIZE_PLUGIN_CONFIG_ROOT": "/"})
        for name, text in function_cases():
            measure(name, "function", [], text, {})
    if failed:
        sys.exit(f"more than {MAX_SECONDS:.0f} s or {MAX_MEBIBYTES:.0f} MiB, or killed")


main()

//! A cluster with many references.

use serde_json::{Value, json};

/// A cluster with every kind of reference, for tests that break one of them.
pub(crate) fn cluster() -> Value {
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1",
        "kind": "PostgresCluster",
        "metadata": {
            "name": "hippo",
            "namespace": "zoo",
            "annotations": {"pgrender.dev/restore-drill": "@monthly"},
        },
        "spec": {
            "postgresVersion": 18,
            "instances": [{
                "name": "one",
                "replicas": 2,
                "dataVolumeClaimSpec": claim,
                "walVolumeClaimSpec": claim,
                "volumes": {"temp": claim, "additional": [{"name": "archive", "claimName": "brought-archive"}]},
            }],
            "backups": {"pgbackrest": {
                "configuration": [{"secret": {"name": "brought-repository-keys"}}],
                "repos": [
                    {"name": "repo1", "schedules": {"full": "0 1 * * 0"}, "volume": {"volumeClaimSpec": claim}},
                    {"name": "repo2", "schedules": {"full": "0 2 * * 0"}, "gcs": {"bucket": "b"}},
                ],
            }},
            "proxy": {"pgBouncer": {"replicas": 2}},
            "monitoring": {"pgmonitor": {"exporter": {}}},
            "instrumentation": {"metrics": {"perDBMetricTargets": ["zoo"]}},
        },
    })
}

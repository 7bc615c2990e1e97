//! pgrender's side: the cluster is rendered through the library, with the images of the observed PGO.

use pgrender::diagnostic::{Severity, has_errors};
use pgrender::identity::Seed;
use pgrender::kubernetes::Object;
use pgrender::options::Options;
use pgrender::read;
use serde_json::Value;

use crate::observed::normal::{Objects, described};
use crate::observed::secret;

const SEED: &[u8] = b"a seed for comparing with what PGO made, and for nothing else";
/// 2026-01-01 00:00:00 UTC.
const TIME: i64 = 1_767_225_600;

const IMAGES: [(&str, &str); 4] = [
    ("RELATED_IMAGE_POSTGRES_17", "test.local/crunchy-postgres:17"),
    ("RELATED_IMAGE_POSTGRES_18", "test.local/crunchy-postgres:17"),
    ("RELATED_IMAGE_PGBACKREST", "test.local/crunchy-pgbackrest:17"),
    ("RELATED_IMAGE_PGBOUNCER", "test.local/crunchy-pgbouncer:17"),
];

/// Returns the objects of the one cluster in `text` in the common form.
pub(crate) fn render(file: &str, text: &str, namespace: &str) -> Objects {
    let (objects, _) = objects(file, text, namespace, TIME);
    objects
        .into_iter()
        .map(|object| described(if object["kind"] == "Secret" { secret::ours(object) } else { object }))
        .collect()
}

/// Returns the objects of the one cluster in `text` unchanged, and the warnings.
pub(crate) fn objects(file: &str, text: &str, namespace: &str, time: i64) -> (Vec<Value>, Vec<String>) {
    let options = Options {
        namespace: Some(namespace.to_owned()),
        images: IMAGES.iter().map(|(name, image)| ((*name).to_owned(), (*image).to_owned())).collect(),
        time,
        ..Options::default()
    };
    let documents = read::documents(file, text).unwrap_or_else(|errors| panic!("{errors:?}"));
    let seed = Seed::new(SEED).unwrap();
    let mut rendered = pgrender::render::render(&documents, &options, Ok(&seed));
    assert!(!has_errors(&rendered.diagnostics), "{:?}", rendered.diagnostics);
    let warnings = rendered.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Warning);
    (
        rendered.resources.pop().unwrap().objects.iter().map(Object::to_value).collect(),
        warnings.map(ToString::to_string).collect(),
    )
}

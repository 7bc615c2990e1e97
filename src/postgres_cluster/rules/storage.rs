//! The rules for claims and additional volumes, in all parts of the spec.

use serde_json::Value;

use super::{Rule, has, items};

fn read_only_image(volume: &Value) -> bool {
    !has(volume, "image") || volume.get("readOnly").is_none_or(|read_only| read_only == true)
}

pub(crate) const RULES: &[Rule] = &[
    Rule {
        text: "has(self.claimName) != has(self.image)",
        holds: |volume| has(volume, "claimName") != has(volume, "image"),
        message: "write either `claimName` or `image`",
    },
    Rule {
        text: "!has(self.image) || !has(self.readOnly) || self.readOnly",
        holds: read_only_image,
        message: "an image is always read-only: write `readOnly: true` or remove `readOnly`",
    },
    Rule {
        text: "0 < size(self.accessModes)",
        holds: |claim| !items(claim, "/accessModes").is_empty(),
        message: "a claim needs `accessModes`: write `accessModes: [ReadWriteOnce]`",
    },
    Rule {
        text: "has(self.resources.requests.storage)",
        holds: |claim| claim.pointer("/resources/requests/storage").is_some(),
        message: "a claim needs a size: write `resources: {requests: {storage: 1Gi}}`",
    },
];

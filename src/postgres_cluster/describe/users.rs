//! Roles that can log in, from what the caretaker reads.

use serde_json::Value;

use super::model::UserDescription;
use super::view::View;
use crate::kubernetes::Secret;
use crate::naming::label;

/// The users of the cluster. Their verifiers are not looked at.
pub(super) fn describe(view: &View) -> Vec<UserDescription> {
    let caretaker = view.secrets().find(|secret| name(secret) == format!("{}-caretaker", view.cluster));
    let roles = caretaker.and_then(|secret| secret.data.as_ref()?.get("roles.json"));
    let roles: Value = roles.and_then(|roles| serde_json::from_slice(&roles.0).ok()).unwrap_or_default();
    roles["users"].as_array().into_iter().flatten().map(|role| user(view, role)).collect()
}

fn user(view: &View, role: &Value) -> UserDescription {
    let text = |field: &str| role[field].as_str().unwrap_or_default().to_owned();
    let user = text("name");
    let is_of_user = |secret: &&Secret| {
        secret.metadata.labels.as_ref().and_then(|labels| labels.get(label::POSTGRES_USER)) == Some(&user)
    };
    let secret = view.secrets().find(is_of_user);
    let keys = secret.and_then(|secret| secret.data.as_ref()).map(|data| data.keys().cloned().collect());
    let databases = role["databases"].as_array().into_iter().flatten();
    UserDescription {
        databases: databases.filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        options: text("options"),
        secret: secret.map_or_else(|| format!("{}-pguser-{user}", view.cluster), |secret| name(secret).to_owned()),
        keys: keys.unwrap_or_default(),
        you_provide: secret.is_none(),
        name: user,
    }
}

fn name(secret: &Secret) -> &str {
    secret.metadata.name.as_deref().unwrap_or_default()
}

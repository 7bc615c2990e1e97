//! Parses configuration files as their readers do.

use std::collections::BTreeMap;

use pgrender::read;
use serde_json::{Value, json};

/// Returns the content of a file in a ConfigMap. Its header is separate, because comments are not part of the content.
pub(crate) fn parsed(name: &str, text: &str) -> Value {
    let header: Vec<_> = text.lines().take_while(|line| line.starts_with('#')).collect();
    let mut content = match name.rsplit_once('.') {
        Some((_, "yaml")) => yaml(name, text),
        Some((_, "conf" | "ini")) => sections(text),
        _ => return json!(text),
    };
    content["#"] = json!(header);
    content
}

fn yaml(name: &str, text: &str) -> Value {
    let documents = read::documents(name, text).unwrap_or_else(|errors| panic!("{errors:?}"));
    documents[0].node.to_json()
}

/// Returns the options of each section. A line without a value, such as an include, counts as an option.
fn sections(text: &str) -> Value {
    let mut sections: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    let mut section = "";
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else {
            let (option, value) = line.split_once('=').unwrap_or((line, ""));
            let before = sections.entry(section).or_default().insert(option.trim(), value.trim());
            assert_eq!(before, None, "{option} is twice in [{section}]");
        }
    }
    json!(sections)
}

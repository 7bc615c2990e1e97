//! Configuration files as their readers see them.

use std::collections::BTreeMap;

use pgrender::read;
use serde_json::{Value, json};

/// The content of a file of a ConfigMap. Its header is kept apart, because comments are no content.
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

/// The options of each section; a line without a value, such as an include, is one too.
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

//! Reads the path of a field as people write it: `spec.instances[0].name`, `.spec.instances[].name`,
//! `metadata.annotations["example.com/a"]`.

/// Returns the keys of a path, without the indexes of lists.
///
/// # Errors
/// The error says what is wrong with the brackets.
pub fn keys(text: &str) -> Result<Vec<String>, String> {
    let mut keys = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (key, after) = bracket(inside)?;
            keys.extend(key);
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end > 0 {
                keys.push(rest[..end].to_owned());
            }
            rest = &rest[end..];
            rest = rest.strip_prefix('.').unwrap_or(rest);
        }
    }
    Ok(keys)
}

/// Reads what follows `[`: the key, if it is not an index, and what comes after `]`.
fn bracket(inside: &str) -> Result<(Option<String>, &str), String> {
    let quote = inside.chars().next().filter(|first| ['"', '\''].contains(first));
    let (key, after) = match quote {
        Some(quote) => {
            let (key, after) = inside[1..].split_once(quote).ok_or_else(|| format!("write `{quote}` after the key"))?;
            (key, after.strip_prefix(']').ok_or("write `]` after the key")?)
        }
        None => inside.split_once(']').ok_or("write `]` after the index")?,
    };
    let is_index = quote.is_none() && (key.is_empty() || key == "*" || key.bytes().all(|byte| byte.is_ascii_digit()));
    Ok(((!is_index).then(|| key.to_owned()), after))
}

/// Appends a key to a path, in quotes and brackets if it has a dot.
pub fn join(path: &str, key: &str) -> String {
    if key.contains(['.', '[', '"', '/']) {
        format!("{path}[\"{key}\"]")
    } else if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_every_notation() {
        for (text, expected) in [
            ("", vec![]),
            ("spec", vec!["spec"]),
            (".spec.instances[0].name", vec!["spec", "instances", "name"]),
            ("spec.instances[].name", vec!["spec", "instances", "name"]),
            ("spec.instances[*].name.", vec!["spec", "instances", "name"]),
            ("metadata.annotations[\"example.com/a\"]", vec!["metadata", "annotations", "example.com/a"]),
            ("metadata['annotations'].a", vec!["metadata", "annotations", "a"]),
            ("spec[users]", vec!["spec", "users"]),
        ] {
            assert_eq!(keys(text).unwrap(), expected, "{text}");
        }
        for text in ["spec[", "spec[0", "spec[\"a", "spec[\"a\"", "a[\"b\".c]"] {
            assert!(keys(text).unwrap_err().starts_with("write `"), "{text}");
        }
    }

    #[test]
    fn a_key_with_a_dot_is_quoted() {
        assert_eq!(join("", "spec"), "spec");
        assert_eq!(join("spec", "users"), "spec.users");
        assert_eq!(join("metadata.annotations", "example.com/a"), "metadata.annotations[\"example.com/a\"]");
    }
}

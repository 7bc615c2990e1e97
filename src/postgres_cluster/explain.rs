//! Explains the fields of a `PostgresCluster`, without a server: `pgrender explain spec.instances`.

mod annotations;
pub mod effects;
pub mod examples;
mod metadata;
mod place;
mod request;
mod suggest;

use std::sync::LazyLock;

use serde_json::Value;

use self::place::Place;
use self::request::Request;
use crate::diagnostic::Diagnostic;
use crate::explain::{Explanation, FieldLine, rules, types};
use crate::naming::{PREFIX, annotation};
use crate::postgres_cluster::parse::DEFINITION;
use crate::postgres_cluster::rules::in_words;
use crate::postgres_cluster::{KIND, spec};

pub use self::annotations::paths as annotation_paths;

/// The schema with the descriptions.
static SCHEMA: LazyLock<Value> = LazyLock::new(spec::json_schema);

/// Explains the field at a path, in the version of the API that the path or `version` names, else in v1.
///
/// # Errors
/// The error names the field that was probably meant.
pub fn explain(path: &str, version: Option<&str>, recursive: bool) -> Result<Explanation, Diagnostic> {
    let request = Request::of(path, version)?;
    let explanation = explained(&SCHEMA, &request, recursive)?;
    let api_version = format!("{}/{}", DEFINITION.group, request.version);
    Ok(Explanation { kind: KIND.to_owned(), api_version, ..explanation })
}

/// The paths of all fields in a version, as [`explain`] takes them, with the entries of no map.
pub fn paths(version: &str) -> Vec<String> {
    let mut found: Vec<String> = ["", "apiVersion", "kind"].map(str::to_owned).into();
    let mut open: Vec<Place> =
        ["metadata", "spec"].iter().filter_map(|field| Place::below_root(&SCHEMA, version, field)).collect();
    while let Some(place) = open.pop() {
        open.extend(place.children());
        found.push(place.path);
    }
    found.extend(annotations::paths());
    found
}

fn explained(schema: &Value, request: &Request, recursive: bool) -> Result<Explanation, Diagnostic> {
    let unknown = || suggest::unknown(schema, request);
    let Some((first, below)) = request.keys.split_first() else { return Ok(kind(schema, request, recursive)) };
    if let Some(line) = top(schema, request.version).into_iter().find(|line| line.name == *first)
        && !["metadata", "spec"].contains(&first.as_str())
    {
        return if below.is_empty() { Ok(at_the_top(line)) } else { Err(unknown()) };
    }
    if let [metadata, annotations, key] = request.keys.as_slice()
        && [metadata.as_str(), annotations] == ["metadata", "annotations"]
        && [annotation::OWN, PREFIX].iter().any(|prefix| key.starts_with(prefix))
    {
        return annotations::explain(key).ok_or_else(unknown);
    }
    let root = Place::below_root(schema, request.version, first).ok_or_else(unknown)?;
    let place = below.iter().try_fold(root, |place, key| place.child(key)).ok_or_else(unknown)?;
    let fields: Vec<FieldLine> = place.children().iter().map(|field| line(field, recursive)).collect();
    let fields = if place.path == "metadata.annotations" { annotations::lines() } else { fields };
    Ok(Explanation {
        path: place.path.clone(),
        type_name: types::name(place.schema),
        required: place.required,
        default: place.schema.default.clone(),
        description: place.description.clone(),
        rules: rules::of(place.schema, in_words),
        effect: effects::of(&place.path),
        example: examples::of(&request.keys, request.version),
        fields,
        ..Explanation::default()
    })
}

/// The kind itself.
fn kind(schema: &Value, request: &Request, recursive: bool) -> Explanation {
    let mut fields = top(schema, request.version);
    if recursive {
        for field in &mut fields {
            let place = Place::below_root(schema, request.version, &field.name);
            field.fields = place.iter().flat_map(Place::children).map(|place| line(&place, true)).collect();
        }
    }
    let description = schema["definitions"][KIND]["description"].as_str().unwrap_or_default().to_owned();
    Explanation {
        type_name: "Object".to_owned(),
        required: true,
        description,
        example: examples::of(&[], request.version),
        fields,
        ..Explanation::default()
    }
}

/// The fields of the kind.
fn top(schema: &Value, version: &str) -> Vec<FieldLine> {
    let properties = &schema["definitions"][KIND]["properties"];
    let field = |name: &str, type_name: &str, description: &str| FieldLine {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        required: name != "status",
        description: description.to_owned(),
        fields: Vec::new(),
    };
    let described = |name: &str, type_name: &str| {
        field(name, type_name, properties[name]["description"].as_str().unwrap_or_default())
    };
    let version = format!("`{}/{version}`.", DEFINITION.group);
    vec![
        field("apiVersion", "string", &format!("The version of the API: {version}")),
        field("kind", "string", &format!("The kind of the resource: `{KIND}`.")),
        described("metadata", "Object"),
        described("spec", "Object"),
        field("status", "Object", "What PGO's operator wrote about the running cluster. pgrender does not read it."),
    ]
}

fn at_the_top(line: FieldLine) -> Explanation {
    Explanation {
        path: line.name,
        type_name: line.type_name,
        required: line.required,
        description: line.description,
        ..Explanation::default()
    }
}

fn line(place: &Place, recursive: bool) -> FieldLine {
    let fields = if recursive { place.children() } else { Vec::new() };
    FieldLine {
        name: place.name.clone(),
        type_name: types::name(place.schema),
        required: place.required,
        description: place.description.clone(),
        fields: fields.iter().map(|field| line(field, true)).collect(),
    }
}

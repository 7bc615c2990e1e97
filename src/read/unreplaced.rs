//! Finds variables and templates in a `PostgresCluster` that no tool has replaced: those of Flux and envsubst (`${NAME}`), of
//! kustomize (`$(NAME)`), of Helm (`{{ … }}`), and of other tools. Without this check, they would become part of names and
//! addresses.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use crate::diagnostic::{Collector, Diagnostic, FieldPath, Segment, Severity};
use crate::read::node::{Node, NodeValue};
use crate::read::{Document, template};

static BRACES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:^|[^$])\$\{ *([A-Za-z_][A-Za-z0-9_.]*)[^{}]*\}").expect("a constant pattern"));
static PARENTHESES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:^|[^$])\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)").expect("a constant pattern"));
/// Matches `$NAME` only if the name has at least two letters, because the end of a regular expression and a price also contain
/// `$`.
static BARE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:^|[^$\\])\$([A-Z][A-Z0-9_]*[A-Z0-9_]|[A-Z_][A-Z0-9_]*$)").expect("a constant pattern")
});

/// How placeholders of other tools begin and end: Octopus and Azure Pipelines, Terraform, Autoconf and Maven, Go with other
/// delimiters, Jinja. Between `@` and `@` there is a name in capitals, between `[[` and `]]` a field such as `.name`, between
/// `{%` and `%}` any text, and between the others a name.
const PLACEHOLDERS: [(&str, &str); 5] = [("#{", "}"), ("%{", "}"), ("@", "@"), ("[[", "]]"), ("{%", "%}")];

/// Fields of a container in which Kubernetes or a shell replaces variables itself.
const OF_CONTAINERS: [&str; 9] = [
    "args",
    "command",
    "env",
    "lifecycle",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "subPathExpr",
    "workingDir",
];

/// Parts of the resource that the search skips, because pgrender does not render them as they are or because they have
/// variables of their own, as the configuration of the OpenTelemetry collector has.
const SKIPPED: [&[&str]; 4] = [
    &["status"],
    &["metadata", "managedFields"],
    &["metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"],
    &["spec", "instrumentation"],
];

/// Keys whose values run in a shell.
const SCRIPTS: [&str; 4] = ["before_stop", "callbacks", "command", "pre_promote"];

/// Reports each variable and each template of `document`. If `diagnostics` already has an error for the field, the report
/// becomes part of that error. Otherwise a variable is a warning, and a template is an error.
pub(crate) fn tell(document: &Document, diagnostics: &mut Vec<Diagnostic>) {
    let mut search = Search { path: Vec::new(), found: Collector::default() };
    search.value(&document.node);
    let (found, rest) = search.found.finish();
    if found.is_empty() {
        return;
    }
    let mut found: BTreeMap<FieldPath, (Severity, String)> = found.into_iter().collect();
    for diagnostic in diagnostics.iter_mut().filter(|diagnostic| diagnostic.severity == Severity::Error) {
        if let Some((_, hint)) = diagnostic.field.as_ref().and_then(|field| found.remove(field)) {
            diagnostic.message = format!("{}; {hint}", diagnostic.message);
        }
    }
    let told = found.into_iter().map(|(path, (severity, hint))| match severity {
        Severity::Error => Diagnostic::error(hint).at(path),
        _ => Diagnostic::warning(hint).at(path),
    });
    diagnostics.extend(document.locate_all(told.chain(rest).collect()));
}

/// A walk through a resource.
struct Search<'a> {
    /// The path to the current node.
    path: Vec<Step<'a>>,
    found: Collector<(FieldPath, (Severity, String))>,
}

/// A segment of a path. It becomes a [`FieldPath`] only if something is found there, which saves allocations.
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Search<'a> {
    fn value(&mut self, node: &'a Node) {
        match &node.value {
            NodeValue::String { value, .. } => self.text(value),
            NodeValue::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.path.push(Step::Index(index));
                    self.value(item);
                    self.path.pop();
                }
            }
            NodeValue::Mapping(entries) => {
                for entry in entries {
                    self.path.push(Step::Key(&entry.key));
                    if !self.is_skipped() {
                        self.text(&entry.key);
                        self.value(&entry.value);
                    }
                    self.path.pop();
                }
            }
            NodeValue::Null | NodeValue::Bool { .. } | NodeValue::Number { .. } => {}
        }
    }

    fn text(&mut self, text: &str) {
        if !text.contains(['$', '{', '@', '[']) && !text.starts_with(['<', 'E']) {
            return;
        }
        let script = self.is_script();
        let rule = self.keys().any(|key| ["pg_hba", "pg_ident", "hba"].contains(&key));
        // Agents that an annotation injects into a pod, such as Vault's, read templates of their own from annotations.
        let template = self.keys().any(|key| key.contains("template"));
        let mut severity = Severity::Warning;
        let hint = if let Some(variable) = BRACES.captures(text).filter(|_| !script) {
            variable_of("Flux or envsubst", &format!("${{{}}}", &variable[1]))
        } else if let Some(variable) = PARENTHESES.captures(text).filter(|_| !script && !rule) {
            variable_of("kustomize", &format!("$({})", &variable[1]))
        } else if let Some(variable) = BARE.captures(text).filter(|_| !script && !rule) {
            variable_of("envsubst", &format!("${}", &variable[1]))
        } else if !template && text.split_once("{{").is_some_and(|(_, rest)| rest.contains("}}")) {
            // No two programs read an unquoted template alike. In an annotation or a container it may be meant for another
            // program.
            let for_others = self.keys().any(|key| ["annotations", "containers", "initContainers"].contains(&key));
            if !for_others && template::is_in(text) {
                severity = Severity::Error;
            }
            template::NOT_RENDERED.to_owned()
        } else if text.starts_with("ENC[") && text.ends_with(']') {
            "is encrypted by SOPS: decrypt it first".to_owned()
        } else if text.starts_with("<path:") && text.ends_with('>') {
            "looks like a placeholder of argocd-vault-plugin that has not been replaced: replace it first".to_owned()
        } else if let Some(placeholder) = placeholder(text).filter(|_| !script && !rule) {
            let shown = crate::diagnostic::words::quote(&placeholder);
            format!("{shown} looks like a placeholder that has not been replaced: replace it first")
        } else {
            return;
        };
        let segments = self.path.iter().map(|step| match step {
            Step::Key(key) => Segment::Key((*key).to_owned()),
            Step::Index(index) => Segment::Index(*index),
        });
        self.found.push(severity, (FieldPath(segments.collect()), (severity, hint)));
    }

    /// The keys on the path to the current node.
    fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.path.iter().filter_map(|step| match step {
            Step::Key(key) => Some(*key),
            Step::Index(_) => None,
        })
    }

    /// Whether the value runs in a shell, or in a program that replaces variables itself.
    fn is_script(&self) -> bool {
        self.keys().any(|key| SCRIPTS.contains(&key) || key.to_ascii_lowercase().ends_with("_command"))
    }

    fn is_skipped(&self) -> bool {
        let of_container = self.keys().any(|key| key == "containers" || key == "initContainers")
            && self.keys().last().is_some_and(|key| OF_CONTAINERS.contains(&key));
        of_container || SKIPPED.iter().any(|skipped| self.keys().eq(skipped.iter().copied()))
    }
}

/// Finds the first placeholder of [`PLACEHOLDERS`] in a text, or one like `<your-bucket>` that is the whole text.
fn placeholder(text: &str) -> Option<String> {
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    let is_in_capitals =
        |name: &str| is_name(name) && name.len() > 1 && !name.bytes().any(|byte| byte.is_ascii_lowercase());
    if let Some(name) = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
        return is_name(&name.replace(' ', "-")).then(|| text.to_owned());
    }
    PLACEHOLDERS.into_iter().find_map(|(open, close)| {
        let (_, rest) = text.split_once(open)?;
        let (inner, _) = rest.split_once(close)?;
        let name = inner.trim();
        let fits = match open {
            "@" => inner == name && is_in_capitals(name),
            "[[" => name.strip_prefix('.').is_some_and(is_name),
            "{%" => return Some("{% … %}".to_owned()),
            _ => is_name(name),
        };
        fits.then(|| format!("{open}{inner}{close}"))
    })
}

fn variable_of(whose: &str, shown: &str) -> String {
    let shown = crate::diagnostic::words::quote(shown);
    format!("{shown} looks like a variable of {whose} that has not been replaced: replace it first")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    /// Returns what is reported for `text`, with the fields.
    fn told(text: &str) -> Vec<String> {
        let documents = read::documents("c.yaml", text).unwrap();
        let mut diagnostics = Vec::new();
        tell(&documents[0], &mut diagnostics);
        diagnostics.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_variable_is_told_wherever_it_stands() {
        for (text, place, shown) in [
            ("a: s3.${DOMAIN}\n", "1:1", "`${DOMAIN}`"),
            ("a: ${SIZE:=1Gi}\n", "1:1", "`${SIZE}`"),
            ("a: [x, $(NAME)]\n", "1:8", "`$(NAME)`"),
            ("a: {'${KEY}': x}\n", "1:5", "`${KEY}`"),
            ("a: $BUCKET\n", "1:1", "`$BUCKET`"),
            ("annotations: {a: '{{ .Values.a }}'}\n", "1:15", "`{{ … }}`"),
            ("a: s3.$DOMAIN\n", "1:1", "`$DOMAIN`"),
            ("a: 'ENC[AES256_GCM,data:abc=,type:str]'\n", "1:1", "decrypt it first"),
            ("a: <path:secret/data/a#b>\n", "1:1", "argocd-vault-plugin"),
            ("pg_hba: ['host all all ${CIDR} md5']\n", "1:10", "`${CIDR}`"),
            ("containers: [{image: 'a:${TAG}'}]\n", "1:15", "`${TAG}`"),
            ("a: ${ DOMAIN }\n", "1:1", "`${DOMAIN}`"),
            ("a: 's3.#{DOMAIN}'\n", "1:1", "`#{DOMAIN}`"),
            ("a: '%{domain}'\n", "1:1", "`%{domain}`"),
            ("a: s3.@S3_DOMAIN@\n", "1:1", "`@S3_DOMAIN@`"),
            ("a: 'x[[ .Domain ]]'\n", "1:1", "`[[ .Domain ]]`"),
            ("a: '{% if a %}b{% endif %}'\n", "1:1", "`{% … %}`"),
            ("a: <your-bucket>\n", "1:1", "`<your-bucket>`"),
            ("a: <YOUR BUCKET>\n", "1:1", "`<YOUR BUCKET>`"),
        ] {
            let told = told(text);
            assert_eq!(told.len(), 1, "{text}: {told:?}");
            assert!(told[0].starts_with(&format!("c.yaml:{place}: warning: ")) && told[0].contains(shown), "{told:?}");
            assert!(!told[0].contains("1Gi") && !told[0].contains("secrets"), "{told:?}");
        }
    }

    #[test]
    fn what_is_replaced_later_or_means_something_else_is_not() {
        for text in [
            "search_path: '\"$user\", public'",
            "dynamic_library_path: $libdir",
            "archive_cleanup_command: 'rm ${DIR}/%r'",
            "log_filename: 'postgresql-%Y-%m-%d_%H%M%S.log'",
            "pg_hba: ['host all /^(.*)$ all md5', 'host all /^a{2}$ all md5']",
            "containers: [{command: [sh, -c, 'echo ${HOME} $(NAME)'], args: [$(A)], env: [{name: a, value: $(B)}]}]",
            "containers: [{volumeMounts: [{subPathExpr: $(POD)}]}]",
            "callbacks: {on_start: '/bin/x ${A}'}",
            "a: $${ESCAPED} $$(ESCAPED)",
            "a: 'costs 5$ (five)'",
            "auth_query: SELECT $1",
            "log_line_prefix: '%m [%p] %q%u@%d %h@'",
            "a: me@EXAMPLE.com",
            "a: 'int[[1]]'",
            "a: <b>bold</b>",
            "before_stop: 'bash -c \"[[ .a ]]\"'",
            "{metadata: {annotations: {vault.hashicorp.com/agent-inject-template-a: '{{ with }}'}}}",
            "{metadata: {annotations: {kubectl.kubernetes.io/last-applied-configuration: '${A}'}}}",
            "{spec: {instrumentation: {config: {endpoint: '${env:MY_POD_IP}'}}}}",
            "a: {}",
        ] {
            assert_eq!(told(text), [] as [String; 0], "{text}");
        }
    }

    #[test]
    fn a_template_is_an_error() {
        for text in ["a: '{{ .Values.a }}'\n", "a: ${{ secrets.A }}\n", "a: [b, 'x-{{ include \"a\" . }}']\n"] {
            let told = told(text);
            assert!(told.len() == 1 && told[0].contains("error: ") && told[0].contains("`{{ … }}`"), "{told:?}");
        }
        // A literal of a Postgres array is not a template.
        assert!(!told("a: '{{1,2},{3,4}}'\n").concat().contains("error: "));
    }

    #[test]
    fn an_error_of_the_field_has_the_hint() {
        let documents = read::documents("c.yaml", "a: ${A}\nb: ${B}\n").unwrap();
        let mut diagnostics = vec![Diagnostic::error("`${A}` is not a valid name").at(FieldPath::of("a"))];
        tell(&documents[0], &mut diagnostics);
        assert_eq!(diagnostics.len(), 2);
        assert!(diagnostics[0].message.starts_with("`${A}` is not a valid name; `${A}` looks like a variable of Flux"));
        assert_eq!(diagnostics[1].field, Some(FieldPath::of("b")));
    }
}

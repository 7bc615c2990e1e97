//! The rules for `spec.authentication.rules[]`, which are lines of `pg_hba.conf`.

use serde_json::Value;

use super::{Rule, has};

/// Whether the method is a different one. If there is no method, CEL fails here too; but another rule requires a method, and
/// its message is enough.
fn method_is_not(rule: &Value, method: &str) -> bool {
    rule.get("method").is_none_or(|given| given != method)
}

fn options(rule: &Value, names: &[&str]) -> usize {
    names.iter().filter(|name| rule["options"].get(**name).is_some()).count()
}

fn is_hba_or_fields(rule: &Value) -> bool {
    let fields = ["connection", "databases", "method", "options", "users"];
    has(rule, "hba") != fields.iter().any(|field| has(rule, field))
}

fn ldap_says_where_to_look(rule: &Value) -> bool {
    has(rule, "hba") || method_is_not(rule, "ldap") || options(rule, &["ldapbasedn", "ldapprefix", "ldapsuffix"]) > 0
}

fn ldap_has_one_mode(rule: &Value) -> bool {
    let simple = ["ldapprefix", "ldapsuffix"];
    let search = ["ldapbasedn", "ldapbinddn", "ldapbindpasswd", "ldapsearchattribute", "ldapsearchfilter"];
    has(rule, "hba") || method_is_not(rule, "ldap") || options(rule, &simple) == 0 || options(rule, &search) == 0
}

fn radius_has_servers(rule: &Value) -> bool {
    has(rule, "hba") || method_is_not(rule, "radius") || options(rule, &["radiusservers", "radiussecrets"]) == 2
}

pub(crate) const RULES: &[Rule] = &[
    Rule {
        text: "[has(self.hba), has(self.connection) || has(self.databases) || has(self.method) || has(self.options) || has(self.users)].exists_one(b,b)",
        holds: is_hba_or_fields,
        message: "write either `hba` alone or `connection` and `method` with the other fields",
    },
    Rule {
        text: "has(self.hba) || (has(self.connection) && has(self.method))",
        holds: |rule| has(rule, "hba") || (has(rule, "connection") && has(rule, "method")),
        message: "`connection` and `method` are required if `hba` is not set",
    },
    Rule {
        text: r#"has(self.hba) || self.method != "ldap" || (has(self.options) && ["ldapbasedn","ldapprefix","ldapsuffix"].exists(k, k in self.options))"#,
        holds: ldap_says_where_to_look,
        message: "the method `ldap` needs an option `ldapbasedn`, `ldapprefix` or `ldapsuffix`",
    },
    Rule {
        text: r#"has(self.hba) || self.method != "ldap" || !has(self.options) || 2 > size([["ldapprefix","ldapsuffix"], ["ldapbasedn","ldapbinddn","ldapbindpasswd","ldapsearchattribute","ldapsearchfilter"]].filter(a, a.exists(k, k in self.options)))"#,
        holds: ldap_has_one_mode,
        message: "the options `ldapprefix` and `ldapsuffix` cannot be combined with the options of a search: \
                  `ldapbasedn`, `ldapbinddn`, `ldapbindpasswd`, `ldapsearchattribute`, `ldapsearchfilter`",
    },
    Rule {
        text: r#"has(self.hba) || self.method != "radius" || (has(self.options) && ["radiusservers","radiussecrets"].all(k, k in self.options))"#,
        holds: radius_has_servers,
        message: "the method `radius` needs the options `radiusservers` and `radiussecrets`",
    },
    Rule {
        text: r#"!self.trim().startsWith("include")"#,
        holds: |hba| hba.as_str().is_some_and(|hba| !hba.trim().starts_with("include")),
        message: "cannot include other files: write the line itself",
    },
    Rule {
        text: r#"self != "trust""#,
        holds: |method| method != "trust",
        message: "the method `trust` lets everybody connect without a password: write `scram-sha-256` or another \
                  method that authenticates the client",
    },
];

//! Patterns of the CRD that are long or that several fields use.
//!
//! They are exactly those of the CRD, except for two that editors would interpret differently: JavaScript has no `[:print:]`,
//! and reads `\pZ` as two letters.

/// One label of a DNS name (RFC 1123), in lower case.
pub(crate) const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// A DNS name (RFC 1123), in lower case.
pub(crate) const DNS_SUBDOMAIN: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// A key of a ConfigMap or Secret.
pub(crate) const DATA_KEY: &str = "^[-._a-zA-Z0-9]+$";
/// A pgBackRest repository. The pattern is not anchored at its end, so the API server also accepts `repo10`.
pub(crate) const REPOSITORY: &str = "^repo[1-4]";
/// A word of `pg_hba.conf`: a connection type or an authentication method.
pub(crate) const HBA_WORD: &str = "^[-a-z0-9]+$";
/// Printable ASCII: `[[:print:]]` in the CRD.
pub(crate) const PRINTABLE: &str = "^[ -~]+$";
/// No white space, control characters or symbols: `[^\pZ\pC\pS]` in the CRD.
pub(crate) const LETTERS: &str = r"^[^\p{Z}\p{C}\p{S}]+$";
/// A short span of time: milliseconds to minutes.
pub(crate) const SHORT_DURATION: &str = "^((PT)?( *[0-9]+ *(?i:(ms|s|m)|(milli|sec|min)s?))+|0)$";
/// A long span of time: hours to weeks.
pub(crate) const LONG_DURATION: &str = "^(PT)?( *[0-9]+ *(?i:(h|hr|d|w|wk)|(hour|day|week)s?))+$";
/// A Kubernetes quantity.
pub(crate) const QUANTITY: &str = concat!(
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))",
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
);

//! The patterns of the CRD that more than one field has, in the CRD's own (Go's) syntax.

/// One label of a DNS name (RFC 1123), in lower case.
pub(super) const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// A DNS name (RFC 1123), in lower case.
pub(super) const DNS_SUBDOMAIN: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// A key of a ConfigMap or Secret.
pub(super) const DATA_KEY: &str = "^[-._a-zA-Z0-9]+$";
/// A pgBackRest repository. It has no end, so that the API server takes `repo10`.
pub(super) const REPOSITORY: &str = "^repo[1-4]";
/// A word of `pg_hba.conf`: a kind of connection or a method of authentication.
pub(super) const HBA_WORD: &str = "^[-a-z0-9]+$";
/// A short span of time: milliseconds to minutes.
pub(super) const SHORT_DURATION: &str = "^((PT)?( *[0-9]+ *(?i:(ms|s|m)|(milli|sec|min)s?))+|0)$";
/// A long span of time: hours to weeks.
pub(super) const LONG_DURATION: &str = "^(PT)?( *[0-9]+ *(?i:(h|hr|d|w|wk)|(hour|day|week)s?))+$";
/// A Kubernetes quantity.
pub(super) const QUANTITY: &str = concat!(
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))",
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
);

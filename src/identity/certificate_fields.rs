//! The fields that CAs and leaf certificates have in common.

use rcgen::{DistinguishedName, DnType, SerialNumber};
use time::OffsetDateTime;

use crate::identity::context::Context;
use crate::identity::seed::Seed;

/// A subject or issuer that consists of a common name only, as in PGO.
pub(crate) fn distinguished_name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// Derives a serial number of 16 bytes. It is positive and always has the same length (RFC 5280 4.1.2.2).
pub(crate) fn serial_number(context: &Context, seed: &Seed) -> SerialNumber {
    let mut bytes = context.draw::<16>(seed, 0);
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(bytes.as_slice())
}

/// The date and time of `time`, in seconds since 1970-01-01 00:00:00 UTC.
pub(crate) fn date(time: i64) -> Result<OffsetDateTime, rcgen::Error> {
    OffsetDateTime::from_unix_timestamp(time).map_err(|_| rcgen::Error::Time)
}

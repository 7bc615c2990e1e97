//! Checks the address in a line of `pg_hba.conf` (`hba.c`, `parse_hba_line`).

use std::net::IpAddr;

use super::hba_words::{Word, first_word};

/// Returns the index of the field with the method: after the address, and after the mask if the mask is a separate field.
pub(crate) fn method_after(fields: &[Vec<Word>]) -> Result<usize, String> {
    let Some(address) = first_word(fields, 3) else { return Err("the line ends before the address".to_owned()) };
    let (host, length) = address.split_once('/').map_or((address, None), |(host, length)| (host, Some(length)));
    let no_address = || {
        Err(format!(
            "`{address}` is not a valid address: write `all`, a host name, or an address range like `10.0.0.0/8`"
        ))
    };
    match (host.parse::<IpAddr>(), length) {
        (Ok(ip), Some(length)) => {
            let longest = if ip.is_ipv4() { 32 } else { 128 };
            if length.parse::<u8>().is_ok_and(|length| length <= longest) { Ok(4) } else { no_address() }
        }
        (Ok(ip), None) => match first_word(fields, 4).map(str::parse::<IpAddr>) {
            Some(Ok(mask)) if mask.is_ipv4() == ip.is_ipv4() => Ok(5),
            // This address means all addresses.
            _ if ip.is_unspecified() => Err(format!("`{address}` has no mask: write `{address}/0`, or `all`")),
            _ => {
                let whole = if ip.is_ipv4() { 32 } else { 128 };
                Err(format!("`{address}` has no mask: write the length of the mask, as in `{address}/{whole}`"))
            }
        },
        (Err(_), None) if is_host_name(host) => Ok(4),
        (Err(_), _) => no_address(),
    }
}

/// Whether the text is a host name or a keyword. Numbers in any base are addresses (`inet_aton`), and a host name has no colon.
fn is_host_name(host: &str) -> bool {
    let is_number = |part: &str| {
        let hexadecimal = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X"));
        hexadecimal.map_or_else(
            || part.bytes().all(|byte| byte.is_ascii_digit()),
            |digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        )
    };
    !host.contains([':', '%', '@']) && !host.split('.').all(is_number)
}

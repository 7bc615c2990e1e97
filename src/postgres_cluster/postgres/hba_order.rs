//! Finds lines of `pg_hba.conf` that Postgres never uses, because it uses the first line that matches (PostgreSQL, "The
//! pg_hba.conf File").

use std::net::IpAddr;

use super::hba_words::{Word, fields};

/// The largest number of earlier lines for certain roles that a line is compared with. Of lines for all roles, there are only a
/// few kinds.
const MOST: usize = 100;

/// Returns the lines that an earlier line covers completely: the number of the line and of the earlier one, both from 0.
///
/// An earlier line is considered only if it is for all databases and for all addresses of a kind. This keeps the search fast,
/// and these are the lines that users write for their own roles and for everybody.
pub fn unreached(lines: &[String]) -> Vec<(usize, usize)> {
    let mut earlier: Vec<(usize, Line)> = Vec::new();
    let mut found = Vec::new();
    for (number, text) in lines.iter().enumerate() {
        let Some(line) = Line::of(text) else { continue };
        if let Some((first, _)) = earlier.iter().find(|(_, other)| other.covers(&line)) {
            found.push((number, *first));
        } else if line.covers_much() && (earlier.len() < MOST || line.users.iter().any(|user| user.is("all"))) {
            earlier.push((number, line));
        }
    }
    found
}

/// The connections that a line matches.
struct Line {
    connection: String,
    databases: Vec<Word>,
    users: Vec<Word>,
    addresses: Addresses,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Addresses {
    /// The socket, or every address.
    All,
    AllOfVersion4,
    AllOfVersion6,
    SomeOfVersion4,
    SomeOfVersion6,
    Other,
}

impl Addresses {
    fn of(address: &Word) -> Self {
        let Some((ip, length)) = address.text.split_once('/') else {
            return match address.text.parse() {
                // The mask is a separate field and is ignored.
                Ok(IpAddr::V4(_)) => Self::SomeOfVersion4,
                Ok(IpAddr::V6(_)) => Self::SomeOfVersion6,
                Err(_) if address.is("all") => Self::All,
                Err(_) => Self::Other,
            };
        };
        match (ip.parse(), length == "0") {
            (Ok(IpAddr::V4(_)), true) => Self::AllOfVersion4,
            (Ok(IpAddr::V4(_)), false) => Self::SomeOfVersion4,
            (Ok(IpAddr::V6(_)), true) => Self::AllOfVersion6,
            (Ok(IpAddr::V6(_)), false) => Self::SomeOfVersion6,
            (Err(_), _) => Self::Other,
        }
    }

    fn cover(self, other: Self) -> bool {
        match self {
            Self::All => true,
            Self::AllOfVersion4 => [Self::AllOfVersion4, Self::SomeOfVersion4].contains(&other),
            Self::AllOfVersion6 => [Self::AllOfVersion6, Self::SomeOfVersion6].contains(&other),
            Self::SomeOfVersion4 | Self::SomeOfVersion6 | Self::Other => false,
        }
    }
}

impl Line {
    /// Parses a line. Returns `None` for a comment and for a text that is not a valid line.
    fn of(text: &str) -> Option<Self> {
        let mut fields = fields(text).ok()?.into_iter();
        let connection = fields.next()?.into_iter().next()?.text;
        let (databases, users) = (fields.next()?, fields.next()?);
        let addresses = if connection == "local" { Addresses::All } else { Addresses::of(fields.next()?.first()?) };
        Some(Self { connection, databases, users, addresses })
    }

    fn covers_much(&self) -> bool {
        self.databases.iter().any(|database| database.is("all")) && self.addresses.cover(self.addresses)
    }

    /// Whether this line matches every connection that `other` matches. [`Self::covers_much`] must be true.
    fn covers(&self, other: &Self) -> bool {
        let connection =
            self.connection == other.connection || (self.connection == "host" && other.connection != "local");
        // `all` does not match the database name `replication`.
        connection
            && !other.databases.iter().any(|database| database.is("replication"))
            && self.addresses.cover(other.addresses)
            && (self.users.iter().any(|user| user.is("all")) || other.users.iter().all(|user| self.names(user)))
    }

    /// Whether this line names the role `user`. Groups and expressions do not count.
    fn names(&self, user: &Word) -> bool {
        let plain = |word: &Word| {
            !word.is("all") && (word.quoted || !word.text.starts_with(['+', '@'])) && !word.text.starts_with('/')
        };
        plain(user) && self.users.iter().any(|own| plain(own) && own.text == user.text)
    }
}

impl Word {
    /// Whether this is a keyword. A quoted word is not.
    fn is(&self, keyword: &str) -> bool {
        !self.quoted && self.text == keyword
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&str]) -> Vec<(usize, usize)> {
        unreached(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_line_behind_one_for_everybody_is_never_reached() {
        assert_eq!(found(&["host all all all md5", "hostssl app app 10.0.0.0/8 scram-sha-256"]), [(1, 0)]);
        assert_eq!(found(&["host all all 0.0.0.0/0 md5", "# why", "host a b 10.0.0.1 255.0.0.0 md5"]), [(2, 0)]);
        assert_eq!(found(&["local all postgres peer", "local all postgres trust", "local all a md5"]), [(1, 0)]);
        assert_eq!(found(&["host all \"a\",b all reject", "host x b,a all md5"]), [(1, 0)]);
        assert_eq!(found(&["host all all ::/0 md5", "host all all ::/0 reject"]), [(1, 0)]);
    }

    #[test]
    fn a_line_for_everybody_counts_however_many_there_are_for_some() {
        let mut lines: Vec<String> = (0..20_000).map(|number| format!("host all u{number} all md5")).collect();
        lines.extend(["host all all all md5", "host all all all reject"].map(str::to_owned));
        assert_eq!(unreached(&lines), [(20_001, 20_000)]);
    }

    #[test]
    fn a_line_for_anybody_else_is_reached() {
        for lines in [
            ["hostssl all all all md5", "host all all all reject"],
            ["host all all 0.0.0.0/0 md5", "host all all ::/0 md5"],
            ["host all all 10.0.0.0/8 md5", "host all all 10.0.0.0/8 md5"],
            ["host all all all md5", "host replication a all md5"],
            ["host all all all md5", "local all all md5"],
            ["host app all all md5", "host app all all md5"],
            ["host all \"all\" all md5", "host all a all md5"],
            ["host all +a all md5", "host all a all md5"],
            ["host all a all md5", "host all a,b all md5"],
            ["host all a all md5", "host all all all md5"],
        ] {
            assert_eq!(found(&lines), [], "{lines:?}");
        }
    }
}

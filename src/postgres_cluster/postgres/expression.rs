//! Checks regular expressions in `pg_hba.conf` and `pg_ident.conf`. If Postgres cannot compile one, it does not read the whole
//! file (`regcomp_auth_token`). This check accepts less than Postgres does (its documentation, "POSIX Regular Expressions"),
//! but everything that names need.

/// The deepest nesting of parentheses and the largest number of repetitions that Postgres can certainly compile.
const MAX_DEPTH: usize = 32;
const MAX_REPETITIONS: u32 = 1000;

/// The named character classes.
const CLASSES: [&str; 12] =
    ["alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit"];

/// Checks an expression, without the slash before it.
///
/// # Errors
/// If Postgres cannot compile the expression, or if that is not certain.
pub(crate) fn check(expression: &str) -> Result<(), String> {
    let characters: Vec<char> = expression.chars().collect();
    let mut reader = Reader { characters: &characters, at: 0, open: Vec::new(), repetitions: 1 };
    reader.read().map_err(|why| format!("the regular expression `{expression}` is not valid in Postgres: {why}"))
}

/// What precedes a quantifier.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Before {
    Nothing,
    Atom,
    Quantifier,
}

struct Reader<'a> {
    characters: &'a [char],
    at: usize,
    /// For each open parenthesis, whether it is an atom and not a lookaround constraint.
    open: Vec<bool>,
    repetitions: u32,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.characters.get(self.at).copied();
        self.at += usize::from(next.is_some());
        next
    }

    fn take(&mut self, text: &str) -> bool {
        let found = text.chars().enumerate().all(|(index, c)| self.characters.get(self.at + index) == Some(&c));
        if found {
            self.at += text.chars().count();
        }
        found
    }

    fn read(&mut self) -> Result<(), String> {
        let mut before = Before::Nothing;
        while let Some(character) = self.next() {
            before = match character {
                '(' => self.parenthesis()?,
                ')' => match self.open.pop() {
                    Some(true) => Before::Atom,
                    Some(false) => Before::Nothing,
                    None => return Err("a `)` has no matching `(`: write `\\)` for the character".to_owned()),
                },
                '[' => self.bracket()?,
                '\\' => self.escape()?,
                '|' | '^' | '$' => Before::Nothing,
                '*' | '+' | '?' | '{' => self.quantifier(character, before)?,
                _ => Before::Atom,
            };
        }
        if self.open.is_empty() {
            Ok(())
        } else {
            Err("a `(` has no matching `)`: write `\\(` for the character".to_owned())
        }
    }

    fn parenthesis(&mut self) -> Result<Before, String> {
        let atom = if !self.take("?") || self.take(":") {
            true
        } else if ["=", "!", "<=", "<!"].iter().any(|look| self.take(look)) {
            false
        } else {
            return Err("`(?` must be followed by `:`, `=`, `!`, `<=` or `<!`".to_owned());
        };
        self.open.push(atom);
        if self.open.len() > MAX_DEPTH {
            return Err(format!("it has more than {MAX_DEPTH} nested parentheses"));
        }
        Ok(Before::Nothing)
    }

    fn quantifier(&mut self, character: char, before: Before) -> Result<Before, String> {
        if before != Before::Atom {
            return Err(format!(
                "`{character}` has nothing before it to repeat: write `\\{character}` for the character"
            ));
        }
        if character == '{' {
            self.bound()?;
        }
        // `?` after a quantifier makes it non-greedy.
        self.take("?");
        Ok(Before::Quantifier)
    }

    fn bound(&mut self) -> Result<(), String> {
        let wrong = || {
            "`{` must begin a number of repetitions up to 255, such as `{2}`, `{2,}` or `{2,8}`: write `\\{` for the \
             character"
                .to_owned()
        };
        let rest = &self.characters[self.at..];
        let end = rest.iter().position(|c| *c == '}').ok_or_else(wrong)?;
        let text: String = rest[..end].iter().collect();
        let (least, most) = text.split_once(',').unwrap_or((&text, &text));
        let number = |text: &str| -> Option<u32> {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number| is_number && *number <= 255)
        };
        let least = number(least).ok_or_else(wrong)?;
        let most = if most.is_empty() { least } else { number(most).ok_or_else(wrong)? };
        if most < least {
            return Err(wrong());
        }
        self.repetitions = self.repetitions.saturating_mul(most.max(1));
        if self.repetitions > MAX_REPETITIONS {
            return Err(format!("the product of its numbers of repetitions is more than {MAX_REPETITIONS}"));
        }
        self.at += end + 1;
        Ok(())
    }

    fn escape(&mut self) -> Result<Before, String> {
        match self.next() {
            None => Err("it ends with a backslash: write `\\\\` for the character".to_owned()),
            Some('d' | 'D' | 's' | 'S' | 'w' | 'W' | 'n' | 't' | 'r' | 'f' | 'v') => Ok(Before::Atom),
            Some('m' | 'M' | 'y' | 'Y' | 'A' | 'Z') => Ok(Before::Nothing),
            Some(other) if other.is_ascii() && !other.is_ascii_alphanumeric() => Ok(Before::Atom),
            Some(other) => Err(format!("`\\{other}` is not a valid escape: write the character without a backslash")),
        }
    }

    fn bracket(&mut self) -> Result<Before, String> {
        self.take("^");
        let first = self.at;
        loop {
            if self.at > first && self.take("]") {
                return Ok(Before::Atom);
            }
            if self.at > first
                && self.characters.get(self.at) == Some(&'-')
                && self.characters.get(self.at + 1) != Some(&']')
            {
                return Err(
                    "a `-` in `[]` must be between two characters: write it at the end for the character".to_owned()
                );
            }
            let start = self.element()?;
            if self.characters.get(self.at) != Some(&'-')
                || matches!(self.characters.get(self.at + 1), None | Some(']'))
            {
                continue;
            }
            self.at += 1;
            match (start, self.element()?) {
                (Some(from), Some(to)) if from <= to && to.is_ascii() => {}
                _ => return Err("a range in `[]` must have two characters in ascending order".to_owned()),
            }
        }
    }

    /// Reads an element of a bracket expression: a character (`Some`) or a character class (`None`).
    fn element(&mut self) -> Result<Option<char>, String> {
        let open = || "a `[` has no matching `]`: write `\\[` for the character".to_owned();
        match self.next().ok_or_else(open)? {
            '[' if self.take(":") => {
                let is_class = CLASSES.iter().any(|class| self.take(&format!("{class}:]")));
                is_class
                    .then_some(None)
                    .ok_or_else(|| format!("`[:` must begin one of the classes {}", CLASSES.join(", ")))
            }
            '[' if matches!(self.characters.get(self.at), Some('.' | '=')) => {
                Err("`[.` and `[=` inside brackets depend on the language: write the characters themselves".to_owned())
            }
            '\\' => match self.next().ok_or_else(open)? {
                'd' | 's' | 'w' | 'n' | 't' | 'r' | 'f' | 'v' => Ok(None),
                other if other.is_ascii() && !other.is_ascii_alphanumeric() => Ok(Some(other)),
                other => Err(format!("`\\{other}` is not a valid escape inside brackets")),
            },
            other => Ok(Some(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_postgres_compiles_is_accepted() {
        for expression in [
            "",
            "^ap",
            "^(.*)@example\\.com$",
            "^[a-z_][a-z0-9_-]*$",
            "a|b",
            "(a|b)+?",
            "[]x]",
            "[^]x]",
            "[[:alpha:]]{2,8}",
            "\\d+",
            "(?:a)(?=b)",
            "[\\]\\w-]",
            "é*",
            "a}",
            "^[/]a_9[.][*][\"]\\^\\\\[ ]€$",
        ] {
            assert_eq!(check(expression), Ok(()), "{expression}");
        }
    }

    #[test]
    fn what_postgres_may_not_compile_is_refused() {
        for expression in [
            "[",
            "[a",
            "[]",
            "[z-a]",
            "[[:x:]]",
            "[a-\\d]",
            "(",
            "a)",
            "(a",
            "\\",
            "[\\",
            "*",
            "+a",
            "a|*",
            "^*",
            "(*a)",
            "a**",
            "a{",
            "a{x}",
            "a{2,1}",
            "a{256}",
            "{2}",
            "(?a)",
            "\\1",
            "\\q",
            "((a{255}){255}){255}",
            "***:a",
            "[[.a.]]",
            "(?=a)*",
            "a{1}{2}",
            "[a-b-c]",
            "[a[:alpha:]-z]",
            &"(".repeat(99),
        ] {
            assert!(check(expression).is_err(), "{expression}");
        }
    }
}

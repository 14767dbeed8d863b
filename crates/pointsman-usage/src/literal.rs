//! Text in SQL. The dialect documents no escape inside quotes, and its parts differ in whether a backslash is one. So a
//! text that has anything but the plainest characters is never quoted: it is compared by its hexadecimal digits.

use std::fmt::Write as _;

/// Whether this character means itself between quotes, to whoever reads them.
const fn is_plain(letter: u8) -> bool {
    matches!(letter, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b' ' | b'_' | b'-' | b'.' | b':' | b'/' | b'@')
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02X}");
        digits
    })
}

/// The condition that `column` holds one of `texts`: never, where there is none.
#[must_use]
pub fn is_any_of(column: &str, texts: &[String]) -> String {
    let (plain, other): (Vec<_>, Vec<_>) = texts.iter().partition(|text| text.bytes().all(is_plain));
    let mut any = Vec::new();
    if !plain.is_empty() {
        any.push(listed(column, plain.into_iter().cloned()));
    }
    if !other.is_empty() {
        any.push(listed(&format!("hex({column})"), other.into_iter().map(|text| hex(text))));
    }
    match any.as_slice() {
        [] => "1 = 0".to_owned(),
        [one] => one.clone(),
        _ => format!("({})", any.join(" OR ")),
    }
}

fn listed(left: &str, texts: impl ExactSizeIterator<Item = String>) -> String {
    let single = texts.len() == 1;
    let quoted: Vec<_> = texts.map(|text| format!("'{text}'")).collect();
    let quoted = quoted.join(", ");
    if single { format!("{left} = {quoted}") } else { format!("{left} IN ({quoted})") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(text: &str) -> String {
        is_any_of("blob2", &[text.to_owned()])
    }

    #[test]
    fn plain_text_is_quoted_as_it_is() {
        assert_eq!(one("acme"), "blob2 = 'acme'");
        assert_eq!(one(""), "blob2 = ''");
        assert_eq!(is_any_of("blob6", &["eu".into(), "us".into()]), "blob6 IN ('eu', 'us')");
        assert_eq!(is_any_of("blob6", &[]), "1 = 0");
    }

    #[test]
    fn all_other_text_is_compared_by_its_digits() {
        assert_eq!(one("O'Neill"), "hex(blob2) = '4F274E65696C6C'");
        assert_eq!(one("a\\"), "hex(blob2) = '615C'");
        assert_eq!(one("a\nb"), "hex(blob2) = '610A62'");
        assert_eq!(one("é"), "hex(blob2) = 'C3A9'");
        assert_eq!(one("100%"), "hex(blob2) = '31303025'");
        assert_eq!(
            is_any_of("blob2", &["'; DROP".into(), "b".into()]),
            "(blob2 = 'b' OR hex(blob2) = '273B2044524F50')"
        );
    }

    proptest! {
        /// Between an odd quote and the next stand plain characters only, whatever the texts are.
        #[test]
        fn no_text_leaves_its_quotes(texts in proptest::collection::vec(any::<String>(), 1..4)) {
            let sql = is_any_of("blob2", &texts);
            let parts: Vec<_> = sql.split('\'').collect();
            prop_assert_eq!(parts.len(), texts.len() * 2 + 1);
            for (at, part) in parts.iter().enumerate() {
                if at % 2 == 1 {
                    prop_assert!(part.bytes().all(is_plain), "{}", part);
                } else {
                    let known = ["blob2", "hex(blob2)", " = ", " IN (", ", ", " OR ", "(", ")"];
                    let left = known.iter().fold((*part).to_owned(), |left, word| left.replace(word, ""));
                    prop_assert!(left.is_empty() || left == "hex", "{}", part);
                }
            }
        }
    }
}

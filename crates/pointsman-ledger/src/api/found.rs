//! Where a key was found, as far as that may be kept and shown: nothing here holds a key.

use pointsman_core::{base::percent::decode_lenient, identity::api_key::is_well_formed};

/// No longer place is kept.
const MOST_KEPT: usize = 512;
/// Of a longer URL only its host is looked at.
const MOST_READ: usize = 1024;

/// What a text may not hold.
pub(crate) struct Secrets<'a> {
    /// The keys that are reported.
    pub(crate) keys: Vec<&'a str>,
    /// What the keys begin with that are made here.
    pub(crate) prefixes: &'a [String],
}

impl Secrets<'_> {
    /// Whether a text holds a key that is reported, or any other of those that are made here.
    fn are_in(&self, text: &str) -> bool {
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let is_key = |word: &str| self.prefixes.iter().any(|prefix| is_well_formed(word, prefix));
        self.keys.iter().any(|key| !key.is_empty() && text.contains(key)) || words.into_iter().any(is_key)
    }

    /// A word such as `Issue_comment`, or `mycompany_api_key`; nothing where the text is none.
    pub(crate) fn word<'t>(&self, text: &'t str) -> Option<&'t str> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-. ".contains(&byte);
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(is_plain);
        (fits && !self.are_in(text)).then_some(text)
    }

    /// Where a key was found: the URL without what may hold secrets, else what kind of place it was.
    pub(crate) fn place(&self, url: &str, source: &str) -> String {
        self.address(url)
            .or_else(|| self.word(source).map(str::to_owned))
            .unwrap_or_else(|| "unknown".to_owned())
    }

    /// Scheme, host and path; without the path where that holds a key or is too long.
    fn address(&self, url: &str) -> Option<String> {
        let (scheme, rest) = url.split_once("://")?;
        if !["https", "http"].contains(&scheme) {
            return None;
        }
        let end = |text: &str, ends: &[char]| text.find(ends).unwrap_or(text.len());
        let (authority, path) = rest.split_at_checked(end(rest, &['/', '?', '#']))?;
        let host = authority.rsplit('@').next().unwrap_or_default();
        if !is_host(host) || self.are_in(host) {
            return None;
        }
        let (path, _) = path.split_at_checked(end(path, &['?', '#']))?;
        let decoded = decode_lenient(path.as_bytes());
        let is_kept = path.len() <= MOST_READ
            && path.bytes().all(|byte| byte.is_ascii_graphic())
            && !self.are_in(path)
            // What is encoded more than once may be a key all the same.
            && !path.contains("%25")
            && !self.are_in(&String::from_utf8_lossy(&decoded));
        let mut address = format!("{scheme}://{host}{}", if is_kept { path } else { "/" });
        address.truncate(MOST_KEPT);
        Some(address)
    }
}

/// Whether this is a name or an address, with a port or without: what is in front of a `/` may be half of a password.
fn is_host(text: &str) -> bool {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (text, ""),
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    let is_part = |byte: u8| is_name(byte) || bare.is_some() && byte == b':';
    let name = bare.unwrap_or(name);
    (1..=253).contains(&name.len())
        && name.bytes().all(is_part)
        && port.len() <= 5
        && port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use pointsman_core::identity::api_key::mint;

    use super::*;

    #[test]
    fn a_place_holds_no_key_and_nothing_that_may_be_one() {
        let prefixes = ["sk_live".to_owned()];
        let other = mint("sk_live", &[7; 48]).unwrap();
        let secrets = Secrets { keys: vec!["made/elsewhere", ""], prefixes: &prefixes };
        for (url, source, place) in [
            (
                "https://github.com/a/b/blob/c0ffee/foo%20bar.txt",
                "Content",
                "https://github.com/a/b/blob/c0ffee/foo%20bar.txt",
            ),
            ("https://a.example/b?key=made/elsewhere#made/elsewhere", "", "https://a.example/b"),
            ("https://user:made/elsewhere@a.example/b", "Commit", "Commit"),
            ("https://made:secret@a.example:8443", "", "https://a.example:8443"),
            ("https://a.example/made/elsewhere/b", "", "https://a.example/"),
            ("https://a.example/made%2felsewhere", "", "https://a.example/"),
            ("https://a.example/made%252felsewhere", "", "https://a.example/"),
            (&format!("https://a.example/x-{other}.txt"), "", "https://a.example/"),
            (&format!("https://a.example/{}", "x".repeat(2000)), "", "https://a.example/"),
            ("https://a.example/\u{e4}\n", "", "https://a.example/"),
            ("", "Npm", "Npm"),
            ("", "made/elsewhere", "unknown"),
            ("", &other, "unknown"),
            ("javascript:alert(1)", "<b>", "unknown"),
            ("ftp://a.example", "", "unknown"),
            ("https://", "", "unknown"),
            ("https://[2001:db8::1]:8443/a", "", "https://[2001:db8::1]:8443/a"),
            ("https://a.example:port/a", "", "unknown"),
        ] {
            assert_eq!(secrets.place(url, source), place, "{url} {source}");
        }
        let long = secrets.place(&format!("https://a.example/{}", "x".repeat(1000)), "");
        assert_eq!(long.len(), MOST_KEPT);
    }
}

//! Paths of both modes: `/users/{id}` of OpenAPI, `/users/:id` and `/files/(.*)` of URLPattern.

use std::collections::BTreeMap;

use pointsman_core::routing::pattern::Pattern;

/// A path as it is written here. It takes at the least what it took there: what it did not take would go to a wider
/// route, whose guard may be another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Translated {
    /// One path, or more where parts may be missing.
    pub(super) paths: Vec<String>,
    /// What parameters are called here.
    pub(super) names: BTreeMap<String, String>,
    /// Why the path takes more than it did; nobody may pass then.
    pub(super) wider: Option<String>,
}

/// How a path is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    OpenApi,
    UrlPattern,
    /// One that nobody here knows.
    Unknown,
}

/// What takes every path.
const EVERYTHING: &str = "/{+rest}";

/// Translates a path.
pub(super) fn translate(path: &str, mode: Mode) -> Translated {
    let rest = path.strip_prefix('/').unwrap_or(path);
    let segments = split(rest);
    let last = segments.len() - 1;
    let mut reading = Reading::default();
    for (index, segment) in segments.iter().enumerate() {
        match mode {
            Mode::OpenApi => reading.open_api(segment),
            Mode::UrlPattern => reading.url_pattern(segment, index == last),
            Mode::Unknown if segment.contains(SPECIAL) => {
                reading.maybe_missing = true;
                reading.rest("rest");
            }
            Mode::Unknown => reading.literal(segment),
        }
        if reading.ended {
            break;
        }
    }
    let Reading { done, names, mut wider, maybe_missing, maybe_slash, .. } = reading;
    if mode == Mode::Unknown {
        wider = Some("its mode is unknown".to_owned());
    }
    if rest.len() == path.len() {
        wider.get_or_insert_with(|| "it begins with no slash".to_owned());
    }
    let whole = format!("/{}", done.join("/"));
    let mut paths = vec![whole.clone()];
    if maybe_slash {
        paths.push(format!("{whole}/"));
    }
    if let Some(before) =
        done.split_last().map(|(_, before)| before).filter(|before| maybe_missing && !before.is_empty())
    {
        paths.insert(0, format!("/{}", before.join("/")));
    }
    if paths.iter().all(|path| Pattern::parse(path).is_ok()) {
        return Translated { paths, names, wider };
    }
    // A dot segment, which URL parsers resolve: it may mean any path.
    let wider = Some(path.to_owned());
    Translated { paths: vec![EVERYTHING.to_owned()], names: BTreeMap::new(), wider }
}

/// What has a meaning in some pattern.
const SPECIAL: [char; 9] = [':', '(', ')', '{', '}', '*', '?', '+', '\\'];

/// Cuts at slashes that stand in no bracket.
fn split(path: &str) -> Vec<String> {
    let mut segments = vec![String::new()];
    let mut depth = 0u32;
    for letter in path.chars() {
        match letter {
            '(' | '{' => depth += 1,
            ')' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match segments.last_mut() {
            Some(last) if letter != '/' || depth > 0 => last.push(letter),
            _ => segments.push(String::new()),
        }
    }
    segments
}

#[derive(Default)]
struct Reading {
    done: Vec<String>,
    names: BTreeMap<String, String>,
    wider: Option<String>,
    /// Nothing comes behind a part that takes all the rest.
    ended: bool,
    maybe_missing: bool,
    maybe_slash: bool,
}

impl Reading {
    fn open_api(&mut self, segment: &str) {
        let inner = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let plain =
            |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        match inner.filter(|name| !name.is_empty()).filter(plain) {
            Some(name) => self.one(name),
            // What looks like a pattern of the other mode may have been meant as one.
            None if segment.starts_with(':') || segment.contains(['{', '}', '(', ')', '*', '?', '\\']) => {
                self.widen(segment);
            }
            None => self.literal(segment),
        }
    }

    /// A text as clients send it.
    fn literal(&mut self, segment: &str) {
        let own = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%".contains(&byte);
        let mut text = String::with_capacity(segment.len());
        for byte in segment.bytes() {
            match own(byte) {
                true => text.push(char::from(byte)),
                false => text.push_str(&format!("%{byte:02X}")),
            }
        }
        self.done.push(text);
    }

    fn url_pattern(&mut self, segment: &str, is_last: bool) {
        let (segment, slash) = segment.strip_suffix("{/}?").map_or((segment, false), |plain| (plain, true));
        self.maybe_slash = slash;
        if !segment.contains(SPECIAL) {
            self.literal(segment);
            return;
        }
        if is_last && !slash && matches!(segment, "*" | "(.*)") {
            self.rest("rest");
            return;
        }
        let Some(name) = segment.strip_prefix(':') else {
            self.widen(segment);
            return;
        };
        let plain = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if plain(name) {
            self.one(name);
            return;
        }
        let all = ["(.*)", "*", "+"].iter().find_map(|end| Some((name.strip_suffix(end)?, *end)));
        match all.filter(|(name, _)| plain(name) && is_last && !slash) {
            Some((name, end)) => {
                self.maybe_missing = end == "*";
                self.rest(name);
            }
            None => self.widen(segment),
        }
    }

    fn one(&mut self, name: &str) {
        let own = self.name(name);
        self.done.push(format!("{{{own}}}"));
    }

    fn rest(&mut self, name: &str) {
        let own = self.name(name);
        self.done.push(format!("{{+{own}}}"));
        self.ended = true;
        self.maybe_slash = false;
    }

    /// Takes whatever could stand there, which is more than what was meant.
    fn widen(&mut self, segment: &str) {
        if self.wider.is_none() {
            self.wider = Some(segment.to_owned());
        }
        if keeps_within_its_segment(segment) {
            self.one("part");
        } else {
            self.maybe_missing = true;
            self.rest("rest");
        }
    }

    /// A name that placeholders can have, once in the path.
    fn name(&mut self, name: &str) -> String {
        let plain: String =
            name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
        let mut own = if plain.is_empty() { "part".to_owned() } else { plain };
        while self.names.values().any(|taken| *taken == own) {
            own.push('_');
        }
        self.names.insert(name.to_owned(), own.clone());
        own
    }
}

/// Whether what stands there takes one segment, and takes one always: names in one piece, and expressions of letters,
/// digits and classes of these, are known to. Others may take a slash, several segments or none.
fn keeps_within_its_segment(segment: &str) -> bool {
    let mut depth = 0u32;
    let mut in_class = false;
    let mut letters = segment.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            // A range between signs may have the slash in it.
            '+' | '{' | '}' | ',' | '|' | '(' | ')' | '[' if in_class => return false,
            '-' if in_class && letters.peek() == Some(&'-') => return false,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '[' if depth > 0 => in_class = true,
            ']' if in_class => in_class = false,
            '\\' if depth > 0 => {
                if !matches!(letters.next(), Some('d' | 'w')) {
                    return false;
                }
            }
            '|' if depth > 0 => {}
            '-' | '_' => {}
            '+' | '{' | '}' | ',' if depth > 0 => {}
            // A name of OpenAPI's among other text.
            '{' if letters.peek().is_some_and(char::is_ascii_alphabetic) => {}
            '}' if !matches!(letters.peek(), Some('?' | '*' | '+')) => {}
            ':' | '.' | '~' | '=' | '@' | '!' | '$' | '\'' | ';' | '%' if depth == 0 => {}
            letter if letter.is_ascii_alphanumeric() => {}
            _ => return false,
        }
    }
    // An expression that is empty, or has a choice of nothing, takes nothing.
    !segment.contains("()") && !segment.contains("(|") && !segment.contains("||") && !segment.contains("|)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_both_modes_are_read() {
        for (mode, path, paths) in [
            (Mode::OpenApi, "/", vec!["/"]),
            (Mode::OpenApi, "/users/{user-id}/orders/", vec!["/users/{user_id}/orders/"]),
            (Mode::UrlPattern, "/users/:id", vec!["/users/{id}"]),
            (Mode::UrlPattern, "/(.*)", vec!["/{+rest}"]),
            (Mode::UrlPattern, "/files/:path(.*)", vec!["/files/{+path}"]),
            (Mode::UrlPattern, "/files/:path*", vec!["/files", "/files/{+path}"]),
            (Mode::UrlPattern, "/cars/:maker{/}?", vec!["/cars/{maker}", "/cars/{maker}/"]),
        ] {
            let translated = translate(path, mode);
            assert_eq!(translated.paths, paths, "{path}");
            assert_eq!(translated.wider, None, "{path}");
        }
    }

    #[test]
    fn what_is_narrower_than_a_segment_is_widened() {
        for (mode, path, wide) in [
            (Mode::OpenApi, "/icons/icon-{n}.png", "/icons/{part}"),
            (Mode::OpenApi, "/a/{x}{y}", "/a/{part}"),
            (Mode::UrlPattern, "/a/:x-:y", "/a/{part}"),
            (Mode::UrlPattern, "/a/v:major(\\d+).:minor([0-9]{1,2})", "/a/{part}"),
            (Mode::UrlPattern, r"/users/:id(\d+)", "/users/{part}"),
            (Mode::UrlPattern, "/main/(a|b)/c", "/main/{part}/c"),
            (Mode::UrlPattern, "/x-:rest(.*)", "/{+rest}"),
            (Mode::UrlPattern, "/a{/b}?", "/{+rest}"),
            (Mode::OpenApi, "no-slash", "/no-slash"),
            (Mode::UrlPattern, "(.*)", "/{+rest}"),
            (Mode::OpenApi, "/a/../b", "/{+rest}"),
            (Mode::Unknown, "/a/b", "/a/b"),
        ] {
            let translated = translate(path, mode);
            assert_eq!(translated.paths, [wide], "{path}");
            assert!(translated.wider.is_some(), "{path}");
        }
        assert_eq!(translate("/a b/é", Mode::OpenApi).paths, ["/a%20b/%C3%A9"]);
    }

    /// A path that these take and that stands nowhere here would go to a wider route.
    #[test]
    fn what_may_take_several_segments_or_none_takes_all_the_rest() {
        for (mode, path) in [
            (Mode::UrlPattern, "/a/(.*)/b"),
            (Mode::UrlPattern, "/a/(.+)"),
            (Mode::UrlPattern, "/a/:x([^?]+)"),
            (Mode::UrlPattern, "/a/([a-z/]+)"),
            (Mode::UrlPattern, "/a/([+-9]+)"),
            (Mode::UrlPattern, "/a/([--9]+)"),
            (Mode::UrlPattern, r"/a/(\S+)"),
            (Mode::UrlPattern, r"/a/(b\/c)"),
            (Mode::UrlPattern, "/a/:x?"),
            (Mode::UrlPattern, "/a/:x?/c"),
            (Mode::UrlPattern, "/a/:x*/c"),
            (Mode::UrlPattern, "/a/:x+/c"),
            (Mode::UrlPattern, "/a/(b|c)?"),
            (Mode::UrlPattern, "/a/(b|c)+"),
            (Mode::UrlPattern, "/a/(b|)"),
            (Mode::UrlPattern, "/a/b*"),
            (Mode::UrlPattern, "/a/:x*{/}?"),
            (Mode::OpenApi, "/a/{+x}"),
            (Mode::OpenApi, "/a/{x*}"),
            (Mode::OpenApi, "/a/(.*)"),
            (Mode::OpenApi, "/a/*"),
            (Mode::OpenApi, "/a/:x(.*)"),
            (Mode::Unknown, "/a/<x>(.*)"),
            (Mode::Unknown, "/a/{x}"),
        ] {
            let translated = translate(path, mode);
            assert_eq!(translated.paths, ["/a", "/a/{+rest}"], "{path}");
            assert!(translated.wider.is_some(), "{path}");
        }
    }
}

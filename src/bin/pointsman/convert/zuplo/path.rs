//! Paths of both modes: `/users/{id}` of OpenAPI, `/users/:id` and `/files/(.*)` of URLPattern.

use std::collections::BTreeMap;

use pointsman::route::pattern::Pattern;

/// A path as it is written here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Translated {
    /// One path, or two where the last part may be missing.
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
}

/// Translates a path; `None` where not even a wider one can be written.
pub(super) fn translate(path: &str, mode: Mode) -> Option<Translated> {
    let rest = path.strip_prefix('/')?;
    let segments = split(rest);
    let last = segments.len() - 1;
    let mut reading = Reading::default();
    for (index, segment) in segments.iter().enumerate() {
        match mode {
            Mode::OpenApi => reading.open_api(segment),
            Mode::UrlPattern => reading.url_pattern(segment, index == last),
        }
        if reading.ended {
            break;
        }
    }
    let Reading { done, names, wider, maybe_missing, maybe_slash, .. } = reading;
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
    let usable = paths.iter().all(|path| Pattern::parse(path).is_ok());
    usable.then_some(Translated { paths, names, wider })
}

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
            None if segment.contains(['{', '}']) => self.widen(segment),
            None => self.done.push(segment.to_owned()),
        }
    }

    fn url_pattern(&mut self, segment: &str, is_last: bool) {
        let (segment, slash) = segment.strip_suffix("{/}?").map_or((segment, false), |plain| (plain, true));
        self.maybe_slash = slash;
        if !segment.contains([':', '(', ')', '{', '}', '*', '?', '+', '\\']) {
            self.done.push(segment.to_owned());
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
    }

    /// Takes whatever could stand there, which is more than what was meant.
    fn widen(&mut self, segment: &str) {
        if self.wider.is_none() {
            self.wider = Some(segment.to_owned());
        }
        // An expression may take a slash, too; a part of a segment, or a name with one, hardly does.
        if segment.contains('*') || segment.contains("{/") {
            self.rest("rest");
        } else {
            self.one("part");
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
            let translated = translate(path, mode).unwrap();
            assert_eq!(translated.paths, paths, "{path}");
            assert_eq!(translated.wider, None, "{path}");
        }
    }

    #[test]
    fn what_is_narrower_than_a_segment_is_widened() {
        for (mode, path, wide) in [
            (Mode::OpenApi, "/icons/icon-{n}.png", "/icons/{part}"),
            (Mode::OpenApi, "/a/{x}{y}", "/a/{part}"),
            (Mode::OpenApi, "/a/{+x}", "/a/{part}"),
            (Mode::UrlPattern, r"/users/:id(\d+)", "/users/{part}"),
            (Mode::UrlPattern, "/main/(a|b)/c", "/main/{part}/c"),
            (Mode::UrlPattern, "/x-:rest(.*)", "/{+rest}"),
            (Mode::UrlPattern, "/a{/b}?", "/{+rest}"),
            (Mode::UrlPattern, "/a/(.*)/b", "/a/{+rest}"),
        ] {
            let translated = translate(path, mode).unwrap();
            assert_eq!(translated.paths, [wide], "{path}");
            assert!(translated.wider.is_some(), "{path}");
        }
        assert_eq!(translate("no-slash", Mode::OpenApi), None);
        assert_eq!(translate("/a b", Mode::OpenApi), None);
    }
}

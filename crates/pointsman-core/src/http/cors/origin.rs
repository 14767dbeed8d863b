//! Origins as browsers send them, and what of them a policy allows.

use std::fmt;

/// Which origins a policy allows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AllowedOrigins {
    /// Any: reflected with credentials, else answered with `*`.
    Any,
    /// One of these.
    Listed(Vec<OriginPattern>),
}

impl AllowedOrigins {
    /// Whether this is one of them.
    ///
    /// `null` is what sandboxed frames, redirects between origins and some local files send, whoever made them. It
    /// names nobody, so no list can hold it. Where any origin is let in, it adds nobody: whoever makes a frame has
    /// an origin of their own.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        match self {
            Self::Any => origin == "null" || is_serialized(origin),
            Self::Listed(patterns) => {
                is_serialized(origin) && patterns.iter().any(|pattern| pattern.matches(origin))
            }
        }
    }
}

/// An exact origin, or one with a free place: `https://*.example.com`, `https://shop-*-team.example.app`,
/// `http://localhost:*`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OriginPattern {
    /// What stands before the free place.
    before: String,
    /// What stands behind it.
    after: String,
    free: Free,
}

/// What is free in an origin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Free {
    Nothing,
    /// One or more letters, digits and hyphens of the first label.
    InFirstLabel,
    /// The port, with its colon.
    Port,
}

/// Why a text is no pattern of origins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OriginError {
    /// No scheme, host and port, or more than these.
    NotAnOrigin,
    /// `null`.
    Opaque,
    /// `*` alone, beside others.
    Any,
    /// More than one `*`.
    SeveralFree,
    /// `*` behind the first dot, in the scheme, or in a part of the port.
    NotTheFirstLabel,
    /// Fewer than two labels behind the one with `*`.
    DomainNotFixed,
    /// A free port of a host that is not this machine.
    PortNotLocal,
}

impl fmt::Display for OriginError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotAnOrigin => {
                "must be an origin in lower case without a path (https://app.example.com), or one with a free place in \
                 its first label (https://*.example.com, https://shop-*-team.example.app)"
            }
            Self::Opaque => {
                "must not be null: every sandboxed frame and many local files send it, whoever made them, so it names \
                 nobody"
            }
            Self::Any => "must stand alone: origins = \"*\" lets any origin in, without credentials",
            Self::SeveralFree => "must have at most one *",
            Self::NotTheFirstLabel => "must have its * in the first label of the host: https://shop-*.example.com",
            Self::DomainNotFixed => {
                "must have at least two fixed labels behind the one with * (https://*.example.com): else anybody \
                 could have such a name"
            }
            Self::PortNotLocal => "must have a free port for localhost, 127.0.0.1 or [::1] alone: http://localhost:*",
        })
    }
}

impl std::error::Error for OriginError {}

/// Hosts of this machine, whose ports change from project to project.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

impl OriginPattern {
    /// Reads an exact origin, or one with a free place.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        match text {
            "null" => return Err(OriginError::Opaque),
            "*" => return Err(OriginError::Any),
            _ => {}
        }
        let (scheme, host) = text.split_once("://").ok_or(OriginError::NotAnOrigin)?;
        match host.matches('*').count() {
            0 if scheme.contains('*') => Err(OriginError::NotTheFirstLabel),
            0 => Self::exact(text),
            1 => Self::with_free_place(scheme, host),
            _ => Err(OriginError::SeveralFree),
        }
    }

    fn exact(text: &str) -> Result<Self, OriginError> {
        let web = text.starts_with("https://") || text.starts_with("http://");
        // Browsers write hosts in lower case; extensions have ids of their own making.
        let cased = !web || !text.bytes().any(|byte| byte.is_ascii_uppercase());
        let pattern = Self { before: text.to_owned(), after: String::new(), free: Free::Nothing };
        if cased && is_serialized(text) { Ok(pattern) } else { Err(OriginError::NotAnOrigin) }
    }

    fn with_free_place(scheme: &str, host: &str) -> Result<Self, OriginError> {
        if let Some(name) = host.strip_suffix(":*") {
            if !matches!(scheme, "http" | "https") || !LOCAL.contains(&name) {
                return Err(OriginError::PortNotLocal);
            }
            let before = format!("{scheme}://{name}");
            return Ok(Self { before, after: String::new(), free: Free::Port });
        }
        let (label, domain) = host.split_once('.').ok_or(OriginError::DomainNotFixed)?;
        let (left, right) = label.split_once('*').ok_or(OriginError::NotTheFirstLabel)?;
        let labels = domain.split_once(':').map_or(domain, |(labels, _)| labels);
        if !labels.split_once('.').is_some_and(|(one, other)| !one.is_empty() && !other.is_empty()) {
            return Err(OriginError::DomainNotFixed);
        }
        // Whatever it is filled with, it is an origin.
        Self::exact(&format!("{scheme}://{left}x{right}.{domain}"))?;
        if !(left.bytes().all(is_label_byte) && right.bytes().all(is_label_byte)) {
            return Err(OriginError::NotAnOrigin);
        }
        let (before, after) = (format!("{scheme}://{left}"), format!("{right}.{domain}"));
        Ok(Self { before, after, free: Free::InFirstLabel })
    }

    fn matches(&self, origin: &str) -> bool {
        let Some(rest) = origin.strip_prefix(&self.before) else { return false };
        match self.free {
            Free::Nothing => rest.is_empty(),
            // One label: neither `https://a.b.example.com` nor `https://evilexample.com` is it.
            Free::InFirstLabel => rest
                .strip_suffix(&self.after)
                .is_some_and(|filled| !filled.is_empty() && filled.bytes().all(is_label_byte)),
            Free::Port => rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port),
        }
    }
}

const fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

/// A port as the URL standard writes it: without leading zeros.
fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port.to_string() == text)
}

/// Whether `text` is a serialized origin: scheme, host and port, nothing else (HTML, "ASCII serialization of an
/// origin"). Only web pages have hosts of domains: applications and extensions have what they call themselves, and
/// files have none.
fn is_serialized(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let of_scheme = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    let of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&+;=:[]".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(of_scheme)
        && host.bytes().all(of_host)
        && (!host.is_empty() || scheme == "file")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, origin: &str) -> bool {
        AllowedOrigins::Listed(vec![OriginPattern::parse(pattern).unwrap()]).allows(origin)
    }

    #[test]
    fn what_is_free_is_a_part_of_one_label() {
        let pattern = "https://shop-git-*-team.vercel.app";
        for filled in ["a", "feature-7", "0", "-", "xn--a"] {
            assert!(matches(pattern, &format!("https://shop-git-{filled}-team.vercel.app")), "{filled}");
        }
        for origin in [
            "https://shop-git-team.vercel.app",
            "https://shop-git--team.vercel.app",
            "https://shop-git-a.b-team.vercel.app",
            "https://shop-git-a.evil.example/-team.vercel.app",
            "https://shop-git-a:1-team.vercel.app",
            "https://shop-git-A-team.vercel.app",
            "https://shop-git-a_b-team.vercel.app",
            "https://shop-git-a%2e-team.vercel.app",
            "http://shop-git-a-team.vercel.app",
            "https://shop-git-a-team.vercel.app.evil.example",
            "https://shop-git-a-team.vercel.app:8443",
            "https://evil.shop-git-a-team.vercel.app",
        ] {
            assert!(!matches(pattern, origin), "{origin}");
        }
        assert!(matches("https://*-team.example.app:8443", "https://a-team.example.app:8443"));
        assert!(matches("https://pr-*.example.app", "https://pr-7.example.app"));
    }

    #[test]
    fn a_port_is_free_on_this_machine_alone() {
        for (pattern, origin) in [
            ("http://localhost:*", "http://localhost:5173"),
            ("http://localhost:*", "http://localhost"),
            ("https://127.0.0.1:*", "https://127.0.0.1:65535"),
            ("http://[::1]:*", "http://[::1]:3000"),
        ] {
            assert!(matches(pattern, origin), "{pattern} {origin}");
        }
        for origin in [
            "https://localhost:5173",
            "http://localhost:",
            "http://localhost:+1",
            "http://localhost:01",
            "http://localhost:65536",
            "http://localhost:1.evil.example",
            "http://localhost.evil.example",
            "http://localhosts:1",
            "http://127.0.0.1:1",
        ] {
            assert!(!matches("http://localhost:*", origin), "{origin}");
        }
    }

    #[test]
    fn everything_else_says_what_is_wrong() {
        use OriginError as E;
        for (text, error) in [
            ("*", E::Any),
            ("null", E::Opaque),
            ("https://*", E::DomainNotFixed),
            ("https://*.com", E::DomainNotFixed),
            ("https://*.com:8443", E::DomainNotFixed),
            ("https://shop-*.com", E::DomainNotFixed),
            ("https://*.localhost", E::DomainNotFixed),
            ("https://*.com.", E::DomainNotFixed),
            ("https://a.*.com", E::NotTheFirstLabel),
            ("https://a.example.*", E::NotTheFirstLabel),
            ("*://app.example.com", E::NotTheFirstLabel),
            ("https://*.*.example.com", E::SeveralFree),
            ("https://a*b*.example.com", E::SeveralFree),
            ("https://*.example.com:*", E::SeveralFree),
            ("https://app.example.com:*", E::PortNotLocal),
            ("http://192.0.2.1:*", E::PortNotLocal),
            ("capacitor://localhost:*", E::PortNotLocal),
            ("http://localhost:30*", E::DomainNotFixed),
            ("app.example.com", E::NotAnOrigin),
            ("https://", E::NotAnOrigin),
            ("https://a/", E::NotAnOrigin),
            ("https://A.example", E::NotAnOrigin),
            ("https://*.Example.com", E::NotAnOrigin),
            ("https://S*.example.com", E::NotAnOrigin),
            ("https://*.example.com/", E::NotAnOrigin),
            ("HTTPS://app.example.com", E::NotAnOrigin),
        ] {
            assert_eq!(OriginPattern::parse(text), Err(error), "{text}");
        }
    }

    /// What applications, extensions and files send, as one finds it in the reports of others.
    #[test]
    fn any_serialized_origin_is_one() {
        let origins = [
            "file://",
            "capacitor://localhost",
            "ionic://localhost",
            "tauri://localhost",
            "app://obsidian.md",
            "app://.",
            "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
            "moz-extension://1f5a7f6e-8f0c-4a50-9a4c-1a2b3c4d5e6f",
            "safari-web-extension://E5A7B3C8-0D1E-4F2A-9B3C-4D5E6F708192",
            "vscode-webview://0abc~1",
            "ms-appx-web://package.name",
            "https://xn--bcher-kva.example",
            "https://a_b.example.com:8443",
            "http://[2001:db8::1]:3000",
        ];
        for origin in origins {
            assert!(AllowedOrigins::Any.allows(origin), "{origin}");
            assert!(matches(origin, origin), "{origin}");
            assert!(!matches("https://app.example.com", origin), "{origin}");
        }
        assert!(AllowedOrigins::Any.allows("null"));
        for text in [
            "",
            "*",
            "file:",
            "://a",
            "https://",
            "file:///",
            "https://a b",
            "https://a\r\nx: y",
            "https://a\0",
            "https://a, https://b",
            "https://a,b",
            "https://a/",
            "https://a?b",
            "https://a#b",
            "https://u@a",
            "HTTPS://a",
            "https://é.example",
            "https://a\"b",
            "https://a\\b",
            "1a://b",
        ] {
            assert!(!AllowedOrigins::Any.allows(text), "{text}");
        }
    }

    proptest! {
        /// Whatever matches has the scheme, the domain and the number of labels of the pattern.
        #[test]
        fn nobody_elses_domain_matches(
            pattern in prop_oneof![
                Just("https://*.example.com"), Just("https://a-*-b.example.com"), Just("https://*b.example.com:81"),
            ],
            origin in "https://[a-z.:/@-]{0,6}[a-z-]{0,3}b?\\.?(example\\.com|example-com)?(:81)?[a-z./:]{0,3}",
        ) {
            if matches(pattern, &origin) {
                let url = url::Url::parse(&origin).unwrap();
                let labels: Vec<_> = url.host_str().unwrap().split('.').collect();
                prop_assert_eq!(labels.get(1..).unwrap(), ["example", "com"]);
                prop_assert_eq!(url.port(), pattern.ends_with(":81").then_some(81));
                prop_assert_eq!(url.origin().ascii_serialization(), origin);
            }
        }
    }
}

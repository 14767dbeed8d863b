//! Backend URLs: parsed once, strictly, into something that can be called without another look.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    rc::Rc,
};

use crate::{http::path, identity::claims::COUNTED};

/// Where plain http may be spoken. Anything but [`AllowHttp::Never`] is for development.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AllowHttp {
    /// https only.
    #[default]
    Never,
    /// http to this machine itself.
    Loopback,
    /// http to anywhere.
    Always,
}

impl AllowHttp {
    /// Reads `never`, `loopback` or `always`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "never" => Some(Self::Never),
            "loopback" => Some(Self::Loopback),
            "always" => Some(Self::Always),
            _ => None,
        }
    }
}

/// An absolute URL whose origin and base path are known to be what they look like.
///
/// This accepts less than the WHATWG URL standard does, so that no parser can read another host out
/// of it than the one that was checked: no userinfo, query, fragment, escapes or non-ASCII in the
/// host, no short or octal IPv4 forms, no dot segments.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct BackendUrl {
    origin: Rc<str>,
    base: Rc<str>,
}

/// Why a backend URL is not used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BackendUrlError {
    /// Neither `https://` nor `http://`.
    Scheme,
    /// http where it is not allowed.
    HttpNotAllowed,
    /// `user:password@`.
    Userinfo,
    /// The host is no DNS name, IPv4 address or bracketed IPv6 address.
    Host,
    /// The port is no number from 1 to 65535.
    Port,
    /// The base path holds a character or segment that a path may not hold.
    Path,
    /// A query or fragment, which a base cannot have.
    QueryOrFragment,
    /// `vpc:` without a binding's name and a URL behind it.
    Network,
}

impl fmt::Display for BackendUrlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Scheme => "must begin with https://",
            Self::HttpNotAllowed => "must be https (allow_http permits http for development)",
            Self::Userinfo => "must not hold a user name or password",
            Self::Host => "must name its host as a DNS name in ASCII, an IPv4 address, or an IPv6 address in brackets",
            Self::Port => "must have a port from 1 to 65535, or none",
            Self::Path => "must have a base path of unreserved, percent-encoded or sub-delimiter characters and no dot segments",
            Self::QueryOrFragment => "must have no query and no fragment",
            Self::Network => "must say which network and where in it: vpc:BINDING/http://10.0.0.5:8080",
        })
    }
}

impl std::error::Error for BackendUrlError {}

impl BackendUrl {
    /// Parses an absolute URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, allow_http: AllowHttp) -> Result<Self, BackendUrlError> {
        let (scheme, rest) = split_scheme(text)?;
        if rest.contains(['?', '#']) {
            return Err(BackendUrlError::QueryOrFragment);
        }
        let slash = rest.find('/').unwrap_or(rest.len());
        let (authority, base) = rest.split_at_checked(slash).ok_or(BackendUrlError::Host)?;
        if authority.contains('@') {
            return Err(BackendUrlError::Userinfo);
        }
        let (host, port) = split_port(authority)?;
        let host = parse_host(host)?;
        let http_allowed = match allow_http {
            AllowHttp::Never => false,
            AllowHttp::Loopback => is_loopback(&host),
            AllowHttp::Always => true,
        };
        if scheme == "http" && !http_allowed {
            return Err(BackendUrlError::HttpNotAllowed);
        }
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let origin = format!("{scheme}://{host}{port}");
        Ok(Self { origin: Rc::from(origin), base: Rc::from(parse_base(base)?) })
    }

    /// Parses an absolute URL, or one in a private network: `vpc:BINDING/http://10.0.0.5:8080`. There plain http may be
    /// spoken: nothing of the way lies open, and an address of a private network has no certificate.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse_place(text: &str, allow_http: AllowHttp) -> Result<Self, BackendUrlError> {
        let Some(rest) = text.strip_prefix(VPC) else { return Self::parse(text, allow_http) };
        let (name, url) =
            rest.split_once('/').filter(|(name, _)| is_binding(name)).ok_or(BackendUrlError::Network)?;
        let inside = Self::parse(url, AllowHttp::Always)?;
        // The same address in another network is another origin: its health, its audience and its secrets are its own.
        Ok(Self { origin: Rc::from([VPC, name, "/", &inside.origin].concat()), base: inside.base })
    }

    /// The binding of the private network that it stands in, if it does.
    #[must_use]
    pub fn network(&self) -> Option<&str> {
        split_network(&self.origin).0
    }

    /// Scheme, host and port, without a trailing slash; behind `vpc:BINDING/` where it stands in a private network.
    #[must_use]
    pub const fn origin(&self) -> &Rc<str> {
        &self.origin
    }

    /// The path that all requests are put behind; empty, or `/…` without a trailing slash.
    #[must_use]
    pub const fn base(&self) -> &Rc<str> {
        &self.base
    }

    /// Bytes held, for the caches' bounds.
    #[must_use]
    pub fn weight(&self) -> usize {
        2 * COUNTED + self.origin.len() + self.base.len()
    }
}

impl fmt::Display for BackendUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.origin, self.base)
    }
}

/// What the URL of a place in a private network begins with.
const VPC: &str = "vpc:";

/// The network's binding of an origin, and the origin that is called in it.
#[must_use]
pub fn split_network(origin: &str) -> (Option<&str>, &str) {
    match origin.strip_prefix(VPC).and_then(|rest| rest.split_once('/')) {
        Some((name, inside)) => (Some(name), inside),
        None => (None, origin),
    }
}

/// Whether a text can be the name of a binding.
#[must_use]
pub fn is_binding(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Checks the URL of a document (a key set, a config API): as strict as a backend's, but with a query
/// and a trailing slash kept as they are written.
///
/// # Errors
/// What is wrong with it.
pub fn document_url(text: &str, allow_http: AllowHttp) -> Result<String, BackendUrlError> {
    let (before, query) = text.split_once('?').unwrap_or((text, ""));
    BackendUrl::parse(before, allow_http)?;
    let plain = query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if plain { Ok(text.to_owned()) } else { Err(BackendUrlError::QueryOrFragment) }
}

/// Cuts off `https://` or `http://`.
pub(crate) fn split_scheme(text: &str) -> Result<(&'static str, &str), BackendUrlError> {
    let with = |scheme| text.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
    with("https")
        .map(|rest| ("https", rest))
        .or_else(|| with("http").map(|rest| ("http", rest)))
        .ok_or(BackendUrlError::Scheme)
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), BackendUrlError> {
    let host_end = authority.rfind(']').map_or(0, |bracket| bracket.saturating_add(1));
    let colon =
        authority.get(host_end..).and_then(|rest| rest.find(':')).map(|at| host_end.saturating_add(at));
    let Some((host, port)) = colon.and_then(|colon| authority.split_at_checked(colon)) else {
        return Ok((authority, None));
    };
    let digits = port.strip_prefix(':').unwrap_or_default();
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    let port = digits.parse::<u16>().ok().filter(|_| plain);
    port.map(|port| (host, Some(port))).ok_or(BackendUrlError::Port)
}

/// A host in the form in which it is called: lower case.
fn parse_host(host: &str) -> Result<String, BackendUrlError> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or(BackendUrlError::Host)?;
        let address: Ipv6Addr = inner.parse().map_err(|_| BackendUrlError::Host)?;
        return Ok(format!("[{address}]"));
    }
    let host = host.to_ascii_lowercase();
    if host.len() > 253 || !host.split('.').all(is_dns_label) {
        return Err(BackendUrlError::Host);
    }
    // A URL parser reads a host whose last label is a number as an IPv4 address, in forms
    // (0177.1, 0x7f.1) that name other addresses than they seem to.
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if numeric && host.parse::<Ipv4Addr>().is_err() {
        return Err(BackendUrlError::Host);
    }
    Ok(host)
}

fn is_dns_label(label: &str) -> bool {
    let edges_are_plain = !label.starts_with('-') && !label.ends_with('-');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len()) && edges_are_plain && label.bytes().all(plain)
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || bare.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || bare.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

fn parse_base(base: &str) -> Result<String, BackendUrlError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@".contains(&byte);
    if !base.bytes().all(plain) || path::check(base).is_err() {
        return Err(BackendUrlError::Path);
    }
    Ok(base.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<String, BackendUrlError> {
        BackendUrl::parse(text, AllowHttp::Never).map(|url| url.to_string())
    }

    #[test]
    fn https_urls_are_read_and_normalized() {
        assert_eq!(parse("https://Acme.Tenants.Example.com").unwrap(), "https://acme.tenants.example.com");
        assert_eq!(parse("https://h.example:8443/base/v1/").unwrap(), "https://h.example:8443/base/v1");
        assert_eq!(parse("https://[2001:DB8::1]:444/").unwrap(), "https://[2001:db8::1]:444");
        assert_eq!(parse("https://192.0.2.1/a%20b").unwrap(), "https://192.0.2.1/a%20b");
    }

    #[test]
    fn everything_else_says_what_is_wrong() {
        use BackendUrlError as E;
        for (text, error) in [
            ("", E::Scheme),
            ("ftp://h", E::Scheme),
            ("HTTPS://h", E::Scheme),
            ("//h", E::Scheme),
            (" https://h", E::Scheme),
            ("http://h.example", E::HttpNotAllowed),
            ("https://", E::Host),
            ("https:///x", E::Host),
            ("https://user@h", E::Userinfo),
            ("https://user:pw@h/", E::Userinfo),
            ("https://h\\@evil.example", E::Userinfo),
            ("https://h\\evil", E::Host),
            ("https://a..b", E::Host),
            ("https://a.b.", E::Host),
            ("https://-a.b", E::Host),
            ("https://a b", E::Host),
            ("https://h\t", E::Host),
            ("https://h\n.example", E::Host),
            ("https://bücher.example", E::Host),
            ("https://h%2e", E::Host),
            ("https://127.1", E::Host),
            ("https://0x7f000001", E::Host),
            ("https://0177.0.0.1", E::Host),
            ("https://2130706433", E::Host),
            ("https://[::1", E::Port),
            ("https://[::1/", E::Port),
            ("https://[", E::Host),
            ("https://[v1.x]", E::Host),
            ("https://h:0", E::Port),
            ("https://h:65536", E::Port),
            ("https://h:", E::Port),
            ("https://h:08", E::Port),
            ("https://h:+8", E::Port),
            ("https://h/..", E::Path),
            ("https://h/a/%2e%2e/b", E::Path),
            ("https://h/a b", E::Path),
            ("https://h/a\r\nb", E::Path),
            ("https://h/{x}", E::Path),
            ("https://h/?q", E::QueryOrFragment),
            ("https://h#f", E::QueryOrFragment),
        ] {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_place_in_a_private_network_is_named_with_its_network() {
        let read = |text: &str| BackendUrl::parse_place(text, AllowHttp::Never);
        let one = read("vpc:ACME_NET/http://10.0.0.5:8080/base/").unwrap();
        assert_eq!(&**one.origin(), "vpc:ACME_NET/http://10.0.0.5:8080");
        assert_eq!(one.to_string(), "vpc:ACME_NET/http://10.0.0.5:8080/base");
        assert_eq!(one.network(), Some("ACME_NET"));
        assert_eq!(split_network(one.origin()), (Some("ACME_NET"), "http://10.0.0.5:8080"));
        assert_ne!(
            one,
            read("vpc:WAYNE_NET/http://10.0.0.5:8080/base").unwrap(),
            "another network's address"
        );
        assert_eq!(read("https://h.example").unwrap().network(), None);
        for (text, error) in [
            ("vpc:ACME_NET", BackendUrlError::Network),
            ("vpc:/http://10.0.0.5", BackendUrlError::Network),
            ("vpc:A-B/http://10.0.0.5", BackendUrlError::Network),
            ("vpc:A/10.0.0.5", BackendUrlError::Scheme),
            ("vpc:A/vpc:B/http://10.0.0.5", BackendUrlError::Scheme),
            ("vpc:A/http://user@10.0.0.5", BackendUrlError::Userinfo),
            ("VPC:A/http://10.0.0.5", BackendUrlError::Scheme),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
        let document = document_url("vpc:A/http://10.0.0.5/x", AllowHttp::Always);
        assert_eq!(document, Err(BackendUrlError::Scheme), "no key set is fetched from there");
    }

    #[test]
    fn http_is_for_where_the_operator_allowed_it() {
        for host in ["localhost", "127.0.0.1:9000", "[::1]:9000", "acme.localhost"] {
            let url = format!("http://{host}");
            assert!(BackendUrl::parse(&url, AllowHttp::Loopback).is_ok(), "{url}");
            assert!(BackendUrl::parse(&url, AllowHttp::Never).is_err(), "{url}");
        }
        for url in ["http://h.example", "http://localhost.example.com", "http://10.0.0.1"] {
            assert!(BackendUrl::parse(url, AllowHttp::Loopback).is_err(), "{url}");
            assert!(BackendUrl::parse(url, AllowHttp::Always).is_ok(), "{url}");
        }
    }

    proptest! {
        /// Whatever is accepted, the WHATWG parser must see the same origin and path in it.
        #[test]
        fn the_url_standard_agrees(text in "https?://([a-zA-Z0-9._@:\\[\\]%\\\\-]|127|0x|::1|localhost){1,12}(:[0-9]{1,5})?(/[a-z0-9._~%2eE;@:/-]{0,12})?") {
            if let Ok(ours) = BackendUrl::parse(&text, AllowHttp::Always) {
                let theirs = url::Url::parse(&text);
                // The standard refuses some well-formed names (bad punycode); fetch then fails, safely.
                if let Ok(theirs) = theirs {
                    let again = url::Url::parse(ours.origin()).unwrap();
                    prop_assert_eq!(again.origin(), theirs.origin(), "{}", text);
                    prop_assert_eq!(&**ours.base(), theirs.path().trim_end_matches('/'), "{}", text);
                    prop_assert!(theirs.username().is_empty() && theirs.password().is_none());
                }
            }
        }
    }
}

//! The head of a request as the core sees it: the target as it was sent, and fields on demand.

use std::borrow::Cow;

use crate::{
    base::scan::{cut, position},
    http::cf::CfValue,
};

/// A request's target as the platform hands it over, cut into slices and decoded nowhere: what is
/// forwarded is a slice of what came in, so no decode can turn one path into another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestTarget<'a> {
    /// `https` or `http`.
    pub scheme: &'a str,
    /// Host and port, as sent.
    pub authority: &'a str,
    /// The encoded path; starts with `/`.
    pub path: &'a str,
    /// The encoded query without its `?`; `Some("")` where a bare `?` was sent.
    pub query: Option<&'a str>,
}

impl<'a> RequestTarget<'a> {
    /// Cuts an absolute URL; `None` where it is none. A fragment never belongs to a request and
    /// is dropped.
    #[must_use]
    pub fn parse(url: &'a str) -> Option<Self> {
        let (scheme, rest) = cut(url, b':')?;
        let rest = rest.strip_prefix("//")?;
        let rest = cut(rest, b'#').map_or(rest, |(before, _)| before);
        let (before_query, query) = match cut(rest, b'?') {
            Some((before, query)) => (before, Some(query)),
            None => (rest, None),
        };
        let slash = position(before_query, b'/').unwrap_or(before_query.len());
        let (authority, path) = before_query.split_at_checked(slash)?;
        let path = if path.is_empty() { "/" } else { path };
        Some(Self { scheme, authority, path, query })
    }

    /// The host, as sent, without its port.
    #[must_use]
    pub fn host(&self) -> &'a str {
        match self.authority.rsplit_once(':') {
            // The colons of an address in brackets are not a port's.
            Some((host, port)) if !port.contains(']') => host,
            _ => self.authority,
        }
    }

    /// The same with what is left of its query; with none where nothing is.
    #[must_use]
    pub fn with_query(self, rest: &'a str) -> Self {
        Self { query: Some(rest).filter(|rest| !rest.is_empty()), ..self }
    }
}

/// Reads a request's fields. The edge asks the platform for each one that is needed, since most
/// requests need few and each costs a crossing.
pub trait Fields {
    /// The value of the field `name` (lower case), several lines joined by `, ` as Fetch does
    /// (RFC 9110, section 5.2).
    fn get(&self, name: &str) -> Option<Cow<'_, str>>;

    /// Tells the names and values of fields, of those at least that may hold a credential
    /// ([`PresentFields::MAY_HOLD_CREDENTIAL`]).
    fn visit(&self, visit: &mut dyn FnMut(&str, &str)) {
        let mut names = self.names();
        names.sort_unstable();
        names.dedup();
        for name in names {
            if let Some(value) = self.get(&name) {
                visit(&name, &value);
            }
        }
    }

    /// What the platform says of the client in this property of its `request.cf`, a path such as `country` or
    /// `botManagement.score`; `None` where it says nothing. [`CfProperty::read`](crate::http::cf::CfProperty::read) checks
    /// the type.
    fn cf(&self, _path: &str) -> Option<CfValue> {
        None
    }

    /// The names of all fields, in lower case.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// How many fields a request may have, far above what any client sends. Each costs calls of the runtime, and fifteen
/// thousand fit into a head.
pub const MAX_FIELDS: u32 = 1024;

/// Which fields of interest a request carries; found while its fields are copied for the backend.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PresentFields(u32);

impl PresentFields {
    /// `Authorization`.
    pub const AUTHORIZATION: Self = Self(1 << 1);
    /// The first field configured to hold API keys, where it is another one.
    pub const API_KEY: Self = Self(1 << 2);
    /// `Via`.
    pub const VIA: Self = Self(1 << 3);
    /// `Connection`.
    pub const CONNECTION: Self = Self(1 << 4);
    /// `Upgrade`.
    pub const UPGRADE: Self = Self(1 << 5);
    /// `Origin`.
    pub const ORIGIN: Self = Self(1 << 6);
    /// `CF-Ray`: the platform's id of the request.
    pub const CF_RAY: Self = Self(1 << 7);
    /// `CF-Connecting-IP`: the client's address as the platform saw it.
    pub const CF_CONNECTING_IP: Self = Self(1 << 8);
    /// `X-Pointsman-Explain`: an operator asks how the request is decided.
    pub const EXPLAIN: Self = Self(1 << 9);
    /// A field that reaches the backend and may hold the credential a second time.
    pub const MAY_HOLD_CREDENTIAL: Self = Self(1 << 10);

    /// More fields than [`MAX_FIELDS`]: the rest was not looked at, and the request reaches no backend.
    pub const TOO_MANY: Self = Self(1 << 11);
    /// A further field that may hold a credential: which one must be asked for.
    pub const FURTHER_CREDENTIAL: Self = Self(1 << 12);

    /// `X-Request-Id`, where the configuration keeps a client's own.
    pub const REQUEST_ID: Self = Self(1 << 13);
    /// `traceparent`, where the configuration takes part in clients' traces.
    pub const TRACEPARENT: Self = Self(1 << 14);

    /// From the bits that [`PresentFields::bits`] gave.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// As bits, for the way across the boundary.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `other` is among them.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// All that a decision reads of a request. The body is not part of it: it never enters the core.
pub struct Head<'a> {
    /// The method, as sent: methods are case-sensitive (RFC 9110, section 9.1).
    pub method: &'a str,
    /// Where the request goes, as sent.
    pub target: RequestTarget<'a>,
    /// Which fields of interest there are.
    pub seen: PresentFields,
    /// Their values.
    pub fields: &'a dyn Fields,
    /// The id under which log, backend and caller can find this request: letters, digits and `._:-`.
    pub request_id: &'a str,
}

#[cfg(test)]
impl Fields for () {
    fn get(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

#[cfg(test)]
impl Head<'static> {
    /// A `GET /` without any field.
    pub(crate) fn bare() -> Self {
        let target =
            RequestTarget { scheme: "https", authority: "gateway.example.com", path: "/", query: None };
        Self { method: "GET", target, seen: PresentFields::default(), fields: &(), request_id: "r" }
    }
}

impl<'a> Head<'a> {
    /// The value of `name`, asked for only where `kind` says that it is there.
    #[must_use]
    pub fn field(&self, kind: PresentFields, name: &str) -> Option<Cow<'a, str>> {
        if self.seen.has(kind) { self.fields.get(name) } else { None }
    }

    /// Whether the client asks to speak WebSocket (RFC 6455, section 4.1).
    #[must_use]
    pub fn is_websocket(&self) -> bool {
        self.method == "GET"
            && self
                .field(PresentFields::UPGRADE, "upgrade")
                .is_some_and(|value| value.trim().eq_ignore_ascii_case("websocket"))
    }
}

/// The client's own id for its request, where the configuration keeps those of a form that is safe wherever it is written.
#[must_use]
#[inline]
pub fn kept_request_id(fields: &dyn Fields, seen: PresentFields) -> Option<String> {
    if seen.has(PresentFields::REQUEST_ID) { read_request_id(fields) } else { None }
}

#[cold]
#[inline(never)]
fn read_request_id(fields: &dyn Fields) -> Option<String> {
    let id = fields.get("x-request-id")?;
    let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte));
    ((8..=128).contains(&id.len()) && is_plain).then(|| id.into_owned())
}

/// Ids for requests that the platform gave none: unique, and without an order to read off.
#[derive(Clone, Copy, Debug)]
pub struct RequestIds {
    seed: [u64; 2],
    issued: u64,
}

impl RequestIds {
    /// Ids from a random seed, drawn once an isolate.
    #[must_use]
    pub const fn new(seed: [u64; 2]) -> Self {
        Self { seed, issued: 0 }
    }

    /// The next id: 32 hexadecimal digits.
    pub fn issue(&mut self) -> String {
        let [high, low] = self.draw();
        format!("{high:016x}{low:016x}")
    }

    /// The next id as numbers.
    pub fn draw(&mut self) -> [u64; 2] {
        self.issued = self.issued.wrapping_add(1);
        self.seed.map(|seed| mix(seed.wrapping_add(self.issued.wrapping_mul(GOLDEN))))
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of `SplitMix64`: a bijection, so that different counts give different ids.
const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
pub(crate) mod test_support {
    use std::borrow::Cow;

    use super::{Fields, PresentFields};

    /// Fields in a list, joined as Fetch joins them.
    pub(crate) struct TestFields(Vec<(String, String)>);

    impl TestFields {
        pub(crate) fn new(fields: &[(&str, &str)]) -> Self {
            Self(
                fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned())).collect(),
            )
        }

        pub(crate) fn seen<'a>(&self, key_fields: impl IntoIterator<Item = &'a str>) -> PresentFields {
            let policy = crate::http::fields::FieldPolicy::new([], key_fields, Vec::new());
            self.0.iter().fold(PresentFields::default(), |seen, (name, _)| seen.and(policy.judge(name).seen))
        }
    }

    impl Fields for TestFields {
        fn get(&self, name: &str) -> Option<Cow<'_, str>> {
            let values: Vec<_> =
                self.0.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect();
            (!values.is_empty()).then(|| values.join(", ").into())
        }

        fn names(&self) -> Vec<String> {
            self.0.iter().map(|(name, _)| name.clone()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_target_is_cut_and_nothing_is_decoded() {
        let target =
            RequestTarget::parse("https://api.example.com:8443/a%2Fb//c;x/?q=%20&r=a/b?c#frag").unwrap();
        assert_eq!(target.scheme, "https");
        assert_eq!(target.authority, "api.example.com:8443");
        assert_eq!(target.path, "/a%2Fb//c;x/");
        assert_eq!(target.query, Some("q=%20&r=a/b?c"));
    }

    #[test]
    fn an_empty_query_is_not_the_same_as_none() {
        assert_eq!(RequestTarget::parse("http://h/p?").unwrap().query, Some(""));
        assert_eq!(RequestTarget::parse("http://h/p").unwrap().query, None);
        assert_eq!(RequestTarget::parse("http://h").unwrap().path, "/");
        assert_eq!(RequestTarget::parse("http://h?q").unwrap().path, "/");
        assert_eq!(RequestTarget::parse("not a url"), None);
    }

    #[test]
    fn a_clients_id_is_kept_where_it_is_asked_for_and_of_its_form() {
        let kept =
            |id: &str, seen| kept_request_id(&test_support::TestFields::new(&[("x-request-id", id)]), seen);
        let (most, more) = ("a".repeat(128), "a".repeat(129));
        for id in ["order-4711", "a.b_c:d-1", "12345678", &most] {
            assert_eq!(kept(id, PresentFields::REQUEST_ID).as_deref(), Some(id));
            assert_eq!(kept(id, PresentFields::default()), None, "unless the configuration keeps it");
        }
        // Two fields arrive as one with a comma.
        for id in ["", "1234567", &more, "order 4711", "order-4711, order-4712", "order\"4711", "ordér-4711"]
        {
            assert_eq!(kept(id, PresentFields::REQUEST_ID), None, "{id}");
        }
    }

    #[test]
    fn request_ids_do_not_repeat() {
        let mut ids = RequestIds::new([1, 2]);
        let issued: HashSet<_> = (0..10_000).map(|_| ids.issue()).collect();
        assert_eq!(issued.len(), 10_000);
        assert!(issued.iter().all(|id| id.len() == 32));
    }
}

//! The request that a backend gets: where it goes and which fields are set on it.

use std::{borrow::Cow, net::IpAddr, rc::Rc};

use serde::Serialize;
use serde_json::Value;

use crate::{
    base::{json::text, number::all_exact, refusal::Refusal, time::Span},
    customer::{backend_url::split_network, secret::SealedLines},
    forward::{assertion::Assertions, limit::Admission},
    http::{
        cors::AnswerEdits,
        fields::{FieldLines, listed_by_connection},
        head::{Head, PresentFields, RequestTarget},
    },
    identity::{claims::ClaimPath, customer_id::CustomerId, principal::Principal},
    routing::pattern::Rewrite,
};

/// The fields by which a backend learns who is calling.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Holds the subject; `None` to send none.
    pub subject: Option<Rc<str>>,
    /// Holds the customer's id; `None` to send none.
    pub customer: Option<Rc<str>>,
    /// Holds who vouched for the caller; `None` to send none.
    pub authenticated_by: Option<Rc<str>>,
    /// Fields that hold a claim.
    pub claims: Vec<(Rc<str>, ClaimPath)>,
    /// The same in a signed token, where there is one.
    pub token: Option<Assertions>,
}

impl Identity {
    /// The names of all of them, so that a client's own are taken off.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let token = self.token.as_ref().map(|token| &token.field);
        let fixed = self.subject.iter().chain(&self.customer).chain(&self.authenticated_by).chain(token);
        fixed.map(Rc::as_ref).chain(self.claims.iter().map(|(name, _)| name.as_ref()))
    }
}

/// A request to a backend, all but its copied fields and its body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Forward {
    /// Where it goes.
    pub sending: Sending,
    /// Fields that are taken off first: those that `Connection` names, and `X-Forwarded-For` where no address takes
    /// its place.
    pub remove: Vec<String>,
    /// Fields that are set last, so that nothing a client sent can shadow or remove them.
    pub set: FieldLines,
    /// What is done to the fields of the answer.
    pub edits: AnswerEdits,
    /// Whether the answer says how long its parts took.
    pub server_timing: bool,
    /// What must let it pass before it is sent.
    pub admission: Option<Admission>,
}

/// How a request is sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sending {
    /// By one call of one URL, as nearly all are.
    Direct {
        /// The whole URL.
        url: String,
        /// How long the backend may take until it answers with a head.
        timeout: Span,
    },
    /// By a plan.
    Planned(Plan),
}

impl Sending {
    /// The URL that is called, or called first.
    #[must_use]
    pub fn url(&self) -> &str {
        match self {
            Self::Direct { url, .. } => url,
            Self::Planned(plan) => plan.attempts.first().map_or("", |first| &first.url),
        }
    }

    /// How long that call may take.
    #[must_use]
    pub fn timeout(&self) -> Span {
        match self {
            Self::Direct { timeout, .. } => *timeout,
            Self::Planned(plan) => {
                plan.attempts.first().map_or_else(Span::default, |first| Span::from_millis(first.timeout))
            }
        }
    }

    /// The plan, where there is one.
    #[must_use]
    pub const fn plan(&self) -> Option<&Plan> {
        match self {
            Self::Direct { .. } => None,
            Self::Planned(plan) => Some(plan),
        }
    }
}

/// How a request is sent that may take more than one call of one URL. It crosses to `forward.js` as JSON.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Plan {
    /// Where it is sent, in this order, each as long as the ones before failed. At least one.
    pub attempts: Vec<Attempt>,
    /// Milliseconds that all attempts together may take.
    pub deadline: u64,
    /// Statuses that count as a failure.
    pub statuses: Vec<u16>,
    /// Failures in a row, failures in a hundred, and milliseconds: when an origin is left alone.
    pub breaker: (u32, u8, u64),
    /// Tells callers of the backend apart, as in [`failover::Watched`]; none where it has one origin, of
    /// which nothing is noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// Whether a body is refused, since the request did not say its size.
    pub needs_size: bool,
}

/// One call of an origin.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Attempt {
    /// The whole URL.
    pub url: String,
    /// The origin, for the log.
    pub origin: Rc<str>,
    /// What its health is known by, as in [`failover::Watched`].
    pub key: String,
    /// Whether it was left alone, and this request is the one that tries it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub trial: bool,
    /// Milliseconds until it must have answered with a head.
    pub timeout: u64,
    /// The service binding or the private network that is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<Rc<str>>,
    /// The claims of the token that it is sent with, but for its times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assertion: Option<String>,
    /// The secrets that the origin asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<SealedLines>,
}

/// Who is calling, as far as a backend is told.
#[derive(Clone, Copy, Debug)]
pub struct CallerIdentity<'a> {
    /// The verified principal.
    pub principal: &'a Principal,
    /// Its customer, where it has one.
    pub customer: Option<&'a CustomerId>,
    /// Who vouched for it: a name of the configuration. `None` where nobody was authenticated.
    pub authenticated_by: Option<&'a str>,
}

/// The URL to call: origin, base path, the rewritten path, and the query as it was sent.
#[must_use]
pub fn url(
    origin: &str,
    base: &str,
    rewrite: Option<&Rewrite>,
    captures: &[&str],
    target: RequestTarget<'_>,
) -> String {
    let query = target.query.map_or(0, |query| query.len().saturating_add(1));
    let mut url = String::with_capacity(origin.len() + base.len() + target.path.len() + query + 16);
    url.push_str(origin);
    url.push_str(base);
    match rewrite {
        Some(rewrite) => rewrite.write(captures, &mut url),
        None => url.push_str(target.path),
    }
    if let Some(query) = target.query {
        url.push('?');
        url.push_str(query);
    }
    url
}

/// The name under which this gateway stands in `Via`, and the check for it.
#[derive(Clone, Debug)]
pub struct Via(String);

impl Via {
    /// A hop called `pseudonym`.
    #[must_use]
    pub fn new(pseudonym: &str) -> Self {
        Self(format!("1.1 {pseudonym}"))
    }

    /// The field where nobody else stands in it.
    #[must_use]
    pub fn alone(&self) -> &str {
        &self.0
    }

    /// The field for the backend: what came, and us.
    ///
    /// # Errors
    /// [`Refusal::LoopDetected`] where we are in it already: a backend URL leads back here.
    pub fn pass(&self, head: &Head<'_>) -> Result<Cow<'_, str>, Refusal> {
        let Some(before) = head.field(PresentFields::VIA, "via") else {
            return Ok(Cow::Borrowed(&self.0));
        };
        if before.split(',').any(|hop| hop.trim() == self.0) {
            return Err(Refusal::LoopDetected);
        }
        Ok(Cow::Owned(format!("{before}, {}", self.0)))
    }
}

/// What a rewrite takes off the beginning of a path, where all origins of a plan agree on it. Of each URL the path stands
/// between the origin, which is `origin` where there is no plan, and a query of so many bytes.
#[must_use]
#[inline(never)]
pub fn prefix_taken_off<'p>(sending: &Sending, origin: &str, query: usize, path: &'p str) -> Option<&'p str> {
    let taken = |url: &str, origin: &str| {
        let prefix = path.strip_suffix(url.get(origin.len()..url.len().checked_sub(query)?)?);
        prefix.filter(|prefix| !prefix.is_empty())
    };
    let attempts = match sending {
        Sending::Direct { url, .. } => return taken(url, origin),
        Sending::Planned(plan) => &plan.attempts,
    };
    let mut prefixes = attempts.iter().map(|attempt| taken(&attempt.url, split_network(&attempt.origin).1));
    let first = prefixes.next()?;
    first.filter(|_| prefixes.all(|other| other == first))
}

/// What is done to the fields of the request to the backend: names that are taken off, then fields that are set.
#[must_use]
pub fn edit_fields(
    head: &Head<'_>,
    via: &str,
    identity: &Identity,
    caller: CallerIdentity<'_>,
) -> (Vec<String>, FieldLines) {
    let mut remove = listed_fields(head);
    let mut set = FieldLines::with_capacity(384);
    // Where no client names a hop, it is our own name alone.
    if head.seen.has(PresentFields::VIA) {
        set.push("via", via);
    } else {
        set.push_checked("via", via);
    }
    // The id is made of letters, digits and hyphens; the others are slices of a URL, which holds no line break.
    set.push_checked("x-request-id", head.request_id);
    set.push_checked("x-forwarded-proto", head.target.scheme);
    set.push_checked("x-forwarded-host", head.target.authority);
    let client = head.field(PresentFields::CF_CONNECTING_IP, "cf-connecting-ip");
    if !client.is_some_and(|client| set_client(&mut set, &client) || set_client(&mut set, client.trim())) {
        remove.push("x-forwarded-for".to_owned());
    }
    if head.is_websocket() {
        set.push_checked("upgrade", "websocket");
    }
    if let (Some(name), Some(subject)) = (&identity.subject, &caller.principal.subject) {
        set.push_text(name, subject);
    }
    if let (Some(name), Some(customer)) = (&identity.customer, caller.customer) {
        set.push_text(name, customer.as_str());
    }
    if let (Some(name), Some(issuer)) = (&identity.authenticated_by, caller.authenticated_by) {
        set.push_checked(name, issuer);
    }
    for (name, path) in &identity.claims {
        if let Some(claim) = caller.principal.claims.find(path) {
            set_claim(&mut set, name, claim);
        }
    }
    (remove, set)
}

/// An address as it is written, which holds no line break; false where it is none.
fn set_client(set: &mut FieldLines, address: &str) -> bool {
    match address.parse() {
        // Can be written in one way only.
        Ok(IpAddr::V4(_)) => set.push_checked("x-forwarded-for", address),
        Ok(IpAddr::V6(parsed)) => set.push_checked("x-forwarded-for", &parsed.to_string()),
        Err(_) => return false,
    }
    true
}

/// A claim as a field value: a string as its text, anything else as JSON. A number whose digits are not known is not
/// told: rounded, it could be another caller's.
fn set_claim(set: &mut FieldLines, name: &str, claim: &Value) {
    match claim {
        Value::String(text) => set.push_text(name, text),
        other if all_exact(other) => set.push_text(name, &text(other)),
        _ => {}
    }
}

/// The fields that the client's `Connection` names.
fn listed_fields(head: &Head<'_>) -> Vec<String> {
    let connection = head.field(PresentFields::CONNECTION, "connection");
    connection.map(|value| listed_by_connection(&value).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        http::{fields::REPLACED, head::test_support::TestFields, path},
        routing::pattern::Pattern,
    };

    /// They are not taken off when the request is looked through.
    #[test]
    fn what_counts_as_replaced_is_set_or_taken_off_whatever_comes() {
        let identity = Identity {
            subject: None,
            customer: None,
            authenticated_by: None,
            claims: Vec::new(),
            token: None,
        };
        let addresses = [None, Some("203.0.113.7"), Some("2001:db8::1"), Some("unknown"), Some("")];
        for address in addresses {
            let sent: Vec<_> = address.map(|address| ("cf-connecting-ip", address)).into_iter().collect();
            let fields = TestFields::new(&sent);
            let target = RequestTarget::parse("https://gw.example/x").unwrap();
            let head =
                Head { method: "GET", target, seen: fields.seen([]), fields: &fields, request_id: "id" };
            let caller =
                CallerIdentity { principal: &Principal::default(), customer: None, authenticated_by: None };
            let via = Via::new("pointsman");
            let (remove, set) = edit_fields(&head, &via.pass(&head).unwrap(), &identity, caller);
            for name in REPLACED {
                let is_set = set.iter().any(|(own, _)| own == *name);
                assert!(is_set != remove.iter().any(|own| own == name), "{name}, {address:?}");
            }
        }
    }

    const ORIGIN: &str = "https://b.example";

    #[test]
    fn a_prefix_is_told_where_all_origins_get_the_end_of_the_path() {
        let attempt = |url: &str| Attempt {
            url: url.to_owned(),
            origin: Rc::from(ORIGIN),
            key: String::new(),
            trial: false,
            timeout: 1,
            binding: None,
            assertion: None,
            secrets: None,
        };
        for (path, urls, query, prefix) in [
            ("/api/v1/orders", &["https://b.example/orders"][..], 0, Some("/api/v1")),
            ("/api/v1/a%2Fb", &["https://b.example/a%2Fb?x=/a%2Fb"], 9, Some("/api/v1")),
            ("/api/v1/", &["https://b.example/"], 0, Some("/api/v1")),
            ("/api/v1/orders", &["https://b.example/v1/orders?"], 1, Some("/api")),
            ("/orders", &["https://b.example/orders"], 0, None),
            ("/api/orders", &["https://b.example/base/orders"], 0, None),
            ("/api/orders", &["https://b.example/orders", "https://c.example/orders"], 0, Some("/api")),
            ("/api/v1/orders", &["https://b.example/orders", "https://c.example/v1/orders"], 0, None),
        ] {
            let plan = Plan { attempts: urls.iter().map(|url| attempt(url)).collect(), ..Plan::default() };
            assert_eq!(prefix_taken_off(&Sending::Planned(plan), "", query, path), prefix, "{path} {urls:?}");
            if let [url] = urls {
                let direct = Sending::Direct { url: (*url).to_owned(), timeout: Span::default() };
                assert_eq!(prefix_taken_off(&direct, ORIGIN, query, path), prefix, "{path} {url}");
            }
        }
    }

    #[test]
    fn urls_are_joined_with_one_slash_and_the_query_as_sent() {
        let target = RequestTarget::parse("https://gw/api/v1/a%2Fb?q=%20&r").unwrap();
        assert_eq!(url("https://b.example", "", None, &[], target), "https://b.example/api/v1/a%2Fb?q=%20&r");
        let pattern = Pattern::parse("/api/v1/{+path}").unwrap();
        let rewrite = Rewrite::parse("/{+path}", &pattern).unwrap();
        let rewritten = url("https://b.example", "/base", Some(&rewrite), &["a%2Fb"], target);
        assert_eq!(rewritten, "https://b.example/base/a%2Fb?q=%20&r");
    }

    proptest! {
        /// Whatever a client sends, a URL parser sees the backend's origin, and a path below its base.
        #[test]
        fn the_forwarded_url_stays_at_its_origin_and_below_its_base(
            rest in "[a-zA-Z0-9/@:;.%2eF5c?#\\\\-]{0,24}",
        ) {
            let incoming = format!("https://gw.example/api/{rest}");
            // What reaches a Worker has been through a URL parser once.
            let incoming = url::Url::parse(&incoming).unwrap().to_string();
            let target = RequestTarget::parse(&incoming).unwrap();
            prop_assume!(target.path.starts_with("/api/") && path::check(target.path).is_ok());
            let pattern = Pattern::parse("/api/{+path}").unwrap();
            let rewrite = Rewrite::parse("/{+path}", &pattern).unwrap();
            let capture = target.path.strip_prefix("/api/").unwrap();
            let forwarded = url("https://b.example", "/base", Some(&rewrite), &[capture], target);
            let seen = url::Url::parse(&forwarded).unwrap();
            prop_assert_eq!(seen.origin().ascii_serialization(), "https://b.example");
            prop_assert!(seen.path().starts_with("/base/"), "{}", seen);
            prop_assert_eq!(seen.as_str(), &forwarded, "the parser changes nothing");
        }
    }
}

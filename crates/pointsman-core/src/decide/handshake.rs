//! Requests that pages of other origins make a browser send: WebSocket handshakes, and what has its credential where browsers
//! put it by themselves.

use crate::{
    base::refusal::Refusal,
    http::{
        cors::CorsPolicy,
        head::{Head, PresentFields},
    },
    state::route::Route,
};

/// Refuses a WebSocket handshake of a page whose origin the route's policy does not list. Browsers ask nobody before
/// they open a WebSocket, to any host, and send cookies along: here the server has to look at `Origin` itself (RFC
/// 6455, section 10.2). It stands before the credential is looked at, so that such a page costs no lookup and learns
/// nothing of the visitor's credential.
///
/// Without `Origin` it is no browser, and what a page of the gateway's own origin does is of no other.
///
/// # Errors
/// [`Refusal::WebSocketOrigin`].
pub(super) fn check(route: &Route, head: &Head<'_>) -> Result<(), Refusal> {
    match &route.cors {
        Some(policy) if head.seen.has(PresentFields::UPGRADE) => check_origin(policy, head),
        _ => Ok(()),
    }
}

#[cold]
#[inline(never)]
fn check_origin(policy: &CorsPolicy, head: &Head<'_>) -> Result<(), Refusal> {
    let Some(origin) = head.field(PresentFields::ORIGIN, "origin").filter(|_| head.is_websocket()) else {
        return Ok(());
    };
    if is_own(&origin, head) || policy.allows_handshake(&origin) {
        Ok(())
    } else {
        Err(Refusal::WebSocketOrigin)
    }
}

/// Refuses a request with its credential in a cookie, or behind `Basic`, that a page elsewhere made a browser send
/// (cross-site request forgery): its origin is neither the gateway's own nor listed by the route's policy. Browsers say the origin of each
/// request but navigations and what pages embed. Of these a link may lead here, which changes nothing; what a page of
/// another site embeds may not. Whoever says neither is no browser of today.
///
/// # Errors
/// [`Refusal::CookieOrigin`].
#[cold]
#[inline(never)]
pub(super) fn check_cookie(route: &Route, head: &Head<'_>) -> Result<(), Refusal> {
    check_cookie_of(route.cors.as_deref(), head)
}

fn check_cookie_of(policy: Option<&CorsPolicy>, head: &Head<'_>) -> Result<(), Refusal> {
    let may = match head.field(PresentFields::ORIGIN, "origin") {
        Some(origin) => is_own(&origin, head) || policy.is_some_and(|policy| policy.lists(&origin)),
        None => {
            let says =
                |name: &str, value: &str| head.fields.get(name).is_some_and(|said| said.trim() == value);
            let is_link = says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document");
            !says("sec-fetch-site", "cross-site") || (is_link && matches!(head.method, "GET" | "HEAD"))
        }
    };
    if may { Ok(()) } else { Err(Refusal::CookieOrigin) }
}

fn is_own(origin: &str, head: &Head<'_>) -> bool {
    origin.strip_prefix(head.target.scheme).and_then(|rest| rest.strip_prefix("://"))
        == Some(head.target.authority)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{
        cors::{AllowedOrigins, OriginPattern},
        head::{RequestTarget, test_support::TestFields},
    };

    #[test]
    fn a_page_elsewhere_opens_no_websocket_and_everybody_else_does() {
        let mut policy = CorsPolicy::anything_goes();
        policy.origins =
            AllowedOrigins::Listed(vec![OriginPattern::parse("https://app.example.com").unwrap()]);
        let socket = ("upgrade", "WebSocket");
        let elsewhere = ("origin", "https://evil.example");
        for (method, sent, refused) in [
            ("GET", vec![socket, elsewhere], true),
            ("GET", vec![socket, ("origin", "null")], true),
            ("GET", vec![socket, ("origin", "")], true),
            ("GET", vec![socket, ("origin", "https://app.example.com"), elsewhere], true),
            ("GET", vec![socket, ("origin", "http://gw.example:8443")], true),
            ("GET", vec![socket, ("origin", "https://gw.example:8443")], false),
            ("GET", vec![socket, ("origin", "https://app.example.com")], false),
            ("GET", vec![socket], false),
            ("GET", vec![elsewhere], false),
            ("GET", vec![("upgrade", "h2c"), elsewhere], false),
            ("POST", vec![socket, elsewhere], false),
        ] {
            let fields = TestFields::new(&sent);
            let target = RequestTarget::parse("https://gw.example:8443/x").unwrap();
            let head = Head { method, target, seen: fields.seen([]), fields: &fields, request_id: "id" };
            let checked = check_origin(&policy, &head);
            assert_eq!(checked, if refused { Err(Refusal::WebSocketOrigin) } else { Ok(()) }, "{sent:?}");
            assert_eq!(check_origin(&CorsPolicy::anything_goes(), &head), Ok(()), "{sent:?}");
        }
    }

    #[test]
    fn a_cookie_that_a_page_elsewhere_has_sent_is_no_credential() {
        let mut policy = CorsPolicy::anything_goes();
        policy.origins =
            AllowedOrigins::Listed(vec![OriginPattern::parse("https://app.example.com").unwrap()]);
        let site = |site| ("sec-fetch-site", site);
        let link = [site("cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        let frame = [site("cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
        for (method, sent, passes) in [
            ("GET", vec![], true),
            ("POST", vec![], true),
            ("POST", vec![("origin", "https://gw.example")], true),
            ("POST", vec![("origin", "https://app.example.com")], true),
            ("POST", vec![("origin", "https://evil.example")], false),
            ("GET", vec![("origin", "https://evil.example")], false),
            ("POST", vec![("origin", "null")], false),
            ("POST", vec![("origin", "http://gw.example")], false),
            ("POST", vec![("origin", "https://gw.example.evil.example")], false),
            ("POST", vec![("origin", "https://evil.example"), site("same-origin")], false),
            ("GET", vec![site("same-origin")], true),
            ("GET", vec![site("same-site")], true),
            ("GET", vec![site("none")], true),
            ("GET", vec![site("cross-site")], false),
            ("GET", link.to_vec(), true),
            ("POST", link.to_vec(), false),
            ("GET", frame.to_vec(), false),
        ] {
            let fields = TestFields::new(&sent);
            let target = RequestTarget::parse("https://gw.example/x").unwrap();
            let head = Head { method, target, seen: fields.seen([]), fields: &fields, request_id: "id" };
            assert_eq!(check_cookie_of(Some(&policy), &head).is_ok(), passes, "{method} {sent:?}");
            let is_listed = sent.first() == Some(&("origin", "https://app.example.com"));
            for other in [None, Some(&CorsPolicy::anything_goes())] {
                assert_eq!(check_cookie_of(other, &head).is_ok(), passes && !is_listed, "{method} {sent:?}");
            }
        }
    }
}

//! WebSocket handshakes that pages of other origins make.

use crate::{
    base::refusal::Refusal,
    http::{
        cors::CorsPolicy,
        head::{Head, PresentFields},
    },
    state::config::Route,
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
    let own = format!("{}://{}", head.target.scheme, head.target.authority);
    if *origin == own || policy.allows_handshake(&origin) { Ok(()) } else { Err(Refusal::WebSocketOrigin) }
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
}

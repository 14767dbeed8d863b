//! Whom a token is for (RFC 7519, section 4.1.3; RFC 9068, section 4).

use serde_json::Value;

use crate::{
    base::refusal::Refusal,
    identity::claims::{ClaimPath, Claims},
};

/// The audiences that count, and the claims that may name them.
#[derive(Clone, Debug)]
pub struct Audience {
    /// The claim must equal or contain one of these.
    pub accepted: Vec<String>,
    /// The claims that may name the audience. The first that a token has is the only one that counts.
    pub claims: Vec<ClaimPath>,
}

impl Audience {
    /// The claim that counts for these claims, and its value. A claim that is there counts whatever it holds: a token
    /// that names another API in `aud` must not pass by the client that it was issued to.
    #[must_use]
    pub fn claim<'a>(&'a self, claims: &'a Claims) -> Option<(&'a ClaimPath, &'a Value)> {
        self.claims.iter().find_map(|path| Some((path, claims.find(path)?)))
    }

    /// Lets a token pass whose claim is one of the audiences, or a list of texts that holds one.
    ///
    /// # Errors
    /// [`Refusal::TokenAudience`] for all others.
    pub fn check(&self, claims: &Claims) -> Result<(), Refusal> {
        let is_ours = |value: &str| self.accepted.iter().any(|ours| ours == value);
        let contained = match self.claim(claims) {
            Some((_, Value::String(audience))) => is_ours(audience),
            Some((_, Value::Array(audiences))) => {
                let texts: Option<Vec<_>> = audiences.iter().map(Value::as_str).collect();
                texts.is_some_and(|texts| texts.into_iter().any(is_ours))
            }
            _ => false,
        };
        if contained { Ok(()) } else { Err(Refusal::TokenAudience) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn audience(claims: &[&str]) -> Audience {
        let claims = claims.iter().map(|path| ClaimPath::parse(path).unwrap()).collect();
        Audience { accepted: vec!["ours".to_owned(), "ours too".to_owned()], claims }
    }

    fn passes(claims: &[&str], token: &Value) -> bool {
        audience(claims).check(&Claims::new(token.as_object().unwrap().clone())).is_ok()
    }

    #[test]
    fn the_first_claim_that_is_there_counts_alone() {
        let all = ["aud", "client_id", "/app/id"];
        for token in [
            json!({ "aud": "ours" }),
            json!({ "aud": ["theirs", "ours too"], "client_id": "theirs" }),
            json!({ "client_id": "ours" }),
            json!({ "client_id": ["ours"], "app": { "id": "theirs" } }),
            json!({ "app": { "id": "ours" } }),
        ] {
            assert!(passes(&all, &token), "{token}");
        }
        for token in [
            json!({}),
            json!({ "azp": "ours" }),
            json!({ "aud": "theirs", "client_id": "ours" }),
            json!({ "aud": null, "client_id": "ours" }),
            json!({ "aud": [], "client_id": "ours" }),
            json!({ "aud": {}, "client_id": "ours" }),
            json!({ "client_id": "theirs", "app": { "id": "ours" } }),
            json!({ "app": ["ours"] }),
        ] {
            assert!(!passes(&all, &token), "{token}");
        }
        assert!(passes(&["client_id", "aud"], &json!({ "aud": "theirs", "client_id": "ours" })));
        assert!(!passes(&["aud"], &json!({ "client_id": "ours" })));
        assert!(!passes(&[], &json!({ "aud": "ours" })), "no claim lets nobody in");
    }

    proptest! {
        /// Whatever else a token claims changes nothing once a claim before it is there.
        #[test]
        fn later_claims_never_matter(
            first in prop_oneof![Just(json!("ours")), Just(json!("theirs")), Just(json!(1)), Just(Value::Null)],
            second in prop_oneof![Just(json!("ours")), Just(json!("theirs")), Just(json!(["ours"]))],
        ) {
            let (one, both) = (json!({ "aud": &first }), json!({ "aud": &first, "azp": second }));
            prop_assert_eq!(passes(&["aud", "azp"], &one), passes(&["aud", "azp"], &both));
        }
    }
}

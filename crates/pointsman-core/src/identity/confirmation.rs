//! What a token is bound to, so that it is good for one holder only (RFC 7800).

use serde_json::Value;

use crate::{
    base::{digest::Digest, refusal::Refusal},
    identity::claims::Claims,
};

/// What the holder of a token has to prove.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Confirmation {
    /// The thumbprint of the key that a DPoP proof must be signed with (`jkt`; RFC 9449, section 6.1).
    pub key: Option<Digest>,
    /// The SHA-256 digest of the certificate that the connection must have (`x5t#S256`; RFC 8705, section 3.1).
    pub certificate: Option<Digest>,
}

/// Whether an issuer's tokens may be bound in some way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Binding {
    /// No: a token that is so is refused, since nobody looks at the proof.
    #[default]
    Refused,
    /// They may, or be plain bearer tokens.
    Accepted,
    /// They must.
    Required,
}

impl Binding {
    /// What a configuration can say.
    pub const NAMES: [&str; 2] = ["accepted", "required"];

    /// Reads what a configuration says.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "accepted" => Some(Self::Accepted),
            "required" => Some(Self::Required),
            _ => None,
        }
    }
}

/// How an issuer's tokens may be bound.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Bindings {
    /// To a key, by DPoP (RFC 9449).
    pub dpop: Binding,
    /// To a client certificate (RFC 8705).
    pub certificate: Binding,
}

impl Bindings {
    /// What a token's claims say that it is bound to.
    ///
    /// # Errors
    /// [`Refusal::TokenBoundToKey`] where it is bound in a way that is not accepted: whoever took such a token without its
    /// proof would be believed as a plain bearer. [`Refusal::TokenNotBound`] where it must be bound, and is not.
    pub fn check(self, claims: &Claims) -> Result<Option<Box<Confirmation>>, Refusal> {
        let bound = claims.member("cnf").map(Confirmation::read).transpose()?;
        let is_bound = |of: fn(&Confirmation) -> Option<Digest>| bound.as_ref().and_then(of).is_some();
        let by_key = (self.dpop, is_bound(|bound| bound.key));
        let by_certificate = (self.certificate, is_bound(|bound| bound.certificate));
        for (binding, is_bound) in [by_key, by_certificate] {
            match (binding, is_bound) {
                (Binding::Refused, true) => return Err(Refusal::TokenBoundToKey),
                (Binding::Required, false) => return Err(Refusal::TokenNotBound),
                _ => {}
            }
        }
        Ok(bound.map(Box::new))
    }
}

impl Confirmation {
    /// Reads `cnf`. Any other way to be bound, a malformed one and `null` were meant to say something that nobody here can
    /// prove.
    #[cold]
    #[inline(never)]
    fn read(cnf: &Value) -> Result<Self, Refusal> {
        let members =
            cnf.as_object().filter(|members| !members.is_empty()).ok_or(Refusal::TokenBoundToKey)?;
        let mut read = Self { key: None, certificate: None };
        for (name, value) in members {
            let digest = value.as_str().and_then(Digest::from_base64url);
            let place = match name.as_str() {
                "jkt" => &mut read.key,
                "x5t#S256" => &mut read.certificate,
                _ => return Err(Refusal::TokenBoundToKey),
            };
            *place = Some(digest.ok_or(Refusal::TokenBoundToKey)?);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    const X5T: &str = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";

    fn check(bindings: Bindings, cnf: Option<Value>) -> Result<bool, Refusal> {
        let claims: Map<_, _> = cnf.map(|cnf| ("cnf".to_owned(), cnf)).into_iter().collect();
        bindings.check(&Claims::new(claims)).map(|bound| bound.is_some())
    }

    #[test]
    fn what_nobody_looks_at_is_never_a_plain_bearer_token() {
        let bound = Err(Refusal::TokenBoundToKey);
        let all = Bindings { dpop: Binding::Accepted, certificate: Binding::Accepted };
        for cnf in [
            json!(null),
            json!({}),
            json!([]),
            json!(JKT),
            json!({ "jwk": {} }),
            json!({ "kid": "a" }),
            json!({ "jkt": JKT, "kid": "a" }),
            json!({ "jkt": null }),
            json!({ "jkt": [JKT] }),
            json!({ "jkt": format!("{JKT}=") }),
            json!({ "jkt": JKT.replacen('0', "", 1) }),
            json!({ "x5t#S256": "" }),
            json!({ "x5t": JKT }),
        ] {
            assert_eq!(check(all, Some(cnf.clone())), bound, "{cnf}");
        }
        for cnf in [json!({ "jkt": JKT }), json!({ "x5t#S256": JKT }), json!({ "jkt": JKT, "x5t#S256": JKT })]
        {
            assert_eq!(check(Bindings::default(), Some(cnf.clone())), bound, "{cnf}");
            assert_eq!(check(all, Some(cnf)), Ok(true));
        }
        // The spare bits of the last character are not zero, so it is another spelling of the same bytes.
        assert_eq!(check(all, Some(json!({ "x5t#S256": X5T }))), bound);
    }

    #[test]
    fn what_must_be_bound_is_bound_in_each_way() {
        let dpop = Bindings { dpop: Binding::Required, certificate: Binding::Refused };
        assert_eq!(check(dpop, None), Err(Refusal::TokenNotBound));
        assert_eq!(check(dpop, Some(json!({ "jkt": JKT }))), Ok(true));
        let both = Bindings { dpop: Binding::Required, certificate: Binding::Required };
        assert_eq!(check(both, Some(json!({ "jkt": JKT }))), Err(Refusal::TokenNotBound));
        assert_eq!(check(both, Some(json!({ "jkt": JKT, "x5t#S256": JKT }))), Ok(true));
        assert_eq!(check(Bindings::default(), None), Ok(false));
    }
}

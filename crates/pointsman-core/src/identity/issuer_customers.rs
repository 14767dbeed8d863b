//! Which customers an issuer may speak for: a partner's token must not get another customer's backend by naming it.

use crate::{
    base::{identifier::identifier, refusal::Refusal},
    identity::{claimed::Claimed, claims::ClaimPath, customer_id::CustomerId, principal::Principal},
};

/// The customers that the tokens of one issuer may name.
#[derive(Clone, Debug)]
pub struct CustomersOfIssuer {
    /// The claim that names the caller's customer.
    pub claim: ClaimPath,
    /// Which these may be.
    pub only: Only,
}

/// What the customer id must be.
#[derive(Clone, Debug)]
pub enum Only {
    /// One of these.
    Ids(Vec<CustomerId>),
    /// The same text as this claim of the token.
    Claim(ClaimPath),
}

impl CustomersOfIssuer {
    /// Lets a caller pass that names no customer, or one of the issuer's.
    ///
    /// # Errors
    /// [`Refusal::TokenCustomerNotOfIssuer`] for any other. One that can be no customer's id is another: a backend or a
    /// host could still be given the claim as it is.
    pub fn check(&self, principal: &Principal) -> Result<(), Refusal> {
        let id = match principal.customer(&self.claim) {
            Claimed::Missing => return Ok(()),
            Claimed::Malformed => return Err(Refusal::TokenCustomerNotOfIssuer),
            Claimed::Id(id) => id,
        };
        if self.allows(principal, id) { Ok(()) } else { Err(Refusal::TokenCustomerNotOfIssuer) }
    }

    /// Whether a token of the issuer's may be of this customer.
    #[must_use]
    pub fn allows(&self, principal: &Principal, id: &CustomerId) -> bool {
        match &self.only {
            Only::Ids(ids) => ids.contains(id),
            Only::Claim(path) => {
                principal.claims.find(path).and_then(identifier).as_deref() == Some(id.as_str())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::identity::claims::Claims;

    fn check(only: &Only, claims: &Value) -> Result<(), Refusal> {
        let claims = Claims::new(claims.as_object().unwrap().clone());
        let claim = ClaimPath::parse("customerId").unwrap();
        CustomersOfIssuer { claim, only: only.clone() }.check(&Principal::new(None, claims))
    }

    fn ids(ids: &[&str]) -> Only {
        Only::Ids(ids.iter().map(|id| CustomerId::parse(id).unwrap()).collect())
    }

    fn claim(path: &str) -> Only {
        Only::Claim(ClaimPath::parse(path).unwrap())
    }

    #[test]
    fn a_customer_of_the_issuers_passes_and_so_does_none() {
        for claims in
            [json!({}), json!({ "sub": "x" }), json!({ "customerId": "acme" }), json!({ "customerId": 7 })]
        {
            assert_eq!(check(&ids(&["wayne", "acme", "7"]), &claims), Ok(()), "{claims}");
        }
        for claims in [
            json!({}),
            json!({ "org_id": "acme" }),
            json!({ "customerId": "acme", "org_id": "acme" }),
            json!({ "customerId": "42", "org_id": 42 }),
            json!({ "customerId": 42, "org_id": "42" }),
        ] {
            assert_eq!(check(&claim("org_id"), &claims), Ok(()), "{claims}");
        }
        let nested = json!({ "customerId": "acme", "org": { "id": "acme" } });
        assert_eq!(check(&claim("/org/id"), &nested), Ok(()));
    }

    #[test]
    fn another_customer_is_refused() {
        let refused = Err(Refusal::TokenCustomerNotOfIssuer);
        for id in
            [json!("stark"), json!("ACME"), json!("acme "), json!(""), json!(1), json!(null), json!(["acme"])]
        {
            assert_eq!(check(&ids(&["acme"]), &json!({ "customerId": id })), refused, "{id}");
        }
        for org in [json!("stark"), json!(["acme"]), json!(null), json!(true), json!({}), json!("")] {
            let claims = json!({ "customerId": "acme", "org_id": org });
            assert_eq!(check(&claim("org_id"), &claims), refused, "{claims}");
        }
        assert_eq!(check(&claim("org_id"), &json!({ "customerId": "acme" })), refused);
        let fraction = json!({ "customerId": "42.0", "org_id": 42.0 });
        assert_eq!(check(&claim("org_id"), &fraction), refused);
    }

    proptest! {
        #[test]
        fn what_passes_is_on_the_list(id in "[a-c]{1,2}", listed in proptest::collection::vec("[a-c]{1,2}", 1..4)) {
            let texts: Vec<_> = listed.iter().map(String::as_str).collect();
            let passes = check(&ids(&texts), &json!({ "customerId": id })).is_ok();
            prop_assert_eq!(passes, listed.contains(&id));
        }
    }
}

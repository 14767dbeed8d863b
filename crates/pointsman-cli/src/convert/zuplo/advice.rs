//! What is to be done by hand for policies that are not carried over, each with where the documents say how.

/// Where code of a project goes.
pub(super) const OWN_CODE: &str = "put such code into a Worker of your own, and have it asked: authorize = { binding = \"POLICY\" } in the route";

/// Why the route is closed, and what to do.
pub(super) fn of(export: &str) -> String {
    let what = match export {
        "BasicAuthInboundPolicy" => {
            "asks for a user and a password, and callers have keys or tokens here: give each account an API key, which \
             [api_keys] takes with scheme = \"Basic\" as the user"
        }
        "CurityPhantomTokenInboundPolicy" => {
            "asks an issuer what a token is: write the issuer with introspection"
        }
        "UpstreamZuploJwtInboundPolicy" => {
            "signs a token for the backend: write [identity.token], and have the backend trust its key set"
        }
        export if export.starts_with("Upstream") => {
            "gets a token of a cloud for the backend, which the gateway does not: have the backend verify [identity.token], \
             or call it by a Worker of your own (url = \"binding:NAME\")"
        }
        "SetQueryParamsInboundPolicy"
        | "AddOrSetQueryInboundPolicy"
        | "RemoveQueryParamsInboundPolicy"
        | "QueryParamToHeaderInboundPolicy" => {
            "changes the query, which is forwarded as it was sent: have the backend do that, or a Worker of your own before it"
        }
        "SetBodyInboundPolicy"
        | "TransformBodyInboundPolicy"
        | "FormDataToJsonInboundPolicy"
        | "ReplaceStringInboundPolicy"
        | "XmlToJsonInboundPolicy" => {
            "changes bodies, which pass as they were sent: have the backend do that, or a Worker of your own before it"
        }
        "ChangeMethodInboundPolicy" => "changes the method, which is forwarded as it was sent",
        "ClearHeadersInboundPolicy" => {
            "keeps every field back but some: name those that backends of yours trust in [forward] remove"
        }
        "MockApiInboundPolicy" | "BrownoutInboundPolicy" => {
            "answers by itself, which only backends do here: write a backend that does"
        }
        "BotDetectionInboundPolicy" | "WebBotAuthInboundPolicy" => {
            "keeps bots out: with Cloudflare's Bot Management write a rule on \"$bot_score\" that denies"
        }
        "MonetizationInboundPolicy" => {
            "asks Zuplo's billing what a caller has paid for: write limits for each plan, and count elsewhere"
        }
        "HMACAuthInboundPolicy"
        | "HmacAuthInboundPolicy"
        | "LDAPAuthInboundPolicy"
        | "LdapAuthInboundPolicy"
        | "StripeWebhookVerificationInboundPolicy"
        | "OpenFGAAuthZInboundPolicy"
        | "OktaFGAAuthZInboundPolicy"
        | "AuthZenInboundPolicy"
        | "AxiomaticsAuthZInboundPolicy" => {
            return format!("checks callers in a way of its own: {OWN_CODE}");
        }
        _ => {
            return format!(
                "is not known to the import, and without it more might pass than should: {OWN_CODE}"
            );
        }
    };
    what.to_owned()
}

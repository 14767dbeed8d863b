//! The client certificate of a connection (mutual TLS), as the platform tells of it in `request.cf.tlsClientAuth`.
//!
//! Cloudflare takes any certificate in the handshake and says beside it what it thinks of it: each value is a text, and one that
//! was revoked counts as verified too. So both are looked at.

use base64ct::{Base64, Encoding};
use serde_json::{Map, Value};

use crate::{
    base::{digest::Digest, freshness::Policy, refusal::Refusal},
    http::{cf::CfValue, head::Fields},
    identity::certificate_names::{AlternativeNames, alternative_names},
};

/// How client certificates count.
#[derive(Clone, Debug)]
pub struct ClientCertificates {
    /// How the record that each needs under its fingerprint is kept and loaded; `None` lets in whatever was verified.
    pub records: Option<Policy>,
}

/// What the platform says in a property of `tlsClientAuth`.
fn said(fields: &dyn Fields, path: &str) -> Option<String> {
    match fields.cf(path) {
        Some(CfValue::Text(text)) => Some(text),
        _ => None,
    }
}

/// The SHA-256 fingerprint of the connection's certificate; nothing where there is none.
///
/// # Errors
/// [`Refusal::ClientCertificateRefused`] where there is one that is not verified, or is revoked.
pub fn verified(fields: &dyn Fields) -> Result<Option<Digest>, Refusal> {
    let says = |path: &str, value: &str| said(fields, path).is_some_and(|text| text == value);
    if !says("tlsClientAuth.certPresented", "1") {
        return Ok(None);
    }
    let is_good = says("tlsClientAuth.certVerified", "SUCCESS") && says("tlsClientAuth.certRevoked", "0");
    let fingerprint = said(fields, "tlsClientAuth.certFingerprintSHA256").filter(|_| is_good);
    match fingerprint.and_then(|text| Digest::from_hex(&text)) {
        Some(fingerprint) => Ok(Some(fingerprint)),
        None => Err(Refusal::ClientCertificateRefused),
    }
}

/// What a verified certificate says of its holder: names in the manner of RFC 8705, section 2.1.2.
#[must_use]
pub fn claims(fields: &dyn Fields, fingerprint: &Digest) -> Map<String, Value> {
    let mut claims = Map::new();
    claims.insert("fingerprint".to_owned(), Value::String(fingerprint.to_string()));
    for (name, path) in [
        ("subject_dn", "tlsClientAuth.certSubjectDNRFC2253"),
        ("issuer_dn", "tlsClientAuth.certIssuerDNRFC2253"),
        ("serial", "tlsClientAuth.certSerial"),
    ] {
        if let Some(text) = said(fields, path) {
            claims.insert(name.to_owned(), Value::String(text));
        }
    }
    let names =
        said(fields, "tlsClientAuth.certRFC9440").and_then(|text| names_in(&text)).unwrap_or_default();
    for (name, list) in [("san_dns", names.dns), ("san_uri", names.uri), ("san_email", names.email)] {
        if !list.is_empty() {
            claims.insert(name.to_owned(), list.into());
        }
    }
    claims
}

/// The names of a certificate as RFC 9440, section 2.1, writes one: its DER in base64 between colons.
fn names_in(text: &str) -> Option<AlternativeNames> {
    let base64 = text.strip_prefix(':')?.strip_suffix(':')?;
    alternative_names(&Base64::decode_vec(base64).ok()?)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use serde_json::json;

    use super::*;

    pub(crate) struct Connection(pub(crate) Value);

    impl Fields for Connection {
        fn get(&self, _: &str) -> Option<Cow<'_, str>> {
            None
        }

        fn cf(&self, path: &str) -> Option<CfValue> {
            CfValue::find(self.0.as_object()?, path)
        }
    }

    const FINGERPRINT: &str = "af363dc85bc942a892d3cee9796190fdb36d89cd588a4f1cb17c74a943439714";

    fn of(certificate: Value) -> Connection {
        let mut all = json!({
            "certPresented": "1",
            "certVerified": "SUCCESS",
            "certRevoked": "0",
            "certFingerprintSHA256": FINGERPRINT,
        });
        for (name, value) in certificate.as_object().unwrap() {
            all[name] = value.clone();
        }
        Connection(json!({ "tlsClientAuth": all }))
    }

    #[test]
    fn only_what_is_verified_and_not_revoked_counts() {
        let good = Digest::from_hex(FINGERPRINT);
        assert_eq!(verified(&of(json!({}))), Ok(good));
        for none in [json!({}), json!({ "tlsClientAuth": null }), json!({ "tlsClientAuth": "1" })] {
            assert_eq!(verified(&Connection(none)), Ok(None));
        }
        for absent in
            [json!({ "certPresented": "0" }), json!({ "certPresented": 1 }), json!({ "certPresented": true })]
        {
            assert_eq!(verified(&of(absent)), Ok(None));
        }
        for bad in [
            json!({ "certVerified": "FAILED:self signed certificate" }),
            json!({ "certVerified": "NONE" }),
            json!({ "certVerified": true }),
            json!({ "certVerified": "success" }),
            json!({ "certRevoked": "1" }),
            json!({ "certRevoked": false }),
            json!({ "certRevoked": null }),
            json!({ "certFingerprintSHA256": "" }),
            json!({ "certFingerprintSHA256": FINGERPRINT.replacen("af", "", 1) }),
        ] {
            assert_eq!(verified(&of(bad.clone())), Err(Refusal::ClientCertificateRefused), "{bad}");
        }
    }

    #[test]
    fn a_certificate_says_who_holds_it() {
        let fields = of(json!({
            "certSubjectDNRFC2253": "CN=ci,O=Acme",
            "certIssuerDNRFC2253": "CN=Our CA",
            "certSerial": "00936E",
            "certRFC9440": ":not base64:",
        }));
        let said = Value::Object(claims(&fields, &Digest::from_hex(FINGERPRINT).unwrap()));
        let expected = json!({
            "fingerprint": FINGERPRINT,
            "subject_dn": "CN=ci,O=Acme",
            "issuer_dn": "CN=Our CA",
            "serial": "00936E",
        });
        assert_eq!(said, expected);
    }
}

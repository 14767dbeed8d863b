use serde_json::json;

use super::*;

fn public(name: &str) -> Value {
    let set: Value =
        serde_json::from_str(include_str!("../../../../../fixtures/keys/issuer.jwks.json")).unwrap();
    set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == name).unwrap().clone()
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

#[test]
fn the_thumbprint_is_that_of_rfc_7638_section_3_1() {
    let jwk: Value =
        serde_json::from_str(include_str!("../../../../../fixtures/keys/rfc7638-example.jwk.json")).unwrap();
    let key = PublicKey::parse(&jwk).unwrap();
    let text = Base64UrlUnpadded::encode_string(key.thumbprint().bytes());
    assert_eq!(text, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn keys_that_cannot_or_must_not_be_used_are_named() {
    let (ec, rsa, ed) = (public("es256-1"), public("rs256-1"), public("eddsa-1"));
    for (jwk, why) in [
        (json!("x"), Flaw::Malformed),
        (json!({}), Flaw::Malformed),
        (json!({"kty": "oct", "k": "c2VjcmV0"}), Flaw::Private),
        (json!({"kty": "oct"}), Flaw::Kind),
        (json!({"kty": "DSA"}), Flaw::Kind),
        (with(ec.clone(), "d", json!("AA")), Flaw::Private),
        (with(ec.clone(), "use", json!("enc")), Flaw::Encryption),
        (with(ec.clone(), "use", json!("SIG")), Flaw::Purpose),
        (with(ec.clone(), "key_ops", json!(["sign"])), Flaw::Purpose),
        (with(ec.clone(), "key_ops", json!("verify")), Flaw::Purpose),
        (with(ec.clone(), "alg", json!("ES384")), Flaw::Algorithm),
        (with(ec.clone(), "alg", json!("HS256")), Flaw::Algorithm),
        (with(ec.clone(), "alg", json!(256)), Flaw::Malformed),
        (with(ec.clone(), "crv", json!("P-192")), Flaw::Kind),
        (with(ec.clone(), "crv", json!("P-384")), Flaw::Malformed),
        (with(ec.clone(), "x", json!("AA")), Flaw::Malformed),
        (with(ec.clone(), "x", json!(null)), Flaw::Malformed),
        (with(ec.clone(), "x", json!("")), Flaw::Malformed),
        (with(ec, "y", json!("not base64!")), Flaw::Malformed),
        (with(rsa.clone(), "e", json!("AQ")), Flaw::Weak),
        (with(rsa.clone(), "e", json!("BA")), Flaw::Weak),
        (with(rsa.clone(), "e", json!("AAAA")), Flaw::Malformed),
        (with(rsa.clone(), "n", json!(Base64UrlUnpadded::encode_string(&[0xff; 255]))), Flaw::Weak),
        (with(rsa.clone(), "n", json!(Base64UrlUnpadded::encode_string(&[0x7f; 256]))), Flaw::Weak),
        (with(rsa, "n", json!(Base64UrlUnpadded::encode_string(&[0xff; 2000]))), Flaw::Weak),
        (with(ed.clone(), "crv", json!("Ed448")), Flaw::Kind),
        (with(ed, "x", json!("AA")), Flaw::Malformed),
    ] {
        assert_eq!(PublicKey::parse(&jwk).map_err(|error| error.flaw), Err(why), "{jwk}");
    }
}

#[test]
fn what_says_nothing_is_not_there() {
    let jwk = public("es256-1");
    let plain = PublicKey::parse(&jwk).unwrap();
    for nothing in [json!(null), json!(""), json!([])] {
        for name in ["d", "p", "oth", "k", "use", "key_ops", "x5c", "x5t", "x5u", "exp"] {
            assert_eq!(
                PublicKey::parse(&with(jwk.clone(), name, nothing.clone())),
                Ok(plain.clone()),
                "{name}"
            );
        }
        let nameless = PublicKey::parse(&with(jwk.clone(), "kid", nothing.clone())).unwrap();
        assert_eq!((nameless.id(), nameless.thumbprint()), (None, plain.thumbprint()));
        assert!(PublicKey::parse(&with(jwk.clone(), "alg", nothing.clone())).unwrap().fits(Algorithm::Es256));
        for name in ["kty", "crv", "x", "y"] {
            let refused = PublicKey::parse(&with(jwk.clone(), name, nothing.clone())).unwrap_err();
            assert_eq!((&*refused.member, refused.cause), (name, "is missing"));
        }
    }
}

#[test]
fn numbers_are_read_however_they_are_written() {
    let (ec, rsa, ed) = (public("es512-1"), public("rs256-1"), public("eddsa-1"));
    let padded = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
    for (jwk, names) in [(&ec, &["x", "y"][..]), (&rsa, &["n", "e"]), (&ed, &["x"])] {
        let plain = PublicKey::parse(jwk).unwrap();
        for name in names {
            let bytes = Base64UrlUnpadded::decode_vec(jwk[*name].as_str().unwrap()).unwrap();
            let standard = base64ct::Base64::encode_string(&bytes);
            let lines: String = standard.split_inclusive(|_| true).collect::<Vec<_>>().join("\r\n");
            for text in [format!("{}=", jwk[*name].as_str().unwrap()), standard, lines] {
                assert_eq!(PublicKey::parse(&with(jwk.clone(), name, json!(text))).unwrap(), plain, "{text}");
            }
            let longer =
                PublicKey::parse(&with(jwk.clone(), name, json!(padded(&[&[0], &bytes[..]].concat()))));
            assert_eq!(longer.is_ok(), jwk["kty"] != "OKP", "a leading zero of {name}");
            assert!(longer.is_err() || longer.unwrap() == plain);
        }
    }
    for text in ["A", "AAAAA", "A=A", "A*AA", "é", "=", "\u{0}"] {
        assert_eq!(PublicKey::parse(&with(ed.clone(), "x", json!(text))).unwrap_err().flaw, Flaw::Malformed);
    }
}

#[test]
fn coordinates_without_their_leading_zeros_are_the_same_point() {
    for (name, length) in [("es256-1", 32), ("es384-1", 48), ("es512-1", 66)] {
        let whole: Vec<u8> = std::iter::repeat_n(0, 3).chain(std::iter::repeat_n(7, length - 3)).collect();
        let jwk = with(public(name), "y", json!(Base64UrlUnpadded::encode_string(&whole)));
        let plain = PublicKey::parse(&jwk).unwrap();
        for zeros in 0..=3 {
            let stripped = Base64UrlUnpadded::encode_string(&whole[zeros..]);
            assert_eq!(PublicKey::parse(&with(jwk.clone(), "y", json!(stripped))).unwrap(), plain);
        }
        assert_eq!(plain.to_jwk()["y"], jwk["y"], "imported in full length");
        let longer = Base64UrlUnpadded::encode_string(&vec![1; length + 1]);
        assert!(PublicKey::parse(&with(jwk, "y", json!(longer))).is_err());
    }
}

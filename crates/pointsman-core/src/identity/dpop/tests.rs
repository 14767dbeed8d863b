use base64ct::{Base64UrlUnpadded, Encoding};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn is_same(htu: &str, url: &str) -> bool {
    is_target(htu, RequestTarget::parse(url).unwrap())
}

#[test]
fn a_target_is_compared_as_urls_are() {
    let url = "https://api.example.com/a/%E2%82%AC/b%2Fc";
    for same in [
        url,
        "HTTPS://API.example.com:443/a/%e2%82%ac/b%2fc?x#y",
        "https://api.example.com/%61/%E2%82%AC/%62%2Fc",
    ] {
        assert!(is_same(same, url), "{same}");
    }
    for other in [
        "",
        "api.example.com/a/%E2%82%AC/b%2Fc",
        "http://api.example.com/a/%E2%82%AC/b%2Fc",
        "https://api.example.com:80/a/%E2%82%AC/b%2Fc",
        "https://user@api.example.com/a/%E2%82%AC/b%2Fc",
        "https://api.example.com/a/%E2%82%AC/b/c",
        "https://api.example.com/a/%E2%82%AC/b%252Fc",
        "https://api.example.com/a/%E2%82%AC/b%2Fc/",
        "https://api.example.com/A/%E2%82%AC/b%2Fc",
        "https://api.example.com.evil.example/a/%E2%82%AC/b%2Fc",
    ] {
        assert!(!is_same(other, url), "{other}");
    }
    assert!(is_same("https://api.example.com", "https://api.example.com/"));
    assert!(is_same("http://localhost:8787/x", "http://localhost:8787/x?y"));
    assert!(!is_same("http://localhost/x", "http://localhost:8787/x"));
}

#[test]
fn nonces_change_with_time_and_secret_and_are_no_secret_themselves() {
    let secret = NonceSecret::new(&"a".repeat(32)).unwrap();
    let minute = Span::from_secs(60);
    let nonce = secret.nonce(NOW, minute);
    assert_eq!(nonce.len(), 22);
    assert_eq!(secret.nonce(NOW.plus(Span::from_secs(59)), minute), nonce);
    assert_ne!(secret.nonce(NOW.plus(minute), minute), nonce);
    assert_ne!(NonceSecret::new(&"b".repeat(32)).unwrap().nonce(NOW, minute), nonce);
    assert!(NonceSecret::new(&"a".repeat(31)).is_none());
    assert_eq!(format!("{secret:?}"), "NonceSecret");
}

proptest! {
    /// Whatever is sent in its place is no proof, and breaks nothing.
    #[test]
    fn no_members_make_it_panic(
        typ in "dpop\\+jwt|JWT", alg in "ES256|none|RS256", iat in any::<f64>(), text in "[ -~]{0,12}",
    ) {
        let encode = |value: Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
        let header = json!({ "typ": typ, "alg": alg, "jwk": { "kty": "EC", "crv": "P-256", "x": text, "y": text } });
        let claims = json!({ "iat": iat, "htm": text, "htu": text, "jti": text, "ath": text });
        let asked = Asked {
            method: "GET",
            target: RequestTarget::parse("https://api.example.com/").unwrap(),
            token: "t",
            key: &Digest::of(b"k"),
            now: NOW,
        };
        for proof in [format!("{}.{}.AAAA", encode(header), encode(claims)), text] {
            prop_assert!(examine(&proof, &asked, &DpopSettings::default()).is_err());
        }
    }
}

//! The subject alternative names of a certificate (RFC 5280, section 4.2.1.6), which the platform does not tell by themselves.
//!
//! The platform has verified the certificate. So this reads as much of DER (X.690) as leads to the names, and what it does not
//! understand it takes for a certificate without any.

/// The alternative names that are texts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AlternativeNames {
    /// Hosts.
    pub dns: Vec<String>,
    /// URIs, such as SPIFFE ids.
    pub uri: Vec<String>,
    /// Addresses of people.
    pub email: Vec<String>,
}

const BOOLEAN: u8 = 0x01;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// `extensions`, the last member of a `TBSCertificate`.
const EXTENSIONS: u8 = 0xa3;
/// 2.5.29.17.
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];
const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;

/// One value behind its tag and length, and what stands behind it.
fn value(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(*short), rest),
        // Certificates are shorter than 64 KiB here.
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => {
            rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// The content of a value of this tag, which must come first.
fn expect(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    value(der).filter(|(tag, ..)| *tag == wanted).map(|(_, content, rest)| (content, rest))
}

/// The values of a list.
fn values(mut der: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, rest) = value(der)?;
        der = rest;
        Some((tag, content))
    })
}

/// The names of a certificate in DER; nothing where it has none, or is none.
#[must_use]
pub fn alternative_names(certificate: &[u8]) -> Option<AlternativeNames> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (to_be_signed, _) = expect(certificate, SEQUENCE)?;
    let (_, extensions) = values(to_be_signed).find(|(tag, _)| *tag == EXTENSIONS)?;
    let (extensions, _) = expect(extensions, SEQUENCE)?;
    let names = values(extensions).find_map(|(_, extension)| names_of(extension))?;
    let mut read = AlternativeNames::default();
    for (tag, content) in values(names) {
        let list = match tag {
            DNS => &mut read.dns,
            URI => &mut read.uri,
            EMAIL => &mut read.email,
            _ => continue,
        };
        // IA5 text. A byte outside of it, or a NUL, is how one name is passed off as another.
        let is_text = content.iter().all(|byte| byte.is_ascii_graphic());
        if let Some(text) = std::str::from_utf8(content).ok().filter(|_| is_text && !content.is_empty()) {
            list.push(text.to_owned());
        }
    }
    Some(read)
}

/// The names in an extension, if it is the one that has them.
fn names_of(extension: &[u8]) -> Option<&[u8]> {
    let (id, rest) = expect(extension, OBJECT_ID)?;
    if id != SUBJECT_ALT_NAME {
        return None;
    }
    let rest = expect(rest, BOOLEAN).map_or(rest, |(_, rest)| rest);
    let (names, _) = expect(rest, OCTET_STRING)?;
    expect(names, SEQUENCE).map(|(names, _)| names)
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64, Encoding};
    use proptest::prelude::*;

    use super::*;

    fn certificate() -> Vec<u8> {
        let pem = include_str!("../../../../fixtures/keys/client-certificate.pem");
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        Base64::decode_vec(&base64).unwrap()
    }

    #[test]
    fn the_names_of_a_certificate_are_read() {
        let names = alternative_names(&certificate()).unwrap();
        assert_eq!(names.dns, ["ci.acme.example", "*.acme.example"]);
        assert_eq!(names.uri, ["spiffe://acme.example/ci"]);
        assert_eq!(names.email, ["ci@acme.example"]);
    }

    #[test]
    fn a_name_with_a_nul_is_none() {
        let mut der = certificate();
        let at = der.windows(15).position(|window| window == b"ci.acme.example").unwrap();
        der[at + 2] = 0;
        assert_eq!(alternative_names(&der).unwrap().dns, ["*.acme.example"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in 0usize..800, to in any::<u8>(), cut in 0usize..800) {
            let mut der = certificate();
            if let Some(byte) = der.get_mut(at) {
                *byte = to;
            }
            let _ = alternative_names(&der);
            der.truncate(cut);
            let _ = alternative_names(&der);
        }
    }
}

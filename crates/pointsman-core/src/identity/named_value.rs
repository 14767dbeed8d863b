//! A credential under a name: a parameter of the query, or a cookie.

use crate::{
    base::{
        percent::{decode_lenient, decode_strict},
        refusal::Refusal,
    },
    http::{
        fields::canonical,
        head::{Head, PresentFields},
    },
};

/// Old parsers part parameters by `;` too.
const OF_QUERY: [char; 2] = ['&', ';'];
/// Several fields arrive as one, with commas between them.
const OF_COOKIES: [char; 2] = [';', ','];

/// The value of the query's parameter `name`, percent-decoded. `+` stays: no credential has a space that it could mean.
///
/// # Errors
/// It is there twice, or in another spelling, or is not decoded to text.
#[cold]
#[inline(never)]
pub fn parameter(head: &Head<'_>, name: &str) -> Result<Option<String>, Refusal> {
    head.target.query.map_or(Ok(None), |query| find(query, &OF_QUERY, name))
}

/// The value of the cookie `name` (RFC 6265, section 5.4), without quotes and percent-decoded.
///
/// # Errors
/// As [`parameter`].
#[cold]
#[inline(never)]
pub fn cookie(head: &Head<'_>, name: &str) -> Result<Option<String>, Refusal> {
    let cookies = head.field(PresentFields::FURTHER_CREDENTIAL, "cookie");
    let found = cookies.map_or(Ok(None), |cookies| find(&cookies, &OF_COOKIES, name))?;
    let unquoted = |text: &str| text.strip_prefix('"')?.strip_suffix('"').map(str::to_owned);
    Ok(found.map(|text| unquoted(&text).unwrap_or(text)))
}

/// Whether a backend could take a name for the one that folds to `folded`: it may decode it, cut it at a bracket or a NUL,
/// and pass over spaces around it.
pub(crate) fn is_name(written: &str, folded: &str) -> bool {
    let decoded = decode_lenient(written.as_bytes());
    let decoded = String::from_utf8_lossy(&decoded);
    let name = decoded.split(['[', '\0']).next().unwrap_or_default();
    canonical(name.trim_matches([' ', '+', '\t'])) == folded
}

/// Frameworks decode names, fold letters, and take `.` and spaces for `_`: what a backend could take for this parameter
/// is one, so none of these passes as something else, with a credential that nobody verified.
fn find(text: &str, separators: &[char], name: &str) -> Result<Option<String>, Refusal> {
    let mut found = None;
    let mut is_spelled_otherwise = false;
    let folded = canonical(name);
    for part in text.split(separators) {
        let (own, value) = part.split_once('=').unwrap_or((part, ""));
        let own = own.trim();
        if own != name {
            if !is_name(own, &folded) {
                continue;
            }
            is_spelled_otherwise = true;
        }
        if found.replace(value.trim()).is_some() {
            return Err(Refusal::CredentialRepeated);
        }
    }
    if is_spelled_otherwise {
        return Err(Refusal::CredentialMalformed);
    }
    let Some(value) = found else { return Ok(None) };
    let decoded = decode_strict(value.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.map(Some).ok_or(Refusal::CredentialMalformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<Option<String>, Refusal> {
        find(text, &OF_QUERY, "access_token")
    }

    #[test]
    fn a_value_is_found_by_its_exact_name() {
        for (text, value) in [
            ("access_token=a.b.c", Some("a.b.c")),
            ("x=1&access_token=a%2Eb%2Ec&y", Some("a.b.c")),
            ("x=1;access_token=k;y", Some("k")),
            ("access_token=a+b/c==", Some("a+b/c==")),
            ("access_token", Some("")),
            ("access_token=", Some("")),
            ("", None),
            ("token=a&access=b&xaccess_token=c&access_token2=d", None),
            ("x=access_token=k", None),
        ] {
            assert_eq!(query(text), Ok(value.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn what_is_there_twice_or_spelled_otherwise_is_refused() {
        for text in [
            "access_token=k&access_token=k",
            "access_token=k;access_token=",
            "access_token=k&access%5Ftoken=j",
            "ACCESS_TOKEN=k&access_token=k",
        ] {
            assert_eq!(query(text), Err(Refusal::CredentialRepeated), "{text}");
        }
        for text in [
            "access%5Ftoken=k",
            "acces%73_token=k",
            "Access_Token=k",
            "access.token=k",
            "access+token=k",
            "access%20token=k",
            "%20access_token=k",
            "+access_token=k",
            "access_token[]=k",
            "access_token%5Bx%5D=k",
            "access_token%00=k",
            "access_token=%zz",
            "access_token=%ff",
        ] {
            assert_eq!(query(text), Err(Refusal::CredentialMalformed), "{text}");
        }
    }

    #[test]
    fn cookies_are_parted_as_backends_part_them() {
        let cookie = |text: &str| find(text, &OF_COOKIES, "s");
        for (text, value) in [
            ("s=k", Some("k")),
            ("a=1; s=k; b=2", Some("k")),
            ("a=1, s=k", Some("k")),
            ("a=s=k", None),
            ("ss=k; s2=k", None),
        ] {
            assert_eq!(cookie(text), Ok(value.map(str::to_owned)), "{text}");
        }
        assert_eq!(cookie("s=k; s=k"), Err(Refusal::CredentialRepeated));
        assert_eq!(cookie("S=k"), Err(Refusal::CredentialMalformed));
    }
}

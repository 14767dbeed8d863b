//! What `iss` of a token must be: one text, or one for each tenant of a provider.
//!
//! A provider with tenants signs the tokens of all of them with one key set, and each tenant's `iss` differs in one part
//! (`https://login.microsoftonline.com/{tid}/v2.0`). That part is filled from another claim of the same token, so `iss` and
//! that claim cannot disagree. The key set stays the configuration's: nothing of a token chooses it.

use std::fmt;

use crate::{
    base::identifier::identifier,
    identity::claims::{ClaimPath, Claims},
};

/// The longest label in bytes.
const MAX_LABEL: usize = 128;

/// What `iss` must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IssuerName {
    text: String,
    form: Form,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Form {
    /// The text, byte for byte.
    Exact,
    /// Fixed text around one claim's value.
    PerTenant { before: String, claim: ClaimPath, after: String, tenants: Option<Vec<String>> },
}

/// Why a text is not what `iss` can be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum IssuerNameError {
    /// A brace without its other one, or a second claim.
    NotOneClaim,
    /// The claim has no name, or is `iss` itself, which every token agrees with.
    Claim,
    /// Nothing but the claim.
    NoFixedText,
    /// Tenants, and no place for them.
    NoPlaceForTenants,
    /// An empty list of tenants.
    NoTenants,
    /// The tenant at this place in the list is no label.
    TenantNoLabel(usize),
}

impl fmt::Display for IssuerNameError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotOneClaim => "must have at most one {claim}, with both of its braces",
            Self::Claim => {
                "has a {claim} that is no claim's name and no JSON Pointer, or that is iss itself: write the claim that names \
                 the tenant, such as {tid}"
            }
            Self::NoFixedText => {
                "must have fixed text around its {claim}, such as https://id.example.com/{tid}: without it every iss would pass"
            }
            Self::NoPlaceForTenants => {
                "needs a {claim} in issuer, which says where the tenant stands: https://id.example.com/{tid}"
            }
            Self::NoTenants => {
                "must name at least one tenant: an empty list never matches. Leave tenants out for all tenants"
            }
            Self::TenantNoLabel(_) => "must be 1 to 128 letters, digits, - and _",
        })
    }
}

impl std::error::Error for IssuerNameError {}

impl IssuerName {
    /// Reads what `iss` must be. A `{claim}` or `{/json/pointer}` stands for the value of that claim; `tenants` are the values
    /// that it may have, where these are not all.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, tenants: Option<Vec<String>>) -> Result<Self, IssuerNameError> {
        let form = match text.split_once('{') {
            None if text.contains('}') => return Err(IssuerNameError::NotOneClaim),
            None if tenants.is_some() => return Err(IssuerNameError::NoPlaceForTenants),
            None => Form::Exact,
            Some((before, rest)) => {
                let (claim, after) = rest.split_once('}').ok_or(IssuerNameError::NotOneClaim)?;
                if [before, claim, after].iter().any(|part| part.contains(['{', '}'])) {
                    return Err(IssuerNameError::NotOneClaim);
                }
                let is_itself = ["iss", "/iss"].contains(&claim);
                let claim = ClaimPath::parse(claim).filter(|_| !is_itself).ok_or(IssuerNameError::Claim)?;
                let host = before.split_once("://").map_or(before, |(_, rest)| rest);
                if [host, after].iter().all(|part| part.trim_matches('/').is_empty()) {
                    return Err(IssuerNameError::NoFixedText);
                }
                check(tenants.as_deref())?;
                Form::PerTenant { before: before.to_owned(), claim, after: after.to_owned(), tenants }
            }
        };
        Ok(Self { text: text.to_owned(), form })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The claim that names the tenant, where there are tenants.
    #[must_use]
    pub const fn claim(&self) -> Option<&ClaimPath> {
        match &self.form {
            Form::Exact => None,
            Form::PerTenant { claim, .. } => Some(claim),
        }
    }

    /// The tenants whose tokens count, where these are not all.
    #[must_use]
    pub fn tenants(&self) -> Option<&[String]> {
        match &self.form {
            Form::Exact => None,
            Form::PerTenant { tenants, .. } => tenants.as_deref(),
        }
    }

    /// Whether this is `iss` of a token with these claims: the text itself, or the text with the tenant that the token's own
    /// claim names.
    #[must_use]
    pub fn is_of(&self, iss: &str, claims: &Claims) -> bool {
        match self.claim() {
            None => iss == self.text,
            Some(claim) => self
                .tenant_in(iss)
                .is_some_and(|tenant| claims.find(claim).and_then(identifier).as_deref() == Some(tenant)),
        }
    }

    /// Whether `iss` has this form, whatever else the token claims.
    #[must_use]
    pub fn fits(&self, iss: &str) -> bool {
        match self.form {
            Form::Exact => iss == self.text,
            Form::PerTenant { .. } => self.tenant_in(iss).is_some(),
        }
    }

    /// The tenant that `iss` names, where it is one of this issuer's.
    #[must_use]
    pub fn tenant_in<'a>(&self, iss: &'a str) -> Option<&'a str> {
        let Form::PerTenant { before, after, tenants, .. } = &self.form else { return None };
        let tenant = iss.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?;
        let counts = tenants.as_ref().is_none_or(|tenants| tenants.iter().any(|own| own == tenant));
        (counts && is_label(tenant)).then_some(tenant)
    }

    /// Whether one `iss` could be of both: a token would then choose between two entries.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self.texts(), other.texts()) {
            (Some(own), _) => own.iter().any(|iss| other.fits(iss)),
            (None, Some(others)) => others.iter().any(|iss| self.fits(iss)),
            (None, None) => have_common_text(&self.pieces(), &other.pieces()),
        }
    }

    /// All that `iss` can be, where that can be listed.
    fn texts(&self) -> Option<Vec<String>> {
        match &self.form {
            Form::Exact => Some(vec![self.text.clone()]),
            Form::PerTenant { before, after, tenants, .. } => {
                let fill = |tenant: &String| [before, tenant.as_str(), after].concat();
                Some(tenants.as_ref()?.iter().map(fill).collect())
            }
        }
    }

    /// Its bytes; `None` for a label.
    fn pieces(&self) -> Vec<Option<u8>> {
        match &self.form {
            Form::Exact => self.text.bytes().map(Some).collect(),
            Form::PerTenant { before, after, .. } => {
                before.bytes().map(Some).chain([None]).chain(after.bytes().map(Some)).collect()
            }
        }
    }
}

fn check(tenants: Option<&[String]>) -> Result<(), IssuerNameError> {
    let Some(tenants) = tenants else { return Ok(()) };
    if tenants.is_empty() {
        return Err(IssuerNameError::NoTenants);
    }
    match tenants.iter().position(|tenant| !is_label(tenant)) {
        None => Ok(()),
        Some(place) => Err(IssuerNameError::TenantNoLabel(place)),
    }
}

/// One part of a URL that nothing can get out of: no dot, slash, colon, percent sign or other delimiter.
fn is_label(text: &str) -> bool {
    (1..=MAX_LABEL).contains(&text.len()) && text.bytes().all(is_of_label)
}

const fn is_of_label(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Whether one text is of both forms: both are read at once, and a label takes one byte or more.
fn have_common_text(one: &[Option<u8>], other: &[Option<u8>]) -> bool {
    let mut seen = vec![false; (one.len() + 1) * (other.len() + 1)];
    let mut open = vec![(0, 0)];
    while let Some((at, there)) = open.pop() {
        if at == one.len() && there == other.len() {
            return true;
        }
        let (Some(left), Some(right)) = (one.get(at), other.get(there)) else { continue };
        let agree = match (left, right) {
            (Some(left), Some(right)) => left == right,
            (Some(byte), None) | (None, Some(byte)) => is_of_label(*byte),
            (None, None) => true,
        };
        if !agree {
            continue;
        }
        // A label may go on, or have ended.
        for next in if left.is_none() { at..=at + 1 } else { at + 1..=at + 1 } {
            for following in if right.is_none() { there..=there + 1 } else { there + 1..=there + 1 } {
                let place = seen.get_mut(next * (other.len() + 1) + following);
                if place.is_some_and(|seen| !std::mem::replace(seen, true)) {
                    open.push((next, following));
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests;

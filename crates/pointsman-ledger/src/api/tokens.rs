//! Revocations of tokens. They concern whoever the issuer speaks of, so a root key that is limited makes none.

use std::borrow::Cow;

use pointsman_core::base::{identifier::identifier, time::Timestamp};
use serde_json::{Map, Value};

use crate::{
    api::{
        Answered, body,
        caller::Caller,
        change::{Asked, Outcome, Step},
        problem::Problem,
    },
    commit::{Edit, Fault},
    ledger::Ledger,
    storage::Storage,
    tokens::{Revocation, RevokedBy},
};

/// No claim of a token that is looked at is longer.
const MOST_BYTES: usize = 4096;

impl<S: Storage> Ledger<S> {
    pub(crate) fn plan_revocation(caller: &Caller, asked: &Asked<'_>) -> Answered<Step> {
        caller.need_no_limit()?;
        asked.condition.needs_none()?;
        let says = body::object(asked.body, asked.content_type, false)?;
        let mut reader = Reader { says: &says, faults: Vec::new() };
        let (issuer, by) = reader.which();
        let issued_before = reader.text("issuedBefore");
        let until = reader.text("until");
        let until = until.as_deref().and_then(Timestamp::parse_rfc3339);
        if until.is_none() {
            reader.note(
                "/until",
                "must be when the last of these tokens expires, such as 2026-12-31T23:59:59Z",
            );
        }
        reader.only(&["issuer", "jti", "sub", "issuedBefore", "until"])?;
        let (Some(issuer), Some(by), Some(until)) = (issuer, by, until) else {
            return Err(Problem::Invalid(reader.faults));
        };
        let revocation = Revocation { issuer, by, issued_before, until: until.millis() };
        Ok(Step { edits: vec![Edit::RevokeToken(revocation)], outcome: Outcome::Made })
    }

    pub(crate) fn plan_allowance(caller: &Caller, asked: &Asked<'_>) -> Answered<Step> {
        caller.need_no_limit()?;
        asked.condition.needs_none()?;
        let says = body::object(asked.body, asked.content_type, false)?;
        let mut reader = Reader { says: &says, faults: Vec::new() };
        let (issuer, by) = reader.which();
        reader.only(&["issuer", "jti", "sub"])?;
        let (Some(issuer), Some(by)) = (issuer, by) else { return Err(Problem::Invalid(reader.faults)) };
        Ok(Step { edits: vec![Edit::AllowToken { issuer, by }], outcome: Outcome::Made })
    }
}

/// Reads a body's members and notes what is wrong with them.
struct Reader<'a> {
    says: &'a Map<String, Value>,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn note(&mut self, pointer: &str, message: &str) {
        self.faults.push(Fault { pointer: pointer.to_owned(), message: message.to_owned() });
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.says.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if (1..=MOST_BYTES).contains(&text.len()) => Some(text.clone()),
            Some(_) => {
                self.note(&format!("/{name}"), "must be a text of 1 to 4096 bytes");
                None
            }
        }
    }

    /// Text, or a whole number, which is its digits: as tokens have it.
    fn identifier(&mut self, name: &str) -> Option<String> {
        match self.says.get(name) {
            Some(number @ Value::Number(_)) if identifier(number).is_some() => {
                identifier(number).map(Cow::into_owned)
            }
            _ => self.text(name),
        }
    }

    /// Whose tokens, and which.
    fn which(&mut self) -> (Option<String>, Option<RevokedBy>) {
        let issuer = self.text("issuer");
        if issuer.is_none() && self.faults.is_empty() {
            self.note("/issuer", "must be the iss of the tokens");
        }
        let by = match (self.identifier("jti"), self.identifier("sub")) {
            (Some(jti), None) => Some(RevokedBy::Jti(jti)),
            (None, Some(sub)) => Some(RevokedBy::Sub(sub)),
            _ => {
                self.note("", "must name a token by jti, or a subject by sub");
                None
            }
        };
        (issuer, by)
    }

    /// All that is wrong, unknown members among it.
    fn only(&mut self, known: &[&str]) -> Answered<()> {
        let unknown: Vec<String> =
            self.says.keys().filter(|name| !known.contains(&name.as_str())).cloned().collect();
        for name in unknown {
            let pointer = format!("/{}", pointsman_core::base::shape::escape(&name));
            self.note(&pointer, &format!("is unknown: expected one of {}", known.join(", ")));
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::Invalid(std::mem::take(&mut self.faults))) }
    }
}

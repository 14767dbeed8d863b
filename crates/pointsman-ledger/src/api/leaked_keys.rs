//! Keys that somebody found where they do not belong: reported by a root key, or by a secret scanner with its signature.
//! The answer says which of the reported texts are keys, by their digests, as GitHub's partner program reads it.

use std::collections::{BTreeMap, BTreeSet};

use pointsman_core::base::{digest::Digest, time::Timestamp};
use serde_json::{Value, json};

use crate::{
    api::{
        Answered, ApiAnswer, ApiRequest, EntriesRead, Reply, Signature, body, call::Call, caller::Caller,
        change::operation_of, condition::Condition, found::Secrets, mint::Mint, problem::Problem,
    },
    commit::{Edit, MOST_EDITS},
    ledger::{Cause, Ledger, RANDOM_BYTES},
    record::{Leaked, Record},
    rows::Entry,
    settings::LeakAction,
    storage::Storage,
};

/// As whom GitHub's reports are counted, and what the trail says.
const GITHUB: &str = "secret scanning (github)";

/// Names of one text that are answered with: each is looked through for keys, and a report may have very many.
const MOST_KINDS: usize = 8;

/// Who reports.
enum Reporter<'a> {
    Root(&'a Caller),
    GitHub { address: &'a str },
}

/// A text of a report, as scanners send it. What else they say is not read.
struct Said<'a> {
    token: &'a str,
    kind: &'a str,
    url: &'a str,
    source: &'a str,
}

impl<'a> Said<'a> {
    fn read(entry: &'a Value) -> Option<Self> {
        let text = |name: &str| match entry.get(name) {
            None | Some(Value::Null) => Some(""),
            Some(value) => value.as_str(),
        };
        let token = entry.get("token")?.as_str()?;
        Some(Self { token, kind: text("type")?, url: text("url")?, source: text("source")? })
    }
}

/// A text that was reported once or more often.
struct Reported {
    entry: Entry,
    digest: String,
    /// Under which names of the scanner's.
    kinds: BTreeSet<String>,
    /// Where it was found first.
    found: String,
}

impl<S: Storage> Ledger<S> {
    /// Takes a report of a root key.
    pub(crate) fn take_report(
        &mut self,
        caller: &Caller,
        request: &ApiRequest,
        now: Timestamp,
        random: [u8; RANDOM_BYTES],
    ) -> Answered<ApiAnswer> {
        if !body::is_of_type(request.fields.content_type.as_deref(), body::JSON) {
            return Err(Problem::UnsupportedMediaType);
        }
        Condition::of(&request.fields)?.needs_none()?;
        let reported = self.reported(request)?;
        if let Some(names) = self.unread_of(&reported, request, now) {
            return Ok(ApiAnswer::ReadAll(names));
        }
        let carry_out = |ledger: &mut Self, _: &Mint| {
            let reply = ledger.act_on(&reported, &Reporter::Root(caller), request, now)?;
            Ok((reply, Vec::new()))
        };
        let reply = self.change_once(caller, request, now, random, Box::new(carry_out))?;
        Ok(ApiAnswer::Reply(reply))
    }

    /// Takes a report with a signature in place of a root key. Before that is known to be right, nothing of the body is read.
    pub(crate) fn take_signed_report(&mut self, request: &ApiRequest, now: Timestamp) -> Answered<ApiAnswer> {
        if !self.is_on() {
            return Err(Problem::Unavailable);
        }
        let limited = |seconds| Problem::RateLimited { seconds };
        self.rates.check(&request.address, now).map_err(limited)?;
        let is_taken = self.settings.github_reports && Call::of(request) == Ok(Call::LeakedKeys);
        let refusal = match request.signature {
            _ if !is_taken => Problem::CredentialRequired,
            Signature::Unchecked if request.is_too_large && !request.is_ahead => Problem::TooLarge,
            Signature::Unchecked => return Ok(ApiAnswer::Verify),
            Signature::Unknown => return Err(Problem::ScannerKeysUnavailable),
            Signature::None | Signature::Wrong => Problem::CredentialInvalid,
            Signature::Right => {
                self.rates.count_key(GITHUB, now).map_err(limited)?;
                let reported = self.reported(request)?;
                if let Some(names) = self.unread_of(&reported, request, now) {
                    return Ok(ApiAnswer::ReadAll(names));
                }
                let reporter = Reporter::GitHub { address: &request.address };
                return self.act_on(&reported, &reporter, request, now).map(ApiAnswer::Reply);
            }
        };
        self.rates.count_refused(&request.address, now);
        Err(refusal)
    }

    /// What is reported, each text once.
    fn reported(&self, request: &ApiRequest) -> Answered<Vec<Reported>> {
        // The reason is not repeated: it may quote a key.
        let document = serde_json::from_slice(request.body.as_bytes()).unwrap_or(Value::Null);
        let said: Option<Vec<Said<'_>>> =
            document.as_array().and_then(|list| list.iter().map(Said::read).collect());
        let said = said.ok_or_else(|| {
            let what = "must be a list of objects with the text token, and type, url and source where they are known";
            Problem::invalid("", what)
        })?;
        // By the digest: where in `each` it is.
        let mut places = BTreeMap::new();
        let mut each: Vec<(String, Vec<&Said<'_>>)> = Vec::new();
        for said in &said {
            let digest = Digest::of(said.token.as_bytes()).to_string();
            let place = *places.entry(digest.clone()).or_insert(each.len());
            match each.get_mut(place) {
                Some((_, all)) => all.push(said),
                None => each.push((digest, vec![said])),
            }
            if each.len() > MOST_EDITS {
                return Err(Problem::TooMany(MOST_EDITS));
            }
        }
        let keys = each.iter().filter_map(|(_, all)| Some(all.first()?.token)).collect();
        let secrets = Secrets { keys, prefixes: &self.settings.prefixes };
        let reported = each.iter().filter_map(|(digest, all)| Reported::read(digest, all, &secrets));
        Ok(reported.collect())
    }

    /// The entries of KV that are to be read first: somebody may have made a key by hand that the ledger has not seen.
    fn unread_of(
        &mut self,
        reported: &[Reported],
        request: &ApiRequest,
        now: Timestamp,
    ) -> Option<Vec<String>> {
        if request.entries_read != EntriesRead::No {
            return None;
        }
        let entries: Vec<Entry> = reported.iter().map(|one| one.entry.clone()).collect();
        self.unread(&entries, now).filter(|names| !names.is_empty())
    }

    /// Revokes or marks what is a key, and says which of the texts are.
    fn act_on(
        &mut self,
        reported: &[Reported],
        reporter: &Reporter<'_>,
        request: &ApiRequest,
        now: Timestamp,
    ) -> Answered {
        self.takes_changes()?;
        let entries: Vec<Entry> = reported.iter().map(|one| one.entry.clone()).collect();
        let is_read = match request.entries_read {
            EntriesRead::Yes => true,
            // What was known when this was asked first is known now.
            EntriesRead::No | EntriesRead::Failed => {
                self.unread(&entries, now).is_some_and(|names| names.is_empty())
            }
        };
        let mut feedback = Vec::with_capacity(reported.len());
        for one in reported {
            let is_key = self.act_on_one(one, reporter, request, now)?;
            let label = if is_key { "true_positive" } else { "false_positive" };
            feedback.extend(
                one.kinds
                    .iter()
                    .map(|kind| json!({ "token_hash": one.digest, "token_type": kind, "label": label })),
            );
        }
        self.save();
        // What was dealt with stays so: whoever sends the report again changes nothing of that.
        if is_read { Ok(Reply::ok(Value::Array(feedback))) } else { Err(Problem::ReportIncomplete) }
    }

    /// Whether the text is a key, as far as the reporter may learn of that.
    fn act_on_one(
        &mut self,
        one: &Reported,
        reporter: &Reporter<'_>,
        request: &ApiRequest,
        now: Timestamp,
    ) -> Answered<bool> {
        let of = one.entry.record_key();
        let Some(record) = self.record(&of).filter(|record| record.name == one.entry.name()) else {
            return Ok(false);
        };
        let Some(held) = &record.operator else {
            // It was a key until somebody ended it, and nothing says any more whose.
            return Ok(reporter.is_unlimited());
        };
        let is_reached = match reporter {
            Reporter::Root(caller) => reporter.is_unlimited() || self.reaches_text(caller, &held.text),
            Reporter::GitHub { .. } => true,
        };
        if !is_reached {
            return Ok(false);
        }
        let actor = reporter.actor();
        let cause = Cause {
            now,
            actor: &actor,
            operation: reporter.operation(request)?,
            from: reporter.address(),
            found: &one.found,
            may_wait: false,
        };
        let is_new = record.leaked.is_none();
        if is_new {
            let leaked = Some(Leaked { at: now.millis(), found: one.found.clone() });
            self.put_record(&of, Record { leaked, ..record }, now);
        }
        match self.settings.leak_action {
            LeakAction::Revoke => {
                let edit = Edit::RemoveKey { digest: one.digest.clone(), expected: None };
                self.commit_edits(&[edit], &cause, MOST_EDITS)?;
            }
            LeakAction::Mark if is_new => drop(self.next_sequence(one.entry.name(), "leaked", &cause)),
            LeakAction::Mark => {}
        }
        Ok(true)
    }
}

impl Reporter<'_> {
    /// Whoever shows a key's text and is within no limit may have any key ended, a root key of wider scopes too: the text alone
    /// would let anybody do worse.
    fn is_unlimited(&self) -> bool {
        match self {
            Self::Root(caller) => caller.need_no_limit().is_ok(),
            Self::GitHub { .. } => true,
        }
    }

    fn actor(&self) -> String {
        match self {
            Self::Root(caller) => caller.actor(),
            Self::GitHub { .. } => GITHUB.to_owned(),
        }
    }

    fn address(&self) -> &str {
        match self {
            Self::Root(caller) => &caller.address,
            Self::GitHub { address } => address,
        }
    }

    fn operation<'r>(&self, request: &'r ApiRequest) -> Answered<&'r str> {
        match self {
            Self::Root(_) => operation_of(request).map(|operation| match operation {
                "" => request.request_id.as_str(),
                key => key,
            }),
            Self::GitHub { .. } => Ok(&request.request_id),
        }
    }
}

impl Reported {
    fn read(digest: &str, all: &[&Said<'_>], secrets: &Secrets<'_>) -> Option<Self> {
        let first = all.first()?;
        let kinds: BTreeSet<&str> = all.iter().map(|said| said.kind).collect();
        let kinds = kinds.into_iter().take(MOST_KINDS);
        let kinds = kinds.map(|kind| secrets.word(kind).unwrap_or_default().to_owned()).collect();
        let found = secrets.place(first.url, first.source);
        Some(Self { entry: Entry::key(digest)?, digest: digest.to_owned(), kinds, found })
    }
}

//! Changes: planned, committed whole, and remembered for whoever makes the same call again.

use pointsman_core::base::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    api::{
        Answered, ApiRequest, Reply,
        call::Change,
        caller::Caller,
        condition::Condition,
        mint::{Mint, Nonce},
        problem::Problem,
        with_revision,
    },
    commit::{Edit, MOST_EDITS},
    ledger::{Cause, Ledger, RANDOM_BYTES},
    operation::Known,
    storage::Storage,
};

/// One change and what its request says beside.
pub(crate) struct Asked<'a> {
    pub(crate) change: &'a Change,
    pub(crate) body: &'a str,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) condition: Condition,
}

/// What a change comes to: edits, and what is shown when they are made.
pub(crate) struct Step {
    pub(crate) edits: Vec<Edit>,
    pub(crate) outcome: Outcome,
}

/// What is shown of a change that was made.
pub(crate) enum Outcome {
    /// A key as it is now.
    Key { digest: String, is_new: bool, minted: Option<Minted> },
    /// A new key in place of another, which ends or is gone.
    Rolled { digest: String, old: String, minted: Minted },
    /// A customer as it is now.
    Customer { id: String, is_new: bool },
    /// That it was made.
    Made,
}

/// A key that was made: by its number in the call.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Minted {
    pub(crate) prefix: String,
    pub(crate) number: u32,
}

/// A reply as it is remembered: with what its keys are derived from in place of them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Kept {
    reply: Reply,
    nonce: Nonce,
    /// Where in the body each key stands (RFC 6901).
    minted: Vec<(String, Minted)>,
}

/// What a request comes to: its reply, and where in that each key stands. Boxed, so that what is around it is compiled once.
type CarryOut<'a, L> = Box<dyn FnOnce(&mut L, &Mint) -> Answered<(Reply, Vec<(String, Minted)>)> + 'a>;

impl<S: Storage> Ledger<S> {
    /// Makes one change.
    pub(crate) fn change_one(
        &mut self,
        caller: &Caller,
        change: &Change,
        request: &ApiRequest,
        now: Timestamp,
        random: [u8; RANDOM_BYTES],
    ) -> Answered {
        let carry_out = |ledger: &mut Self, mint: &Mint| {
            let asked = Asked {
                change,
                body: &request.body,
                content_type: request.fields.content_type.as_deref(),
                condition: Condition::of(&request.fields)?,
            };
            let step = ledger.plan(caller, &asked, mint, 0, now)?;
            let revision = ledger.make(step.edits, caller, request, now).map_err(|(_, problem)| problem)?;
            let (mut reply, minted) = ledger.shown(&step.outcome, request, now);
            reply.body = with_revision(reply.body, revision);
            Ok((reply, minted.map(|minted| ("/key".to_owned(), minted)).into_iter().collect()))
        };
        self.change_once(caller, request, now, random, Box::new(carry_out))
    }

    /// Carries a request out, unless the same was carried out with its `Idempotency-Key` before: then the reply is the same.
    pub(crate) fn change_once(
        &mut self,
        caller: &Caller,
        request: &ApiRequest,
        now: Timestamp,
        random: [u8; RANDOM_BYTES],
        carry_out: CarryOut<'_, Self>,
    ) -> Answered {
        let ApiRequest { method, path, query, fields, body, .. } = request;
        let operation = match operation_of(request)? {
            "" => String::new(),
            key => format!("api {} {key}", caller.digest),
        };
        // A root key that may do something else by now does not get the answer to what it did before.
        let asked =
            json!([method, path, query, fields.if_match, fields.if_none_match, body, caller.describe()]);
        match self.known_operation::<Kept>(&operation, &asked, now) {
            Known::New => {}
            Known::Done(kept) => return Ok(self.replayed(kept)),
            Known::Another => return Err(Problem::reused()),
        }
        let mint = self.new_mint(random);
        let (reply, minted) = carry_out(self, &mint)?;
        let kept = Kept { reply, nonce: mint.nonce().clone(), minted };
        self.note_operation(&operation, &asked, &kept, now);
        self.save();
        Ok(with_keys(kept, &mint))
    }

    fn replayed(&self, kept: Kept) -> Reply {
        let mint = self.mint_of(kept.nonce.clone());
        with_keys(kept, &mint).with("idempotent-replayed", "true")
    }

    /// Makes edits, all or none. Says the log's last revision, or which edit has which problem.
    pub(crate) fn make(
        &mut self,
        edits: Vec<Edit>,
        caller: &Caller,
        request: &ApiRequest,
        now: Timestamp,
    ) -> Result<u64, (Option<usize>, Problem)> {
        let operation = match operation_of(request).map_err(|problem| (None, problem))? {
            "" => request.request_id.as_str(),
            key => key,
        };
        let actor = caller.actor();
        let cause =
            Cause { now, actor: &actor, operation, from: &caller.address, found: "", may_wait: false };
        // A roll is two edits.
        match self.commit_edits(&edits, &cause, 2 * MOST_EDITS) {
            Ok(committed) => Ok(committed.revision),
            Err(error) => {
                let edit = error.edit();
                let problem = match error.into() {
                    Problem::HostTaken { host, customer } => {
                        let reached = customer.filter(|id| caller.need_customer(id).is_ok());
                        Problem::HostTaken { host, customer: reached }
                    }
                    problem => problem,
                };
                Err((edit, problem))
            }
        }
    }

    /// What a change comes to. `number` tells the keys of one call apart.
    pub(crate) fn plan(
        &self,
        caller: &Caller,
        asked: &Asked<'_>,
        mint: &Mint,
        number: u32,
        now: Timestamp,
    ) -> Answered<Step> {
        match asked.change {
            Change::CreateKey => self.plan_new_key(caller, asked, mint, number, now),
            Change::PutKey(digest) => self.plan_key(caller, digest, asked, now),
            Change::PatchKey(digest) => self.plan_key_patch(caller, digest, asked, now),
            Change::RevokeKey(digest) => self.plan_key_end(caller, digest, asked, now),
            Change::RollKey(digest) => self.plan_roll(caller, digest, asked, mint, number, now),
            Change::PutCustomer(id) => self.plan_customer(caller, id, asked),
            Change::PatchCustomer(id) => self.plan_customer_patch(caller, id, asked),
            Change::RemoveCustomer(id) => self.plan_customer_end(caller, id, asked),
            Change::RevokeTokens => Self::plan_revocation(caller, asked),
            Change::AllowTokens => Self::plan_allowance(caller, asked),
        }
    }

    /// The reply to a change that was made, and the key in it.
    pub(crate) fn shown(
        &self,
        outcome: &Outcome,
        request: &ApiRequest,
        now: Timestamp,
    ) -> (Reply, Option<Minted>) {
        match outcome {
            Outcome::Key { digest, is_new, minted } => {
                let reply = self.key_reply(digest, now);
                (created(reply, *is_new, request, "keys", digest), minted.clone())
            }
            Outcome::Rolled { digest, old, minted } => {
                let mut reply = self.key_reply(digest, now);
                if let Value::Object(body) = &mut reply.body {
                    body.insert("old".to_owned(), self.key_item(old, now).unwrap_or(json!({ "id": old })));
                }
                (created(reply, true, request, "keys", digest), Some(minted.clone()))
            }
            Outcome::Customer { id, is_new } => {
                let reply = self.customer_reply(id);
                (created(reply, *is_new, request, "customers", id), None)
            }
            Outcome::Made => (Reply::ok(json!({})), None),
        }
    }
}

/// The id of a request's operation; empty where it has none.
pub(crate) fn operation_of(request: &ApiRequest) -> Answered<&str> {
    let Some(field) = request.fields.idempotency_key.as_deref() else { return Ok("") };
    let text = field.trim();
    // The draft of the field has a string of RFC 9651 in it, and most clients send it bare.
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let fits = (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
    fits.then_some(text).ok_or_else(|| {
        Problem::Unreadable("Idempotency-Key must be 1 to 128 visible ASCII characters".to_owned())
    })
}

fn created(reply: Reply, is_new: bool, request: &ApiRequest, kind: &str, id: &str) -> Reply {
    if !is_new {
        return reply;
    }
    let location = format!("{}/v1/{kind}/{}", request.base, percent_encoded(id));
    Reply { status: 201, ..reply }.with("location", location)
}

/// A path segment (RFC 3986, section 2.3).
fn percent_encoded(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The reply with its keys.
fn with_keys(kept: Kept, mint: &Mint) -> Reply {
    let Kept { mut reply, minted, .. } = kept;
    for (pointer, Minted { prefix, number }) in minted {
        let Some((parent, name)) = pointer.rsplit_once('/') else { continue };
        if let Some(Value::Object(members)) = reply.body.pointer_mut(parent) {
            members.insert(name.to_owned(), json!(mint.key(&prefix, number)));
        }
    }
    reply
}

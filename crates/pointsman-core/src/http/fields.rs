//! Which of a client's fields reach the backend.
//!
//! The edge copies all fields natively and asks once for each *name* that it has not met before, so
//! the usual request costs a look-up a field and a deletion for the few that must go.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use base64ct::{Base64, Encoding};

use super::{credential_copies::may_hold_a_credential, families::is_set_by_proxies};
use crate::{
    base::scan,
    http::{head::PresentFields, trace_context::Tracing},
};

/// Connection-specific fields, which never pass an intermediary (RFC 9110, section 7.6.1; RFC 9113,
/// section 8.2.2), and `Expect`: the runtime would take a backend's 100 for the answer.
pub const HOP_BY_HOP: &[&str] = &[
    "connection",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields by which a client could pretend to be somewhere or somebody else, or ask a backend
/// framework for another URL or method than the one we authorized.
const SPOOFABLE: &[&str] = &[
    "client-ip",
    "forwarded",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-host",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-real-ip",
    "x-request-id",
];

/// What the platform sets on every request, and so vouches for. Any other `cf-*` field may be the
/// client's own (`cf-access-…` without Access in front).
const PLATFORM: &[&str] = &[
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-ew-via",
    "cf-ipcountry",
    "cf-ray",
    "cf-visitor",
    "cf-worker",
];

/// Those among them that [`crate::forward::plan::edit_fields`] sets on every request, or takes off itself: what came
/// under such a name is replaced, and need not be taken off before.
pub(crate) const REPLACED: &[&str] =
    &["via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-request-id"];

/// Decides for each field name whether it is taken off.
#[derive(Clone, Debug)]
pub struct FieldPolicy {
    removed: HashSet<String>,
    own: Vec<NamePattern>,
    /// The first field for API keys, where that is not `Authorization`.
    key_field: Option<String>,
    /// Further fields that may hold a credential.
    further: Vec<String>,
    /// Whether a client's own `X-Request-Id` is looked at.
    keeps_request_id: bool,
    /// Whether a client's own `traceparent` is.
    reads_traceparent: bool,
    /// Fields that conditions ask for: as backends would fold them, and as conditions spell them.
    asked: HashMap<String, Vec<String>>,
}

/// One name or a family of names that the configuration takes off: `x-acme-user`, `x-internal-*`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamePattern {
    folded: String,
    is_prefix: bool,
}

impl NamePattern {
    /// Reads a field name, or the beginning of one with `*` behind it, in any case; `None` where it is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, is_prefix) = text.strip_suffix('*').map_or((text, false), |name| (name, true));
        // `*` is a letter of field names, and so would be taken for one anywhere else.
        let plain = is_token(name) && !name.contains('*');
        plain.then(|| Self { folded: canonical(name), is_prefix })
    }

    /// Whether it takes off the field `name`, as a backend could fold that.
    #[must_use]
    pub fn takes(&self, name: &str) -> bool {
        self.matches(&canonical(name))
    }

    fn matches(&self, folded: &str) -> bool {
        if self.is_prefix { folded.starts_with(&self.folded) } else { folded == self.folded }
    }
}

/// What is to be done about one field name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FieldVerdict {
    /// Whether what came under it reaches no backend.
    pub removed: bool,
    /// Whether that needs no taking off, since it is set anew whatever came.
    pub replaced: bool,
    /// Whether it is one that a decision may want to read.
    pub seen: PresentFields,
}

impl FieldVerdict {
    /// As bits for the way across the boundary: bit 0 for "take it off", the rest as [`PresentFields`].
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.seen.bits() | (self.removed && !self.replaced) as u32
    }
}

impl FieldPolicy {
    /// `identity` are the fields that we set ourselves; `key_fields` are those that API keys are read
    /// from, without `Authorization`; `own` is what the configuration takes off beside.
    #[must_use]
    pub fn new<'a>(
        identity: impl IntoIterator<Item = &'a str>,
        key_fields: impl IntoIterator<Item = &'a str>,
        own: Vec<NamePattern>,
    ) -> Self {
        let fixed = HOP_BY_HOP.iter().chain(SPOOFABLE).copied();
        let removed = fixed.chain(["authorization"]).chain(identity).map(canonical).collect();
        let mut policy = Self {
            removed,
            own,
            key_field: None,
            further: Vec::new(),
            keeps_request_id: false,
            reads_traceparent: false,
            asked: HashMap::new(),
        };
        for name in key_fields {
            policy.take_credential(name);
            if policy.key_field.is_none() {
                policy.key_field = policy.further.pop();
            }
        }
        policy
    }

    /// Looks for a credential in a further field, which reaches no backend.
    pub fn take_credential(&mut self, name: &str) {
        self.removed.insert(canonical(name));
        self.further.push(name.to_owned());
    }

    /// Looks for a credential in a field that also holds other things.
    pub fn look_into(&mut self, name: &str) {
        if self.further.iter().all(|own| own != name) {
            self.further.push(name.to_owned());
        }
    }

    /// Looks at a client's own `X-Request-Id`.
    pub fn keep_request_id(&mut self) {
        self.keeps_request_id = true;
    }

    /// Looks at a client's own `traceparent`, or takes off what clients say of traces. `traceparent` itself is set anew.
    pub fn join_traces(&mut self, tracing: &Tracing) {
        self.reads_traceparent = tracing.reads();
        if !tracing.reads() {
            self.removed.extend(["tracestate", "baggage"].map(canonical));
        }
    }

    /// Takes off all other spellings of a field that conditions ask for: a backend that folds `x_debug` into
    /// `x-debug` would see what no condition saw.
    pub fn ask_for(&mut self, name: &str) {
        self.asked.entry(canonical(name)).or_default().push(name.to_owned());
    }

    /// The verdict on the field `name`, given in lower case as Fetch lists it.
    ///
    /// A name is judged by what backends make of it: CGI, WSGI and PHP fold `_`, `.` and more into
    /// one character, so `x_customer_id` would shadow `x-customer-id` there.
    #[must_use]
    pub fn judge(&self, name: &str) -> FieldVerdict {
        let folded = canonical(name);
        let removed = self.removed.contains(&folded)
            || is_set_by_proxies(&folded)
            || self.own.iter().any(|own| own.matches(&folded))
            // The platform vouches for its own fields in their own spelling only.
            || (folded.starts_with("cf-") && !PLATFORM.contains(&name))
            || self.asked.get(&folded).is_some_and(|asked| !asked.iter().any(|own| own == name));
        let seen = self.seen(name);
        let kept = !removed && may_hold_a_credential(name);
        let seen = if kept { seen.and(PresentFields::MAY_HOLD_CREDENTIAL) } else { seen };
        // Another spelling of such a name would not be replaced.
        FieldVerdict { removed, replaced: REPLACED.contains(&name), seen }
    }

    fn seen(&self, name: &str) -> PresentFields {
        let common = match name {
            "authorization" => PresentFields::AUTHORIZATION,
            "via" => PresentFields::VIA,
            "connection" => PresentFields::CONNECTION,
            "upgrade" => PresentFields::UPGRADE,
            "origin" => PresentFields::ORIGIN,
            "cf-ray" => PresentFields::CF_RAY,
            "cf-connecting-ip" => PresentFields::CF_CONNECTING_IP,
            "x-pointsman-explain" => PresentFields::EXPLAIN,
            "traceparent" if self.reads_traceparent => PresentFields::TRACEPARENT,
            "x-request-id" if self.keeps_request_id => PresentFields::REQUEST_ID,
            _ => PresentFields::default(),
        };
        if self.key_field.as_deref() == Some(name) {
            return common.and(PresentFields::API_KEY);
        }
        let is_further = self.further.iter().any(|own| own == name);
        if is_further { common.and(PresentFields::FURTHER_CREDENTIAL) } else { common }
    }
}

/// A field name as the laxest backend would fold it.
#[must_use]
pub fn canonical(name: &str) -> String {
    let fold = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(fold).collect()
}

/// No client has a use for more names in `Connection` than these; each costs a call of the runtime.
const MAX_LISTED: usize = 64;

/// Whether `Connection` lists more names than are taken off: empty elements count, since reading them costs as much.
#[must_use]
pub fn lists_too_many(connection: &str) -> bool {
    connection.bytes().filter(|byte| *byte == b',').take(MAX_LISTED).count() == MAX_LISTED
}

/// The field names that `Connection` lists, in lower case (RFC 9110, section 7.6.1).
pub fn listed_by_connection(value: &str) -> impl Iterator<Item = String> + '_ {
    value.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| is_token(name))
}

/// Whether `text` is a token (RFC 9110, section 5.6.2): a field name, a method.
#[must_use]
pub fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// The longest value of a field that a configuration fixes.
pub const MAX_FIXED: usize = 4096;

/// Whether a text can be a field's value as it stands, at most so long: printable ASCII, without a space at either end.
#[must_use]
pub fn is_field_value(text: &str, longest: usize) -> bool {
    let is_value = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    is_value && !text.is_empty() && text.len() <= longest && text.trim() == text
}

/// What `Authorization` says of a user and a password (RFC 7617, section 2).
#[must_use]
#[inline(never)]
pub fn basic_credentials(user: &str, password: &str) -> String {
    format!("Basic {}", Base64::encode_string(format!("{user}:{password}").as_bytes()))
}

/// A claim's text as a field value: visible ASCII as it is; `%`, other bytes and a space at either
/// end percent-encoded. Nothing can break out of the field, and two different texts never look
/// the same to the backend.
#[must_use]
pub fn field_value(text: &str) -> Cow<'_, str> {
    if scan::any(text, |word| word.below(b'!') | word.beyond_visible() | word.is(b'%')) {
        Cow::Owned(encoded(text))
    } else {
        Cow::Borrowed(text)
    }
}

#[cold]
#[inline(never)]
fn encoded(text: &str) -> String {
    let last = text.len().saturating_sub(1);
    let mut value = String::with_capacity(text.len());
    for (index, byte) in text.bytes().enumerate() {
        let inner_space = byte == b' ' && index != 0 && index != last;
        if inner_space || (byte.is_ascii_graphic() && byte != b'%') {
            value.push(char::from(byte));
        } else {
            value.push_str(&format!("%{byte:02X}"));
        }
    }
    value
}

#[cold]
#[inline(never)]
fn unbroken(value: &str) -> String {
    value.replace(['\n', '\r'], " ")
}

/// Fields to set, as they cross to JavaScript: each a line with its name and one with its value.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FieldLines(String);

impl FieldLines {
    /// None yet, and room for lines of so many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// Adds a field with a claim's text, as [`field_value`] has it.
    pub fn push_text(&mut self, name: &str, text: &str) {
        self.push_line(name);
        self.push_line(&field_value(text));
    }

    /// Adds a field whose value is known to hold no line break.
    pub fn push_checked(&mut self, name: &str, value: &str) {
        self.push_line(name);
        self.push_line(value);
    }

    #[inline]
    fn push_line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// Adds a field. No value holds a line break: Fetch keeps them out of the fields that come from outside, and
    /// claims went through [`field_value`]. One that did would become a field of its own, so it becomes a space
    /// whatever is believed.
    pub fn push(&mut self, name: &str, value: &str) {
        self.push_line(name);
        if scan::any(value, |word| word.is(b'\n') | word.is(b'\r')) {
            self.push_line(&unbroken(value));
        } else {
            self.push_line(value);
        }
    }

    /// Adds all fields of `others`.
    pub fn append(&mut self, others: &Self) {
        self.0.push_str(&others.0);
    }

    /// Whether a field of this name is among them.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.iter().any(|(own, _)| own == name)
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut lines = self.0.lines();
        std::iter::from_fn(move || Some((lines.next()?, lines.next()?)))
    }

    /// The lines, each with its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests;

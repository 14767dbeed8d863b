//! Limits: how much a caller may ask for, and which of them apply to a request.
//!
//! Nothing is counted here. What comes out is whom to ask, about whom and what it means if they do not
//! answer; `limits.js` asks before the request is sent.

use std::rc::Rc;

use serde::Serialize;

use crate::{
    base::{
        cidr::network,
        digest::Digest,
        time::{Span, Timestamp},
    },
    customer::record::CustomerConfig,
    identity::{customer_id::CustomerId, method::AuthMethod},
    routing::{
        condition::{Condition, Facts},
        operand::Operand,
    },
};

/// A limit that the configuration names.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Its name, which callers see.
    pub name: Rc<str>,
    /// The Worker's binding that counts.
    pub binding: Rc<str>,
    /// What tells callers apart: the first of these that is there.
    pub by: Vec<By>,
    /// How much is allowed.
    pub measure: Measure,
    /// How long its counter may take.
    pub timeout: Span,
    /// Whether requests are refused while its counter does not answer.
    pub closed: bool,
}

/// How much a limit allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Measure {
    /// So many requests in each period, counted by the platform's Rate Limiting binding.
    Rate {
        /// How many requests.
        limit: u64,
        /// In how long.
        period: Span,
    },
    /// So many requests in each window, counted by a Durable Object: never more.
    Quota {
        /// How many requests.
        quota: u64,
        /// In how long.
        per: Per,
        /// When windows begin.
        anchor: Anchor,
        /// How many an isolate takes at a time.
        batch: u64,
        /// Whether a customer's record may say another `quota`.
        from_record: bool,
    },
}

/// How long the windows of a quota are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Per {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month of the calendar; from the first use, 30 days.
    Month,
}

/// When the windows of a quota begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Anchor {
    /// At the full hour, at midnight or on the first of the month, in UTC.
    Calendar,
    /// With the first request after the last window.
    FirstUse,
}

impl Per {
    /// How long a window is that does not keep to the calendar.
    #[must_use]
    pub const fn span(self) -> Span {
        Span::from_secs(match self {
            Self::Hour => 3600,
            Self::Day => 86_400,
            Self::Month => 30 * 86_400,
        })
    }

    /// The window of the calendar that `now` is in: its beginning and its end, which is not part of it.
    #[must_use]
    pub fn window(self, now: Timestamp) -> (Timestamp, Timestamp) {
        if self == Self::Month {
            // There are none beyond the years that are written with four digits.
            return now.month().unwrap_or((now, now.plus(self.span())));
        }
        let length = self.span().millis();
        let start = Timestamp::from_millis(now.millis() / length * length);
        (start, start.plus(self.span()))
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

/// What tells callers apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum By {
    /// `$customer`: the customer's id.
    Customer,
    /// Whatever conditions can ask for.
    Of(Operand),
}

/// Limits of which the first that fits a caller applies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LimitTiers(pub Vec<Tier>);

/// A limit and whom it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Tier {
    /// All of these must hold; none means always.
    pub when: Vec<Condition>,
    /// An index into the configured limits; `None` for callers who are not limited.
    pub limit: Option<usize>,
}

/// Who calls, as far as limits tell callers apart.
#[derive(Clone, Copy)]
pub struct LimitedCaller<'a> {
    /// All that conditions can look at.
    pub facts: &'a Facts<'a>,
    /// How the caller was authenticated.
    pub method: &'a AuthMethod,
    /// Its customer.
    pub customer: Option<&'a CustomerId>,
    /// The customer's record, where a limit takes its number from there.
    pub record: Option<&'a CustomerConfig>,
}

/// What must let a request pass before it is sent. It crosses to `limits.js` as JSON.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Admission {
    /// The value of `RateLimit-Policy`.
    pub policy: String,
    /// Who is asked.
    pub asks: Vec<CounterRequest>,
}

/// One question to a counter.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CounterRequest {
    /// The limit's name.
    pub name: Rc<str>,
    /// The binding that is asked.
    pub binding: Rc<str>,
    /// Whom it counts.
    pub key: String,
    /// Milliseconds until it must have answered.
    pub timeout: u64,
    /// Whether the request is refused where it does not answer.
    pub closed: bool,
    /// Seconds after which a refused caller surely may try again, where the counter does not say.
    pub retry_after: u64,
    /// What is asked for, if it is a quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<QuotaAsk>,
}

/// What a Durable Object is told of a quota.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct QuotaAsk {
    /// The name of the count, of which an object has one for each of its caller's quotas. One that is
    /// counted in other windows than before is another.
    pub count: String,
    /// How many requests a window allows.
    pub quota: u64,
    /// How many an isolate takes at a time.
    pub batch: u64,
    /// The calendar's window, as milliseconds; none where windows begin with the first use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<(u64, u64)>,
    /// How long a window is that begins with the first use, in milliseconds.
    pub span: u64,
}

impl LimitTiers {
    /// The limit for a caller.
    fn choose(&self, facts: &Facts<'_>) -> Option<usize> {
        let holds = |tier: &&Tier| tier.when.iter().all(|condition| condition.holds(facts));
        self.0.iter().find(holds)?.limit
    }
}

/// The limits of a caller, each once.
#[must_use]
pub fn chosen<'l>(choices: &[LimitTiers], limits: &'l [Limit], facts: &Facts<'_>) -> Vec<&'l Limit> {
    let mut chosen: Vec<usize> = Vec::new();
    for index in choices.iter().filter_map(|choice| choice.choose(facts)) {
        // Named twice, it would count the request twice.
        if !chosen.contains(&index) {
            chosen.push(index);
        }
    }
    chosen.into_iter().filter_map(|index| limits.get(index)).collect()
}

/// What must let this caller's request pass; `None` where nothing limits it.
#[must_use]
pub fn admission(chosen: &[&Limit], caller: LimitedCaller<'_>, now: Timestamp) -> Option<Admission> {
    if chosen.is_empty() {
        return None;
    }
    let policies: Vec<_> = chosen.iter().map(|limit| limit.policy(caller, now)).collect();
    let asks = chosen.iter().map(|limit| limit.ask(caller, now)).collect();
    Some(Admission { policy: policies.join(", "), asks })
}

impl Limit {
    /// Whether customers' records may say another number.
    #[must_use]
    pub const fn is_from_record(&self) -> bool {
        matches!(self.measure, Measure::Quota { from_record: true, .. })
    }

    /// The quota of this caller.
    fn own_quota(&self, usual: u64, caller: LimitedCaller<'_>) -> u64 {
        caller.record.filter(|_| self.is_from_record()).and_then(|own| own.limit(&self.name)).unwrap_or(usual)
    }

    /// The limit as `RateLimit-Policy` has it.
    fn policy(&self, caller: LimitedCaller<'_>, now: Timestamp) -> String {
        let (most, window) = match self.measure {
            Measure::Rate { limit, period } => (limit, period),
            Measure::Quota { quota, per, anchor, .. } => {
                let window = match anchor {
                    Anchor::FirstUse => per.span(),
                    Anchor::Calendar => {
                        let (start, end) = per.window(now);
                        end.since(start)
                    }
                };
                (self.own_quota(quota, caller), window)
            }
        };
        format!("\"{}\";q={most};w={}", self.name, window.secs_ceil())
    }

    fn ask(&self, caller: LimitedCaller<'_>, now: Timestamp) -> CounterRequest {
        let identity = self.identity(caller);
        let (key, retry_after, quota) = match self.measure {
            Measure::Rate { period, .. } => (format!("{}:{identity}", self.name), period.secs_ceil(), None),
            // All quotas of one caller are in one object.
            Measure::Quota { per, .. } => {
                (identity.to_string(), per.span().secs_ceil(), self.quota(caller, now))
            }
        };
        CounterRequest {
            name: Rc::clone(&self.name),
            binding: Rc::clone(&self.binding),
            key,
            timeout: self.timeout.millis(),
            closed: self.closed,
            retry_after,
            quota,
        }
    }

    fn quota(&self, caller: LimitedCaller<'_>, now: Timestamp) -> Option<QuotaAsk> {
        let Measure::Quota { quota, per, anchor, batch, .. } = self.measure else { return None };
        let quota = self.own_quota(quota, caller);
        let (window, begins) = match anchor {
            Anchor::Calendar => {
                let (start, end) = per.window(now);
                (Some((start.millis(), end.millis())), "calendar")
            }
            Anchor::FirstUse => (None, "first-use"),
        };
        let count = format!("{}/{}/{begins}", self.name, per.as_str());
        Some(QuotaAsk { count, quota, batch, window, span: per.span().millis() })
    }

    /// Whom it counts: a digest, so that a counter learns of no subject, address or claim. What the
    /// caller is told by is part of it: no subject is ever taken for an address. Those with nothing to
    /// tell them by are counted together, so that nobody gets out of a limit by leaving something out.
    fn identity(&self, caller: LimitedCaller<'_>) -> Digest {
        let found = self.by.iter().find_map(|by| by.of(caller));
        let (kind, value) = found.unwrap_or_default();
        Digest::of(format!("{kind}\0{value}").as_bytes())
    }
}

impl By {
    fn of(&self, caller: LimitedCaller<'_>) -> Option<(String, String)> {
        match self {
            Self::Customer => Some(("$customer".to_owned(), caller.customer?.as_str().to_owned())),
            // A subject is its issuer's: another's of the same name is somebody else. So is another tenant's.
            Self::Of(Operand::Subject) => {
                let subject = caller.facts.key(&Operand::Subject)?;
                let tenant = match caller.method {
                    AuthMethod::TenantToken(_) => caller.facts.principal.claims.member("iss")?.as_str()?,
                    _ => "",
                };
                let between = if tenant.is_empty() { "" } else { "\0" };
                Some((["$subject\0", caller.method.as_str(), between, tenant].concat(), subject))
            }
            Self::Of(Operand::Ip) => Some(("$ip".to_owned(), address(caller.facts)?)),
            Self::Of(operand) => Some((operand.to_string(), caller.facts.key(operand)?)),
        }
    }
}

/// The client's address as far as it tells clients apart; `None` where the platform says none.
#[must_use]
pub fn address(facts: &Facts<'_>) -> Option<String> {
    facts.key(&Operand::Ip).map(network)
}

//! How long a change takes to count everywhere, computed from the configuration. Operators ask this of
//! a revoked key first; no gateway should leave them to measure it.

use serde_json::Value;

use crate::{
    base::{freshness::Policy, json::json, time::Span},
    identity::jwt::{Issuer, KeySource},
    state::config::Gateway,
};

/// How long KV takes to carry a change to every location: "up to 60 seconds or more", says its own
/// documentation. The gateway lets no location answer from its own copy for longer than 30 seconds,
/// which is part of these.
pub const STORE_PROPAGATION: Span = Span::from_secs(60);

/// One bound.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bound {
    /// What changed.
    pub change: String,
    /// A stable id for machines.
    pub id: String,
    /// How long the old may be used after the change.
    pub within: Span,
    /// How long while the source of the change cannot be reached.
    pub while_down: Span,
    /// What the first figure is made of.
    pub because: String,
}

/// How isolates learn of changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hears {
    /// From the ledger's log.
    Ledger,
    /// From KV, where no ledger is bound.
    Kv,
    /// From the ledger, which learns of an edit in KV by its passes.
    LedgerByPasses,
}

/// How long the ledger takes until it believes that an entry is gone: two passes that are two minutes apart, after KV's
/// minute; with a long `max_staleness` passes are rare.
fn passes(max_staleness: Span) -> Span {
    Span::from_secs(if max_staleness >= Span::from_secs(30) { 15 * 60 } else { 5 * 60 })
}

/// The bounds that this configuration gives to isolates that hear of changes like this.
#[must_use]
pub fn bounds(gateway: &Gateway, hears: Hears) -> Vec<Bound> {
    let mut bounds = Vec::new();
    let follow = gateway.directory.follow;
    let max_staleness = match hears {
        Hears::LedgerByPasses => follow.pace.max_staleness().plus(passes(follow.pace.max_staleness())),
        Hears::Ledger | Hears::Kv => follow.pace.max_staleness(),
    };
    let by_log = |change: &str, id: &str, stale: Span| Bound {
        change: change.to_owned(),
        id: id.to_owned(),
        within: max_staleness,
        while_down: if follow.open { stale } else { max_staleness },
        because: match hears {
            Hears::LedgerByPasses => {
                "two passes of the ledger over KV, which more than 20 000 entries make longer, and \
                 max_staleness"
                    .to_owned()
            }
            Hears::Ledger | Hears::Kv => "max_staleness of [directory]".to_owned(),
        },
    };
    if let Some(Policy { lifetimes, .. }) = gateway.key_policy() {
        bounds.push(match hears {
            Hears::Ledger | Hears::LedgerByPasses => {
                by_log("a revoked API key stops", "api_key_revoked", lifetimes.stale)
            }
            Hears::Kv => Bound {
                change: "a revoked API key stops".to_owned(),
                id: "api_key_revoked".to_owned(),
                within: STORE_PROPAGATION.plus(lifetimes.revalidate),
                while_down: lifetimes.stale,
                because: format!("{STORE_PROPAGATION} for KV and {} fresh", lifetimes.revalidate),
            },
        });
    }
    if hears != Hears::Kv && !gateway.issuers.is_empty() {
        bounds.push(by_log("a revoked token stops", "token_revoked", gateway.stale_revocations()));
    }
    for issuer in gateway.issuers.iter().filter(|issuer| issuer.leeway.expiry > Span::default()) {
        let leeway = issuer.leeway.expiry;
        bounds.push(Bound {
            change: format!("a token of issuer {} that has expired stops", issuer.name),
            id: format!("token_expired:{}", issuer.name),
            within: leeway,
            while_down: leeway,
            because: format!("{leeway} leeway"),
        });
    }
    let is_asked = |issuer: &&Issuer| matches!(issuer.keys, KeySource::Introspection(_));
    for issuer in gateway.issuers.iter().filter(is_asked) {
        let fresh = issuer.policy.lifetimes.revalidate;
        bounds.push(Bound {
            change: format!("a token that issuer {} has ended stops", issuer.name),
            id: format!("token_ended:{}", issuer.name),
            within: fresh,
            while_down: fresh,
            because: format!("{fresh} fresh"),
        });
    }
    for issuer in gateway.issuers.iter().filter(|issuer| issuer.keys.is_fetched()) {
        let lifetimes = &issuer.policy.lifetimes;
        bounds.push(Bound {
            change: format!("a key that issuer {} withdrew stops", issuer.name),
            id: format!("issuer_key_withdrawn:{}", issuer.name),
            within: lifetimes.revalidate,
            while_down: lifetimes.stale,
            because: format!("{} fresh", lifetimes.revalidate),
        });
        bounds.push(Bound {
            change: format!("a key that issuer {} added works", issuer.name),
            id: format!("issuer_key_added:{}", issuer.name),
            within: issuer.cooldown,
            while_down: lifetimes.stale,
            because: format!("{} cooldown", issuer.cooldown),
        });
    }
    if let Some(customers) = &gateway.customers {
        let lifetimes = &customers.policy.lifetimes;
        // Where the config API has changed, an isolate may still be given the old record by its KV location.
        bounds.push(match hears {
            Hears::Ledger | Hears::LedgerByPasses => by_log(
                "a customer that was changed or removed in the ledger counts",
                "customer_changed",
                lifetimes.stale,
            ),
            Hears::Kv => Bound {
                change: "a changed or removed customer counts, from the request after the first,".to_owned(),
                id: "customer_changed".to_owned(),
                within: STORE_PROPAGATION.plus(lifetimes.fresh),
                while_down: lifetimes.stale,
                because: format!("{STORE_PROPAGATION} for KV and {} fresh", lifetimes.fresh),
            },
        });
    }
    bounds
}

impl std::fmt::Display for Bound {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { change, within, while_down, because, .. } = self;
        write!(
            formatter,
            "{change} within {within} ({because}); while its source cannot be reached, within {while_down}"
        )
    }
}

impl Bound {
    /// For machines; spans in milliseconds.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "id": self.id, "within_ms": self.within.millis(), "while_down_ms": self.while_down.millis() })
    }
}

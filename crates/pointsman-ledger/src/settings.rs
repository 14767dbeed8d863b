//! What the gateway's configuration says of the ledger.

use pointsman_core::{customer::backend_url::AllowHttp, identity::claims::ClaimPath};
use serde::Deserialize;

/// Where customers come from beside the operators.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// From nowhere else.
    #[default]
    None,
    /// From the config API, which lists them all.
    List,
    /// From the config API, which is asked for one at a time.
    ById,
}

/// What becomes of a key that somebody found where it does not belong.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum LeakAction {
    /// It is revoked.
    #[default]
    Revoke,
    /// It goes on working, and its record says that it has leaked.
    Mark,
}

/// What the gateway's configuration says of the ledger.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Where plain http may be spoken: `never`, `loopback` or `always`.
    pub allow_http: String,
    /// How long after a change an isolate may still answer by what was before, in milliseconds.
    pub max_staleness: u64,
    /// The longest time for which the gateway uses what it cannot refresh, in milliseconds.
    pub stale: u64,
    /// How long a customer's record counts once its entry on the config API's list cannot be used any more, in milliseconds.
    pub customers_stale: u64,
    /// Which share of the entries one pass over KV may find gone, in percent.
    pub max_removed: u8,
    /// For how long a customer's record counts before the config API is asked for it again, in milliseconds.
    pub customers_fresh: u64,
    /// Where customers come from beside the operators.
    pub source: Source,
    /// Whether the provider says which customers changed, so that what is asked for by id counts until then.
    pub announced: bool,
    /// What the types of problems begin with.
    pub problem_base: String,
    /// The prefixes of API keys that are made here, without their last `_`.
    pub prefixes: Vec<String>,
    /// The claim that names a caller's customer, as `[customers] claim` has it: a name, or a JSON Pointer (RFC 6901) that
    /// begins with `/`. Empty where no caller has a customer.
    pub customer_claim: String,
    /// What becomes of a key that has leaked.
    pub leak_action: LeakAction,
    /// Whether GitHub's secret scanning may report keys, with its signature in place of a root key.
    pub github_reports: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow_http: String::new(),
            max_staleness: 10_000,
            stale: 0,
            customers_stale: 0,
            max_removed: 10,
            customers_fresh: 0,
            source: Source::None,
            announced: false,
            problem_base: "urn:pointsman:problem:".to_owned(),
            prefixes: Vec::new(),
            customer_claim: String::new(),
            leak_action: LeakAction::Revoke,
            github_reports: false,
        }
    }
}

impl Settings {
    /// Where plain http may be spoken; nowhere, where that cannot be read.
    pub(crate) fn allow_http(&self) -> AllowHttp {
        AllowHttp::parse(&self.allow_http).unwrap_or_default()
    }

    /// The claim that names a caller's customer; one that nobody has, where that cannot be read.
    pub(crate) fn customer_claim(&self) -> ClaimPath {
        ClaimPath::parse(&self.customer_claim).unwrap_or_else(ClaimPath::never)
    }
}

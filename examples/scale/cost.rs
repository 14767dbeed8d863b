//! What it costs. The only place where prices stand.

use crate::model::Tally;

/// List prices of the Workers paid plan in US dollars a million, when this was written. Check yours.
pub(crate) struct Prices {
    /// Reads of KV; each is paid for, whether the location had the entry at hand or not.
    pub(crate) kv_read: f64,
    /// Writes of KV.
    pub(crate) kv_write: f64,
    /// Requests of Workers, to compare with.
    pub(crate) request: f64,
}

/// What is reckoned with.
pub(crate) const PRICES: Prices = Prices { kv_read: 0.50, kv_write: 5.00, request: 0.30 };

impl Prices {
    /// What KV costs for a million requests.
    #[must_use]
    pub(crate) fn kv_per_million(&self, tally: &Tally) -> f64 {
        self.kv_read * tally.per_request(tally.kv_reads()) + self.kv_write * tally.per_request(tally.writes)
    }
}

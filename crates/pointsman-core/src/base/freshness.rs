//! How long what is used, and how a source that fails is treated: data and pure functions of time.

use crate::base::time::Span;

/// How far apart the clocks of two isolates may be.
pub const MAX_CLOCK_SKEW: Span = Span::from_secs(60);

/// How long an entry is used in which way, counted from when it was stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lifetimes {
    /// Up to here it is used without a second thought.
    pub fresh: Span,
    /// Up to here it is used at once and refreshed behind the response.
    pub revalidate: Span,
    /// Up to here it is used where its source fails.
    pub stale: Span,
}

impl Lifetimes {
    /// For what must be right soon after a change (keys, key sets): in the second half of `fresh` it
    /// is refreshed behind responses, after `fresh` it is asked for before it is used, and `stale`
    /// counts only while the source is down. So `fresh` is an upper bound, idle or busy.
    #[must_use]
    pub fn strict(fresh: Span, stale: Span) -> Self {
        Self { fresh: fresh.half(), revalidate: fresh, stale: stale.max(fresh) }
    }

    /// For what must be quick (customers): after `fresh` and up to `stale` the old value answers at
    /// once while one refresh runs.
    #[must_use]
    pub fn swift(fresh: Span, stale: Span) -> Self {
        Self { fresh, revalidate: stale.max(fresh), stale: stale.max(fresh) }
    }

    /// What may be done with an entry of this age.
    #[must_use]
    pub fn state(&self, age: Span) -> Freshness {
        if age < self.fresh {
            Freshness::Fresh
        } else if age < self.revalidate {
            Freshness::Revalidate
        } else if age < self.stale {
            Freshness::OnlyIfError
        } else {
            Freshness::Expired
        }
    }
}

/// What may be done with an entry. Grows with age and never goes back.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Freshness {
    /// Use it.
    Fresh,
    /// Use it and refresh it behind the response (`stale-while-revalidate`).
    Revalidate,
    /// Ask first; use it where the source fails (`stale-if-error`).
    OnlyIfError,
    /// Do not use it.
    Expired,
}

impl Freshness {
    /// Its name for operators: fresh, stale or expired.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Revalidate | Self::OnlyIfError => "stale",
            Self::Expired => "expired",
        }
    }
}

/// How long "there is no such entry" is believed at the most.
pub const NEGATIVE_FRESH: Span = Span::from_secs(30);

/// How long a source that failed is left alone: `first` after one failure, twice as long after each
/// further one, up to [`BackOff::MOST`] times `first`. Each pause is up to a quarter shorter or longer,
/// by key and isolate, so that isolates that failed together do not ask again together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BackOff {
    /// After one failure.
    pub first: Span,
}

impl BackOff {
    /// The longest pause as a multiple of the first.
    pub const MOST: u64 = 32;

    /// The pause after `failures` in a row. `salt` chooses within the jitter.
    #[must_use]
    pub fn pause(self, failures: u32, salt: u64) -> Span {
        let doubled = 1u64.checked_shl(failures.saturating_sub(1)).unwrap_or(Self::MOST).min(Self::MOST);
        let whole = self.first.millis().saturating_mul(doubled);
        let half = (whole / 2).max(1);
        Span::from_millis((whole - whole / 4).saturating_add(salt % half))
    }
}

/// How a class of entries is kept and loaded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Policy {
    /// How long an entry is used in which way.
    pub lifetimes: Lifetimes,
    /// The longest that one load can take: until then others wait for it, after that one of them
    /// takes it over.
    pub lease: Span,
    /// How long a source that failed is left alone.
    pub back_off: BackOff,
}

#[cfg(test)]
impl Policy {
    pub(crate) const TEST: Self = Self {
        lifetimes: Lifetimes {
            fresh: Span::from_secs(30),
            revalidate: Span::from_secs(60),
            stale: Span::from_secs(3600),
        },
        lease: Span::from_secs(15),
        back_off: BackOff { first: Span::from_secs(1) },
    };
}

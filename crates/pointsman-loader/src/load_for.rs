//! Whom a load is for.

/// Whom a load is for, which decides how old an answer may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LoadFor {
    /// A request that waits for it: what may still be used is good enough.
    Request,
    /// Nobody who waits: it happens behind a response, and the source itself is asked.
    BackgroundRefresh,
}

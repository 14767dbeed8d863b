//! Code that few loads run, kept out of the functions that many do.

use std::pin::Pin;

/// A part of a load that few take. As a future of its own its code stays out of the function around it, which the engine
/// compiles whole before the first request that runs it is answered.
#[inline(never)]
pub(crate) fn boxed_cold<'a, T>(rare: impl Future<Output = T> + 'a) -> Pin<Box<dyn Future<Output = T> + 'a>> {
    Box::pin(rare)
}

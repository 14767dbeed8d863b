//! Runs the real scheduled refresh over lists of some size and counts what it asks of KV.

use std::cell::RefCell;

use pointsman_core::{
    base::time::{Span, Timestamp},
    customer::roster::RosterState,
    identity::customer_id::CustomerId,
    state::memory::Memory,
};
use pointsman_loader::{ports::SourceError, scheduled::CustomerRefresh};
use pointsman_testkit::World;

use crate::typical;

/// What filling an empty KV from a list took, and what follows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filling {
    /// Customers on the list.
    pub(crate) customers: u64,
    /// Bytes of the list.
    pub(crate) list: usize,
    /// Bytes of the index in KV at the end.
    pub(crate) index: usize,
    /// Records that the first run wrote.
    pub(crate) first_run: usize,
    /// Calls of KV that it made.
    pub(crate) calls: u64,
    /// Runs that write as many until nothing is left to write.
    pub(crate) runs: u64,
    /// Runs that make the index anew where all records stand but for those of the first run.
    pub(crate) runs_of_index: u64,
    /// Calls of KV in a run without changes where the config API has entity tags.
    pub(crate) unchanged: u64,
    /// The same where it has none.
    pub(crate) unchanged_untagged: u64,
}

/// Fills an empty KV.
///
/// # Errors
/// Where the refresh fails.
pub(crate) fn fill(customers: u64) -> Result<Filling, String> {
    let gateway = typical::gateway()?;
    let entries: Vec<_> = (1..=customers).map(typical::entry).collect();
    let list = format!("[{}]", entries.join(","));
    let world = World::empty();
    world.now.set(Timestamp::from_millis(1_800_000_000_000));
    world.tags.set(true);
    world.answer(typical::CONFIG_API, 200, &list);
    let mut filling = Filling { customers, list: list.len(), ..Filling::default() };
    let memory = RefCell::new(Memory::new(&gateway, 1));
    let refresh = CustomerRefresh::of(&gateway, &memory, &world);
    let refresh = refresh.ok_or_else(|| "the configuration names no config API".to_owned())?;
    let run = || {
        world.pass(Span::from_secs(120));
        world.take_asked();
        let refreshed = pollster::block_on(refresh.run());
        let is_of_store = |asked: &&String| asked.starts_with("kv ") || asked.starts_with("put ");
        let calls = world.take_asked().iter().filter(is_of_store).count() as u64;
        refreshed.map(|refreshed| (refreshed, calls)).map_err(|SourceError(what)| what)
    };
    let (first, calls) = run()?;
    (filling.first_run, filling.calls) = (first.written, calls);
    filling.runs = customers.div_ceil(first.written.max(1) as u64);
    // The other runs do the same over and over. Their records are put in place, so that the index is
    // made as it is where it was lost: each record is read and none is written.
    put_in_place(&world, customers);
    let mut pending = first.pending;
    while pending > 0 {
        pending = run()?.0.pending;
        filling.runs_of_index += 1;
    }
    filling.index = world.store.borrow().get(RosterState::INDEX_KEY).map_or(0, Vec::len);
    filling.unchanged = run()?.1;
    world.tags.set(false);
    filling.unchanged_untagged = run()?.1;
    Ok(filling)
}

/// What the runs have written that are not run.
fn put_in_place(world: &World, customers: u64) {
    let mut entries = world.store.borrow_mut();
    for rank in 1..=customers {
        let name = format!("{}{}", CustomerId::REFRESHED_PREFIX, typical::id(rank));
        entries.entry(name).or_insert_with(|| typical::refreshed(rank).into_bytes());
    }
}

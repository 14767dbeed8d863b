//! What the store says of the scheduled refresh: when it last found that all records agree with the list.

use std::cell::RefCell;

use pointsman_core::{
    base::{
        json::{ToJson, text},
        record::read_record,
        time::{Span, Timestamp},
    },
    customer::roster::RosterState,
    state::{config::Gateway, memory::Memory},
};

use crate::{
    ports::{Ports, SourceError},
    store::Store,
};

/// How long what the store says of the last refresh is believed: as long as a KV location may keep it.
const STATE_FRESH: Span = Span::from_secs(30);

/// The entry of the store that says so.
pub(crate) struct RefreshState<'a, P> {
    memory: &'a RefCell<Memory>,
    ports: &'a P,
    store: Store<'a, P>,
}

impl<'a, P: Ports> RefreshState<'a, P> {
    pub(crate) const fn new(gateway: &Gateway, memory: &'a RefCell<Memory>, ports: &'a P) -> Self {
        Self { memory, ports, store: Store::new(gateway, memory, ports) }
    }

    /// Reads it; nothing where there was no refresh.
    pub(crate) async fn read(&self) -> Result<RosterState, SourceError> {
        let json = self.store.read(RosterState::STORE_KEY).await;
        if let Err(SourceError(what)) = &json {
            self.ports.warn("roster_state_failed", what);
        }
        let Some(json) = json? else { return Ok(RosterState::default()) };
        Ok(read_record(&json).unwrap_or_else(|error| {
            self.ports.warn("roster_state_malformed", &format!("{} {error}", RosterState::STORE_KEY));
            RosterState::default()
        }))
    }

    /// When the scheduled refresh last found that all records agree with the list, as far as memory knows and the
    /// store says.
    pub(crate) async fn confirmed_at(&self, now: Timestamp) -> Option<Timestamp> {
        let known = self.memory.borrow().roster_state.clone();
        if let Some((read_at, state)) = known
            && now.since(read_at) < STATE_FRESH
        {
            return state.confirmed_at(now);
        }
        let state = self.read().await.unwrap_or_default();
        let confirmed_at = state.confirmed_at(now);
        self.memory.borrow_mut().roster_state = Some((now, state));
        confirmed_at
    }

    /// Writes what a run that began at `asked_at` found.
    pub(crate) async fn write(&self, state: RosterState, asked_at: Timestamp) -> Result<(), SourceError> {
        // A run that began later may have ended sooner.
        let there = self.read().await?;
        if there.confirmed_at(asked_at).is_some_and(|at| at > asked_at) {
            return Ok(());
        }
        let json = text(&state.to_json());
        self.store.put_many(&[(RosterState::STORE_KEY.to_owned(), json)]).await?;
        self.memory.borrow_mut().roster_state = Some((self.ports.now(), state));
        Ok(())
    }
}

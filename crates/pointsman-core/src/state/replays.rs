//! Which proofs of possession this isolate has taken (RFC 9449, section 11.1).

use crate::base::time::{Span, Timestamp};

/// Proofs of one window that are remembered. Half of the places of a table are left free, so that a search ends soon.
const MOST: usize = 1 << 14;
const PLACES: usize = 2 * MOST;

/// The proofs of the last window, and of the one before it. Where more are taken than a table holds, the older one is
/// forgotten before its time: memory stays bounded, and nobody is refused for what others send.
#[derive(Default)]
pub struct Replays {
    now: Table,
    before: Table,
    began: Timestamp,
}

/// An open-addressed set. Ids are the beginnings of digests, so they are spread already; 0 is a free place.
#[derive(Default)]
struct Table {
    places: Vec<u64>,
    count: usize,
}

impl Replays {
    /// Whether a proof of this id was taken.
    #[must_use]
    pub fn holds(&self, id: u64) -> bool {
        self.now.holds(id) || self.before.holds(id)
    }

    /// Takes a proof, which could be taken again for as long as `window`; false where it was taken before.
    pub fn take(&mut self, id: u64, now: Timestamp, window: Span) -> bool {
        let age = now.since(self.began);
        if age >= window || self.now.count >= MOST {
            // What was taken before the last window began could not be taken again.
            let is_over = age >= window.plus(window);
            self.before = if is_over { Table::default() } else { std::mem::take(&mut self.now) };
            self.now = Table::default();
            self.began = now;
        }
        if self.holds(id) {
            return false;
        }
        self.now.add(id);
        true
    }
}

impl Table {
    /// The place of an id, or the free one where it would stand.
    fn place(&self, id: u64) -> usize {
        let mut place = usize::try_from(id % PLACES as u64).unwrap_or_default();
        while self.places.get(place).is_some_and(|own| *own != 0 && *own != id) {
            place = (place + 1) % PLACES;
        }
        place
    }

    fn holds(&self, id: u64) -> bool {
        self.places.get(self.place(id.max(1))) == Some(&id.max(1))
    }

    fn add(&mut self, id: u64) {
        if self.places.is_empty() {
            self.places = vec![0; PLACES];
        }
        let place = self.place(id.max(1));
        if let Some(own) = self.places.get_mut(place) {
            *own = id.max(1);
            self.count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Span = Span::from_secs(65);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + seconds * 1000)
    }

    #[test]
    fn a_proof_is_taken_once_while_it_could_be_taken_again() {
        let mut replays = Replays::default();
        assert!(!replays.holds(7));
        assert!(replays.take(7, at(0), WINDOW));
        for seconds in [0, 1, 64, 65, 129] {
            assert!(!replays.take(7, at(seconds), WINDOW), "{seconds}");
            assert!(replays.holds(7));
        }
        assert!(replays.take(7, at(260), WINDOW), "it is too old by itself by then");
        assert!(replays.take(0, at(260), WINDOW) && !replays.take(0, at(260), WINDOW));
    }

    #[test]
    fn what_came_at_a_window_s_end_is_remembered_for_a_whole_one() {
        let mut replays = Replays::default();
        assert!(replays.take(1, at(0), WINDOW));
        assert!(replays.take(2, at(64), WINDOW));
        assert!(replays.take(3, at(65), WINDOW));
        assert!(!replays.take(2, at(128), WINDOW));
    }

    #[test]
    fn a_flood_takes_bounded_memory_and_refuses_nobody() {
        let mut replays = Replays::default();
        for id in 0..5 * MOST as u64 {
            assert!(replays.take(id.wrapping_mul(0x9e37_79b9_7f4a_7c15), at(1), WINDOW), "{id}");
        }
        assert!(replays.now.count <= MOST && replays.now.places.len() == PLACES);
        assert!(replays.before.places.len() == PLACES);
    }
}

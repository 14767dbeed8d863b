use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    base::{
        freshness::{BackOff, Lifetimes},
        time::Span,
    },
    state::slot::Slot,
};

const T0: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const SWIFT: Policy = Policy {
    lifetimes: Lifetimes {
        fresh: Span::from_secs(300),
        revalidate: Span::from_secs(3600),
        stale: Span::from_secs(3600),
    },
    ..Policy::TEST
};

fn at(seconds: u64) -> Timestamp {
    T0.plus(Span::from_secs(seconds))
}

fn cache() -> (Cache<u32>, Digest) {
    (Cache::new(1 << 20, SWIFT, 7), Digest::of(b"k"))
}

fn present(value: u32, seconds: u64) -> Loaded<u32> {
    loaded(Stored::Present(Rc::new(value)), seconds)
}

fn loaded(stored: Stored<u32>, seconds: u64) -> Loaded<u32> {
    Loaded { stored, weight: 8, asked_at: at(seconds), as_of: at(seconds) }
}

fn hit(value: u32, refresh: bool) -> Lookup<u32> {
    Lookup::Hit { stored: Stored::Present(Rc::new(value)), refresh }
}

const LEAD: Lookup<u32> = Lookup::Load(Lease::Acquired);
const ABSENT: Lookup<u32> = Lookup::Hit { stored: Stored::Absent, refresh: false };

#[test]
fn fresh_then_stale_with_one_refresh_then_expired() {
    let (mut cache, key) = cache();
    assert_eq!(cache.lookup(&key, at(0), false), LEAD);
    cache.store(key, present(1, 0));
    assert_eq!(cache.lookup(&key, at(299), false), hit(1, false));
    assert_eq!(cache.lookup(&key, at(300), false), hit(1, true));
    assert_eq!(cache.lookup(&key, at(301), false), hit(1, false), "one refresh at a time");
    assert_eq!(cache.lookup(&key, at(315), false), hit(1, true), "a lease that ran out is taken over");
    assert_eq!(cache.lookup(&key, at(3600), false), LEAD);
}

#[test]
fn one_loads_and_others_wait_until_its_lease_ends() {
    let (mut cache, key) = cache();
    assert_eq!(cache.lookup(&key, at(0), false), LEAD);
    assert_eq!(cache.lookup(&key, at(1), false), Lookup::Load(Lease::HeldUntil(at(15))));
    assert!(cache.is_loading(&key, at(14)) && !cache.is_loading(&key, at(15)));
    assert_eq!(cache.lookup(&key, at(15), false), LEAD, "taken over");
    assert_eq!(cache.lookup(&key, at(16), false), Lookup::Load(Lease::HeldUntil(at(30))));
    cache.store(key, present(1, 15));
    assert_eq!(cache.lookup(&key, at(17), false), hit(1, false));
    assert!(!cache.is_loading(&key, at(17)));
}

#[test]
fn the_next_lookup_after_a_refresh_sees_the_new_value() {
    let (mut cache, key) = cache();
    cache.store(key, present(1, 0));
    assert_eq!(cache.lookup(&key, at(400), false), hit(1, true));
    cache.store(key, present(2, 401));
    assert_eq!(cache.lookup(&key, at(401), false), hit(2, false));
}

#[test]
fn a_failed_refresh_changes_nothing_but_a_back_off_that_grows() {
    let (mut cache, key) = cache();
    cache.store(key, present(1, 0));
    let mut now = 400_000;
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let failed_at = T0.plus(Span::from_millis(now));
        assert_eq!(cache.lookup(&key, failed_at, false), hit(1, true));
        cache.fail(&key, failed_at, failed_at, false);
        let mut pause = 0;
        while cache.lookup(&key, T0.plus(Span::from_millis(now + pause)), false) == hit(1, false) {
            pause += 10;
        }
        cache.end_lease(&key, failed_at.plus(Span::from_millis(pause)));
        pauses.push(pause);
        now += pause;
    }
    for (index, pause) in pauses.iter().enumerate() {
        let whole = 1000u64 << index.min(5);
        assert!((whole * 3 / 4..=whole * 5 / 4 + 10).contains(pause), "{pauses:?}");
    }
    cache.store(key, present(2, 900));
    assert_eq!(cache.failures(&key), (0, Timestamp::default()), "forgotten once it works again");
}

#[test]
fn isolates_that_failed_together_do_not_ask_again_together() {
    let pauses: std::collections::BTreeSet<_> = (0..20)
        .map(|seed| {
            let mut cache: Cache<u32> = Cache::new(1 << 20, SWIFT, seed * 7919);
            let key = Digest::of(b"k");
            cache.fail(&key, at(0), at(0), true);
            cache.failures(&key).1.since(at(0)).millis()
        })
        .collect();
    assert!(pauses.len() > 10, "{pauses:?}");
}

#[test]
fn a_source_that_failed_is_left_alone_also_where_nothing_is_cached() {
    let (mut cache, key) = cache();
    assert_eq!(cache.lookup(&key, at(0), false), LEAD);
    cache.fail(&key, at(0), at(0), true);
    assert_eq!(cache.lookup(&key, at(0), false), Lookup::Unavailable, "which is not \"there is none\"");
    assert_eq!(cache.lookup(&key, at(2), false), LEAD);
    cache.fail(&key, at(2), at(2), false);
    let other = Digest::of(b"other");
    cache.fail(&other, at(0), at(0), false);
    assert_eq!(cache.lookup(&other, at(0), false), LEAD, "a store is asked again at once");
}

#[test]
fn whoever_has_failed_takes_what_there_is_and_no_lease() {
    let (mut cache, key) = cache();
    assert_eq!(cache.lookup(&key, at(0), true), Lookup::Unavailable);
    assert_eq!(cache.lookup(&key, at(0), false), LEAD);
    cache.store(key, present(1, 0));
    assert_eq!(cache.lookup(&key, at(400), true), hit(1, false));
    assert_eq!(cache.lookup(&key, at(400), false), hit(1, true));
}

#[test]
fn strict_entries_are_asked_for_again_after_fresh_and_fall_back_on_failure() {
    let lifetimes = Lifetimes::strict(Span::from_secs(60), Span::from_secs(3600));
    let mut cache = Cache::new(1 << 20, Policy { lifetimes, ..SWIFT }, 7);
    let key = Digest::of(b"k");
    cache.store(key, present(1, 0));
    assert_eq!(cache.lookup(&key, at(29), false), hit(1, false));
    assert_eq!(cache.lookup(&key, at(30), false), hit(1, true));
    cache.end_lease(&key, at(30));
    assert_eq!(cache.lookup(&key, at(60), false), LEAD);
    assert_eq!(cache.lookup(&key, at(61), false), hit(1, false), "one asks, others are served");
    cache.fail(&key, at(60), at(61), false);
    assert_eq!(cache.lookup(&key, at(61), false), hit(1, false), "not asked by each request anew");
    assert_eq!(cache.lookup(&key, at(63), false), LEAD);
    assert_eq!(cache.lookup(&key, at(3600), false), LEAD);
}

#[test]
fn absence_is_believed_for_a_short_time() {
    let (mut cache, key) = cache();
    cache.store(key, loaded(Stored::Absent, 0));
    assert_eq!(cache.lookup(&key, at(29), false), ABSENT);
    assert_eq!(cache.lookup(&key, at(30), false), LEAD);
}

#[test]
fn a_malformed_document_never_evicts_a_good_one() {
    let (mut cache, key) = cache();
    cache.store(key, present(1, 0));
    cache.store(key, loaded(Stored::Malformed, 400));
    assert_eq!(cache.lookup(&key, at(400), false), hit(1, false));
    cache.store(key, loaded(Stored::Malformed, 3600));
    let malformed = Lookup::Hit { stored: Stored::Malformed, refresh: false };
    assert_eq!(cache.lookup(&key, at(3601), false), malformed);
}

#[test]
fn an_answer_that_was_overtaken_is_not_stored() {
    let (mut cache, key) = cache();
    cache.store(key, loaded(Stored::Absent, 10));
    assert_eq!(cache.store(key, present(1, 5)), Stored::Absent);
    assert_eq!(cache.lookup(&key, at(11), false), ABSENT);
}

#[test]
fn what_others_stored_ages_from_when_they_asked() {
    let (mut cache, key) = cache();
    cache.store(key, loaded(Stored::Absent, 10));
    // A record that was fetched before the absence was seen, read after it.
    cache.store(key, Loaded { as_of: at(5), ..present(1, 50) });
    assert_eq!(cache.lookup(&key, at(51), false), hit(1, false));
    assert_eq!(cache.lookup(&key, at(305), false), hit(1, true));
}

#[test]
fn removal_at_the_source_replaces_the_value() {
    let (mut cache, key) = cache();
    cache.store(key, present(1, 0));
    cache.store(key, loaded(Stored::Absent, 400));
    assert_eq!(cache.lookup(&key, at(401), false), ABSENT);
}

#[test]
fn a_flood_stays_within_the_budget_and_leaves_known_keys() {
    let mut cache = Cache::new(64 * 1024, SWIFT, 7);
    let known = Digest::of(b"known");
    cache.store(known, present(1, 0));
    for junk in 0..50_000u32 {
        let _ = cache.lookup(&known, at(1), false);
        cache.store(Digest::of(&junk.to_le_bytes()), loaded(Stored::Absent, 1));
        assert!(cache.weight() <= cache.budget());
    }
    assert_eq!(cache.lookup(&known, at(2), false), hit(1, false));
}

#[test]
fn loads_that_nobody_ended_are_forgotten() {
    let (cache, _) = cache();
    for number in 0..100_000u32 {
        let now = at(u64::from(number));
        assert_eq!(cache.acquire_lease(&Digest::of(&number.to_le_bytes()), now), Lease::Acquired);
    }
    assert!(cache.leases.borrow().len() <= MANY_LOADS);
}

/// What may happen to one key of a cache.
#[derive(Clone, Debug)]
enum Event {
    /// A request asks for it.
    Request,
    /// The load that began `n`-th of those under way ends.
    Ends(usize, End),
    /// Whoever began the `n`-th load under way is gone and never comes back.
    Departs(usize),
    /// Milliseconds pass.
    Passes(u64),
}

#[derive(Clone, Copy, Debug)]
enum End {
    Present,
    Absent,
    Malformed,
    Fails,
}

fn event() -> impl Strategy<Value = Event> {
    let end = prop_oneof![
        3 => Just(End::Present),
        1 => Just(End::Absent),
        1 => Just(End::Malformed),
        2 => Just(End::Fails)
    ];
    prop_oneof![
        6 => Just(Event::Request),
        3 => (0usize..4, end).prop_map(|(which, end)| Event::Ends(which, end)),
        1 => (0usize..4).prop_map(Event::Departs),
        3 => prop_oneof![0u64..2_000, 0u64..40_000, 0u64..2_000_000].prop_map(Event::Passes)
    ]
}

/// A load under way in the model: when it began, and when its lease ends.
#[derive(Clone, Copy, Debug)]
struct Flight {
    began: Timestamp,
    until: Timestamp,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Whatever requests, loads, failures, departures and time do to one key, in any order. A slot does the same as a
    /// cache of which nothing else is asked.
    #[test]
    fn the_state_machine_keeps_its_promises(
        events in prop::collection::vec(event(), 1..80),
        strict in any::<bool>(),
        pauses_when_empty in any::<bool>(),
    ) {
        let (fresh, stale) = (Span::from_secs(60), Span::from_secs(600));
        let lifetimes = if strict { Lifetimes::strict(fresh, stale) } else { Lifetimes::swift(fresh, stale) };
        let policy = Policy { lifetimes, ..Policy::TEST };
        let mut cache: Cache<u64> = Cache::new(1 << 20, policy, 3);
        let mut slot: Slot<u64> = Slot::new("k", policy, 3);
        // Of a slot, which has one source, the source is always left alone.
        let alike = pauses_when_empty;
        let key = Digest::of(b"k");
        let mut now = T0;
        let mut flights: Vec<Flight> = Vec::new();
        // Values by when their load began: a value is the instant at which it was asked for.
        let mut newest_stored = None;
        let mut serial = 0u64;
        let mut asked: BTreeMap<u64, Timestamp> = BTreeMap::new();
        for event in events {
            match event {
                Event::Passes(millis) => now = now.plus(Span::from_millis(millis)),
                Event::Departs(which) => if which < flights.len() { flights.remove(which); },
                Event::Ends(which, end) => {
                    if which >= flights.len() { continue; }
                    let flight = flights.remove(which);
                    let stored = match end {
                        End::Present => {
                            serial += 1;
                            asked.insert(serial, flight.began);
                            Stored::Present(Rc::new(serial))
                        }
                        End::Absent => Stored::Absent,
                        End::Malformed => Stored::Malformed,
                        End::Fails => {
                            let before = cache.peek(&key);
                            cache.fail(&key, flight.began, now, pauses_when_empty);
                            slot.fail(flight.began, now);
                            prop_assert_eq!(cache.peek(&key), before, "a failure changes no value");
                            continue;
                        }
                    };
                    let (asked_at, as_of) = (flight.began, flight.began);
                    let same = slot.store(Loaded { stored: stored.clone(), weight: 8, asked_at, as_of });
                    let counts = cache.store(key, Loaded { stored, weight: 8, asked_at, as_of });
                    prop_assert!(!alike || same == counts, "{same:?} in a slot, {counts:?} in a cache");
                    if newest_stored.is_none_or(|newest| flight.began >= newest) && !matches!(end, End::Malformed) {
                        newest_stored = Some(flight.began);
                    }
                    if let Stored::Present(value) = counts {
                        let began = asked[&*value];
                        prop_assert!(
                            newest_stored.is_none_or(|newest| began >= newest),
                            "an older load replaced a newer one"
                        );
                    }
                }
                Event::Request => {
                    // What had a lease that ran out may be led again; nothing else may.
                    let live = flights.iter().any(|flight| now < flight.until);
                    let (same, lookup) = (slot.lookup(now, false), cache.lookup(&key, now, false));
                    prop_assert!(!alike || same == lookup, "{same:?} in a slot, {lookup:?} in a cache");
                    match lookup {
                        Lookup::Hit { stored: Stored::Present(value), refresh } => {
                            let age = now.since(asked[&*value]);
                            prop_assert!(age < stale, "used after its time");
                            if refresh {
                                prop_assert!(!live, "two refreshes at once");
                                prop_assert!(age >= lifetimes.fresh, "refreshed while fresh");
                                flights.push(Flight { began: now, until: now.plus(policy.lease) });
                            }
                        }
                        Lookup::Hit { stored: Stored::Absent | Stored::Malformed, refresh } => {
                            prop_assert!(newest_stored.is_some() || serial == 0 || !refresh);
                            prop_assert!(!refresh, "what is absent is never served stale");
                        }
                        Lookup::Load(Lease::Acquired) => {
                            prop_assert!(!live, "two loads at once");
                            flights.push(Flight { began: now, until: now.plus(policy.lease) });
                        }
                        Lookup::Load(Lease::HeldUntil(until)) => {
                            prop_assert!(until > now, "waits for what is over");
                            prop_assert!(until.since(now) <= policy.lease, "waits longer than a lease");
                        }
                        Lookup::Unavailable => {
                            let (failures, retry_at) = cache.failures(&key);
                            prop_assert!(failures > 0 && retry_at > now, "unavailable without a failure");
                        }
                    }
                }
            }
            let of_slot = (slot.peek(), slot.as_of(now), slot.peek_as_of(), slot.failures(), slot.is_loading(now));
            let of_cache =
                (cache.peek(&key), cache.as_of(&key, now), cache.peek_as_of(&key), cache.failures(&key), cache.is_loading(&key, now));
            prop_assert!(!alike || of_slot == of_cache, "{of_slot:?} of a slot, {of_cache:?} of a cache");
        }
        // Whoever left or failed: after a lease and the longest pause somebody leads again, or is served.
        now = now.plus(policy.lease).plus(Span::from_millis(policy.back_off.first.millis() * BackOff::MOST * 2));
        let lookup = cache.lookup(&key, now, false);
        prop_assert!(!matches!(lookup, Lookup::Unavailable | Lookup::Load(Lease::HeldUntil(_))), "stuck: {lookup:?}");
    }

    #[test]
    fn with_growing_age_freshness_never_goes_back(fresh in 0u64..1000, stale in 0u64..5000, ages in prop::collection::vec(0u64..6000, 2..20)) {
        let (fresh, stale) = (Span::from_secs(fresh), Span::from_secs(stale));
        let mut ages = ages;
        ages.sort_unstable();
        for lifetimes in [Lifetimes::strict(fresh, stale), Lifetimes::swift(fresh, stale)] {
            let states: Vec<_> = ages.iter().map(|age| lifetimes.state(Span::from_secs(*age))).collect();
            prop_assert!(states.is_sorted(), "{states:?}");
        }
    }
}

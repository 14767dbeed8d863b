//! What an isolate's memory really takes when it is flooded, counted by the allocator itself.
//!
//! Pointers are twice as long here as in the Worker's wasm32, so what is measured is an upper bound of
//! what an isolate takes.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    rc::Rc,
};

use pointsman_core::{
    base::{
        digest::Digest,
        object::parse_object,
        time::{Span, Timestamp},
    },
    customer::{backend_url::AllowHttp, record::CustomerConfig},
    identity::{
        claims::{ClaimPath, Claims},
        customer_id::CustomerId,
        jwt::VerifiedToken,
        key_record::KeyConfig,
        principal::Principal,
    },
    state::{
        cache::{Cache, Lease, Loaded, Lookup, Stored},
        memory::Memory,
    },
};
use pointsman_testkit::{gateway, noon};

/// Counts what this thread holds. Tests run on threads of their own, and nothing in a cache leaves its
/// thread.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

/// What an allocation takes beside its bytes: a word for its size, and the rest of 16 bytes.
fn taken(layout: Layout) -> isize {
    let bytes = (layout.size() + 8).next_multiple_of(16).max(32);
    isize::try_from(bytes).expect("an allocation")
}

fn count(change: isize) {
    // Gone where the thread itself ends.
    let _ = HELD.try_with(|held| held.set(held.get() + change));
}

#[allow(unsafe_code)] // an allocator cannot be written without; this one only counts and hands on
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(taken(layout));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-taken(layout));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn held() -> isize {
    HELD.with(Cell::get)
}

/// Entries that are asked for again and again.
const HOT: usize = 100;
/// Unknown API keys, which anybody can make up.
const MILLION: usize = 1_000_000;
/// Of the rest a million where the build is quick enough; else still several times what a cache holds.
const FLOOD: usize = if cfg!(debug_assertions) { 40_000 } else { MILLION };
/// The most that a cache may take, for each byte of its budget.
const MOST: f64 = 1.1;

fn digest(kind: &str, number: usize) -> Digest {
    Digest::of(format!("{kind}-{number}").as_bytes())
}

/// What a source holds, and what that weighs.
type Weighed<T> = (Stored<T>, usize);

/// Asks for an entry and loads it, as a request does; true where it was in memory.
fn ask<T>(cache: &mut Cache<T>, key: Digest, now: Timestamp, load: impl FnOnce() -> Weighed<T>) -> bool {
    match cache.lookup(&key, now, false) {
        Lookup::Hit { .. } => return true,
        Lookup::Load(claim) => assert_eq!(claim, Lease::Acquired, "one at a time"),
        Lookup::Unavailable => panic!("nothing fails here"),
    }
    let (stored, weight) = load();
    cache.store(key, Loaded { stored, weight, asked_at: now, as_of: now });
    assert!(!cache.is_loading(&key, now), "a load that has ended is no longer under way");
    false
}

/// Floods a cache with `count` entries of `load`, while some of `hot` are asked for again and again. The
/// most bytes that were held meanwhile, beyond `before`.
fn flood<T>(
    cache: &mut Cache<T>,
    before: isize,
    (kind, count): (&str, usize),
    hot: impl Fn() -> Weighed<T>,
    load: impl Fn() -> Weighed<T>,
) -> isize {
    let now = noon();
    let mut most = 0;
    for number in 0..2 * HOT {
        ask(cache, digest("hot", number % HOT), now, &hot);
    }
    for number in 0..count {
        assert!(!ask(cache, digest(kind, number), now, &load));
        if number % 20 == 0 {
            ask(cache, digest("hot", number / 20 % HOT), now, &hot);
        }
        most = most.max(held() - before);
    }
    for number in 0..HOT {
        assert!(ask(cache, digest("hot", number), now, &hot), "{kind}: hot entry {number} was thrown out");
    }
    assert!(cache.weight() <= cache.budget());
    most
}

#[allow(clippy::cast_precision_loss)] // far below 2^53
fn share(bytes: isize, budget: u64) -> f64 {
    bytes as f64 / budget as f64
}

/// Floods a new cache with entries of one form and holds it to its budget.
fn holds<T>(name: &str, cache: &mut Cache<T>, before: isize, load: impl Fn() -> Weighed<T>) {
    let weight = load().1.max(400);
    let count = usize::try_from(cache.budget()).expect("a budget") / weight * 3 / 2;
    let share = share(flood(cache, before, (name, count), &load, &load), cache.budget());
    assert!(share <= MOST, "{name}: {share:.2} of the budget, {} entries", cache.len());
    // A weight far above the truth would be no bound either, but a waste.
    assert!(share >= 0.4, "{name}: {share:.2} of the budget, {} entries", cache.len());
}

/// Claims of all forms: what weighs most for its text are objects of one member, and numbers.
fn claims() -> Vec<(&'static str, String)> {
    let joined =
        |count: usize, item: &dyn Fn(usize) -> String| (0..count).map(item).collect::<Vec<_>>().join(",");
    vec![
        ("none", "{}".to_owned()),
        ("one", r#"{"a":1}"#.to_owned()),
        ("usual", r#"{"customerId":"acme-corp","environment":"production","plan":"enterprise"}"#.to_owned()),
        ("customer", format!(r#"{{"customerId":"{}"}}"#, "c".repeat(256))),
        ("members", format!("{{{}}}", joined(40, &|number| format!(r#""claim-{number}":"{number}""#)))),
        ("twelve", format!("{{{}}}", joined(12, &|number| format!(r#""{number}":"""#)))),
        ("numbers", format!(r#"{{"n":[{}]}}"#, joined(200, &|number| number.to_string()))),
        ("texts", format!(r#"{{"n":[{}]}}"#, joined(200, &|_| r#""x""#.to_owned()))),
        ("objects", format!("{{{}}}", joined(40, &|number| format!(r#""{number}":{{"a":0}}"#)))),
        ("long", format!(r#"{{"text":"{}"}}"#, "x".repeat(4000))),
    ]
}

/// The gateway reads it when it loads a caller, and holds it with the claims.
fn read_customer(principal: &Principal) {
    principal.customer(&ClaimPath::parse("customerId").expect("a path"));
}

fn key(claims: &str) -> impl Fn() -> Weighed<KeyConfig> + use<> {
    let json = format!(r#"{{"subject":"demo","claims":{claims}}}"#);
    move || {
        let config = KeyConfig::parse(json.as_bytes()).expect("a record");
        read_customer(config.principal());
        let weight = config.weight();
        (Stored::Present(Rc::new(config)), weight)
    }
}

fn customer(id: usize, path: usize) -> impl Fn() -> Weighed<CustomerConfig> {
    let id = CustomerId::parse(&"c".repeat(id)).expect("an id");
    let backend = format!("https://customer.tenants.example.com/{}", "x".repeat(path));
    let json = format!(r#"{{"customerId":"{id}","environmentName":"production","backendUrl":"{backend}"}}"#);
    move || {
        let config = CustomerConfig::parse(json.as_bytes(), &id, AllowHttp::Never).expect("a record");
        let weight = config.weight();
        (Stored::Present(Rc::new(config)), weight)
    }
}

fn verified(claims: &str) -> impl Fn() -> Weighed<VerifiedToken> + use<> {
    let claims = claims.to_owned();
    let signing_input = "e".repeat(60 + claims.len() * 4 / 3);
    move || {
        let claims = Claims::new(parse_object(claims.as_bytes()).expect("an object"));
        let principal = Principal::new(Some(Rc::from("user-1")), claims);
        read_customer(&principal);
        let token = VerifiedToken {
            issuer: 0,
            principal: Rc::new(principal),
            expires_at: noon().plus(Span::from_secs(600)),
            bound_to: None,
            thumbprint: Some(Digest::of(b"a key")),
            signing_input: signing_input.as_str().into(),
            checked: Cell::default(),
            denied: None,
        };
        let weight = token.weight();
        (Stored::Present(Rc::new(token)), weight)
    }
}

fn nothing<T>() -> Weighed<T> {
    (Stored::Absent, 0)
}

#[test]
fn a_flood_of_keys_takes_no_more_than_its_budget() {
    let gateway = gateway("demo");
    for (name, claims) in claims() {
        let before = held();
        holds(name, &mut Memory::new(&gateway, 7).keys, before, key(&claims));
    }
}

#[test]
fn a_flood_of_customers_takes_no_more_than_its_budget() {
    let gateway = gateway("demo");
    for (name, id, path) in [("short", 1, 0), ("usual", 20, 10), ("long", 256, 1500)] {
        let before = held();
        holds(name, &mut Memory::new(&gateway, 7).customers, before, customer(id, path));
    }
}

#[test]
fn a_flood_of_tokens_takes_no_more_than_its_budget() {
    let gateway = gateway("demo");
    for (name, claims) in claims() {
        let before = held();
        holds(name, &mut Memory::new(&gateway, 7).tokens, before, verified(&claims));
    }
}

/// Keys that nobody minted and customers that nobody lists, beside tokens that are good: all at once.
#[test]
fn a_flood_of_everything_takes_no_more_than_all_budgets() {
    let gateway = gateway("demo");
    let claims = claims();
    let usual = &claims[2].1;
    let before = held();
    let mut memory = Memory::new(&gateway, 7);
    let budget = memory.keys.budget() + memory.customers.budget() + memory.tokens.budget();
    let mut most = flood(&mut memory.keys, before, ("junk", MILLION), key(usual), nothing);
    most = most.max(flood(&mut memory.customers, before, ("junk", FLOOD), customer(20, 10), nothing));
    let token = verified(usual);
    most = most.max(flood(&mut memory.tokens, before, ("junk", FLOOD / 4), &token, &token));
    assert!(share(most, budget) <= MOST, "{:.2} of the budgets", share(most, budget));
}

/// A cache never gives the room of its slots back. Where many small entries have made that room and few
/// large ones come to hold the whole budget in values, both count: the most that a cache can take.
#[test]
fn small_entries_and_then_large_ones_take_half_as_much_again_at_the_most() {
    let gateway = gateway("demo");
    let claims = claims();
    let before = held();
    let mut memory = Memory::new(&gateway, 7);
    let (usual, long) = (key(&claims[2].1), key(&claims[8].1));
    flood(&mut memory.keys, before, ("junk", FLOOD), &usual, nothing);
    let most = flood(&mut memory.keys, before, ("long", 5000), &usual, long);
    let share = share(most, memory.keys.budget());
    assert!(share <= 1.5, "{share:.2} of the budget");
}

/// Whoever begins a load may be gone and never end it.
#[test]
fn loads_that_nobody_ends_are_forgotten_when_their_lease_is_over() {
    let gateway = gateway("demo");
    let memory = Memory::new(&gateway, 7);
    let before = held();
    for number in 0..FLOOD {
        // Fifty in a second, which is some two hundred in a lease.
        let now = noon().plus(Span::from_millis(20 * u64::try_from(number).expect("a number")));
        let lookup = memory.keys.lookup(&digest("gone", number), now, false);
        assert_eq!(lookup, Lookup::Load(Lease::Acquired));
    }
    assert!(held() - before < 64 << 10, "{} bytes", held() - before);
    assert!(memory.keys.is_empty());
}

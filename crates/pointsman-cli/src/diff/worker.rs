//! Asks both configurations about one caller after the other. A gateway belongs to one thread, so each worker has its own two.

use pointsman_core::{base::time::Timestamp, state::config::Gateway};
use serde_json::{Map, Value};

use super::{
    callers::{Caller, FindCustomer, KeyFault, Who, of_customer, of_key},
    customers::Place,
    data::{Batch, fault},
    questions::Question,
    side::{Credential, Sent, Side, same},
    tally::{Example, OfCaller, Tally, urls},
};
use crate::{
    ending::{Failure, input},
    findings::Placed,
    records::{Judge, Kind},
};

/// A client's address where neither a condition nor a record asks for one: of a range that is kept for examples (RFC 5737).
const ADDRESS: &str = "203.0.113.7";
/// More faults than these nobody reads.
pub(super) const MOST_FAULTS: usize = 20;

/// What all workers have in common.
pub(super) struct Work<'a> {
    pub(super) questions: &'a [Question],
    /// What the tokens of customers say besides their customer.
    pub(super) claims: &'a Map<String, Value>,
    pub(super) now: Timestamp,
    /// How many examples of each group are kept.
    pub(super) kept: usize,
}

/// Two gateways, and what was counted so far.
pub(super) struct Worker<'a> {
    work: &'a Work<'a>,
    sides: [Side; 2],
    /// For each question the issuers whose tokens it is asked with, by their places in both configurations.
    issuers: Vec<Vec<[Option<usize>; 2]>>,
    judge: Judge,
    pub(super) tally: Tally,
    pub(super) faults: Vec<Placed>,
    /// How many faults there are in all.
    pub(super) faulty: usize,
    /// Of each customer, where it stands.
    pub(super) places: Vec<Place>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(work: &'a Work<'a>, base: Gateway, head: Gateway) -> Self {
        let judge = Judge { api_keys: None, ..Judge::of(Some(&head)) };
        let issuers = work.questions.iter().map(|question| issuers(question, [&base, &head])).collect();
        let sides = [Side::new(base), Side::new(head)];
        let tally = Tally { kept: work.kept, ..Tally::default() };
        Self { work, sides, issuers, judge, tally, faults: Vec::new(), faulty: 0, places: Vec::new() }
    }

    /// Asks for somebody without a credential.
    pub(super) fn anonymous(&mut self) {
        self.ask(&Caller::default(), 0);
    }

    /// Asks for each record of a batch.
    ///
    /// # Errors
    /// Where the customers at hand cannot be read any more.
    pub(super) fn batch(&mut self, batch: &Batch, find: &mut FindCustomer<'_>) -> Result<(), Failure> {
        for (index, record) in batch.records.iter().enumerate() {
            let json = batch.json(record);
            let order = batch.first + index as u64;
            let gateways = [&self.sides[0].gateway, &self.sides[1].gateway];
            let caller = match batch.kind {
                Kind::Customer => of_customer(json, gateways, self.work.claims).map(|(id, caller)| {
                    self.places.push(Place::new(id.as_str(), batch.file, record));
                    caller
                }),
                Kind::Key => match of_key(json, gateways, &self.judge, find) {
                    Ok(caller) => Ok(caller),
                    Err(KeyFault::Record(error)) => Err(error),
                    Err(KeyFault::Data(what)) => return Err(input(what)),
                },
            };
            match caller {
                Ok(caller) => self.ask(&caller, order),
                Err(error) => {
                    self.faulty += 1;
                    if self.faults.len() < MOST_FAULTS {
                        self.faults.push(fault(batch, record, &error));
                    }
                }
            }
        }
        Ok(())
    }

    fn ask(&mut self, caller: &Caller, order: u64) {
        match &caller.who {
            Who::Anonymous => {}
            Who::Customer(_) => self.tally.customers += 1,
            Who::Key { .. } => self.tally.keys += 1,
        }
        let mut of_caller = OfCaller::default();
        let work = self.work;
        for (index, question) in work.questions.iter().enumerate() {
            match &caller.who {
                Who::Anonymous => {
                    self.question(question, caller, [Credential::None; 2], order, &mut of_caller)
                }
                Who::Key { .. } => {
                    self.question(question, caller, [Credential::Key; 2], order, &mut of_caller)
                }
                Who::Customer(_) => {
                    let count = self.issuers.get(index).map_or(0, Vec::len);
                    for at in 0..count {
                        let Some(pair) = self.issuers.get(index).and_then(|pairs| pairs.get(at)).copied()
                        else {
                            continue;
                        };
                        self.question(question, caller, pair.map(Credential::Token), order, &mut of_caller);
                    }
                }
            }
        }
    }

    fn question(
        &mut self,
        question: &Question,
        caller: &Caller,
        credentials: [Credential; 2],
        order: u64,
        of_caller: &mut OfCaller,
    ) {
        let [of_base, of_head] = credentials;
        let [taken_by_base, taken_by_head] = &question.sides;
        if !Side::takes(taken_by_base, of_base) && !Side::takes(taken_by_head, of_head) {
            return;
        }
        let sent = Sent {
            method: question.method(caller.methods.as_deref()),
            address: Some(question.address.as_deref().or(caller.address.as_deref()).unwrap_or(ADDRESS)),
            now: self.work.now,
        };
        let [base, head] = &mut self.sides;
        let [seen_by_base, seen_by_head] = &caller.sides;
        let one = base.decide(question, taken_by_base, &sent, seen_by_base, of_base);
        let other = head.decide(question, taken_by_head, &sent, seen_by_head, of_head);
        self.tally.asked += 1;
        if same([base, head], [&one, &other]) {
            self.tally.note_same(&one, &other, of_caller);
            return;
        }
        self.tally.note([&one, &other], order, of_caller, || Example {
            order,
            who: caller.who.clone(),
            method: sent.method.to_owned(),
            url: question.url.clone(),
            circumstances: question.circumstances(),
            from: urls(&one),
            to: urls(&other),
        });
    }
}

/// The issuers whose tokens a question is asked with: one of those alike, since what follows is alike.
fn issuers(question: &Question, gateways: [&Gateway; 2]) -> Vec<[Option<usize>; 2]> {
    let mut names: Vec<&str> = Vec::new();
    for issuer in gateways.iter().flat_map(|gateway| gateway.issuers()) {
        if !names.contains(&&*issuer.name) {
            names.push(&issuer.name);
        }
    }
    let mut seen: Vec<[bool; 2]> = Vec::new();
    let mut pairs = Vec::new();
    for name in names {
        let place = |gateway: &Gateway| gateway.issuers().iter().position(|issuer| &*issuer.name == name);
        let pair = gateways.map(place);
        let [base, head] = [0, 1].map(|side: usize| {
            let (place, taken) = (pair.get(side).copied().flatten(), question.sides.get(side));
            place.is_some_and(|place| {
                taken.is_some_and(|taken| taken.auth.all_issuers().any(|own| own == place))
            })
        });
        // One that may speak only for some is like no other.
        let restricted = gateways.iter().zip(pair).any(|(gateway, place)| {
            place
                .and_then(|place| gateway.issuers().get(place))
                .is_some_and(|issuer| issuer.customers.is_some())
        });
        let accepted = [base, head];
        if accepted == [false, false] || (!restricted && seen.contains(&accepted)) {
            continue;
        }
        if !restricted {
            seen.push(accepted);
        }
        pairs.push(pair);
    }
    pairs
}

//! Several workers, as many as the machine has processors. Where there are no threads, one.

use std::sync::{
    Mutex,
    mpsc::{self, Receiver, SyncSender},
};

use super::{
    customers::{Customers, Place},
    data::{Batch, Source, batches},
    tally::Tally,
    worker::{MOST_FAULTS, Work, Worker},
};
use crate::{
    configuration::{Judged, Source as Configuration},
    ending::{Failure, input},
    findings::Placed,
    output::Counter,
};

/// What all workers together came to.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) tally: Tally,
    pub(super) faults: Vec<Placed>,
    pub(super) faulty: usize,
    pub(super) places: Vec<Place>,
}

impl Outcome {
    fn add(&mut self, worker: Worker<'_>) {
        let Worker { tally, faults, faulty, places, .. } = worker;
        self.tally.add(tally);
        self.faults.extend(faults);
        self.faults.truncate(MOST_FAULTS);
        self.faulty += faulty;
        self.places.extend(places);
    }

    /// Adds what came of other records.
    pub(super) fn merge(&mut self, other: Self) {
        self.tally.add(other.tally);
        self.faults.extend(other.faults);
        self.faulty += other.faulty;
        self.places.extend(other.places);
    }
}

/// Both configurations as their texts have them: each worker makes its own gateways of them.
pub(super) struct Both<'a> {
    pub(super) base: &'a Configuration,
    pub(super) head: &'a Configuration,
}

impl Both<'_> {
    fn worker<'w>(&self, work: &'w Work<'w>) -> Result<Worker<'w>, Failure> {
        let gateway = |configuration: &Configuration| {
            let Judged { gateway, .. } = configuration.judge();
            gateway
                .ok_or_else(|| input(format!("{} has faults: mend them first", configuration.file.display())))
        };
        Ok(Worker::new(work, gateway(self.base)?, gateway(self.head)?))
    }
}

/// Asks for somebody without a credential.
pub(super) fn anonymous(both: &Both<'_>, work: &Work<'_>) -> Result<Outcome, Failure> {
    let mut worker = both.worker(work)?;
    worker.anonymous();
    let mut outcome = Outcome { tally: Tally { kept: work.kept, ..Tally::default() }, ..Outcome::default() };
    outcome.add(worker);
    Ok(outcome)
}

/// Asks for each record of these sources; `first` is the place of the first among all callers.
///
/// # Errors
/// Where they cannot be read.
pub(super) fn all(
    both: &Both<'_>,
    work: &Work<'_>,
    sources: &[&Source],
    first: u64,
    customers: &Customers<'_>,
    counter: &mut Counter,
) -> Result<Outcome, Failure> {
    let mut outcome = Outcome { tally: Tally { kept: work.kept, ..Tally::default() }, ..Outcome::default() };
    let threads = threads();
    if threads <= 1 {
        let mut worker = both.worker(work)?;
        let mut find = finder(customers);
        feed(sources, first, counter, &mut |batch| worker.batch(&batch, &mut find))?;
        outcome.add(worker);
        return Ok(outcome);
    }
    let (sender, receiver): (SyncSender<Batch>, Receiver<Batch>) = mpsc::sync_channel(2 * threads);
    let receiver = Mutex::new(receiver);
    // What it came to does not cross threads, but its parts do.
    let done: Mutex<Vec<Outcome>> = Mutex::new(Vec::new());
    let failed: Mutex<Option<Failure>> = Mutex::new(None);
    let (receiver, done, failed) = (&receiver, &done, &failed);
    let fed = std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(move || {
                let went = one_of_several(both, work, customers, receiver);
                match went {
                    Ok(own) => done.lock().map(|mut done| done.push(own)).unwrap_or_default(),
                    Err(failure) => {
                        failed.lock().map(|mut first| *first = Some(failure)).unwrap_or_default();
                        // Nobody takes what is left: whoever sends more must not wait for ever.
                        while next(receiver).is_some() {}
                    }
                }
            });
        }
        let fed = feed(sources, first, counter, &mut |batch| {
            sender.send(batch).map_err(|_| input("a worker has ended"))
        });
        drop(sender);
        fed
    });
    if let Ok(Some(failure)) = failed.lock().map(|mut first| first.take()) {
        return Err(failure);
    }
    fed?;
    let all = done.lock().map(|mut done| std::mem::take(&mut *done)).unwrap_or_default();
    if all.len() != threads {
        return Err(input("a worker has ended before its time"));
    }
    all.into_iter().for_each(|own| outcome.merge(own));
    Ok(outcome)
}

fn threads() -> usize {
    /// With more, one thread that reads cannot feed them.
    const MOST: usize = 8;
    if cfg!(target_family = "wasm") {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, |own| own.get().min(MOST))
}

fn next(receiver: &Mutex<Receiver<Batch>>) -> Option<Batch> {
    receiver.lock().ok()?.recv().ok()
}

fn one_of_several(
    both: &Both<'_>,
    work: &Work<'_>,
    customers: &Customers<'_>,
    receiver: &Mutex<Receiver<Batch>>,
) -> Result<Outcome, Failure> {
    let mut worker = both.worker(work)?;
    let mut find = finder(customers);
    while let Some(batch) = next(receiver) {
        worker.batch(&batch, &mut find)?;
    }
    let mut outcome = Outcome { tally: Tally { kept: work.kept, ..Tally::default() }, ..Outcome::default() };
    outcome.add(worker);
    Ok(outcome)
}

fn feed(
    sources: &[&Source],
    mut first: u64,
    counter: &mut Counter,
    take: &mut dyn FnMut(Batch) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for (file, source) in sources.iter().enumerate() {
        let file = u32::try_from(file).unwrap_or(u32::MAX);
        first += batches(source, file, first, &mut |batch| {
            counter.advance(batch.records.len());
            take(batch)
        })?;
    }
    Ok(())
}

/// Finds customers' records. Keys of one customer often stand together, and each is asked for by both sides.
fn finder<'a>(customers: &'a Customers<'_>) -> impl FnMut(&str) -> Result<Option<Vec<u8>>, String> + 'a {
    let mut last: Option<(String, Option<Vec<u8>>)> = None;
    move |id| {
        if let Some((known, record)) = &last
            && known == id
        {
            return Ok(record.clone());
        }
        let found =
            customers.find(id).map_err(|problem| format!("the customers cannot be read: {problem}"))?;
        last = Some((id.to_owned(), found.clone()));
        Ok(found)
    }
}

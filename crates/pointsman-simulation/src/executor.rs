//! Runs futures in virtual time. Every future waits for an instant or for another future, never for the real clock, so that
//! one seed gives one run.

use std::{
    cell::{Cell, RefCell},
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, Waker},
};

/// Names a future that runs.
pub(crate) type TaskId = u64;

struct Task {
    owner: u64,
    work: Pin<Box<dyn Future<Output = ()>>>,
}

/// The clock, and all that runs.
#[derive(Default)]
pub(crate) struct Executor {
    now: Cell<u64>,
    sequence: Cell<u64>,
    due: RefCell<BinaryHeap<Reverse<(u64, u64, TaskId)>>>,
    tasks: RefCell<BTreeMap<TaskId, Task>>,
    current: Cell<TaskId>,
}

impl Executor {
    /// An executor whose clock begins at an instant, in milliseconds.
    pub(crate) fn new(now: u64) -> Self {
        Self { now: Cell::new(now), ..Self::default() }
    }

    /// The instant.
    pub(crate) const fn now(&self) -> u64 {
        self.now.get()
    }

    /// The future that runs.
    pub(crate) const fn current(&self) -> TaskId {
        self.current.get()
    }

    fn next(&self) -> u64 {
        self.sequence.set(self.sequence.get() + 1);
        self.sequence.get()
    }

    /// Begins a future. It ends with its owner; the world itself is owner 0.
    pub(crate) fn spawn(&self, owner: u64, work: impl Future<Output = ()> + 'static) {
        let id = self.next();
        self.tasks.borrow_mut().insert(id, Task { owner, work: Box::pin(work) });
        self.wake_at(id, self.now());
    }

    /// Has a future looked at again at an instant.
    pub(crate) fn wake_at(&self, task: TaskId, instant: u64) {
        self.due.borrow_mut().push(Reverse((instant, self.next(), task)));
    }

    /// Ends all that an owner does, wherever it stands.
    pub(crate) fn end(&self, owner: u64) {
        // Dropped outside the borrow: what is dropped may look at the world.
        let (ended, kept) = std::mem::take(&mut *self.tasks.borrow_mut())
            .into_iter()
            .partition(|(_, task)| task.owner == owner);
        let ended: BTreeMap<TaskId, Task> = ended;
        *self.tasks.borrow_mut() = kept;
        drop(ended);
    }

    /// Waits until an instant.
    pub(crate) async fn until(&self, instant: u64) {
        let mut is_set = false;
        poll_fn(|_| {
            if self.now() >= instant {
                return Poll::Ready(());
            }
            if !std::mem::replace(&mut is_set, true) {
                self.wake_at(self.current(), instant);
            }
            Poll::Pending
        })
        .await;
    }

    /// Lets everything happen that is due until an instant.
    pub(crate) fn run_until(&self, end: u64) {
        loop {
            let next = self.due.borrow().peek().map(|Reverse((instant, ..))| *instant);
            if next.is_none_or(|instant| instant > end) {
                break;
            }
            let Some(Reverse((instant, _, id))) = self.due.borrow_mut().pop() else { break };
            self.now.set(self.now().max(instant));
            let Some(mut task) = self.tasks.borrow_mut().remove(&id) else { continue };
            self.current.set(id);
            if task.work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                self.tasks.borrow_mut().insert(id, task);
            }
        }
        self.now.set(self.now().max(end));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn futures_go_on_at_their_instants_and_end_with_their_owner() {
        let executor = Rc::new(Executor::new(100));
        let seen = Rc::new(RefCell::new(Vec::new()));
        for (owner, wait) in [(1, 50), (2, 20), (1, 30)] {
            let (own, seen) = (Rc::clone(&executor), Rc::clone(&seen));
            executor.spawn(owner, async move {
                own.until(100 + wait).await;
                seen.borrow_mut().push((own.now(), wait));
            });
        }
        executor.run_until(125);
        assert_eq!(*seen.borrow(), [(120, 20)]);
        executor.run_until(130);
        executor.end(1);
        executor.run_until(200);
        assert_eq!(*seen.borrow(), [(120, 20), (130, 30)]);
        assert_eq!(executor.now(), 200);
    }
}

//! Calls of the API: made again where that helps, and what is refused put into words.

use std::{thread, time::Duration};

use pointsman_core::base::digest::Digest;
use serde_json::{Value, json};
use url::Url;

use crate::{
    api::{
        ROOT_KEY,
        operations::{Operation, Outcome},
    },
    ending::{Failure, input},
    entropy::random,
    http::{Answered, Call, Http, JSON},
    output::{plain, warning},
};

/// Pauses before a call is made again that was not answered, or answered with a failure.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];
/// A root key may call so often in a minute. What waits for the next one waits no longer.
const LONGEST_PAUSE: u64 = 60;
/// So often the next minute is waited for, in one call.
const MOST_MINUTES: usize = 5;

/// Whoever calls, with a root key.
pub(super) struct Caller {
    http: Box<dyn Http>,
    /// The address of the API, without a `/` at its end.
    base: String,
    root_key: String,
    pause: fn(Duration),
}

/// What an answer that is no success says.
struct Problem {
    status: u16,
    kind: String,
    detail: String,
    operation: Option<usize>,
    errors: Vec<(String, String)>,
}

impl Caller {
    pub(super) fn new(http: Box<dyn Http>, base: &Url, root_key: String) -> Self {
        Self { http, base: base.as_str().trim_end_matches('/').to_owned(), root_key, pause: thread::sleep }
    }

    #[cfg(test)]
    pub(super) fn without_pauses(self) -> Self {
        Self { pause: |_| {}, ..self }
    }

    /// What is at a path; `None` where nothing is.
    ///
    /// # Errors
    /// Where the API refuses, or does not answer.
    pub(super) fn get(&self, path: &str) -> Result<Option<Value>, Failure> {
        let answered = self.call("GET", path, None, None)?;
        match read(&answered) {
            Ok(body) => Ok(Some(body)),
            Err(problem) if problem.status == 404 && problem.kind == "not-found" => Ok(None),
            Err(problem) => Err(self.failure(&problem, &[])),
        }
    }

    /// A page, which has a list of this name: whatever else answers at that address with 200 is no API.
    ///
    /// # Errors
    /// Where the API refuses, or does not answer.
    pub(super) fn page(&self, path: &str, list: &str) -> Result<Value, Failure> {
        let page = self.get(path)?.filter(|page| page.get(list).is_some_and(Value::is_array));
        page.ok_or_else(|| self.stranger())
    }

    fn stranger(&self) -> Failure {
        Failure::Store(format!(
            "what answers at {} is no management API: is that the path of [operator] api?",
            self.base
        ))
    }

    /// Makes changes, all or none.
    ///
    /// # Errors
    /// Where the API refuses, or does not answer.
    pub(super) fn change(&self, operations: &[Operation<'_>]) -> Result<Outcome, Failure> {
        let body = json!({ "operations": operations.iter().map(Operation::json).collect::<Vec<_>>() });
        // Random, and no digest of the changes: the same changes may be meant again later.
        let mut bytes = [0; 16];
        random(&mut bytes).map_err(Failure::Input)?;
        let key = Digest::of(&bytes).to_string();
        let answered = self.call("POST", "/v1/bulk", Some(body.to_string()), Some(&key))?;
        match read(&answered) {
            Ok(body) => {
                let results = body.get("results").and_then(Value::as_array);
                let results = results.filter(|results| results.len() == operations.len());
                let results = results.ok_or_else(|| self.stranger())?;
                let version = |result: &Value| result.pointer("/body/version").and_then(Value::as_u64);
                Ok(Outcome::Made(results.iter().map(version).collect()))
            }
            Err(problem) => match problem.absent(operations) {
                Some(index) => Ok(Outcome::Absent(index)),
                None => Err(self.failure(&problem, operations)),
            },
        }
    }

    /// Makes a call, again where nobody answered, too many were made, or the gateway failed. One that changes something has an
    /// `Idempotency-Key`.
    fn call(
        &self,
        method: &'static str,
        path: &str,
        body: Option<String>,
        idempotency_key: Option<&str>,
    ) -> Result<Answered, Failure> {
        let url = format!("{}{path}", self.base);
        let (mut pauses, mut minutes) = (PAUSES.into_iter(), 0);
        loop {
            let call = Call {
                method,
                url: &url,
                secret: &self.root_key,
                body: body.clone(),
                media_type: JSON,
                idempotency_key,
            };
            let outcome = self.http.call(&call);
            let pause = match &outcome {
                Ok(Answered { status: 429, retry_after, .. }) if minutes < MOST_MINUTES => {
                    minutes += 1;
                    let seconds = retry_after.unwrap_or(LONGEST_PAUSE).clamp(1, LONGEST_PAUSE);
                    warning(&format!(
                        "as many calls were made as a minute may have; going on in {seconds} s"
                    ));
                    Some(Duration::from_secs(seconds))
                }
                Ok(Answered { status: 500.., .. }) | Err(Failure::Store(_)) => pauses.next(),
                Ok(_) | Err(Failure::Input(_)) => None,
            };
            match pause {
                Some(pause) => (self.pause)(pause),
                None => return outcome,
            }
        }
    }

    fn failure(&self, problem: &Problem, operations: &[Operation<'_>]) -> Failure {
        let base = &self.base;
        let name = problem.operation.and_then(|index| operations.get(index)).map(Operation::name);
        let of = name.map(|name| format!("{}: ", plain(name))).unwrap_or_default();
        match (problem.status, problem.kind.as_str()) {
            (401, _) => input(format!("{base} does not take the root key of {ROOT_KEY}")),
            (404 | 405, kind) if kind != "not-found" => input(format!(
                "no management API is at {base}: is [operator] api of gateway.toml deployed, and its path the one in --api?"
            )),
            (412, _) => Failure::Store(format!("{of}somebody else has changed it meanwhile: run this again")),
            (400..429, _) => input(format!("{base}: {of}{}", problem.words())),
            (status, _) => Failure::Store(format!("{base} answered {status}: {of}{}", problem.words())),
        }
    }
}

fn read(answered: &Answered) -> Result<Value, Problem> {
    let Answered { status, text, .. } = answered;
    let said: Value = serde_json::from_str(text).unwrap_or_default();
    if *status < 300 && said.is_object() {
        return Ok(said);
    }
    let text_of = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
    let errors = said.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let error = |error: &Value| {
        let text_of = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        (text_of("pointer"), text_of("detail"))
    };
    Err(Problem {
        status: *status,
        kind: text_of("type").rsplit(['/', '#', ':']).next().unwrap_or_default().to_owned(),
        detail: text_of("detail").to_owned(),
        operation: said
            .get("operation")
            .and_then(Value::as_u64)
            .and_then(|index| usize::try_from(index).ok()),
        errors: errors.iter().map(error).collect(),
    })
}

impl Problem {
    /// Which record was to be deleted and is not there.
    fn absent(&self, operations: &[Operation<'_>]) -> Option<usize> {
        let index = self.operation?;
        let path = format!("/operations/{index}/path");
        let is_absent = self.errors.iter().any(|(pointer, _)| *pointer == path);
        operations.get(index).filter(|operation| operation.is_deletion() && is_absent).map(|_| index)
    }

    /// What the record's author has to mend: pointers lead into the record.
    fn words(&self) -> String {
        if self.errors.is_empty() {
            return plain(&self.detail);
        }
        let body = self.operation.map(|index| format!("/operations/{index}/body")).unwrap_or_default();
        let word = |(pointer, detail): &(String, String)| {
            let pointer = pointer.strip_prefix(&body).unwrap_or(pointer);
            format!("{} {}", plain(pointer), plain(detail)).trim().to_owned()
        };
        self.errors.iter().map(word).collect::<Vec<_>>().join("; ")
    }
}

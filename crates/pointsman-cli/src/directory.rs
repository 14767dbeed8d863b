//! `pointsman directory`: the ledger by the operator's endpoint of the gateway.

use std::{
    env, thread,
    time::{Duration, Instant},
};

use pointsman_core::base::time::Span;
use serde_json::{Value, json};
use url::Url;

use self::told::{progress, read, told};
use crate::{
    configuration::Project,
    credentials,
    ending::{CommandResult, End, Failure},
    gateway_address::{self, Endpoint},
    http::{Call, Http, JSON, Node},
    output::line,
    reconcile::span,
};

mod told;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Shows how the ledger is. It lists nobody.
    #[command(after_help = EXAMPLES)]
    Status(StatusArguments),
    /// Switches the ledger off, so that isolates ask KV and the binding may go; KV is told of everything before.
    ///
    /// The ledger takes no changes from this call on. It tells KV what waits and what the config API said, waits until all
    /// locations may have that, and is off then: the command waits for it. What ends with the ledger are revocations of tokens, so
    /// it refuses while there are any.
    #[command(after_help = EXAMPLES)]
    Off(OffArguments),
    /// Switches the ledger on again. It takes in what stands in KV, as on its first day.
    #[command(after_help = EXAMPLES)]
    On(PlainArguments),
    /// Lets the next pass over KV remove as many entries as it misses, where the last one was held back for that.
    #[command(after_help = EXAMPLES)]
    AcceptRemovals(PlainArguments),
    /// Begins a new epoch, where the ledger's database was restored and the ledger has not noticed: isolates load everything anew.
    #[command(after_help = EXAMPLES)]
    Restored(PlainArguments),
}

/// The variable with the operator's secret.
const SECRET: &str = "POINTSMAN_OPERATOR_SECRET";

const EXAMPLES: &str = "Examples:
  pointsman directory status --gateway https://api.example.com < operator-secret.txt
  pointsman directory off --gateway https://api.example.com --drop-revocations < operator-secret.txt
  pointsman directory accept-removals --gateway https://api.example.com < operator-secret.txt

The operator's secret is read from standard input, or from the variable POINTSMAN_OPERATOR_SECRET. It is no argument.";

#[derive(clap::Args)]
struct Reach {
    /// The gateway's address. Without a path that of [operator] ledger in gateway.toml counts.
    #[arg(long, value_name = "URL")]
    gateway: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    project: Project,
}

#[derive(clap::Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    reach: Reach,
}

#[derive(clap::Args)]
pub(crate) struct PlainArguments {
    #[command(flatten)]
    reach: Reach,
}

#[derive(clap::Args)]
pub(crate) struct OffArguments {
    /// Lets revocations of tokens end: revoked tokens are let in until they expire.
    #[arg(long)]
    drop_revocations: bool,
    /// How long to wait until the ledger is off; 0 does not wait.
    #[arg(long, value_name = "SPAN", default_value = "15m", value_parser = span)]
    wait: Span,
    #[command(flatten)]
    reach: Reach,
}

pub(crate) fn run(command: &Command) -> CommandResult {
    let reach = match command {
        Command::Status(StatusArguments { reach })
        | Command::On(PlainArguments { reach })
        | Command::AcceptRemovals(PlainArguments { reach })
        | Command::Restored(PlainArguments { reach })
        | Command::Off(OffArguments { reach, .. }) => reach,
    };
    let url = gateway_address::endpoint("--gateway", &reach.gateway, Endpoint::Ledger)?;
    let secret = match env::var(SECRET).ok().filter(|secret| !secret.trim().is_empty()) {
        Some(secret) => secret.trim().to_owned(),
        None => credentials::on_stdin()?,
    };
    let http = Node { config: reach.project.wrangler() };
    let ledger = Ledger { http: &http, url, secret: &secret, as_json: reach.json };
    match command {
        Command::Status(_) => ledger.show_status(),
        Command::Off(arguments) => ledger.switch_off(arguments.drop_revocations, arguments.wait),
        Command::On(_) => ledger.act("on", "the ledger is on again, and takes in what stands in KV"),
        Command::AcceptRemovals(_) => {
            ledger.act("accept-removals", "the next pass over KV removes as many entries as it misses")
        }
        Command::Restored(_) => ledger.act("restored", "the ledger has begun a new epoch"),
    }
}

/// The ledger behind its endpoint.
struct Ledger<'a> {
    http: &'a dyn Http,
    url: Url,
    secret: &'a str,
    as_json: bool,
}

impl Ledger<'_> {
    fn show_status(&self) -> CommandResult {
        let status = self.status()?;
        if self.as_json {
            line(&status.to_string());
        } else {
            told(&status).iter().for_each(|told| line(told));
        }
        Ok(End::Done)
    }

    fn act(&self, action: &str, done: &str) -> CommandResult {
        let answer = self.post(action, None)?;
        line(&if self.as_json { answer.to_string() } else { done.to_owned() });
        Ok(End::Done)
    }

    fn switch_off(&self, drop_revocations: bool, wait: Span) -> CommandResult {
        self.post("off", Some(json!({ "dropRevocations": drop_revocations }).to_string()))?;
        let until = Instant::now() + Duration::from_millis(wait.millis());
        let mut said = String::new();
        loop {
            let status = self.status()?;
            let is_off = status.get("on") == Some(&Value::Bool(false));
            let left = until.saturating_duration_since(Instant::now());
            if is_off || left.is_zero() {
                return Ok(self.told_off(&status, is_off));
            }
            let next = progress(&status);
            if next != said && !self.as_json {
                eprintln!("{next}");
            }
            said = next;
            thread::sleep(left.min(Duration::from_secs(3)));
        }
    }

    fn told_off(&self, status: &Value, is_off: bool) -> End {
        if self.as_json {
            line(&status.to_string());
        } else if is_off {
            line(
                "the ledger is off: isolates ask KV within [directory] max_staleness. Then the binding may go",
            );
        } else {
            line(&progress(status));
            eprintln!(
                "The ledger goes on by itself; `pointsman directory status` says when it is off. Leave the binding until then."
            );
        }
        if is_off { End::Done } else { End::Pending }
    }

    fn status(&self) -> Result<Value, Failure> {
        self.call("GET", None, None)
    }

    fn post(&self, action: &str, body: Option<String>) -> Result<Value, Failure> {
        self.call("POST", Some(action), body)
    }

    fn call(
        &self,
        method: &'static str,
        action: Option<&str>,
        body: Option<String>,
    ) -> Result<Value, Failure> {
        let mut url = self.url.clone();
        url.set_query(action.map(|action| format!("do={action}")).as_deref());
        let answer = self.http.call(&Call {
            method,
            url: url.as_str(),
            secret: self.secret,
            body,
            media_type: JSON,
            idempotency_key: None,
        })?;
        read(&answer).map_err(|failure| match failure {
            Failure::Input(what) => Failure::Input(format!("{url}: {what}")),
            Failure::Store(what) => Failure::Store(format!("{url}: {what}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::http::Answered;

    /// Answers one call after the other.
    struct Script(RefCell<Vec<(u16, Value)>>, RefCell<Vec<String>>);

    impl Http for Script {
        fn call(&self, call: &Call<'_>) -> Result<Answered, Failure> {
            assert_eq!(call.secret, "secret");
            let body = call.body.clone().unwrap_or_default();
            self.1.borrow_mut().push(format!("{} {} {body}", call.method, call.url));
            let (status, text) = self.0.borrow_mut().remove(0);
            Ok(Answered { status, text: text.to_string(), retry_after: None })
        }
    }

    fn off(answers: Vec<(u16, Value)>, drop_revocations: bool) -> (CommandResult, Vec<String>) {
        let script = Script(RefCell::new(answers), RefCell::default());
        let url = Url::parse("https://api.example.com/ops/ledger").unwrap();
        let ledger = Ledger { http: &script, url, secret: "secret", as_json: true };
        let result = ledger.switch_off(drop_revocations, Span::default());
        (result, script.1.into_inner())
    }

    #[test]
    fn the_ledger_is_switched_off_and_waited_for() {
        let (result, calls) = off(vec![(200, json!({})), (200, json!({ "on": false }))], true);
        assert_eq!(result, Ok(End::Done));
        assert_eq!(
            calls,
            [
                r#"POST https://api.example.com/ops/ledger?do=off {"dropRevocations":true}"#,
                "GET https://api.example.com/ops/ledger "
            ]
        );
        let leaving = json!({ "on": true, "leaving": { "providedTold": false } });
        assert_eq!(off(vec![(200, json!({})), (200, leaving)], false).0, Ok(End::Pending));
    }

    #[test]
    fn what_is_refused_is_told_with_what_to_do() {
        let said = |status, answer| match off(vec![(status, answer)], false).0 {
            Err(Failure::Input(what)) => (1, what),
            Err(Failure::Store(what)) => (3, what),
            other => panic!("{other:?}"),
        };
        for (status, answer, code, part) in [
            (409, json!({ "error": "revocationsAlive", "revocations": 3 }), 1, "3 revocations of tokens"),
            (401, json!({}), 1, "does not take this secret"),
            (404, json!({}), 1, "is [operator] ledger of gateway.toml deployed"),
            (503, json!({ "error": "off" }), 3, "off for another reason"),
            (503, json!({ "title": "gateway" }), 3, "answered 503"),
            (302, Value::Null, 3, "answered 302"),
            (200, json!([]), 3, "answered 200"),
        ] {
            let (ends, what) = said(status, answer);
            assert!(ends == code && what.contains(part), "{what}");
            assert!(!what.contains("secret\""), "{what}");
        }
    }

    #[test]
    fn the_status_says_what_an_operator_has_to_do() {
        let status = json!({ "on": true, "leaving": null, "epoch": "e", "revision": 7, "records": 3, "shards": 1,
            "revocations": 0, "complete": { "keys": true, "customers": false }, "outstandingWrites": 2, "failingWrites": 1,
            "refusedRemovals": 30 });
        let lines = told(&status).join("\n");
        for part in [
            "on\nepoch e, revision 7",
            "keys complete, customers not complete",
            "2 writes",
            "missed 30 entries",
        ] {
            assert!(lines.contains(part), "{part}: {lines}");
        }
        assert!(
            told(&json!({ "on": false, "off": "an operator\u{1b}" }))[0].starts_with("off: an operator\\u")
        );
    }
}

//! The metrics of a deployment: where they are, and who asks them.

use std::{env, path::Path};

use pointsman_usage::{Figures, Question, figures, question::check_dataset, sql};
use serde_json::{Value, json};

use crate::{
    configuration::Project,
    deployment::{Deployment, named},
    ending::{Failure, input},
    findings::print_all,
    gateway_address::confidential,
    http::{Answered, Call, Http, Node},
    output::plain,
};

/// The binding by which the gateway writes its points.
const BINDING: &str = "METRICS";
const DATASETS: &str = "analytics_engine_datasets";
const ACCOUNT: &str = "CLOUDFLARE_ACCOUNT_ID";
const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
/// In place of the binding, for whoever asks from elsewhere than the gateway's folder. The console has it under the same name.
const DATASET: &str = "METRICS_DATASET";
const BASE: &str = "CLOUDFLARE_API_BASE_URL";
const USUAL_BASE: &str = "https://api.cloudflare.com/client/v4";

/// The SQL API of an account, and the data set of a gateway.
pub(crate) struct Metrics {
    http: Box<dyn Http>,
    url: String,
    token: String,
    dataset: String,
}

impl Metrics {
    /// The metrics of the deployment that wrangler's file describes, with the account and the token of wrangler's variables.
    ///
    /// # Errors
    /// What is missing, and where it is to be written.
    pub(crate) fn of(project: &Project) -> Result<Self, Failure> {
        let wrangler = project.wrangler();
        let (dataset, account) = match (variable(DATASET), variable(ACCOUNT)) {
            // Then wrangler's file says nothing that is not said, and need not be there.
            (Some(dataset), Some(account)) => (variable_dataset(dataset)?, account),
            (dataset, account) => {
                let deployment = deployment(project, &wrangler)?;
                let dataset = dataset.map_or_else(|| bound_dataset(&deployment), variable_dataset)?;
                (dataset, account.map_or_else(|| account_of(&deployment), Ok)?)
            }
        };
        if !account.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(input(format!("{ACCOUNT} must be an account's id: 32 hexadecimal digits")));
        }
        let token = variable(TOKEN).ok_or_else(|| {
            input(format!("the metrics need a token in {TOKEN}, with the permission Account Analytics Read"))
        })?;
        // It is sent in a field of the head, and never quoted.
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(input(format!("the variable {TOKEN} holds more than one token, or none")));
        }
        let base = confidential(BASE, variable(BASE).as_deref().unwrap_or(USUAL_BASE))?;
        let base = base.as_str().trim_end_matches('/');
        let url = format!("{base}/accounts/{account}/analytics_engine/sql");
        Ok(Self { http: Box::new(Node { config: wrangler }), url, token, dataset })
    }

    /// Metrics of which others answer.
    #[cfg(test)]
    pub(super) fn answered_by(http: Box<dyn Http>) -> Self {
        Self {
            http,
            url: "https://api.example/sql".into(),
            token: "the-token".into(),
            dataset: "calls".into(),
        }
    }

    /// The data set.
    pub(crate) fn dataset(&self) -> &str {
        &self.dataset
    }

    /// Asks a question. Each call is a read query of the account; nothing is kept.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) fn ask(&self, question: &Question) -> Result<Figures, Failure> {
        let question = question.clone().checked().map_err(super::unaskable)?;
        let answered = self.http.call(&Call {
            method: "POST",
            url: &self.url,
            secret: &self.token,
            body: Some(sql(&question)),
            media_type: "text/plain",
            idempotency_key: None,
        })?;
        if answered.status != 200 {
            return Err(self.refused(&answered));
        }
        figures(&question, &answered.text)
            .map_err(|what| Failure::Store(format!("POST {}: {}", self.url, plain(&what))))
    }

    /// Why the API gave no figures.
    fn refused(&self, Answered { status, text, retry_after }: &Answered) -> Failure {
        const LONGEST: usize = 300;
        let said = message(text).replace(&self.token, "…");
        let said: String = plain(said.trim()).chars().take(LONGEST).collect();
        let call = format!("POST {}: {status} {said}", self.url);
        match status {
            401 | 403 => input(format!(
                "{call}. The token of {TOKEN} must have the permission Account Analytics Read in the account of {ACCOUNT}"
            )),
            429 => {
                let wait = retry_after.map(|seconds| format!(", after {seconds} s")).unwrap_or_default();
                Failure::Store(format!("{call}. Too many calls were made: try again later{wait}"))
            }
            400..500 => Failure::Store(format!(
                "{call}. The data set {} is there once a gateway that binds it as {BINDING} has answered a request",
                self.dataset
            )),
            _ => Failure::Store(call),
        }
    }
}

/// What an error of the API says: text, or JSON with a list of errors.
fn message(text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let errors = value.get("errors").and_then(Value::as_array).into_iter().flatten();
    let messages: Vec<_> = errors.filter_map(|error| error.get("message")?.as_str()).collect();
    if messages.is_empty() { text.to_owned() } else { messages.join("; ") }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// What wrangler's file deploys.
fn deployment(project: &Project, wrangler: &Path) -> Result<Deployment, Failure> {
    Deployment::read(wrangler, project.environment().as_deref()).map_err(|fault| {
        print_all(&[fault]);
        input(format!(
            "{} says which data set the metrics are in: mend it, or set {DATASET} and {ACCOUNT} in its place",
            wrangler.display()
        ))
    })
}

fn account_of(deployment: &Deployment) -> Result<String, Failure> {
    deployment.setting("account_id").and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
        let place = deployment.place();
        input(format!("the metrics need the account: set {ACCOUNT}, or account_id in {place}"))
    })
}

fn variable_dataset(name: String) -> Result<String, Failure> {
    check_dataset(&name).map_err(|what| input(format!("{DATASET} {what}")))?;
    Ok(name)
}

/// The data set of the binding. wrangler calls one without a name by its binding.
fn bound_dataset(deployment: &Deployment) -> Result<String, Failure> {
    let place = deployment.place();
    let Some(bound) = deployment.bindings(DATASETS).find(|entry| named(entry, "binding", BINDING)) else {
        let members = [("binding", json!(BINDING)), ("dataset", json!("pointsman"))];
        let why = if deployment.is_above(DATASETS, "binding", BINDING) {
            " (the top level has it, and an environment takes over no bindings)"
        } else {
            ""
        };
        return Err(input(format!(
            "{place} binds no data set as {BINDING}{why}, so the gateway writes no metrics: add {}",
            deployment.entry(DATASETS, &members)
        )));
    };
    let name = bound.get("dataset").and_then(Value::as_str).unwrap_or(BINDING);
    check_dataset(name)
        .map_err(|what| input(format!("{place}: the dataset {name:?} of {BINDING} {what}")))?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(wrangler: &str, environment: Option<&str>) -> Result<String, String> {
        let deployment = Deployment::parse("wrangler.toml", wrangler.to_owned(), environment).unwrap();
        bound_dataset(&deployment).map_err(|failure| match failure {
            Failure::Input(what) | Failure::Store(what) => what,
        })
    }

    #[test]
    fn the_data_set_is_that_of_the_binding() {
        let bound = "[[analytics_engine_datasets]]\nbinding = \"OTHER\"\ndataset = \"a\"\n\
                     [[analytics_engine_datasets]]\nbinding = \"METRICS\"\ndataset = \"calls\"\n[env.staging]\n";
        assert_eq!(told(bound, None).unwrap(), "calls");
        assert_eq!(told(&bound.replace("dataset = \"calls\"\n", ""), None).unwrap(), "METRICS");
        let missing = told(bound, Some("staging")).unwrap_err();
        assert!(
            missing.starts_with("[env.staging] of wrangler.toml binds no data set as METRICS (the top"),
            "{missing}"
        );
        let entry =
            "add [[env.staging.analytics_engine_datasets]] binding = \"METRICS\", dataset = \"pointsman\"";
        assert!(missing.ends_with(entry), "{missing}");
        let hostile = told(&bound.replace("calls", "a'; DROP"), None).unwrap_err();
        assert!(hostile.contains("must be up to 100 letters"), "{hostile}");
    }

    struct Says(u16, &'static str);
    impl Http for Says {
        fn call(&self, call: &Call<'_>) -> Result<Answered, Failure> {
            assert_eq!((call.method, call.secret), ("POST", "the-token"));
            Ok(Answered { status: self.0, text: self.1.to_owned(), retry_after: Some(7) })
        }
    }

    fn failure(status: u16, text: &'static str) -> Failure {
        let metrics = Metrics::answered_by(Box::new(Says(status, text)));
        let (from, until) =
            (pointsman_core::base::time::Timestamp::from_millis(0), crate::keys::now().unwrap());
        metrics.ask(&Question::totals("calls", from, until)).unwrap_err()
    }

    #[test]
    fn what_the_api_says_is_told_with_what_to_do_and_never_with_the_token() {
        let Failure::Input(unauthorized) = failure(403, r#"{"errors":[{"message":"no to the-token"}]}"#)
        else {
            panic!("a token is input")
        };
        assert!(
            unauthorized
                .starts_with("POST https://api.example/sql: 403 no to …. The token of CLOUDFLARE_API_TOKEN")
        );
        let store = |status, text| match failure(status, text) {
            Failure::Store(what) => what,
            Failure::Input(what) => panic!("{what}"),
        };
        assert!(
            store(422, "unknown table\u{1b}[2J")
                .contains("422 unknown table\\u{1b}[2J. The data set calls is there once")
        );
        assert!(store(429, "").ends_with("try again later, after 7 s"));
        assert!(store(502, "<html>").ends_with("502 <html>"));
        assert!(store(200, "<html>").contains("the answer is no JSON"));
    }
}

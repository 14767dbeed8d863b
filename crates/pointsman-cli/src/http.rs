//! Calls of the gateway, and of the platform's API. A port: what makes the call is not the command line's to know.

use std::{io::Read, path::PathBuf};

use serde_json::{Value, json};

use crate::{
    ending::Failure,
    host::{self, NODE, Program, Temporary},
    wrangler,
};

/// A call that an operator makes.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'static str,
    pub(crate) url: &'a str,
    /// The operator's secret, a root key or a token of the platform's, which is sent as a bearer token and stands in no message.
    pub(crate) secret: &'a str,
    pub(crate) body: Option<String>,
    /// What the body is.
    pub(crate) media_type: &'static str,
    /// `Idempotency-Key`: a call that is made again with it happens once.
    pub(crate) idempotency_key: Option<&'a str>,
}

/// What was answered, whatever the status.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) text: String,
    /// How many seconds to wait before the call is made again, where the answer says so.
    pub(crate) retry_after: Option<u64>,
}

/// Whatever makes calls.
pub(crate) trait Http {
    /// Makes a call. Redirects are not followed: the secret is for this address alone.
    ///
    /// # Errors
    /// Where there is no answer.
    fn call(&self, call: &Call<'_>) -> Result<Answered, Failure>;
}

/// Calls by Node, which is there wherever wrangler is. The call stands in a file without a name: arguments are seen by
/// others.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// `wrangler.toml`, beside which Node is looked for.
    pub(crate) config: PathBuf,
}

/// What the body of a call of the gateway is.
pub(crate) const JSON: &str = "application/json";

/// How long a call may take, in milliseconds: the longest of them asks a config API for 500 customers.
const TIMEOUT_MS: u32 = 60_000;

/// Reads the call from standard input and writes the answer as JSON.
const SCRIPT: &str = r#"
let text = "";
for await (const chunk of process.stdin.setEncoding("utf8")) text += chunk;
const { method, url, secret, body, mediaType, idempotencyKey, timeout } = JSON.parse(text);
const said = {};
const headers = { authorization: `Bearer ${secret}` };
if (body !== null) headers["content-type"] = mediaType;
if (idempotencyKey !== null) headers["idempotency-key"] = idempotencyKey;
try {
  const answer = await fetch(url, {
    method,
    body,
    redirect: "manual",
    headers,
    signal: AbortSignal.timeout(timeout),
  });
  said.status = answer.status;
  said.retryAfter = Number(answer.headers.get("retry-after") ?? NaN);
  said.text = await answer.text();
} catch (error) {
  // The message of an exception without a cause may quote a field of the head, and so the secret.
  said.error = error.cause?.message || error.cause?.code || error.name;
}
process.stdout.write(JSON.stringify(said));
"#;

impl Http for Node {
    fn call(&self, call: &Call<'_>) -> Result<Answered, Failure> {
        let failed = |what: String| Failure::Store(format!("{} {}: {what}", call.method, call.url));
        let input = json!({
            "method": call.method, "url": call.url, "secret": call.secret, "body": call.body,
            "mediaType": call.media_type, "idempotencyKey": call.idempotency_key, "timeout": TIMEOUT_MS,
        });
        let input = Temporary::filled(|writer| Ok(serde_json::to_writer(writer, &input)?));
        let input = input.map_err(Failure::Store)?;
        let mut output = Temporary::new().map_err(Failure::Store)?;
        let ended = host::run(&Program {
            name: NODE.into(),
            arguments: ["--input-type=module", "--eval", SCRIPT].map(Into::into).to_vec(),
            variables: Vec::new(),
            // Beside wrangler is the Node that is new enough for it.
            first_in_path: wrangler::bin_folder(&self.config),
            input: Some(&input),
            output: &output,
            errors: None,
        });
        let ended = ended
            .map_err(|problem| failed(format!("cannot run node: {problem}. Run `npm run setup` first")))?;
        let mut said = String::new();
        let read = output.rewind().and_then(|()| output.read_to_string(&mut said));
        read.map_err(|problem| failed(problem.to_string()))?;
        if !ended.success {
            return Err(failed(format!("node failed ({})", ended.how)));
        }
        answered(&said).map_err(failed)
    }
}

fn answered(said: &str) -> Result<Answered, String> {
    let said: Value = serde_json::from_str(said).map_err(|problem| problem.to_string())?;
    if let Some(error) = said.get("error").and_then(Value::as_str) {
        return Err(error.to_owned());
    }
    let status = said.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let text = said.get("text").and_then(Value::as_str);
    let (Some(status), Some(text)) = (status, text) else { return Err("no answer".to_owned()) };
    let retry_after = said.get("retryAfter").and_then(Value::as_u64);
    Ok(Answered { status, text: text.to_owned(), retry_after })
}

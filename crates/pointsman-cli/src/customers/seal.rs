//! `pointsman customers seal`.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
};

use pointsman_core::{
    base::{record::entry_of, time::Span},
    customer::secret::LONGEST_SEALED,
    http::fields::{MAX_FIXED, basic_credentials, is_field_value},
    identity::customer_id::CustomerId,
};
use serde_json::{Map, Value};

use super::{JudgeArguments, id};
use crate::{
    credentials,
    ending::{CommandResult, Failure, input},
    output::{plain, warning},
    reconcile::span,
    records::{Extras, Judge, Kind, is_left_over},
    sealing::{KeyRing, SealedFor, said},
    store::Kv,
    sync::{self, wanted::Wanted},
    target::Target,
};

pub(super) const EXAMPLES: &str = "Examples:
  export CUSTOMER_SECRETS_K1=\"$(pass pointsman/k1)\"     # as the Worker has it
  pointsman customers seal acme-corp --bearer --remote < token.txt
  pointsman customers seal acme-corp --field x-api-key --remote < key.txt
  pointsman customers seal acme-corp --basic gateway --origin https://b.acme.example --remote < password.txt
  pointsman customers seal acme-corp --field x-api-key --remove --remote";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The customer's id.
    id: String,
    /// The field that holds the secret: one of [customers.secrets] fields.
    #[arg(long, value_name = "NAME", default_value = "authorization")]
    field: String,
    /// Writes Bearer before the secret.
    #[arg(long, conflicts_with_all = ["basic", "remove"])]
    bearer: bool,
    /// The secret is the password of this user: the field gets both as Basic sends them.
    #[arg(long, value_name = "USER", conflicts_with = "remove")]
    basic: Option<String>,
    /// The origin that gets the secret, as in one of the record's URLs; may be given several times. Default the only one.
    #[arg(long, value_name = "ORIGIN")]
    origin: Vec<String>,
    /// Takes the secret of this field away, at the origins that are named or at all of them.
    #[arg(long)]
    remove: bool,
    /// Reads the secret from this file and not from standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "remove")]
    secret_file: Option<PathBuf>,
    /// Reads the secret of the first key of [customers.secrets] from this file.
    #[arg(long, value_name = "FILE")]
    sealing_secret_file: Option<PathBuf>,
    #[command(flatten)]
    judge: JudgeArguments,
    /// How long to wait until KV shows what was written.
    #[arg(long, value_name = "SPAN", default_value = sync::WAIT, value_parser = span)]
    wait: Span,
    /// Prints what was done as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let id = id(&arguments.id)?;
    let project = arguments.target.project();
    let judge = arguments.judge.judge(project)?;
    let field = arguments.field.to_ascii_lowercase();
    let open =
        judge.customers.as_ref().map(|customers| customers.secret_fields.as_slice()).unwrap_or_default();
    if !open.contains(&field) {
        let listed = if open.is_empty() { "no field".to_owned() } else { open.join(", ") };
        return Err(input(format!(
            "--field {}: [customers.secrets] of gateway.toml opens {listed} to records: add it to fields there",
            plain(&field)
        )));
    }
    let sealing = if arguments.remove { None } else { Some(sealing(arguments)?) };
    let kv = &*arguments.target.kv()?;
    let mut members = own_record(kv, &id)?;
    let known = origins_of(&judge, &members)?;
    let mut secrets = secrets_of(&members);
    let is_of_field = |sealed: &String| said(sealed, "field") == field;
    // What is taken away may be for an origin that the record no longer has: that is what its fault says to do.
    let stale = secrets.iter().filter(|sealed| is_of_field(sealed)).map(|sealed| said(sealed, "aud"));
    let stale: Vec<_> = stale.filter(|origin| !known.contains(origin)).collect();
    let origins = match arguments.remove && arguments.origin.is_empty() {
        true => [known, stale.clone()].concat(),
        false if arguments.remove => chosen([known, stale.clone()].concat(), &arguments.origin)?,
        false => chosen(known, &arguments.origin)?,
    };
    let is_replaced =
        |origin: &String| origins.contains(origin) || (!arguments.remove && stale.contains(origin));
    secrets.retain(|sealed| !is_of_field(sealed) || !is_replaced(&said(sealed, "aud")));
    if let Some((ring, value)) = sealing {
        for origin in &origins {
            let to = SealedFor { customer: id.as_str(), origin, field: &field };
            let sealed = ring.first()?.seal(to, &value)?;
            if sealed.len() > LONGEST_SEALED {
                return Err(input("the secret is too long for a field"));
            }
            secrets.push(sealed);
        }
    }
    put_secrets(&mut members, secrets);
    let record = Value::Object(members).to_string();
    let good = judge
        .record(Kind::Customer, record.as_bytes(), Extras::Refused)
        .map_err(|problem| input(problem.to_string()))?;
    sync::bring(kv, &Wanted::given([good]), &judge, arguments.wait, arguments.json)
}

/// What seals, and the field's value: both before KV is asked, which takes longer.
fn sealing(arguments: &Arguments) -> Result<(KeyRing, String), Failure> {
    let file = arguments.sealing_secret_file.as_deref();
    let target = &arguments.target;
    let ring = KeyRing::read(&arguments.judge.gateway, target.project(), target.is_local(), file)?;
    ring.first()?;
    Ok((ring, value(arguments)?))
}

/// The whole value of the field.
fn value(arguments: &Arguments) -> Result<String, Failure> {
    if arguments.secret_file.is_none() && io::stdin().is_terminal() {
        eprintln!("Type the secret, then a new line and Ctrl-D. Others who see this screen see it too.");
    }
    let secret = match &arguments.secret_file {
        Some(file) => credentials::given("-", None, "--secret-file", Some(file))?.unwrap_or_default(),
        None => credentials::on_stdin()?,
    };
    let value = match (&arguments.basic, arguments.bearer) {
        (Some(user), _) if user.contains(':') => {
            return Err(input("--basic: must have no colon, which parts the user from the password"));
        }
        (Some(user), _) => basic_credentials(user, &secret),
        (None, true) => format!("Bearer {secret}"),
        (None, false) => secret,
    };
    if !is_field_value(&value, MAX_FIXED) {
        return Err(input(format!(
            "the secret must be 1 to {MAX_FIXED} characters of printable ASCII in one line"
        )));
    }
    if arguments.field == "authorization" && arguments.basic.is_none() && !value.contains(' ') {
        warning("the field authorization usually begins with a scheme: --bearer or --basic writes it");
    }
    Ok(value)
}

/// The operator's record that KV holds.
pub(super) fn own_record(kv: &dyn Kv, id: &CustomerId) -> Result<Map<String, Value>, Failure> {
    let name = id.store_key();
    let known = kv.get(&name)?.filter(|text| !is_left_over(text));
    let text = known.ok_or_else(|| {
        input(format!(
            "KV has no operator's record of {}: put one first. What a config API says, the API seals itself",
            plain(id.as_str())
        ))
    })?;
    entry_of(text.as_bytes())
        .map_err(|problem| input(format!("KV {name}: {problem}: put the whole record again")))
}

/// The sealed secrets of a record.
pub(super) fn secrets_of(members: &Map<String, Value>) -> Vec<String> {
    let listed = members.get("secrets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    listed.iter().filter_map(|sealed| sealed.as_str().map(str::to_owned)).collect()
}

pub(super) fn put_secrets(members: &mut Map<String, Value>, secrets: Vec<String>) {
    if secrets.is_empty() {
        members.remove("secrets");
    } else {
        members.insert("secrets".to_owned(), secrets.into());
    }
}

/// The origins of a record, whatever its secrets are for: their origin may be gone, which is what somebody is about to mend.
fn origins_of(judge: &Judge, members: &Map<String, Value>) -> Result<Vec<String>, Failure> {
    let mut bare = members.clone();
    bare.remove("secrets");
    let origins = judge.origins(&Value::Object(bare).to_string());
    origins.map_err(|problem| input(format!("the record cannot be used: {problem}")))
}

/// The origins that are meant: those that were named, else the only one there is.
fn chosen(origins: Vec<String>, named: &[String]) -> Result<Vec<String>, Failure> {
    let list = origins.join(", ");
    if named.is_empty() {
        return match origins.as_slice() {
            [_] => Ok(origins),
            _ => Err(input(format!(
                "the record has several origins: say --origin for those that get it: {list}"
            ))),
        };
    }
    for name in named {
        if !origins.contains(name) {
            return Err(input(format!("--origin {}: the record has {list}", plain(name))));
        }
    }
    Ok(named.to_vec())
}

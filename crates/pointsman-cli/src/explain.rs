//! `pointsman explain`: how a request is decided, offline, by the code that decides it at the edge.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use pointsman_config::file::OneOrMany;
use pointsman_core::{
    base::time::Timestamp,
    http::head::{Head, RequestTarget as UrlTarget, kept_request_id},
    identity::{customer_id::CustomerId, jwt, principal::Principal},
    state::{config::Gateway, memory::Memory},
};
use pointsman_loader::loader::Loader;
use serde_json::{Map, Value, json};

mod cases;
// What a JSON value does not hold reads as null: indexing it by name cannot panic.
#[allow(clippy::indexing_slicing)]
mod expect;
mod platform;
mod question;
#[allow(clippy::indexing_slicing)]
mod render;
mod world;

use self::{
    expect::Expectations,
    platform::PlatformOptions,
    question::{Question, Sent},
    world::{Records, World, key_set_documents},
};
use crate::{
    configuration::GatewayFile,
    credentials,
    ending::{CommandResult, End, Failure, input},
    files,
    findings::{At, Placed, print_all},
    hosts::pointer,
    output::{coloured, error, line, warning},
    records::{Extras, Judge, Kind},
    store::Kv,
    target::OptionalTarget,
};

const HELP: &str = "Examples:
  pointsman explain --key - --path '/api/v1/orders?x=1' --local < key.txt
  pointsman explain --claims '{\"customerId\":\"acme-corp\"}' --path /api/v1/orders --data data/
  pointsman explain --jwt-file token.txt --jwks main=jwks.json --path /api/v1/orders --country DE --json
  pointsman explain --claims '{}' --path /tiers/x --expect backend=shared --expect rule=default
  pointsman explain --claims '{}' --path /reports/7 --authorize '{\"allow\":true,\"claims\":{\"tier\":\"gold\"}}'
  pointsman explain --cases routing/ --data data/

What can be expected: outcome (forward or answer), route, auth, subject, customer, environment, rule, backend,
variant, bucket, url, status, problem, reason, and set.<field> for a field that the backend gets.

A case file (JSON, or TOML with [[cases]]) holds one case or a list:
  { \"name\": \"…\", \"request\": { \"path\": \"/x\", \"claims\": { … }, \"country\": \"DE\" }, \"expect\": { \"backend\": \"shared\" } }
Its request has the members MEMBERS, which mean the same as the options here.

Exit codes: 0 explained, and as expected; 1 not as expected, or something is wrong with the input.";

/// What stands behind the options.
pub(crate) fn help() -> String {
    HELP.replace("MEMBERS", &question::members().join(", "))
}

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The API key of the request, from standard input. The key itself is never an argument.
    #[arg(long, value_name = "-", conflicts_with_all = ["key_file", "jwt", "jwt_file", "claims", "subject"])]
    key: Option<String>,
    /// The API key, from a file; - is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["jwt", "jwt_file", "claims", "subject"])]
    key_file: Option<PathBuf>,
    /// The token of the request, from standard input. The token itself is never an argument.
    #[arg(long, value_name = "-", conflicts_with_all = ["jwt_file", "claims", "subject"])]
    jwt: Option<String>,
    /// The token, from a file; - is standard input.
    #[arg(long, value_name = "FILE", visible_alias = "token-file", conflicts_with_all = ["claims", "subject"])]
    jwt_file: Option<PathBuf>,
    /// Claims to assume, as a JSON object: as if a credential had been verified.
    #[arg(long, value_name = "JSON")]
    claims: Option<String>,
    /// The subject to assume. Default the claim sub.
    #[arg(long)]
    subject: Option<String>,
    /// What the service answers that the route's authorize names, as a JSON object: {"allow":true,"claims":{…}}. Default
    /// that it allows the request and adds nothing.
    #[arg(long, value_name = "JSON")]
    authorize: Option<String>,
    /// The method.
    #[arg(long, default_value = "GET")]
    method: String,
    /// The path with its query, or a whole URL.
    #[arg(long, required_unless_present = "cases")]
    path: Option<String>,
    /// The host that the request is sent to.
    #[arg(long)]
    host: Option<String>,
    /// A field of the request. May be given several times.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Fields of the request, one in a line, from a file; - is standard input. For fields that hold secrets.
    #[arg(long, value_name = "FILE")]
    header_file: Option<PathBuf>,
    #[command(flatten)]
    platform: PlatformOptions,
    /// The client's address.
    #[arg(long)]
    ip: Option<String>,
    /// The time at which the request is decided. Default now.
    #[arg(long, value_name = "INSTANT")]
    now: Option<String>,
    /// The key set of an issuer: offline, issuers are not asked.
    #[arg(long = "jwks", value_name = "[ISSUER=]FILE")]
    key_sets: Vec<String>,
    /// A folder of customers and keys, as for `plan` and `apply`, in place of KV. There are no other records: the config
    /// API counts as an API that lists nobody.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["local", "remote"])]
    data: Option<PathBuf>,
    /// What is expected of the decision. May be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = expect::read)]
    expect: Vec<(String, String)>,
    /// A file or folder of cases, each a request and what is expected of it.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["path", "key", "key_file", "jwt", "jwt_file", "header_file", "claims", "subject", "authorize", "expect"])]
    cases: Option<PathBuf>,
    /// Prints the explanation as JSON.
    #[arg(long)]
    json: bool,
    /// Also says how long after a change of a key, a customer or an issuer's keys the old value may count. In JSON it always
    /// stands.
    #[arg(long)]
    bounds: bool,
    #[command(flatten)]
    gateway: GatewayFile,
    #[command(flatten)]
    from: OptionalTarget,
}

pub(crate) fn run(arguments: &Arguments) -> CommandResult {
    let gateway = arguments.gateway.load(arguments.from.project())?;
    let documents = documents(&arguments.key_sets, &gateway)?;
    let kv = arguments.from.kv()?;
    let in_files = arguments.data.as_deref().map(|folder| in_files(folder, &gateway)).transpose()?;
    let given = kv.is_some() || in_files.is_some();
    let kept = RefCell::new(in_files.unwrap_or_default());
    let read = |names: &[String]| read_once(kv.as_deref(), &kept, names);
    let records: Option<&Records<'_>> = if given { Some(&read) } else { None };
    // The files say which customers there are: the config API is none that could not be asked.
    let config_api = gateway.customers().and_then(|customers| customers.source.as_ref());
    let nobody_else_at = config_api.filter(|_| arguments.data.is_some()).map(|source| source.url.as_str());
    let explain = Explain { gateway: &gateway, records, documents: &documents, nobody_else_at };
    match &arguments.cases {
        Some(path) => run_cases(&explain, path, arguments.json),
        None => run_one(&explain, arguments),
    }
}

/// The entries that a folder of files stands for.
fn in_files(folder: &Path, gateway: &Gateway) -> Result<HashMap<String, Option<String>>, Failure> {
    let judge = Judge::of(Some(gateway));
    let (mut entries, mut wrong) = (HashMap::new(), Vec::new());
    for file in files::of_folder(folder)?.files {
        let mut take = |raw: files::Raw<'_>| match judge.record(file.kind, raw.json, Extras::Taken) {
            Ok(good) => {
                let id = good.name.strip_prefix(Kind::Customer.prefix()).and_then(CustomerId::parse);
                let pointers = id.iter().flat_map(|id| good.hosts.iter().map(|host| pointer(host, id)));
                entries.extend(pointers.map(|entry| (entry.name, Some(entry.value))));
                entries.insert(good.name, Some(good.value));
            }
            Err(error) => {
                let at = At::Line { file: file.path.display().to_string(), line: raw.line };
                wrong.push(Placed::error(at, error.pointer, error.what));
            }
        };
        let read = files::each(&file.path, &mut take);
        wrong.extend(read.err());
    }
    if wrong.is_empty() {
        return Ok(entries);
    }
    print_all(&wrong);
    Err(input(format!("{} has faults: mend them first", folder.display())))
}

/// Each entry is read once: many cases ask for the same customers. Those that are asked for together are read
/// together: each call of wrangler takes a second.
fn read_once(
    kv: Option<&dyn Kv>,
    kept: &RefCell<HashMap<String, Option<String>>>,
    names: &[String],
) -> Result<Vec<Option<Vec<u8>>>, String> {
    let unknown: Vec<String> =
        names.iter().filter(|name| !kept.borrow().contains_key(*name)).cloned().collect();
    if let (Some(kv), false) = (kv, unknown.is_empty()) {
        let mut take = |name: &str, value| {
            kept.borrow_mut().insert(name.to_owned(), value);
            Ok(())
        };
        kv.get_many(&unknown, &mut take).map_err(|failure| match failure {
            Failure::Input(what) | Failure::Store(what) => what,
        })?;
    }
    let kept = kept.borrow();
    Ok(names.iter().map(|name| kept.get(name).cloned().flatten().map(String::into_bytes)).collect())
}

fn run_one(explain: &Explain<'_>, arguments: &Arguments) -> CommandResult {
    let told = explain.tell(&question(arguments)?).map_err(input)?;
    let text = |(name, value): &(String, String)| (name.clone(), Value::from(value.as_str()));
    let expected: Expectations = arguments.expect.iter().map(text).collect();
    let unmet = expect::unmet(&told, &expected).map_err(input)?;
    if arguments.json {
        line(&told.to_string());
    } else {
        let bounds = arguments.bounds.then_some(explain.gateway);
        line(render::render(&told, bounds).trim_end());
    }
    for what in &unmet {
        error(&format!("not as expected: {what}"));
    }
    Ok(if unmet.is_empty() { End::Done } else { End::BadInput })
}

fn run_cases(explain: &Explain<'_>, path: &Path, as_json: bool) -> CommandResult {
    let cases = cases::read(path).map_err(|problems| input(problems.join("\n")))?;
    let (total, mut failed, mut results) = (cases.len(), 0, Vec::new());
    for (place, case) in cases {
        let name = case.name.unwrap_or_else(|| case.request.path.clone());
        let unmet = explain
            .tell(&case.request)
            .and_then(|told| expect::unmet(&told, &case.expect))
            .unwrap_or_else(|problem| vec![problem]);
        failed += usize::from(!unmet.is_empty());
        if as_json {
            results.push(json!({ "place": place, "name": name, "met": unmet.is_empty(), "unmet": unmet }));
            continue;
        }
        let mark = if unmet.is_empty() { coloured("ok    ", "32") } else { coloured("FAILED", "31") };
        line(&format!("{mark} {place}: {name}"));
        for what in &unmet {
            line(&format!("       {what}"));
        }
    }
    if as_json {
        line(&json!({ "cases": results, "failed": failed }).to_string());
    } else {
        line(&format!("{} of {total} cases as expected", total - failed));
    }
    Ok(if failed == 0 { End::Done } else { End::BadInput })
}

/// What requests are explained with.
struct Explain<'a> {
    gateway: &'a Gateway,
    records: Option<&'a Records<'a>>,
    documents: &'a HashMap<String, Vec<u8>>,
    nobody_else_at: Option<&'a str>,
}

impl Explain<'_> {
    fn tell(&self, question: &Question) -> Result<Value, String> {
        let sent = question.send(self.gateway)?;
        let world = World {
            now: match sent.now {
                Some(now) => now,
                None => now()?,
            },
            records: self.records,
            documents: self.documents,
            nobody_else_at: self.nobody_else_at,
            authorize: question.authorize.as_ref().and_then(|answer| serde_json::to_vec(answer).ok()),
            warnings: RefCell::default(),
        };
        let mut told = self.ask(&sent, &world, None)?;
        let mut notes = world.warnings.take();
        // Nobody was asked for the keys. All else that can be said of the token is said.
        if let (Some(token), "key_set_unavailable") = (&question.jwt, reason(&told)) {
            let all: Vec<usize> = (0..self.gateway.issuers().len()).collect();
            if let Ok(examined) = jwt::examine(token, self.gateway.issuers(), &all, world.now) {
                let credential = credential_step(&mut told).map(Value::take);
                told = self.ask(&sent, &world, Some(Rc::new(examined.principal)))?;
                if let (Some(step), Some(mut credential)) = (credential_step(&mut told), credential) {
                    if let Some(verified) = credential.pointer_mut("/detail/verified") {
                        *verified = Value::Null;
                    }
                    *step = credential;
                }
                notes = world.warnings.take();
                let hint = "the token's signature was not checked: give the issuer's key set by --jwks FILE";
                notes.insert(0, hint.to_owned());
            }
        }
        if let Some(request) = told.get_mut("request").and_then(Value::as_object_mut) {
            request.insert("client".to_owned(), question.platform.told());
        }
        if let (false, Some(members)) = (notes.is_empty(), told.as_object_mut()) {
            members.insert("notes".to_owned(), json!(notes));
        }
        Ok(told)
    }

    fn ask(&self, sent: &Sent, world: &World<'_>, believed: Option<Rc<Principal>>) -> Result<Value, String> {
        let seen = sent.fields.seen(self.gateway);
        let kept = kept_request_id(&sent.fields, seen);
        let head = Head {
            method: &sent.method,
            target: UrlTarget::parse(&sent.url).ok_or("path: is no URL")?,
            seen,
            fields: &sent.fields,
            request_id: kept.as_deref().unwrap_or("explained"),
        };
        // Each request is the first one of its isolate.
        let memory = RefCell::new(Memory::new(self.gateway, 1));
        let loader = Loader::new(self.gateway, &memory, world);
        let assumed = believed.or_else(|| sent.assumed.clone());
        Ok(pollster::block_on(loader.explain(&head, assumed)).0)
    }
}

fn credential_step(told: &mut Value) -> Option<&mut Value> {
    told.get_mut("steps")?
        .as_array_mut()?
        .iter_mut()
        .find(|step| step.get("step") == Some(&json!("credential")))
}

fn reason(told: &Value) -> &str {
    told.pointer("/answer/reason").and_then(Value::as_str).unwrap_or_default()
}

fn now() -> Result<Timestamp, String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|problem| problem.to_string())?;
    Ok(Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or_default()))
}

/// Fields that hold credentials.
const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];

fn question(arguments: &Arguments) -> Result<Question, Failure> {
    let claims = arguments.claims.as_deref().map(serde_json::from_str::<Map<String, Value>>).transpose();
    let claims = claims.map_err(|problem| input(format!("--claims is not a JSON object: {problem}")))?;
    let authorize =
        arguments.authorize.as_deref().map(serde_json::from_str::<Map<String, Value>>).transpose();
    let authorize =
        authorize.map_err(|problem| input(format!("--authorize is not a JSON object: {problem}")))?;
    let is_credential = |header: &&String| {
        let name = header.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
        CREDENTIALS.contains(&name.as_str())
    };
    if let Some(header) = arguments.headers.iter().find(is_credential) {
        let name = header.split(':').next().unwrap_or_default();
        warning(&format!(
            "--header {name}: others on this machine see arguments: use --header-file for a credential"
        ));
    }
    let in_file = arguments.header_file.as_deref();
    let in_file = credentials::given("--header", None, "--header-file", in_file)?.unwrap_or_default();
    let mut headers = std::collections::BTreeMap::<String, OneOrMany>::new();
    for header in arguments.headers.iter().map(String::as_str).chain(in_file.lines()) {
        // Not repeated: it may be a credential.
        let (name, value) =
            header.split_once(':').ok_or_else(|| input("--header: write a field as 'Name: value'"))?;
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        let values = match headers.remove(&name) {
            None => OneOrMany::One(value),
            Some(before) => {
                let before = before.list().into_iter().map(str::to_owned);
                OneOrMany::Many(before.chain([value]).collect())
            }
        };
        headers.insert(name, values);
    }
    Ok(Question {
        method: Some(arguments.method.clone()),
        path: arguments.path.clone().unwrap_or_default(),
        host: arguments.host.clone(),
        headers: headers.into_iter().collect(),
        key: credentials::given(
            "--key",
            arguments.key.as_deref(),
            "--key-file",
            arguments.key_file.as_deref(),
        )?,
        jwt: credentials::given(
            "--jwt",
            arguments.jwt.as_deref(),
            "--jwt-file",
            arguments.jwt_file.as_deref(),
        )?,
        claims,
        subject: arguments.subject.clone(),
        authorize,
        platform: arguments.platform.clone(),
        ip: arguments.ip.clone(),
        now: arguments.now.clone(),
    })
}

fn documents(given: &[String], gateway: &Gateway) -> Result<HashMap<String, Vec<u8>>, Failure> {
    let fetched: Vec<_> = gateway.issuers().iter().filter(|issuer| issuer.keys.is_fetched()).collect();
    let names = || fetched.iter().map(|issuer| &*issuer.name).collect::<Vec<_>>().join(", ");
    let mut documents = HashMap::new();
    for given in given {
        let (issuer, file) = match (given.split_once('='), fetched.as_slice()) {
            (Some((issuer, file)), _) => (issuer, file),
            (None, [only]) => (&*only.name, given.as_str()),
            (None, _) => {
                return Err(input(format!(
                    "--jwks {given}: say whose it is, as NAME=FILE with one of {}",
                    names()
                )));
            }
        };
        if !fetched.iter().any(|own| &*own.name == issuer) {
            return Err(input(format!(
                "--jwks {given}: no issuer {issuer} has a key set that is fetched: {}",
                names()
            )));
        }
        let set = fs::read(file).map_err(|problem| input(format!("{file}: {problem}")))?;
        documents.extend(key_set_documents(gateway, issuer, &set));
    }
    Ok(documents)
}

//! An explanation for people.

use std::fmt::Write as _;

use pointsman_core::{
    base::refusal::Refusal,
    state::{
        bounds::{Hears, bounds},
        config::Gateway,
    },
};
use serde_json::Value;

use crate::output::{coloured, plain};

/// The explanation as lines of text; with bounds, where a gateway is given.
pub(super) fn render(told: &Value, with_bounds: Option<&Gateway>) -> String {
    let mut page = Page::default();
    let request = &told["request"];
    page.line(&format!(
        "{} {}  {}",
        text(&request["method"]),
        text(&request["url"]),
        dim(&text(&request["time"]))
    ));
    let client = request["client"].as_object().into_iter().flatten();
    let client: Vec<_> = client.map(|(name, value)| format!("${name} {}", text(value))).collect();
    if !client.is_empty() {
        page.line(&format!("from a client with {}", client.join(", ")));
    }
    page.line("");
    let mut rules_begun = false;
    for step in told["steps"].as_array().into_iter().flatten() {
        match step["step"].as_str().unwrap_or_default() {
            "route" => page.route(step),
            "host" => page.host(step),
            "credential" => page.credential(step),
            "principal" => page.principal(step),
            "requirement" => page.requirement(step),
            "authorize" => page.authorize(step, &told["steps"]),
            "rule" => {
                page.rule(step, !rules_begun);
                rules_begun = true;
            }
            "customer" => page.customer(step),
            "limit" => page.limit(step),
            "shadow" => page.entry("shadow", &format!("would decide otherwise: {}", text(&step["would"]))),
            other => page.entry(other, &step.to_string()),
        }
    }
    page.line("");
    match told["outcome"].as_str() {
        Some("forward") => page.forward(&told["forward"]),
        _ => page.answer(&told["answer"]),
    }
    page.line("");
    for bound in with_bounds.map(|gateway| bounds(gateway, Hears::Kv)).into_iter().flatten() {
        page.line(&dim(&bound.to_string()));
    }
    for note in told["notes"].as_array().into_iter().flatten() {
        page.line(&format!("{} {}", yellow("note:"), text(note)));
    }
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

/// How wide names at the left are.
const MARGIN: usize = 12;

impl Page {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{}", line.trim_end());
    }

    fn entry(&mut self, name: &str, what: &str) {
        let name = bold(&format!("{name:MARGIN$}"));
        self.line(&format!("{name}{what}"));
    }

    fn more(&mut self, what: &str) {
        self.line(&format!("{:MARGIN$}{what}", ""));
    }

    fn route(&mut self, step: &Value) {
        let Some(route) = step["route"].as_str() else {
            return self.entry("route", "none");
        };
        let path = step["path"]
            .as_str()
            .filter(|path| *path != route)
            .map_or_else(String::new, |path| format!("  {path}"));
        let captures: Vec<_> = step["captures"].as_array().into_iter().flatten().map(text).collect();
        let captures =
            if captures.is_empty() { String::new() } else { format!("  with {}", captures.join(", ")) };
        self.entry("route", &format!("{route}{path}{captures}"));
    }

    fn host(&mut self, step: &Value) {
        let whose = match step["customer"].as_str() {
            Some(id) => format!("of customer {}", plain(id)),
            None => "of no customer".to_owned(),
        };
        self.entry("host", &format!("{}, {whose}", text(&step["host"])));
    }

    fn credential(&mut self, step: &Value) {
        let detail = &step["detail"];
        let accepted: Vec<_> = step["accepted"].as_array().into_iter().flatten().map(text).collect();
        let place = step["place"].as_str().filter(|place| *place != "authorization");
        let place = place.map_or_else(String::new, |place| format!(", in {place}"));
        match step["form"].as_str().unwrap_or_default() {
            "api_key" => {
                let checksum = match detail["checksum"].as_bool() {
                    Some(true) => ", checksum right",
                    Some(false) => ", checksum wrong",
                    None => "",
                };
                let prefix =
                    detail["prefix"].as_str().map_or_else(String::new, |prefix| format!(", prefix {prefix}"));
                self.entry("credential", &format!("API key{prefix}{checksum}{place}"));
                // What is no key of ours is not looked for.
                if detail["checksum"] != false {
                    self.more(&format!("stored as {}", text(&detail["stored_as"])));
                    self.key_record(step);
                }
            }
            "token" => {
                let header = &detail["header"];
                let verified = match detail["verified"].as_bool() {
                    Some(true) => "verified",
                    Some(false) => "not verified",
                    None => "signature not checked",
                };
                self.entry("credential", &format!("token, {verified}{place}: {header} {}", detail["claims"]));
                if !detail["customers"].is_null() {
                    let allowed = match detail["customers"]["claim"].as_str() {
                        Some(claim) => format!("the customer that its claim {claim} names"),
                        None => format!("the customers {}", detail["customers"]),
                    };
                    self.more(&format!("its issuer may speak for {allowed}"));
                }
            }
            "client_certificate" => {
                self.entry("credential", &format!("client certificate {}", text(&detail["fingerprint"])));
                self.more(&format!("stored as {}", text(&detail["stored_as"])));
                self.key_record(step);
            }
            "opaque_token" => {
                self.entry("credential", &format!("token that its issuer is asked about{place}"));
            }
            "claims" => self.entry("credential", "none: these claims are assumed"),
            "unreadable" => self.entry("credential", &format!("unreadable: {}", text(&detail["why_not"]))),
            form => self.entry("credential", form),
        }
        self.proof(&step["proof"]);
        if !accepted.is_empty() {
            let anonymous = if step["anonymous"] == true { ", and callers without any" } else { "" };
            self.more(&dim(&format!("the route takes {}{anonymous}", accepted.join(", "))));
        }
        let places: Vec<_> = step["places"].as_array().into_iter().flatten().map(text).collect();
        if places.len() > 1 {
            self.more(&dim(&format!("it is looked for in {}", places.join(", "))));
        }
    }

    /// What the holder of a bound token has proved, beside what was to be proved.
    fn proof(&mut self, proof: &Value) {
        let expected = &proof["expected"];
        if proof.get("certificate").is_some() {
            let (presented, expected) = (text(&proof["certificate"]), text(expected));
            self.more(&format!("bound to the client certificate {expected}; the connection has {presented}"));
        } else if proof.is_object() {
            self.more(&format!("proof: {} {}", proof["header"], proof["claims"]));
            self.more(&format!("must be: {expected}"));
        }
    }

    fn key_record(&mut self, step: &Value) {
        let record = &step["detail"]["record"];
        if !record.is_object() {
            return self.more("there is no record that can be used");
        }
        let expires = record["expires_at"]
            .as_str()
            .map_or_else(|| "does not expire".to_owned(), |at| format!("expires at {at}"));
        let disabled = if record["disabled"] == true { ", disabled" } else { "" };
        self.more(&format!("record {}: {expires}{disabled}", text(&step["cache"])));
    }

    fn principal(&mut self, step: &Value) {
        let subject = step["subject"].as_str().unwrap_or("nobody by name");
        self.entry("principal", &format!("{subject} ({})", text(&step["auth"])));
        for (name, value) in step["claims"].as_object().into_iter().flatten() {
            self.more(&format!("{name} = {value}"));
        }
    }

    fn requirement(&mut self, step: &Value) {
        match step["why_not"].as_str() {
            None => self.entry("require", "holds"),
            Some(why_not) => self.entry("require", &format!("{} {why_not}", red("does not hold:"))),
        }
    }

    /// What the route's service was shown, by name, and what it said.
    fn authorize(&mut self, step: &Value, steps: &Value) {
        let answer = match text(&step["answer"]).as_str() {
            "allowed" => green("allows the request"),
            "denied" => red("denies the request"),
            "cached" => "says what it said before".to_owned(),
            _ => red("gives no answer"),
        };
        self.entry("authorize", &format!("{} {answer}", text(&step["shown"]["service"])));
        let shown = &step["shown"];
        let own = shown["shown"].as_object().into_iter().flatten().map(|(name, _)| plain(name));
        let who =
            if shown["principal"].is_null() { "nobody as the caller" } else { "the caller with its claims" };
        let names: Vec<_> =
            ["route", "method", "host", "path"].map(str::to_owned).into_iter().chain(own).collect();
        self.more(&format!("it is shown {}, and {who}", names.join(", ")));
        let had = shown["principal"]["claims"].as_object();
        let principal = steps.as_array().into_iter().flatten().find(|other| other["step"] == "principal");
        let claims = principal.and_then(|principal| principal["claims"].as_object()).into_iter().flatten();
        for (name, value) in claims.filter(|(name, _)| !had.is_some_and(|had| had.contains_key(*name))) {
            self.more(&format!("it adds {} = {}", plain(name), plain(&value.to_string())));
        }
    }

    fn rule(&mut self, step: &Value, first: bool) {
        let rule = text(&step["rule"]);
        let what = if step["matched"] == true {
            let variant =
                step["variant"].as_str().map_or_else(String::new, |variant| format!(", variant {variant}"));
            let bucket =
                step["bucket"].as_u64().map_or_else(String::new, |bucket| format!(" by bucket {bucket}"));
            let to = step["to"].as_str().map_or_else(String::new, |to| format!(" → {to}"));
            let first_line = format!("{} {rule}{to}{variant}{bucket}", green("✓"));
            self.entry(if first { "rules" } else { "" }, &first_line);
            return self.why_matched(step);
        } else {
            format!("{} {rule}: {}", red("✗"), text(&step["why_not"]))
        };
        self.entry(if first { "rules" } else { "" }, &what);
    }

    /// What the rule's conditions found, and how its split came about.
    fn why_matched(&mut self, step: &Value) {
        let why: Vec<_> = step["why"].as_array().into_iter().flatten().map(text).collect();
        if why.is_empty() {
            self.more("  it has no conditions, so it is for everybody who comes this far");
        }
        for condition in why {
            self.more(&format!("  {condition}"));
        }
        let split = &step["split"];
        if split.is_null() {
            return;
        }
        let seen = |of: &Value| format!("{} is {}", text(&of["operand"]), of["value"]);
        let by = &split["by"];
        match (step["bucket"].as_u64(), by.is_null()) {
            (Some(bucket), _) => self.more(&format!("  {}, which is bucket {bucket}", seen(by))),
            (None, _) if !split["chosen_by"].is_null() => {
                self.more(&format!("  {}, by which a tester chooses", seen(&split["chosen_by"])));
            }
            (None, true) => {
                self.more("  there is nothing to tell this caller by, so the first variant has it")
            }
            (None, false) => {}
        }
        let variants: Vec<_> = split["variants"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|variant| {
                let (from, below) =
                    (variant["from"].as_u64().unwrap_or(0), variant["below"].as_u64().unwrap_or(0));
                let buckets = if from < below {
                    format!("buckets {from} to {}", below - 1)
                } else {
                    "no bucket".to_owned()
                };
                format!("{} has {buckets}", text(&variant["name"]))
            })
            .collect();
        self.more(&format!("  of 10 000 buckets {}", variants.join(", ")));
    }

    fn customer(&mut self, step: &Value) {
        let record = &step["record"];
        let cache = step["cache"]
            .as_str()
            .map_or_else(|| "not asked for".to_owned(), |cache| format!("record {cache}"));
        self.entry("customer", &format!("{}  {}", text(&step["id"]), dim(&cache)));
        if record["disabled"] == true {
            self.more(&red("disabled"));
        }
        for backend in record["backends"].as_array().into_iter().flatten() {
            let region =
                backend["region"].as_str().map_or_else(String::new, |region| format!("  region {region}"));
            let weight =
                backend["weight"].as_u64().map_or_else(String::new, |weight| format!("  weight {weight}"));
            self.more(&format!("{}{region}{weight}", text(&backend["url"])));
        }
    }

    fn limit(&mut self, step: &Value) {
        match step["name"].as_str() {
            None => self.entry("limit", "none of the route's fits this caller"),
            Some(name) => {
                let failing = format!("fails {}", text(&step["on_failure"]));
                let quota = step["quota"].as_u64().map(|quota| format!(" of {quota}")).unwrap_or_default();
                self.entry(
                    "limit",
                    &format!("{name}{quota} counts {}, {failing}; not counted here", text(&step["counts"])),
                );
            }
        }
    }

    fn forward(&mut self, forward: &Value) {
        self.entry("forward", &green(&text(&forward["url"])));
        let attempts: Vec<_> = forward["plan"]["attempts"].as_array().into_iter().flatten().collect();
        if attempts.is_empty() {
            self.more(&format!("within {} ms", forward["timeout_ms"]));
        }
        for (index, attempt) in attempts.iter().enumerate() {
            let then = if index == 0 { "first" } else { "then " };
            let by =
                attempt["binding"].as_str().map(|name| format!(" by the binding {name}")).unwrap_or_default();
            self.more(&format!("{then} {}{by} within {} ms", text(&attempt["url"]), attempt["timeout_ms"]));
            let secrets: Vec<_> = attempt["secrets"].as_array().into_iter().flatten().map(text).collect();
            if !secrets.is_empty() {
                self.more(&format!("      with {}: (secret) of the customer's record", secrets.join(", ")));
            }
        }
        if attempts.len() > 1 {
            self.more(&format!("all within {} ms", forward["plan"]["deadline_ms"]));
        }
        let removed: Vec<_> = forward["removed"].as_array().into_iter().flatten().map(text).collect();
        if !removed.is_empty() {
            self.entry("removed", &removed.join(", "));
        }
        for (index, pair) in forward["set"].as_array().into_iter().flatten().enumerate() {
            self.entry(
                if index == 0 { "set" } else { "" },
                &format!("{}: {}", text(&pair[0]), text(&pair[1])),
            );
        }
        for (index, pair) in forward["set_on_answer"].as_array().into_iter().flatten().enumerate() {
            self.entry(
                if index == 0 { "on answer" } else { "" },
                &format!("{}: {}", text(&pair[0]), text(&pair[1])),
            );
        }
    }

    fn answer(&mut self, answer: &Value) {
        let status = answer["status"].to_string();
        let problem = answer["problem"].as_str().map_or_else(String::new, |slug| format!(" {slug}"));
        self.entry("answer", &red(&format!("{status}{problem}")));
        if let Some(reason) = answer["reason"].as_str() {
            let about =
                Refusal::ALL.iter().find(|refusal| refusal.id() == reason).map(|refusal| refusal.about());
            let why = answer["why"].as_str().map(plain);
            let why = why.or_else(|| about.map(|about| about.trim().trim_end_matches('.').to_owned()));
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            self.more(&format!("because {reason}{why} (docs/problems.md)"));
        }
    }
}

fn bold(text: &str) -> String {
    coloured(text, "1")
}

fn dim(text: &str) -> String {
    coloured(text, "2")
}

fn red(text: &str) -> String {
    coloured(text, "31")
}

fn green(text: &str) -> String {
    coloured(text, "32")
}

fn yellow(text: &str) -> String {
    coloured(text, "33")
}

/// A string as it is, nothing as nothing, anything else as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => plain(text),
        other => other.to_string(),
    }
}

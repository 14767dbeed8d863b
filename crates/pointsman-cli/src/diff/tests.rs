use std::collections::BTreeMap;

use pointsman_testkit::GatewayToml;
use proptest::prelude::*;
use serde_json::json;

use super::{
    callers::Who,
    tally::{Change, Group},
    *,
};
use crate::{
    scratch::Scratch,
    store::Sum,
    sync::memory::{Content, Memory},
};

const KEYS: &str = "prefixes = [\"sk\"]";

fn toml(routes: &[(&str, &[&str], &str)]) -> GatewayToml {
    let toml = ["a", "b", "c"].into_iter().fold(GatewayToml::new(), GatewayToml::backend);
    let toml = toml.table("api_keys", KEYS).table("customers", "claim = \"customerId\"").issuer("main");
    routes.iter().fold(toml, |toml, (path, auth, lines)| toml.route(path, auth, lines))
}

fn compared(base: &str, head: &str, sources: &[Data], claims: &Map<String, Value>) -> (Outcome, usize) {
    let (base, head) = (Source::of_toml(base), Source::of_toml(head));
    let (Ok(of_base), Ok(of_head)) = (gateway(&base), gateway(&head)) else {
        panic!("a configuration has faults")
    };
    let derived = questions::derive(&of_base, &of_head);
    assert_eq!(derived.notes, [""; 0]);
    let now = Timestamp::parse_rfc3339("2026-07-30T12:00:00Z").unwrap();
    let work = Work { questions: &derived.all, claims, now, kept: 3 };
    let Ok(outcome) = compare(&Both { base: &base, head: &head }, &work, sources) else {
        panic!("not compared")
    };
    assert_eq!(outcome.tally.undecided, 0);
    (outcome, derived.all.len())
}

fn key(name: &str, more: Value) -> Value {
    let mut record = json!({ "sha256": Sum::of(name.as_bytes()).to_string(), "subject": name });
    if let (Value::Object(members), Value::Object(more)) = (&mut record, more) {
        members.extend(more);
    }
    record
}

fn customer(id: &str) -> Value {
    json!({ "customerId": id, "backendUrl": format!("https://{id}.tenants.example.com") })
}

/// Two customers, and keys of both and of nobody.
fn data() -> (Scratch, Vec<Data>) {
    let folder = Scratch::new();
    folder.write("customers.json", &json!([customer("acme"), customer("wayne")]).to_string());
    let of = |id: &str, plan: &str| json!({ "claims": { "customerId": id, "plan": plan } });
    let keys =
        [key("k1", of("acme", "gold")), key("k2", of("wayne", "free")), key("k3", of("nobody", "gold"))];
    folder.write("keys.json", &json!(keys).to_string());
    let sources = data::of_files(folder.path()).unwrap();
    (folder, sources)
}

fn counts(outcome: &Outcome) -> [u64; 5] {
    let tally = &outcome.tally;
    let [refused, admitted, moved, otherwise] = Change::ALL.map(|change| tally.count(change));
    [tally.differ, refused, admitted, moved, otherwise]
}

fn of_rules(base: &str, head: &str) -> Outcome {
    let (_folder, sources) = data();
    let of = |rules: &str| toml(&[("/x/{+path}", &["api_key", "main"], rules)]).to_string();
    compared(&of(base), &of(head), &sources, &Map::new()).0
}

#[test]
fn callers_are_counted_by_what_they_notice() {
    let all_a = "rules = [{ name = \"all\", to = \"a\" }]";
    for (base, head, expected) in [
        (all_a, all_a, [0, 0, 0, 0, 0]),
        // Everybody: two customers by token, three keys.
        (all_a, "rules = [{ name = \"all\", to = \"b\" }]", [5, 0, 0, 5, 0]),
        (all_a, "rules = [{ name = \"none\", deny = 403 }]", [5, 5, 0, 0, 0]),
        ("rules = [{ name = \"none\", deny = 403 }]", all_a, [5, 0, 5, 0, 0]),
        (
            "rules = [{ name = \"none\", deny = 403 }]",
            "rules = [{ name = \"none\", deny = 404 }]",
            [5, 0, 0, 0, 5],
        ),
        // Those with gold, of whom one is of nobody.
        (
            all_a,
            "rules = [{ name = \"gold\", when = { plan = \"gold\" }, to = \"b\" }, { name = \"all\", to = \"a\" }]",
            [2, 0, 0, 2, 0],
        ),
        // To the customer's own: who is of no customer that is listed is refused.
        (all_a, "rules = [{ name = \"own\", to = \"customer\" }]", [5, 1, 0, 4, 0]),
    ] {
        assert_eq!(counts(&of_rules(base, head)), expected, "{base}\n{head}");
    }
}

#[test]
fn where_the_host_says_whose_a_request_is_callers_come_by_their_customers_own() {
    let folder = Scratch::new();
    let mut acme = customer("acme");
    acme["hosts"] = json!(["api.acme.example"]);
    folder.write("customers.json", &json!([acme, customer("wayne")]).to_string());
    let of = |id: &str| json!({ "claims": { "customerId": id } });
    folder.write("keys.json", &json!([key("k1", of("acme")), key("k2", of("wayne"))]).to_string());
    let sources = data::of_files(folder.path()).unwrap();
    let of = |customer: &str| {
        let lines = format!("{customer}rules = [{{ name = \"own\", to = \"customer\" }}]");
        toml(&[("/x", &["api_key", "main"], &lines)]).to_string()
    };
    let outcome = compared(&of(""), &of("customer = \"$host\"\n"), &sources, &Map::new()).0;
    // The key and the tokens of wayne, who has no host; and whoever has no credential is told 404 in place of 401.
    assert_eq!(counts(&outcome), [3, 2, 0, 0, 1]);
}

#[test]
fn a_rule_of_another_name_is_said_and_moves_nobody() {
    let outcome = of_rules(
        "rules = [{ name = \"all\", to = \"a\" }]",
        "rules = [{ name = \"everybody\", to = \"a\" }]",
    );
    assert_eq!((counts(&outcome), outcome.tally.other_rule), ([0; 5], 5));
}

#[test]
fn what_credentials_a_route_takes_is_part_of_the_comparison() {
    let (_folder, sources) = data();
    let of = |auth: &[&str]| toml(&[("/x", auth, "rules = [{ name = \"all\", to = \"a\" }]")]).to_string();
    for (base, head, expected) in [
        (&["api_key", "main"][..], &["main"][..], [3, 3, 0, 0, 0]),
        (&["api_key", "main"][..], &["api_key"][..], [2, 2, 0, 0, 0]),
        (&["api_key"][..], &["api_key", "main"][..], [2, 0, 2, 0, 0]),
    ] {
        assert_eq!(
            counts(&compared(&of(base), &of(head), &sources, &Map::new()).0),
            expected,
            "{base:?} {head:?}"
        );
    }
}

#[test]
fn routes_that_come_and_go_are_compared() {
    let (_folder, sources) = data();
    let rules = "rules = [{ name = \"all\", to = \"a\" }]";
    let keys: &[&str] = &["api_key"];
    let one = toml(&[("/x/{+path}", keys, rules)]).to_string();
    let two =
        toml(&[("/x/{+path}", keys, rules), ("/x/special", keys, "rules = [{ name = \"s\", to = \"b\" }]")])
            .to_string();
    let (outcome, questions) = compared(&one, &two, &sources, &Map::new());
    assert_eq!((counts(&outcome), questions), ([3, 0, 0, 3, 0], 2));
    let gone = toml(&[("/y", keys, rules)]).to_string();
    assert_eq!(
        counts(&compared(&one, &gone, &sources, &Map::new()).0),
        [4, 3, 3, 0, 1],
        "the anonymous caller meets a 404"
    );
    let reads = |methods: &str| toml(&[("/x", keys, &format!("methods = {methods}\n{rules}"))]).to_string();
    let (outcome, questions) =
        compared(&reads("[\"GET\", \"POST\", \"PUT\"]"), &reads("[\"GET\"]"), &sources, &Map::new());
    assert_eq!(questions, 2, "GET, and what is no longer there");
    assert_eq!(counts(&outcome), [4, 3, 0, 0, 1]);
}

#[test]
fn a_request_is_asked_for_each_thing_that_rules_tell_apart() {
    let rules = "rules = [
        { name = \"beta\", when = { \"$host\" = \"beta.example.com\" }, to = \"b\" },
        { name = \"near\", when = { \"$country\" = { in = [\"DE\", \"AT\"] } }, to = \"c\" },
        { name = \"part\", when = { \"$param:id\" = \"7\" }, to = \"b\" },
        { name = \"asked\", when = { \"$query:x\" = { exists = true }, \"$header:x-beta\" = \"1\" }, to = \"c\" },
        { name = \"net\", when = { \"$ip\" = \"192.0.2.0/24\" }, to = \"b\" },
        { name = \"all\", to = \"a\" },
    ]";
    let text = toml(&[("/x/{id}", &["api_key"], rules)]).to_string();
    let of = gateway(&Source::of_toml(&text));
    let Ok(of) = of else { panic!("faults") };
    let derived = questions::derive(&of, &of);
    // Host 2, country 3, part 2, query 2, header 2, address 2.
    assert_eq!(derived.all.len(), 96);
    assert!(derived.notes.is_empty());
    let has = |wanted: &dyn Fn(&questions::Question) -> bool| derived.all.iter().any(wanted);
    assert!(has(&|own| own.url == "https://beta.example.com/x/7?x=another"));
    assert!(has(
        &|own| own.cf.get("country") == Some(&json!("AT")) && own.address.as_deref() == Some("192.0.2.0")
    ));
    let (_folder, sources) = data();
    let head = text.replace("in = [\"DE\", \"AT\"]", "in = [\"DE\"]");
    let (outcome, _) = compared(&text, &head, &sources, &Map::new());
    assert_eq!(counts(&outcome), [3, 0, 0, 3, 0]);
    let examples = || outcome.tally.groups.values().flat_map(|members| &members.examples);
    assert!(examples().all(|example| example.circumstances.get("country") == Some(&json!("AT"))));
    assert!(examples().any(|example| {
        example.from == ["https://c.example.com/x/example"]
            && example.to == ["https://a.example.com/x/example"]
    }));
}

#[test]
fn callers_keep_to_what_their_records_allow() {
    let folder = Scratch::new();
    let restricted = json!({ "allowedIps": ["198.51.100.0/24"], "methods": ["PUT"] });
    folder.write(
        "keys.json",
        &json!([key("k", restricted), key("off", json!({ "disabled": true }))]).to_string(),
    );
    let sources = data::of_files(folder.path()).unwrap();
    let of = |to: &str| {
        let rules = format!("methods = [\"GET\", \"PUT\"]\nrules = [{{ name = \"all\", to = \"{to}\" }}]");
        toml(&[("/x", &["api_key"], &rules)]).to_string()
    };
    let (outcome, _) = compared(&of("a"), &of("b"), &sources, &Map::new());
    assert_eq!(counts(&outcome), [1, 0, 0, 1, 0], "one is refused before and after");
    let example = outcome.tally.groups.values().flat_map(|members| &members.examples).next().unwrap();
    assert_eq!(example.method, "PUT");
    assert_eq!(outcome.tally.keys, 2);
}

#[test]
fn kv_is_read_by_the_records_that_count() {
    let refreshed = |id: &str, at: &str| {
        json!({ "customerId": id, "backendUrl": format!("https://{at}.example.com"), "fetchedAt": "2020-01-01T00:00:00Z" }).to_string()
    };
    let mut content = Content::new();
    for (name, value) in [
        ("customer:own".to_owned(), customer("own").to_string()),
        ("source:customer:own".to_owned(), refreshed("own", "api")),
        ("source:customer:listed".to_owned(), refreshed("listed", "api")),
        ("customer:moved".to_owned(), refreshed("moved", "old")),
        ("source:customer:moved".to_owned(), refreshed("moved", "new")),
        ("customer:broken".to_owned(), "no JSON".to_owned()),
        (
            format!("key:{}", Sum::of(b"k")),
            json!({ "subject": "k", "claims": { "customerId": "moved" } }).to_string(),
        ),
    ] {
        content.insert(name, (value, None));
    }
    let sources = data::of_kv(&Memory::of(content), true).unwrap();
    let of = |rule: &str| toml(&[("/x", &["api_key", "main"], rule)]).to_string();
    let own = of("rules = [{ name = \"own\", to = \"customer\" }]");
    let (outcome, _) = compared(&of("rules = [{ name = \"all\", to = \"a\" }]"), &own, &sources, &Map::new());
    let (tally, faults) = (&outcome.tally, &outcome.faults);
    assert_eq!((tally.customers, tally.keys, tally.differ, faults.len(), outcome.faulty), (3, 1, 4, 1, 1));
    assert!(!faults[0].is_error() && faults[0].at.to_string() == "KV customer:broken", "{faults:?}");
    let to: BTreeMap<String, String> = outcome
        .tally
        .groups
        .values()
        .flat_map(|members| &members.examples)
        .map(|example| match &example.who {
            Who::Customer(id) => (id.clone(), example.to.join("")),
            other => (format!("{other:?}").chars().take(3).collect(), example.to.join("")),
        })
        .collect();
    assert_eq!(to["own"], "https://own.tenants.example.com/x");
    assert_eq!(to["listed"], "https://api.example.com/x");
    assert_eq!(to["moved"], "https://new.example.com/x");
    assert_eq!(to.get("Key").map(String::as_str), None, "three examples of each kind are enough");
}

#[test]
fn faults_of_files_are_said_with_their_lines() {
    let folder = Scratch::new();
    folder
        .write("customers.json", "[\n{\"customerId\":\"a\",\n\"backendurl\":\"x\"},\n{\"customerId\":\"\"}]");
    let sources = data::of_files(folder.path()).unwrap();
    let text = toml(&[("/x", &["main"], "rules = [{ name = \"all\", to = \"a\" }]")]).to_string();
    let (outcome, _) = compared(&text, &text, &sources, &Map::new());
    let lines: Vec<usize> = outcome.faults.iter().map(crate::findings::Placed::line).collect();
    assert_eq!((lines, outcome.faulty), (vec![3, 4], 2));
    assert!(outcome.faults.iter().all(crate::findings::Placed::is_error));
}

/// Rules of a few forms, over few names: small enough to meet each other often.
fn any_rules() -> impl Strategy<Value = String> {
    let to = prop_oneof![
        Just("to = \"a\""),
        Just("to = \"b\""),
        Just("to = \"customer\""),
        Just("to = \"customer\", unlisted = \"next\""),
        Just("deny = 403"),
        Just(
            "split = [{ to = \"a\", weight = 1 }, { to = \"c\", weight = 3 }], by = [\"customerId\", \"$subject\"]"
        ),
    ];
    const WHEN: [&str; 6] = [
        "when = { plan = \"gold\" }, ",
        "when = { customerId = \"acme\" }, ",
        "when = { \"$country\" = \"DE\" }, ",
        "when = { \"$header:x-beta\" = { exists = true } }, ",
        "when = { \"$method\" = \"POST\" }, ",
        // Last: what stands behind a rule for everybody is never reached, and a fault.
        "",
    ];
    let when = prop::sample::subsequence(WHEN.to_vec(), 1..4);
    (when, prop::collection::vec(to, 3)).prop_map(|(when, to)| {
        let rules = when.iter().zip(to).enumerate();
        let rules = rules.map(|(index, (when, to))| format!("{{ name = \"r{index}\", {when}{to} }},"));
        format!("methods = [\"GET\", \"POST\"]\nrules = [{}]", rules.collect::<String>())
    })
}

fn any_toml() -> impl Strategy<Value = String> {
    let auth = prop_oneof![Just(vec!["api_key"]), Just(vec!["main"]), Just(vec!["api_key", "main"])];
    prop::collection::vec((auth, any_rules()), 1..3).prop_map(|routes| {
        let paths = ["/x/{+path}", "/x/special"];
        let routes: Vec<(&str, &[&str], &str)> = routes
            .iter()
            .zip(paths)
            .map(|((auth, rules), path)| (path, auth.as_slice(), rules.as_str()))
            .collect();
        toml(&routes).to_string()
    })
}

fn mirrored(groups: &std::collections::HashMap<Group, tally::Members>) -> BTreeMap<Group, u64> {
    let mirror = |group: &Group| Group {
        change: match group.change {
            Change::Refused => Change::Admitted,
            Change::Admitted => Change::Refused,
            same => same,
        },
        from: group.to.clone(),
        to: group.from.clone(),
    };
    groups.iter().map(|(group, members)| (mirror(group), members.callers)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_configuration_with_itself_moves_nobody(text in any_toml()) {
        let (_folder, sources) = data();
        let (outcome, _) = compared(&text, &text, &sources, &Map::new());
        prop_assert_eq!((counts(&outcome), outcome.tally.other_rule), ([0; 5], 0));
    }

    #[test]
    fn the_other_way_round_is_the_mirror_image(one in any_toml(), other in any_toml()) {
        let (_folder, sources) = data();
        let (there, questions) = compared(&one, &other, &sources, &Map::new());
        let (back, same) = compared(&other, &one, &sources, &Map::new());
        prop_assert_eq!(questions, same);
        prop_assert_eq!(there.tally.asked, back.tally.asked);
        let [differ, refused, admitted, moved, otherwise] = counts(&there);
        prop_assert_eq!(counts(&back), [differ, admitted, refused, moved, otherwise]);
        prop_assert_eq!(there.tally.other_rule, back.tally.other_rule);
        let direct: BTreeMap<Group, u64> =
            there.tally.groups.into_iter().map(|(group, members)| (group, members.callers)).collect();
        prop_assert_eq!(direct, mirrored(&back.tally.groups));
    }
}

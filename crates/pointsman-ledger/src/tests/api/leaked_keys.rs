//! Keys that are reported because they have leaked.

use serde_json::{Value, json};

use super::{ACME, ALL, Api, digest, field, holds, pointers, request};
use crate::{ApiAnswer, ApiRequest, EntriesRead, Fields, LeakAction, Reply, Signature};

const URL: &str = "https://github.com/acme/app/blob/c0ffee/.env";

impl Api {
    fn that(action: LeakAction) -> Self {
        let mut api = Self::new();
        api.world.ledger.settings.leak_action = action;
        api.world.ledger.settings.github_reports = true;
        api
    }

    /// A key of a customer, and its id.
    fn key_of(&mut self, customer: &str, prefix: &str) -> (String, String) {
        let body = json!({ "subject": "s", "prefix": prefix, "claims": { "customerId": customer } });
        let made = self.ok(ALL, "POST /keys", &body);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("key"), text("id"))
    }

    /// What the feedback says of each text that a root key reports.
    fn report(&mut self, root: &str, keys: &[&str]) -> Vec<String> {
        labels(&self.ok(root, "POST /leaked-keys", &body(keys)))
    }

    fn signed(&mut self, signature: Signature, keys: &[&str]) -> ApiAnswer {
        let request = signed(signature, &body(keys));
        self.send(&request)
    }

    fn trail_of(&mut self, id: &str) -> Vec<Value> {
        let trail = self.ok(ALL, "GET /audit?limit=1000", &Value::Null);
        let lines = trail["lines"].as_array().unwrap();
        lines.iter().filter(|line| line["name"] == format!("key:{id}")).cloned().collect()
    }
}

fn body(keys: &[&str]) -> Value {
    keys.iter()
        .map(|key| json!({ "token": key, "type": "acme_api_key", "url": URL, "source": "Content" }))
        .collect()
}

fn signed(signature: Signature, body: &Value) -> ApiRequest {
    ApiRequest {
        fields: Fields::default(),
        address: "192.0.2.30".to_owned(),
        signature,
        ..request(ALL, "POST /leaked-keys", &[], body)
    }
}

fn labels(feedback: &Value) -> Vec<String> {
    feedback.as_array().unwrap().iter().map(|one| one["label"].as_str().unwrap().to_owned()).collect()
}

fn reply(answer: ApiAnswer) -> Reply {
    match answer {
        ApiAnswer::Reply(reply) => reply,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_key_that_leaks_is_revoked_and_the_trail_says_by_whom_and_where_it_was_found() {
    for is_signed in [false, true] {
        let mut api = Api::that(LeakAction::Revoke);
        let (key, id) = api.key_of("acme", "sk_live");
        let keys = [key.as_str(), "sk_live_that_nobody_made"];
        let feedback = if is_signed {
            let reply = reply(api.signed(Signature::Right, &keys));
            assert_eq!(reply.status, 200, "{reply:?}");
            reply.body
        } else {
            api.ok(ALL, "POST /leaked-keys", &body(&keys))
        };
        assert_eq!(
            feedback,
            json!([
                { "token_hash": id, "token_type": "acme_api_key", "label": "true_positive" },
                { "token_hash": digest(keys[1]), "token_type": "acme_api_key", "label": "false_positive" },
            ])
        );
        assert_eq!(api.status(ALL, &format!("GET /keys/{id}"), &Value::Null), 404);
        let line = api.trail_of(&id).pop().unwrap();
        let (actor, from) = if is_signed {
            ("secret scanning (github)", "192.0.2.30")
        } else {
            ("root-all (key ", "192.0.2.7")
        };
        assert!(line["actor"].as_str().unwrap().starts_with(actor), "{line}");
        assert_eq!(
            (&line["action"], &line["from"], &line["found"], &line["operation"]),
            (&json!("remove"), &json!(from), &json!(URL), &json!("request-1"))
        );
        assert!(api.trail_of(&digest(keys[1])).is_empty(), "what is no key leaves no line");
        let row = api.world.ask(&format!("key:{id}"));
        assert_eq!(row, None, "isolates are told");
    }
}

#[test]
fn a_key_that_is_only_marked_goes_on_and_says_since_when_it_has_leaked_and_where() {
    let mut api = Api::that(LeakAction::Mark);
    let (key, id) = api.key_of("acme", "sk_live");
    let version = api.ok(ALL, &format!("GET /keys/{id}"), &Value::Null)["version"].clone();
    let since = api.world.at().to_string();
    assert_eq!(api.report(ALL, &[&key]), ["true_positive"]);
    let leaked = json!({ "since": since, "found": URL });
    let shown = api.ok(ALL, &format!("GET /keys/{id}"), &Value::Null);
    assert_eq!((&shown["state"], &shown["leaked"]), (&json!("active"), &leaked));
    assert_eq!(shown["version"], version, "who changes the record is not in the way of the mark");
    let listed = api.ok(ALL, "GET /keys?customer=acme", &Value::Null);
    assert_eq!(listed["keys"][0]["leaked"], leaked);
    assert_eq!(api.trail_of(&id).pop().unwrap()["action"], "leaked");
    assert!(api.world.ask(&format!("key:{id}")).is_some(), "it goes on");
    // The text stays known to others, whatever becomes of the record.
    let patched = api.ok(ALL, &format!("PATCH /keys/{id}"), &json!({ "name": "n" }));
    assert_eq!(patched["leaked"], leaked);
    api.world.restart();
    api.world.run(1);
    let rolled = api.ok(ALL, &format!("POST /keys/{id}/roll"), &json!({ "grace": "1h" }));
    assert_eq!(
        (rolled.get("leaked"), &rolled["old"]["leaked"]),
        (None, &leaked),
        "only the old one has leaked"
    );
    // An operator who revokes from now on: the same report does more.
    api.world.ledger.settings.leak_action = LeakAction::Revoke;
    assert_eq!(api.report(ALL, &[&key]), ["true_positive"]);
    assert_eq!(api.status(ALL, &format!("GET /keys/{id}"), &Value::Null), 404);
}

#[test]
fn a_report_that_is_sent_again_changes_nothing_and_is_answered_alike() {
    for action in [LeakAction::Revoke, LeakAction::Mark] {
        let mut api = Api::that(action);
        let (key, id) = api.key_of("acme", "sk_live");
        let first = reply(api.signed(Signature::Right, &[&key])).body;
        let (before, trail) = (api.ok(ALL, "GET /keys", &Value::Null), api.trail_of(&id));
        let revision = api.world.head().revision;
        api.world.run(60);
        assert_eq!(reply(api.signed(Signature::Right, &[&key])).body, first);
        assert_eq!(api.report(ALL, &[&key]), ["true_positive"]);
        assert_eq!(
            (api.ok(ALL, "GET /keys", &Value::Null), api.trail_of(&id)),
            (before, trail),
            "{action:?}"
        );
        assert_eq!(api.world.head().revision, revision);
    }
    let mut api = Api::that(LeakAction::Revoke);
    let (key, id) = api.key_of("acme", "sk_live");
    let again = [("idempotency-key", "report-1")];
    let first = api.call(ALL, "POST /leaked-keys", &again, &body(&[&key]));
    let second = api.call(ALL, "POST /leaked-keys", &again, &body(&[&key]));
    assert_eq!((first.status, &second.body), (200, &first.body));
    assert_eq!(field(&second, "idempotent-replayed"), Some("true"));
    assert_eq!(api.trail_of(&id).pop().unwrap()["operation"], "report-1");
}

#[test]
fn no_key_is_in_an_answer_the_database_or_the_trail() {
    for action in [LeakAction::Revoke, LeakAction::Mark] {
        let mut api = Api::that(action);
        let (key, id) = api.key_of("acme", "sk_live");
        let url = format!("https://user:{key}@paste.example/{key}?q={key}#{key}");
        let said = json!([{ "token": key, "type": key, "url": url, "source": key, "more": key }]);
        let answer = api.call(ALL, "POST /leaked-keys", &[("idempotency-key", "again")], &said);
        assert_eq!(answer.body[0]["label"], "true_positive");
        assert_eq!(answer.body[0]["token_type"], "");
        let trail = api.trail_of(&id);
        assert_eq!(trail.last().unwrap()["found"], "https://paste.example/");
        assert!(!answer.body.to_string().contains(&key) && !holds(&api.database(), &key));
        for body in [json!({ "token": key }), json!([key]), json!([{ "token": [key] }])] {
            let refused = api.call(ALL, "POST /leaked-keys", &[], &body);
            assert_eq!(refused.status, 422);
            assert!(!refused.body.to_string().contains(&key), "{refused:?}");
        }
    }
}

#[test]
fn a_root_key_that_is_limited_acts_on_what_it_reaches_and_learns_nothing_of_others() {
    let mut api = Api::that(LeakAction::Revoke);
    let (own, own_id) = api.key_of("acme", "sk_test");
    let (other, other_id) = api.key_of("wayne", "sk_test");
    let (prefix, prefix_id) = api.key_of("acme", "sk_live");
    let (gone, gone_id) = api.key_of("wayne", "sk_test");
    api.ok(ALL, &format!("DELETE /keys/{gone_id}"), &Value::Null);
    let keys = [own.as_str(), &other, &prefix, &gone, ALL, "nobody's"];
    let false_positive = "false_positive";
    let expected =
        ["true_positive", false_positive, false_positive, false_positive, false_positive, false_positive];
    assert_eq!(api.report(ACME, &keys), expected);
    assert_eq!(api.status(ALL, &format!("GET /keys/{own_id}"), &Value::Null), 404);
    for id in [other_id, prefix_id] {
        let shown = api.ok(ALL, &format!("GET /keys/{id}"), &Value::Null);
        assert_eq!((&shown["state"], shown.get("leaked")), (&json!("active"), None));
    }
    // Whoever has no limit learns of each, also of one that was revoked before.
    assert_eq!(api.report(ALL, &[&other, &prefix, &gone, "nobody's"])[..3], ["true_positive"; 3]);
}

#[test]
fn root_keys_that_leak_are_revoked_too_whatever_they_may_do() {
    let mut api = Api::that(LeakAction::Revoke);
    api.root("scanner", &json!({ "scopes": ["keys.write"] }));
    assert_eq!(api.report("scanner", &[ALL, ACME]), ["true_positive", "true_positive"]);
    for root in [ALL, ACME] {
        assert_eq!(api.status(root, "GET /self", &Value::Null), 401);
    }
    assert_eq!(api.report("scanner", &["scanner"]), ["true_positive"], "its own, which ends with the answer");
    assert_eq!(api.status("scanner", "GET /self", &Value::Null), 401);
}

#[test]
fn a_report_without_a_root_key_needs_a_setting_the_right_place_and_a_right_signature() {
    let mut api = Api::that(LeakAction::Revoke);
    let (key, id) = api.key_of("acme", "sk_live");
    assert_eq!(api.signed(Signature::Unchecked, &[&key]), ApiAnswer::Verify);
    let ahead =
        ApiRequest { is_ahead: true, is_too_large: true, ..signed(Signature::Unchecked, &Value::Null) };
    assert_eq!(api.send(&ahead), ApiAnswer::Verify);
    let too_large = ApiRequest { is_ahead: false, ..ahead };
    let elsewhere = |line: &str| ApiRequest {
        fields: Fields::default(),
        signature: Signature::Right,
        ..request(ALL, line, &[], &body(&[&key]))
    };
    for (about, request, status, problem) in [
        ("wrong", signed(Signature::Wrong, &body(&[&key])), 401, "credential-invalid"),
        ("no key list", signed(Signature::Unknown, &body(&[&key])), 503, "scanner-keys-unavailable"),
        ("too large", too_large, 413, "body-too-large"),
        ("another path", elsewhere("POST /keys"), 401, "credential-required"),
        ("another method", elsewhere("DELETE /leaked-keys"), 401, "credential-required"),
    ] {
        let refused = reply(api.send(&request));
        let kind = refused.body["type"].as_str().unwrap().rsplit(':').next().unwrap();
        assert_eq!((refused.status, kind), (status, problem), "{about}");
        assert_eq!(field(&refused, "retry-after"), (status == 503).then_some("60"), "{about}");
    }
    api.world.ledger.settings.github_reports = false;
    for signature in [Signature::Unchecked, Signature::Right, Signature::Wrong, Signature::Unknown] {
        assert_eq!(reply(api.signed(signature, &[&key])).status, 401, "{signature:?} and not set");
    }
    assert_eq!(api.status(ALL, &format!("GET /keys/{id}"), &Value::Null), 200, "none of these did anything");
    // A signature beside a root key counts for nothing: the root key does.
    let both =
        ApiRequest { signature: Signature::Wrong, ..request(ALL, "POST /leaked-keys", &[], &body(&[&key])) };
    assert_eq!(reply(api.send(&both)).status, 200);
}

#[test]
fn wrong_signatures_are_slowed_by_address() {
    let mut api = Api::that(LeakAction::Revoke);
    for _ in 0..60 {
        assert_eq!(reply(api.signed(Signature::Wrong, &[])).status, 401);
    }
    for signature in [Signature::Unchecked, Signature::Right] {
        let limited = reply(api.signed(signature, &[]));
        assert_eq!(limited.status, 429, "{signature:?}: nobody looks at a signature from there");
        assert!(field(&limited, "retry-after").is_some());
    }
    let elsewhere = ApiRequest { address: "192.0.2.31".to_owned(), ..signed(Signature::Right, &json!([])) };
    assert_eq!(reply(api.send(&elsewhere)).body, json!([]));
}

#[test]
fn what_the_ledger_has_not_seen_is_read_first_and_what_it_has_is_ended_whatever_kv_says() {
    let mut api = Api::that(LeakAction::Revoke);
    let (key, id) = api.key_of("acme", "sk_live");
    api.world.run(1);
    let record = json!({ "subject": "by hand" }).to_string();
    let name = format!("key:{}", digest("by hand"));
    api.world.put_by_hand(&name, &record);
    let report = |entries_read| ApiRequest {
        entries_read,
        ..request(ALL, "POST /leaked-keys", &[], &body(&["by hand", &key, "nobody's"]))
    };
    let ApiAnswer::ReadAll(names) = api.send(&report(EntriesRead::No)) else { panic!() };
    assert_eq!(names, [name.clone(), format!("key:{}", digest("nobody's"))]);
    assert_eq!(api.status(ALL, &format!("GET /keys/{id}"), &Value::Null), 200, "nothing was done yet");

    let incomplete = reply(api.send(&report(EntriesRead::Failed)));
    let kind = incomplete.body["type"].as_str().unwrap();
    assert_eq!((incomplete.status, kind), (503, "urn:pointsman:problem:report-incomplete"));
    assert_eq!(field(&incomplete, "retry-after"), Some("60"));
    assert_eq!(api.status(ALL, &format!("GET /keys/{id}"), &Value::Null), 404, "what is known has ended");

    let at = api.world.at();
    for name in &names {
        let value = (*name == format!("key:{}", digest("by hand"))).then_some(record.as_str());
        api.world.ledger.took_from_kv(name, value, None, at);
    }
    let answer = reply(api.send(&report(EntriesRead::Yes)));
    assert_eq!(labels(&answer.body), ["true_positive", "true_positive", "false_positive"]);
    assert_eq!(api.status(ALL, &format!("GET /keys/{}", digest("by hand")), &Value::Null), 404);
}

#[test]
fn a_flood_of_made_up_texts_reads_kv_no_oftener_than_anybody_may() {
    let mut api = Api::that(LeakAction::Revoke);
    let mut reads = 0;
    for number in 0..30 {
        let made_up = format!("made up {number}");
        let report = ApiRequest {
            entries_read: EntriesRead::No,
            ..request(ALL, "POST /leaked-keys", &[], &body(&[&made_up]))
        };
        match api.send(&report) {
            ApiAnswer::ReadAll(_) => reads += 1,
            answer => assert_eq!(reply(answer).status, 503, "never that it is none"),
        }
    }
    assert_eq!(reads, 10);
}

#[test]
fn reports_are_bounded_by_how_many_texts_they_name_and_not_by_how_often() {
    let mut api = Api::that(LeakAction::Revoke);
    let (key, _) = api.key_of("acme", "sk_live");
    let often = vec![key.as_str(); 2000];
    assert_eq!(api.report(ALL, &often), ["true_positive"]);
    let texts: Vec<String> = (0..501).map(|number| format!("text {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(api.report(ALL, &texts[..500]).len(), 500);
    let refused = api.call(ALL, "POST /leaked-keys", &[], &body(&texts));
    assert_eq!(refused.status, 413);
}

#[test]
fn what_is_no_report_is_refused() {
    let mut api = Api::that(LeakAction::Revoke);
    for body in [json!({}), json!([1]), json!([{}]), json!([{ "token": 7 }]), json!([{ "type": "t" }])] {
        let refused = api.call(ALL, "POST /leaked-keys", &[], &body);
        assert_eq!((refused.status, pointers(&refused)), (422, vec![""]), "{body}");
        let refused = reply(api.send(&signed(Signature::Right, &body)));
        assert_eq!(refused.status, 422, "{body}");
    }
    let text = [("content-type", "text/plain")];
    assert_eq!(api.call(ALL, "POST /leaked-keys", &text, &json!([])).status, 415);
    let condition = [("if-match", "*")];
    assert_eq!(api.call(ALL, "POST /leaked-keys", &condition, &json!([])).status, 400);
    for body in [json!([]), json!([{ "token": "", "type": null, "url": null, "source": null }])] {
        assert_eq!(api.status(ALL, "POST /leaked-keys", &body), 200, "{body}");
    }
}

use std::{collections::VecDeque, rc::Rc};

use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::http::{Answered, Call, Http};

type Answer = Result<(u16, Value), Failure>;

/// Answers one call after the other, and notes them.
#[derive(Default)]
struct Script {
    answers: RefCell<VecDeque<Answer>>,
    calls: RefCell<Vec<(String, Value, Option<String>)>>,
}

impl Http for Rc<Script> {
    fn call(&self, call: &Call<'_>) -> Result<Answered, Failure> {
        assert_eq!(call.secret, "root");
        let path = call.url.strip_prefix("https://api.example.com/manage").unwrap();
        let body = call.body.as_deref().map_or(Value::Null, |body| serde_json::from_str(body).unwrap());
        let key = call.idempotency_key.map(str::to_owned);
        self.calls.borrow_mut().push((format!("{} {path}", call.method), body, key));
        let (status, text) = self.answers.borrow_mut().pop_front().expect("one call more than is meant")?;
        let retry_after = (status == 429).then_some(7);
        Ok(Answered { status, text: text.to_string(), retry_after })
    }
}

fn api(answers: impl IntoIterator<Item = Answer>) -> (Api, Rc<Script>) {
    let answers = RefCell::new(answers.into_iter().collect());
    let script = Rc::new(Script { answers, ..Script::default() });
    let url = Url::parse("https://api.example.com/manage").unwrap();
    let caller = Caller::new(Box::new(Rc::clone(&script)), &url, "root".to_owned());
    (Api::with(caller.without_pauses()), script)
}

fn paths(script: &Script) -> Vec<String> {
    script.calls.borrow().iter().map(|(path, ..)| path.clone()).collect()
}

fn entry(name: &str, value: &Value) -> Entry {
    Entry::new(name.to_owned(), value.to_string())
}

fn digest(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn problem(status: u16, kind: &str, more: &Value) -> Answer {
    let mut body = json!({ "type": format!("https://example.com/problems/{kind}"), "detail": "as it is" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Ok((status, body))
}

#[test]
fn pages_are_followed_to_the_end_and_what_was_seen_is_what_is_changed() {
    let customer =
        |id: &str, version: u64| json!({ "id": id, "version": version, "record": { "customerId": id } });
    let (api, script) = api([
        Ok((200, json!({ "customers": [customer("b c", 7)], "next": "n+1" }))),
        Ok((
            200,
            json!({ "customers": [{ "id": "x", "provider": { "record": { "backendUrl": "u" } } }], "next": "n2" }),
        )),
        Ok((200, json!({ "customers": [customer("a", 9)] }))),
        Ok((200, json!({ "results": [{ "body": { "version": 10 } }, { "body": { "version": 11 } }] }))),
        Ok((200, json!({ "results": [{ "body": { "version": 12 } }] }))),
    ]);
    let names: Vec<_> = api.list("customer:").unwrap().into_iter().map(|listed| listed.name).collect();
    assert_eq!(names, ["customer:a", "customer:b c"], "what the config API says stands under its own name");
    api.put(&[entry("customer:b c", &json!({ "n": 1 })), entry("customer:new", &json!({ "n": 2 }))]).unwrap();
    api.put(&[entry("customer:b c", &json!({ "n": 3 }))]).unwrap();
    assert_eq!(
        paths(&script),
        [
            "GET /v1/customers?limit=1000",
            "GET /v1/customers?limit=1000&cursor=n%2B1",
            "GET /v1/customers?limit=1000&cursor=n2",
            "POST /v1/bulk",
            "POST /v1/bulk",
        ]
    );
    let calls = script.calls.borrow();
    let path = "/v1/customers/b%20c";
    assert_eq!(
        calls[3].1["operations"],
        json!([
            { "method": "PUT", "path": path, "ifMatch": "\"7\"", "body": { "n": 1 } },
            { "method": "PUT", "path": "/v1/customers/new", "ifNoneMatch": "*", "body": { "n": 2 } },
        ])
    );
    assert_eq!(calls[4].1["operations"][0]["ifMatch"], "\"10\"", "the version that the change before made");
    let keys: Vec<_> = calls[3..].iter().map(|(_, _, key)| key.clone().unwrap()).collect();
    assert_ne!(keys[0], keys[1], "the same key would make the second change the first one");
}

#[test]
fn a_change_is_of_the_version_that_was_seen_first() {
    let key = |version: u64| Ok((200, json!({ "id": digest('a'), "version": version, "record": {} })));
    let made = || Ok((200, json!({ "results": [{ "body": { "version": 9 } }] })));
    let (api, script) = api([key(1), key(2), made(), key(3), made()]);
    let name = format!("key:{}", digest('a'));
    api.get(&name).unwrap();
    let keeps = api.keeps_of(&name).unwrap();
    api.put(&[Entry { name: name.clone(), value: "{}".to_owned(), keeps }]).unwrap();
    api.get(&name).unwrap();
    api.delete(&[name]).unwrap();
    let calls = script.calls.borrow();
    let conditions = [2, 4].map(|call| calls[call].1["operations"][0]["ifMatch"].clone());
    assert_eq!(
        conditions,
        ["\"1\"", "\"9\""],
        "what was decided by the first look is not written over a later one"
    );
}

#[test]
fn who_was_not_in_the_list_is_new_also_where_somebody_has_made_it_since() {
    let made = || Ok((200, json!({ "results": [{ "body": { "version": 9 } }] })));
    let (api, script) = api([
        Ok((200, json!({ "customers": [] }))),
        Ok((200, json!({ "id": "a", "version": 5, "record": {} }))),
        made(),
    ]);
    api.list("customer:").unwrap();
    api.get("customer:a").unwrap();
    api.put(&[entry("customer:a", &json!({}))]).unwrap();
    assert_eq!(script.calls.borrow()[2].1["operations"][0]["ifNoneMatch"], "*");
}

#[test]
fn an_answer_of_anybody_elses_is_no_success() {
    let (api, _) = api([Ok((200, json!({}))), Ok((200, json!({}))), Ok((200, json!({ "results": [] })))]);
    assert!(matches!(api.list("key:"), Err(Failure::Store(_))));
    for _ in 0..2 {
        let outcome = api.put(&[entry("customer:a", &json!({}))]);
        assert!(matches!(outcome, Err(Failure::Store(what)) if what.contains("no management API")));
    }
}

#[test]
fn what_was_seen_and_is_gone_or_out_of_reach_by_now_was_changed_by_somebody_else() {
    let key = json!({ "id": digest('a'), "version": 1, "record": {} });
    let pointer = "/operations/0/path";
    let absent = json!({ "operation": 0, "errors": [{ "pointer": pointer, "detail": "nothing" }] });
    let (api, _) = api([Ok((200, key)), problem(422, "invalid", &absent)]);
    let name = format!("key:{}", digest('a'));
    api.get(&name).unwrap();
    assert!(
        matches!(api.delete(&[name]), Err(Failure::Store(what)) if what.contains("changed it meanwhile"))
    );
}

#[test]
fn few_values_are_read_one_by_one_and_many_by_pages() {
    let key = |digit| json!({ "id": digest(digit), "version": 3, "record": { "subject": "s" } });
    let (api, script) = api([Ok((200, key('a'))), problem(404, "not-found", &json!({}))]);
    let names = [format!("key:{}", digest('a')), format!("key:{}", digest('b'))];
    let mut found = Vec::new();
    api.get_many(&names, &mut |name, value| {
        found.push((name.to_owned(), value));
        Ok(())
    })
    .unwrap();
    assert_eq!(found[0].1.as_deref(), Some(r#"{"subject":"s"}"#));
    assert_eq!(found[1].1, None);
    assert_eq!(paths(&script).len(), 2);

    let many: Vec<String> = (0..=FEW).map(|number| format!("customer:c{number}")).collect();
    let (api, script) =
        self::api([Ok((200, json!({ "customers": [{ "id": "c7", "version": 1, "record": {} }] })))]);
    let mut there = 0;
    api.get_many(&many, &mut |_, value| {
        there += usize::from(value.is_some());
        Ok(())
    })
    .unwrap();
    assert_eq!((there, paths(&script).len()), (1, 1));
}

#[test]
fn what_fails_for_a_while_is_called_again_as_the_same_call() {
    let down = || Err(Failure::Store("no answer".to_owned()));
    let made = || Ok((200, json!({ "results": [{ "body": { "version": 1 } }] })));
    let put = |answers: Vec<Answer>| {
        let (api, script) = api(answers);
        let outcome = api.put(&[entry("customer:a", &json!({}))]);
        let calls = script.calls.borrow();
        let is_same = calls.iter().all(|call| call.2.is_some() && call.2 == calls[0].2);
        assert!(is_same, "a call whose answer was lost must not happen twice");
        (outcome, calls.len())
    };
    assert_eq!(put(vec![down(), problem(503, "ledger-unavailable", &json!({})), made()]), (Ok(()), 3));
    assert_eq!(put(vec![problem(429, "rate-limited", &json!({})), made()]), (Ok(()), 2));
    let (outcome, calls) = put((0..5).map(|_| down()).collect());
    assert!(matches!(outcome, Err(Failure::Store(_))) && calls == 5);
    let (outcome, calls) = put(vec![problem(403, "insufficient-scope", &json!({}))]);
    assert!(matches!(outcome, Err(Failure::Input(what)) if what.ends_with("as it is")) && calls == 1);
}

#[test]
fn refusals_name_the_record_and_what_to_do() {
    let said = |answer: Answer| {
        let (api, _) = api([answer]);
        match api.put(&[entry("customer:a", &json!({})), entry("customer:b", &json!({}))]).unwrap_err() {
            Failure::Input(what) => (1, what),
            Failure::Store(what) => (3, what),
        }
    };
    let at = |pointer: &str| json!({ "operation": 1, "errors": [{ "pointer": pointer, "detail": "must be https" }] });
    let (code, what) = said(problem(422, "invalid", &at("/operations/1/body/backendUrl")));
    assert!(code == 1 && what.ends_with("customer:b: /backendUrl must be https"), "{what}");
    let (code, what) = said(problem(412, "precondition-failed", &json!({ "operation": 0, "version": 4 })));
    assert!(code == 3 && what.contains("customer:a: somebody else has changed it meanwhile"), "{what}");
    let (code, what) = said(problem(401, "credential-invalid", &json!({})));
    assert!(code == 1 && what.contains(ROOT_KEY), "{what}");
    let (code, what) = said(problem(404, "route-not-found", &json!({})));
    assert!(code == 1 && what.contains("is [operator] api of gateway.toml deployed"), "{what}");
}

#[test]
fn what_is_gone_already_needs_no_deleting() {
    let absent = |index: usize| {
        let pointer = format!("/operations/{index}/path");
        problem(
            422,
            "invalid",
            &json!({ "operation": index, "errors": [{ "pointer": pointer, "detail": "nothing" }] }),
        )
    };
    let (api, script) = api([absent(0), Ok((200, json!({ "results": [{ "body": {} }] })))]);
    api.delete(&[format!("key:{}", digest('a')), format!("key:{}", digest('b'))]).unwrap();
    let calls = script.calls.borrow();
    assert_eq!(
        calls[1].1["operations"],
        json!([{ "method": "DELETE", "path": format!("/v1/keys/{}", digest('b')) }])
    );
    assert_ne!(calls[0].2, calls[1].2, "another call");
    let (api, script) = self::api([absent(0)]);
    api.delete(&[format!("key:{}", digest('a'))]).unwrap();
    assert_eq!(paths(&script).len(), 1);
}

#[test]
fn an_end_that_the_store_gives_a_key_goes_over_to_its_successor() {
    let item =
        json!({ "id": digest('a'), "version": 3, "record": {}, "storeExpiresAt": "2027-01-01T00:00:00Z" });
    let made = Ok((200, json!({ "results": [{ "body": { "version": 9 } }] })));
    let (api, script) = api([Ok((200, item)), made]);
    let keeps = api.keeps_of(&format!("key:{}", digest('a'))).unwrap();
    let name = format!("key:{}", digest('b'));
    api.put(&[Entry { name, value: r#"{"subject":"s"}"#.to_owned(), keeps }]).unwrap();
    let calls = script.calls.borrow();
    assert_eq!(calls[1].1["operations"][0]["body"]["expiresAt"], "2027-01-01T00:00:00.000Z");
}

#[test]
fn other_entries_are_not_to_be_had() {
    let (api, _) = api([]);
    assert!(matches!(api.list("keyset:"), Err(Failure::Input(_))));
    assert!(matches!(api.put(&[entry("source:customer:a", &json!({}))]), Err(Failure::Input(_))));
    assert_eq!(api.get("directory:touched"), Ok(None));
}

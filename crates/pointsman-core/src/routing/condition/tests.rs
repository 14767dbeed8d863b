use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::{
    http::{
        cf::CfValue,
        head::{Fields, RequestTarget},
    },
    identity::claims::{ClaimPath, Claims},
    routing::rule::{Action, Rule},
};

#[derive(Default)]
struct Sent {
    fields: HashMap<&'static str, &'static str>,
    cf: Map<String, Value>,
}

impl Fields for Sent {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.fields.get(name).map(|value| Cow::Borrowed(*value))
    }

    fn cf(&self, path: &str) -> Option<CfValue> {
        CfValue::find(&self.cf, path)
    }
}

fn principal(claims: &Value) -> Principal {
    Principal::new(Some(Rc::from("u")), Claims::new(claims.as_object().unwrap().clone()))
}

fn find(sent: &Sent, url: &str, of: &Operand) -> Option<Value> {
    let principal = principal(&json!({"plan": "gold", "scope": "read write"}));
    let head = Head {
        method: "GET",
        target: RequestTarget::parse(url).unwrap(),
        seen: PresentFields::CF_CONNECTING_IP,
        fields: sent,
        request_id: "r",
    };
    let facts =
        Facts { principal: &principal, head: &head, captures: &["%61b%2Fc", "a%20b%40%2fc%252F%C3%A9"] };
    facts.find(of).map(Cow::into_owned)
}

fn holds(condition: &Condition, claims: &Value) -> bool {
    let principal = principal(claims);
    let sent = Sent::default();
    let target = RequestTarget::parse("https://h/").unwrap();
    let head = Head { method: "GET", target, seen: PresentFields::default(), fields: &sent, request_id: "r" };
    let facts = Facts { principal: &principal, head: &head, captures: &[] };
    let holds = condition.holds(&facts);
    assert_eq!(condition.why_not(&facts).is_none(), holds, "{condition}");
    assert_eq!(condition.why(&facts).is_some(), holds, "{condition}");
    holds
}

fn claim(name: &str, test: Test) -> Condition {
    Condition::Is { of: Operand::Claim(ClaimPath::parse(name).unwrap()), test }
}

#[test]
fn scalars_are_compared_with_their_type() {
    let equals = Test::Equals;
    assert!(equals(json!("1")).holds(Some(&json!("1"))));
    assert!(!equals(json!("1")).holds(Some(&json!(1))));
    assert!(equals(json!(1)).holds(Some(&json!(1.0))));
    assert!(!equals(json!(true)).holds(Some(&json!("true"))));
    assert!(!equals(json!("a")).holds(Some(&json!(["a"]))));
    assert!(!equals(json!("a")).holds(None));
}

#[test]
fn the_other_tests() {
    let roles = json!(["a", "b"]);
    assert!(Test::Contains(json!("b")).holds(Some(&roles)));
    assert!(!Test::Contains(json!("b")).holds(Some(&json!("b"))));
    assert!(Test::OneOf(vec![json!("a"), json!(2)]).holds(Some(&json!(2))));
    assert!(Test::Exists(true).holds(Some(&Value::Null)));
    assert!(Test::Exists(false).holds(None));
    let not_paid = Test::Not(Box::new(Test::Equals(json!("paid"))));
    assert!(
        not_paid.holds(Some(&json!("free"))) && not_paid.holds(None) && !not_paid.holds(Some(&json!("paid")))
    );
    let has = Test::Has("write".to_owned());
    for (value, expected) in [
        (json!("read write"), true),
        (json!("rewrite"), false),
        (json!("writes"), false),
        (json!(["read", "write"]), true),
        (json!(["read write"]), false),
        (json!({"write": true}), false),
    ] {
        assert_eq!(has.holds(Some(&value)), expected, "{value}");
    }
    let staff = Test::Suffix(vec!["@example.com".to_owned()]);
    assert!(staff.holds(Some(&json!("a@example.com"))) && !staff.holds(Some(&json!("a@example.com.evil"))));
    assert!(Test::Prefix(vec!["x".to_owned(), "y".to_owned()]).holds(Some(&json!("yes"))));
}

#[test]
fn numbers_are_compared_as_numbers() {
    let at_least = Test::Compares(Comparison::AtLeast, Number::from(3));
    for (value, expected) in [
        (json!(3), true),
        (json!(2.999), false),
        (json!(10), true),
        (json!("10"), false),
        (json!(true), false),
    ] {
        assert_eq!(at_least.holds(Some(&value)), expected, "{value}");
    }
    assert!(!at_least.holds(None));
    assert!(!Test::Compares(Comparison::Above, Number::from(3)).holds(Some(&json!(3))));
    assert!(!Test::Compares(Comparison::Below, Number::from(3)).holds(Some(&json!(3))));
    assert!(Test::Compares(Comparison::AtMost, Number::from(3)).holds(Some(&json!(-3))));
}

/// Whole numbers of 64 bits, of which neighbours come to one double.
fn wholes() -> impl Strategy<Value = Number> {
    prop_oneof![
        (-4i64..4).prop_map(|by| Number::from(1_122_334_455_667_789_000 + by)),
        (0..4i64).prop_map(|by| Number::from(i64::MIN + by)),
        (0..4u64).prop_map(|by| Number::from(u64::MAX - by)),
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
    ]
}

proptest! {
    #[test]
    fn two_whole_numbers_are_two_in_every_test(left in wholes(), right in wholes()) {
        let whole = |number: &Number| number.as_i64().map_or_else(|| i128::from(number.as_u64().unwrap()), i128::from);
        let (own, other) = (Value::Number(left.clone()), Value::Number(right.clone()));
        let same = left == right;
        let list = || vec![json!("x"), other.clone(), json!(0.5)];
        let value = Some(&own);
        prop_assert_eq!(Test::Equals(other.clone()).holds(value), same);
        prop_assert_eq!(Test::OneOf(list()).holds(value), same);
        prop_assert_eq!(Test::Contains(other.clone()).holds(Some(&json!([true, own]))), same);
        prop_assert_eq!(Test::Not(Box::new(Test::Equals(other.clone()))).holds(value), !same);
        for values in [Values::Items, Values::Elements] {
            let equals = || Box::new(Test::Equals(other.clone()));
            prop_assert_eq!(Test::OneValue(values, equals()).holds(value), same);
            prop_assert_eq!(Test::EachValue(values, equals()).holds(Some(&json!([own, own]))), same);
        }
        for (comparison, expected) in [
            (Comparison::Above, whole(&left) > whole(&right)),
            (Comparison::AtLeast, whole(&left) >= whole(&right)),
            (Comparison::Below, whole(&left) < whole(&right)),
            (Comparison::AtMost, whole(&left) <= whole(&right)),
        ] {
            prop_assert_eq!(Test::Compares(comparison, right.clone()).holds(value), expected);
        }
        prop_assert!(same || !Test::Equals(other.clone()).is_implied_by(&Test::Equals(own.clone())));
        let key_of = |value: &Value| {
            let principal = principal(&json!({ "id": value }));
            let facts = Facts { principal: &principal, head: &Head::bare(), captures: &[] };
            facts.key(&Operand::Claim(ClaimPath::parse("id").unwrap()))
        };
        prop_assert_eq!(key_of(&own), Some(left.to_string()));
        prop_assert_eq!(key_of(&json!([own])) == key_of(&json!([other])), same);
    }
}

#[test]
fn who_has_no_exact_number_is_told_apart_by_something_else() {
    for (claim, expected) in
        [(json!(1e19), None), (json!([1e19]), None), (json!(7.0), Some("7")), (json!(7.5), Some("7.5"))]
    {
        let principal = principal(&json!({ "id": claim }));
        let facts = Facts { principal: &principal, head: &Head::bare(), captures: &[] };
        let key = facts.key(&Operand::Claim(ClaimPath::parse("id").unwrap()));
        assert_eq!(key.as_deref(), expected, "{claim}");
    }
}

#[test]
fn several_values_are_tested_by_any_and_all_and_are_no_single_one() {
    let one = |values, text: &str| Test::OneValue(values, Box::new(Test::Equals(json!(text))));
    let each = |values, text: &str| Test::EachValue(values, Box::new(Test::Equals(json!(text))));
    let plain = Test::Equals(json!("1"));
    // Of a query: a single parameter is a text, several are a list.
    for (value, any, all) in [
        (json!("1"), true, true),
        (json!("0"), false, false),
        (json!(["0", "1"]), true, false),
        (json!(["1", "1"]), true, true),
        (json!([]), false, false),
        (json!("0,1"), false, false),
        (json!(null), false, false),
    ] {
        assert_eq!(one(Values::Items, "1").holds(Some(&value)), any, "any {value}");
        assert_eq!(each(Values::Items, "1").holds(Some(&value)), all, "all {value}");
        assert_eq!(plain.holds(Some(&value)), value == json!("1"), "{value}");
    }
    // Of a field: Fetch joins lines with a comma and a space.
    for (value, any, all) in [
        ("1", true, true),
        ("0, 1", true, false),
        ("1,1", true, true),
        (" 1\t,0", true, false),
        ("1, ", true, false),
        ("", false, false),
    ] {
        assert_eq!(one(Values::Elements, "1").holds(Some(&json!(value))), any, "any {value:?}");
        assert_eq!(each(Values::Elements, "1").holds(Some(&json!(value))), all, "all {value:?}");
    }
    assert!(!one(Values::Items, "1").holds(None) && !each(Values::Items, "1").holds(None));
    let test = each(Values::Items, "1");
    assert_eq!(test.to_string(), "for each of its values: must be \"1\"");
}

/// However a parameter's name is written, it is the one that is asked for.
#[test]
fn a_parameter_is_found_in_every_spelling_that_the_url_standard_reads() {
    let sent = Sent::default();
    for (query, expected) in [
        ("%61dmin=1", Some(json!("1"))),
        ("admin", Some(json!(""))),
        ("admin=", Some(json!(""))),
        ("&&admin=1&", Some(json!("1"))),
        ("admin=0&%61%64min=1", Some(json!(["0", "1"]))),
        ("admin=&admin", Some(json!(["", ""]))),
        ("admin%3D1", None),
        // A % by itself is one, and hides nothing behind it.
        ("admin=100%", Some(json!("100%"))),
        ("%zz&admin=%2%31+%2B", Some(json!("%21 +"))),
        ("Admin=1", None),
        ("x=1;admin=1", None),
    ] {
        let url = format!("https://h/?{query}");
        assert_eq!(find(&sent, &url, &Operand::Query(Rc::from("admin"))), expected, "{query}");
    }
}

#[test]
fn each_operand_finds_its_value() {
    let mut sent = Sent::default();
    sent.fields.insert("cf-connecting-ip", "192.0.2.7");
    sent.fields.insert("x-beta", "yes");
    let url = "https://API.example.com:8443/x?v=1&a%20b=c+d&v=%32&flag&=e";
    let said = |of: &Operand| find(&sent, url, of);
    assert_eq!(said(&Operand::Subject), Some(json!("u")));
    assert_eq!(said(&Operand::Method), Some(json!("GET")));
    assert_eq!(said(&Operand::Host), Some(json!("api.example.com")));
    assert_eq!(find(&sent, "https://[::1]/", &Operand::Host), Some(json!("[::1]")));
    assert_eq!(said(&Operand::Ip), Some(json!("192.0.2.7")));
    assert_eq!(said(&Operand::Param(0, Rc::from("id"))), Some(json!("ab%2Fc")), "one segment");
    assert_eq!(said(&Operand::Param(1, Rc::from("id"))), Some(json!("a b@%2Fc%2Fé")));
    assert_eq!(said(&Operand::Header(Rc::from("x-beta"))), Some(json!("yes")));
    assert_eq!(said(&Operand::Query(Rc::from("v"))), Some(json!(["1", "2"])), "twice is a list");
    assert_eq!(said(&Operand::Query(Rc::from("a b"))), Some(json!("c d")));
    assert_eq!(said(&Operand::Query(Rc::from("flag"))), Some(json!("")));
    assert_eq!(said(&Operand::Query(Rc::from("w"))), None);
    assert_eq!(find(&sent, "https://h/x", &Operand::Query(Rc::from("v"))), None);
}

fn cf_operand(name: &str) -> Operand {
    Operand::parse(&format!("${name}"), |_| None).unwrap()
}

fn sent_from(cf: &Value) -> Sent {
    Sent { cf: cf.as_object().unwrap().clone(), ..Sent::default() }
}

#[test]
fn where_a_client_is_may_be_unknown() {
    let nowhere = Sent::default();
    let eu = cf_operand("eu");
    assert_eq!(find(&nowhere, "https://h/", &eu), None, "unknown is not \"outside\"");
    assert_eq!(find(&nowhere, "https://h/", &cf_operand("country")), None);
    let outside = sent_from(&json!({"country": "CH"}));
    assert_eq!(find(&outside, "https://h/", &eu), Some(json!(false)));
    let inside = sent_from(&json!({"country": "DE", "isEUCountry": "1"}));
    assert_eq!(find(&inside, "https://h/", &eu), Some(json!(true)));
}

#[test]
fn all_any_not_and_names_combine() {
    let gold = claim("plan", Test::Equals(json!("gold")));
    let admin = claim("role", Test::Equals(json!("admin")));
    let any = Condition::Any(vec![gold.clone(), admin.clone()]);
    let all = Condition::All(vec![gold, admin]);
    let named = Condition::Named(Rc::new(Named { name: Rc::from("vip"), condition: any.clone() }));
    for (claims, expected) in [
        (json!({"plan": "gold", "role": "admin"}), [true, true, false, true]),
        (json!({"plan": "gold"}), [true, false, false, true]),
        (json!({}), [false, false, true, false]),
    ] {
        let not = Condition::Not(Box::new(any.clone()));
        let got = [&any, &all, &not, &named].map(|condition| holds(condition, &claims));
        assert_eq!(got, expected, "{claims}");
    }
    assert!(holds(&Condition::All(vec![]), &json!({})));
    assert!(!holds(&Condition::Any(vec![]), &json!({})));
}

#[test]
fn why_not_says_what_was_found() {
    let principal = principal(&json!({"plan": "free"}));
    let sent = Sent::default();
    let target = RequestTarget::parse("https://h/").unwrap();
    let head = Head { method: "GET", target, seen: PresentFields::default(), fields: &sent, request_id: "r" };
    let facts = Facts { principal: &principal, head: &head, captures: &[] };
    let gold = claim("plan", Test::Equals(json!("gold")));
    assert_eq!(gold.why_not(&facts).unwrap(), "plan is \"free\", and must be \"gold\"");
    let eu = Condition::Is { of: cf_operand("eu"), test: Test::Equals(json!(true)) };
    assert_eq!(eu.why_not(&facts).unwrap(), "$eu is not there, and must be true");
}

proptest! {
    /// If one rule is said to cover another, no claims may match the other alone.
    #[test]
    fn covering_is_never_wrong(earlier in rules(), later in rules(), value in values()) {
        let claims = json!({"a": value});
        let matches = |rule: &Rule| rule.when.iter().all(|condition| holds(condition, &claims));
        if earlier.covers(&later) && matches(&later) {
            prop_assert!(matches(&earlier), "{earlier:?} / {later:?}");
        }
    }

    #[test]
    fn no_query_makes_it_panic(query in "[a-z%0-9&=+é]{0,40}", name in "[a-z%é]{0,5}") {
        let url = format!("https://h/?{query}");
        let _ = find(&Sent::default(), &url, &Operand::Query(Rc::from(name)));
    }
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!("x")),
        Just(json!("xy")),
        Just(json!("x y")),
        Just(json!(1)),
        Just(json!(["x"])),
        Just(json!("10.1.2.3")),
        Just(Value::Null)
    ]
}

fn tests() -> impl Strategy<Value = Test> {
    let text = || prop_oneof![Just("x".to_owned()), Just("xy".to_owned()), Just("y".to_owned())];
    let range = || prop_oneof![Just("10.0.0.0/8"), Just("10.1.0.0/16"), Just("0.0.0.0/0")];
    let comparison = prop_oneof![
        Just(Comparison::Above),
        Just(Comparison::AtLeast),
        Just(Comparison::Below),
        Just(Comparison::AtMost)
    ];
    let leaf = prop_oneof![
        values().prop_map(Test::Equals),
        prop::collection::vec(values(), 0..3).prop_map(Test::OneOf),
        any::<bool>().prop_map(Test::Exists),
        values().prop_map(Test::Contains),
        text().prop_map(Test::Has),
        prop::collection::vec(text(), 1..3).prop_map(Test::Prefix),
        prop::collection::vec(text(), 1..3).prop_map(Test::Suffix),
        (comparison, 0..3i64)
            .prop_map(|(comparison, number)| Test::Compares(comparison, Number::from(number))),
        prop::collection::vec(range().prop_map(|text| Cidr::parse(text).unwrap()), 1..3)
            .prop_map(Test::Within),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|test| Test::Not(Box::new(test))),
            inner.clone().prop_map(|test| Test::OneValue(Values::Items, Box::new(test))),
            inner.clone().prop_map(|test| Test::EachValue(Values::Items, Box::new(test))),
            prop::collection::vec(inner, 1..3).prop_map(Test::All),
        ]
    })
}

fn conditions() -> impl Strategy<Value = Condition> {
    tests().prop_map(|test| claim("a", test)).prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|condition| Condition::Not(Box::new(condition))),
            inner
                .clone()
                .prop_map(|condition| Condition::Named(Rc::new(Named { name: Rc::from("n"), condition }))),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Condition::All),
            prop::collection::vec(inner, 0..3).prop_map(Condition::Any),
        ]
    })
}

fn rules() -> impl Strategy<Value = Rule> {
    prop::collection::vec(conditions(), 0..3).prop_map(|when| Rule {
        name: Rc::from("r"),
        when,
        action: Action::Deny(403),
        within: vec![],
    })
}

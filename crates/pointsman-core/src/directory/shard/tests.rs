#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice)]

use proptest::prelude::*;

use super::*;
use crate::{base::digest::Digest, directory::row::Usable};

fn sorted(mut rows: Vec<(RecordKey, Row)>) -> Vec<(RecordKey, Row)> {
    rows.sort_by_key(|(key, _)| *key);
    rows.dedup_by_key(|(key, _)| *key);
    rows
}

/// A key and a customer as most are: a subject, its claims, a host by its name.
fn typical(count: usize) -> Vec<(RecordKey, Row)> {
    let rows = (0..count).flat_map(|n| {
        let id = format!("customer-{n}");
        let environment = if n % 3 == 0 { "sandbox" } else { "production" };
        let key = format!(
            r#"{{"subject":"{id}","claims":{{"customerId":"{id}","environment":"{environment}","plan":"gold"}}}}"#
        );
        let customer = format!(r#"{{"customerId":"{id}","backendUrl":"https://{id}.backends.example.com"}}"#);
        [
            (RecordKey::api_key(&Digest::of(format!("key {n}").as_bytes())), Row::of(key)),
            (RecordKey::customer(&id), Row::of(customer)),
        ]
    });
    sorted(rows.collect())
}

/// What a customer's record is looked up by.
fn id_of(row: &Row) -> String {
    let record: serde_json::Value = serde_json::from_slice(&row.text).unwrap_or_default();
    record["customerId"].as_str().unwrap_or_default().to_owned()
}

fn read_back(rows: &[(RecordKey, Row)], prefix_bits: u8) -> Shard {
    let shard = Shard::parse(encode(rows, prefix_bits), prefix_bits).unwrap();
    for (key, row) in rows {
        assert_eq!(shard.find(key, &id_of(row)).as_ref(), Some(row));
        let other = RecordKey { kind: Kind::Token, ..*key };
        assert_eq!(shard.find(&other, ""), None, "a record of another kind");
    }
    shard
}

#[test]
fn a_key_and_its_customer_take_sixty_two_bytes_together() {
    let rows = typical(10_000);
    let shard = read_back(&rows, 0);
    let bytes = shard.weight() as f64 / 10_000.0;
    assert!(bytes <= 62.0, "{bytes} bytes");
}

/// Ids that are drawn, and nothing that is counted.
fn drawn(count: usize) -> Vec<(RecordKey, Row)> {
    let rows = (0..count).flat_map(|n| {
        let digest = Digest::of(format!("id {n}").as_bytes()).to_string();
        let (id, host) = (format!("{}-{}", &digest[..8], &digest[8..12]), &digest[12..20]);
        let key =
            format!(r#"{{"subject":"{id}","claims":{{"customerId":"{id}","environment":"production"}}}}"#);
        let customer =
            format!(r#"{{"customerId":"{id}","backendUrl":"https://{host}.backends.example.com"}}"#);
        [
            (RecordKey::api_key(&Digest::of(format!("key {n}").as_bytes())), Row::of(key)),
            (RecordKey::customer(&id), Row::of(customer)),
        ]
    });
    sorted(rows.collect())
}

#[test]
fn ids_that_are_drawn_cost_their_own_length() {
    let shard = read_back(&drawn(5_000), 0);
    let bytes = shard.weight() as f64 / 5_000.0;
    assert!(bytes <= 66.0, "{bytes} bytes");
}

#[test]
fn shards_of_any_size_and_prefix_are_searched() {
    for count in [0, 1, 7, 40, 900] {
        read_back(&typical(count), 0);
    }
    let all = typical(900);
    for prefix in 0..8 {
        let rows: Vec<_> = all.iter().filter(|(key, _)| key.prefix(3) == prefix).cloned().collect();
        read_back(&rows, 3);
    }
}

#[test]
fn what_cannot_be_used_and_what_ends_is_a_row() {
    let at = Timestamp::from_millis(1_785_412_800_000);
    let row = |n: u64, row: Row| (RecordKey::customer(&n.to_string()), row);
    let rows = sorted(vec![
        row(1, Row { usable: Usable::Malformed, ..Row::default() }),
        row(2, Row { usable: Usable::Unsure, provider: true, ..Row::default() }),
        row(
            3,
            Row { expires_at: Some(at), ..Row::of(r#"{"customerId":"3","backendUrl":"https://x.example"}"#) },
        ),
    ]);
    let shard = read_back(&rows, 0);
    let found = shard.find(&RecordKey::customer("3"), "3").unwrap();
    assert_eq!(in_force(found.clone(), at), None);
    assert!(in_force(found, Timestamp::from_millis(at.millis() - 1)).is_some());
}

#[test]
fn an_id_that_json_escapes_is_found_as_any_other() {
    let record = |id: &str| {
        let text = serde_json::json!({ "customerId": id, "backendUrl": "https://x.example" }).to_string();
        (RecordKey::customer(id), Row::of(text))
    };
    let ids = [r#"a"b"#, r"a\\b", "a/b", "é", "x", "xx", "aé\u{7f}b", "7"];
    read_back(&sorted(ids.map(record).to_vec()), 0);
    let customers_first =
        |id| Row::of(format!(r#"{{"customerId":"{id}","backendUrl":"https://x.example"}}"#));
    read_back(&sorted(ids[2..].iter().map(|id| (RecordKey::customer(id), customers_first(id))).collect()), 0);
}

#[test]
fn the_same_rows_make_the_same_bytes() {
    let rows = typical(500);
    assert_eq!(encode(&rows, 0), encode(&rows, 0));
}

#[test]
fn what_is_cut_or_of_another_format_is_no_shard() {
    let bytes = encode(&typical(50), 0);
    for end in [0, 2, 3, 10, 60] {
        assert!(Shard::parse(bytes[..end].to_vec(), 0).is_none(), "cut at {end}");
    }
    let mut other = bytes;
    other[2] = FORMAT + 1;
    assert!(Shard::parse(other, 0).is_none());
    let before = encode_as(&typical(50), 0, FORMAT - 1);
    assert!(Shard::parse_up_to(encode(&typical(50), 0), 0, FORMAT - 1).is_none());
    assert!(Shard::parse_up_to(before.clone(), 0, FORMAT - 1).is_some() && Shard::parse(before, 0).is_some());
}

#[test]
fn a_row_that_cannot_be_read_is_there_all_the_same() {
    let (key, other) = (RecordKey::customer("acme"), RecordKey::customer("wayne"));
    let mut bytes = encode(&[(key, Row::of("{}"))], 0);
    let flags = bytes.len() - 6;
    assert_eq!(bytes[flags], (Kind::Customer as u8) << FREE_BITS, "flags, length, template, length, text");
    bytes[flags] |= 3;
    let shard = Shard::parse(bytes, 0).unwrap();
    assert_eq!(shard.find(&key, "acme"), Some(Row::unreadable()));
    assert_eq!(shard.find(&other, "wayne"), None);
}

fn json(depth: u32) -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        prop_oneof![
            "[a-c]{1,4}",
            "[a-c]{0,2}[0-9]{3,6}[a-c-]{0,2}[0-9]{0,5}",
            ".{0,12}",
            "https?://[a-c]{1,4}(\\.x)?(:1)?(/[a-c]*)?"
        ]
        .prop_map(Into::into),
    ];
    leaf.prop_recursive(depth, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::btree_map("[a-c\"\\\\]{0,3}", inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever records say: what is found is what was written.
    #[test]
    fn any_json_comes_back_byte_for_byte(
        texts in prop::collection::vec(prop_oneof![json(3), Just(serde_json::json!({"a": "acme", "b": "acme", "c": "xacmey"}))], 0..40),
        same in 0usize..8,
    ) {
        let rows = texts.iter().enumerate().flat_map(|(n, json)| {
            (0..=same).map(move |copy| {
                let key = RecordKey::customer(&format!("{n}.{copy}"));
                (key, Row::of(serde_json::to_vec(json).unwrap()))
            })
        });
        read_back(&sorted(rows.collect()), 0);
    }

    /// Bytes that nobody wrote are found out, or found nothing in.
    #[test]
    fn no_bytes_end_in_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut with_beginning = vec![b'P', b'S', FORMAT];
        with_beginning.extend_from_slice(&bytes);
        let rows = typical(20);
        let mut damaged = encode(&rows, 0);
        for (at, byte) in flips {
            let at = at.index(damaged.len());
            damaged[at] = byte;
        }
        for bytes in [bytes, with_beginning, damaged] {
            if let Some(shard) = Shard::parse(bytes, 0) {
                rows.iter().for_each(|(key, _)| drop(shard.find(key, "customer-1")));
            }
        }
    }
}

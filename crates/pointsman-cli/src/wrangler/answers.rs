//! What wrangler prints, read as it comes.

use std::{collections::HashMap, io::Read, marker::PhantomData};

use serde::Deserialize;
use serde_json::Value;

use crate::store::{Beside, Keeps, Listed};

#[derive(Deserialize)]
struct Item {
    name: String,
    #[serde(default)]
    expiration: Option<u64>,
    #[serde(default)]
    metadata: Option<Value>,
}

impl From<Item> for Listed {
    fn from(item: Item) -> Self {
        let Beside { keeps, sum: written, .. } = Keeps::read(item.expiration, item.metadata);
        Self { name: item.name, written, keeps }
    }
}

impl From<Item> for (String, Option<String>) {
    fn from(item: Item) -> Self {
        (item.name, Keeps::read(item.expiration, item.metadata).value())
    }
}

/// What `wrangler kv key list` says: by name, each once.
///
/// # Errors
/// Where it is no listing.
pub(super) fn listing(text: impl Read) -> Result<Vec<Listed>, String> {
    let mut list: Vec<Listed> = items(text)?;
    list.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    list.dedup_by(|one, other| one.name == other.name);
    Ok(list)
}

/// The same with the values that stand in the listing itself.
///
/// # Errors
/// Where it is no listing.
pub(super) fn listed_values(text: impl Read) -> Result<Vec<(String, Option<String>)>, String> {
    let mut list: Vec<(String, Option<String>)> = items(text)?;
    list.sort_unstable();
    list.dedup_by(|one, other| one.0 == other.0);
    Ok(list)
}

/// The items one by one: all of them as JSON would be many times as large.
fn items<T: From<Item>>(text: impl Read) -> Result<Vec<T>, String> {
    struct Items<T>(Vec<T>);
    impl<'de, T: From<Item>> Deserialize<'de> for Items<T> {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor<T>(PhantomData<T>);
            impl<'de, T: From<Item>> serde::de::Visitor<'de> for Visitor<T> {
                type Value = Items<T>;
                fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    formatter.write_str("an array of entries")
                }
                fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Items<T>, A::Error> {
                    let mut list = Vec::new();
                    while let Some(item) = items.next_element::<Item>()? {
                        list.push(item.into());
                    }
                    Ok(Items(list))
                }
            }
            deserializer.deserialize_seq(Visitor(PhantomData))
        }
    }
    let Items(list) = serde_json::from_reader(text).map_err(|problem| problem.to_string())?;
    Ok(list)
}

/// What `wrangler kv bulk get` says: each name with its value or with `null`; locally the value stands in an
/// object.
///
/// # Errors
/// Where it is nothing of the kind.
pub(super) fn values(text: impl Read) -> Result<HashMap<String, Option<String>>, String> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Answer {
        Value(Option<String>),
        Object { value: Option<String> },
    }
    let answers: HashMap<String, Answer> =
        serde_json::from_reader(text).map_err(|problem| problem.to_string())?;
    let value = |answer| match answer {
        Answer::Value(value) | Answer::Object { value } => value,
    };
    Ok(answers.into_iter().map(|(name, answer)| (name, value(answer))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Sum;

    #[test]
    fn a_listing_tells_what_the_tools_wrote() {
        let sum = Sum::of(b"x");
        let text = format!(
            r#"[{{"name":"b"}},{{"name":"a","metadata":{{"sha256":"{sum}"}},"expiration":1}},
                {{"name":"c","metadata":"other"}},{{"name":"d","metadata":{{"sha256":"short"}}}}]"#
        );
        let listed = listing(text.as_bytes()).unwrap();
        let known: Vec<_> = listed.iter().map(|listed| (listed.name.as_str(), listed.written)).collect();
        assert_eq!(known, [("a", Some(sum)), ("b", None), ("c", None), ("d", None)]);
        assert_eq!(listed[0].keeps.expiration, Some(1));
        assert_eq!(listed_values(text.as_bytes()).unwrap().len(), 4);
        let record = r#"{"subject":"s"}"#;
        let metadata = Keeps::default().metadata(record);
        let shown = listed_values(format!(r#"[{{"name":"k","metadata":{metadata}}}]"#).as_bytes()).unwrap();
        assert_eq!(shown, [("k".to_owned(), Some(record.to_owned()))]);
        assert!(listing(&b"{}"[..]).is_err());
        assert!(listing(&b""[..]).is_err());
    }

    #[test]
    fn values_come_in_two_forms() {
        let local = values(&br#"{"a":{"value":"x"},"b":{"value":null}}"#[..]).unwrap();
        let remote = values(&br#"{"a":"x","b":null}"#[..]).unwrap();
        for found in [local, remote] {
            assert_eq!(found["a"].as_deref(), Some("x"));
            assert_eq!(found["b"], None);
        }
        assert!(values(&b"[]"[..]).is_err());
    }
}

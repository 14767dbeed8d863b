//! How two JSON values differ, member by member.

use pointsman_config::findings::escape;
use serde_json::Value;

/// One member that differs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Difference {
    /// Where it stands (RFC 6901).
    pub(crate) pointer: String,
    pub(crate) old: Option<Value>,
    pub(crate) new: Option<Value>,
}

/// All members that differ, by place. Lists of one length are compared item by item.
pub(crate) fn differences(old: &Value, new: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(String::new(), Some(old), Some(new), &mut found);
    found
}

fn compare(pointer: String, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Difference>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                compare(format!("{pointer}/{}", escape(name)), before.get(name), after.get(name), found);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                compare(format!("{pointer}/{index}"), Some(before), Some(after), found);
            }
        }
        (old, new) => found.push(Difference { pointer, old: old.cloned(), new: new.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_named_where_they_differ() {
        let old = json!({ "a": 1, "b": { "c/d": [1, 2], "e": [1] }, "gone": true, "same": [{}] });
        let new = json!({ "a": 2, "b": { "c/d": [1, 3], "e": [1, 2] }, "same": [{}], "new": null });
        let said: Vec<String> = differences(&old, &new)
            .into_iter()
            .map(|Difference { pointer, old, new }| {
                let text =
                    |value: Option<Value>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
                format!("{pointer} {} {}", text(old), text(new))
            })
            .collect();
        assert_eq!(said, ["/a 1 2", "/b/c~1d/1 2 3", "/b/e [1] [1,2]", "/gone true -", "/new - null"]);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), (0..3).prop_map(Value::from)];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[abc]", inner, 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_differs_only_where_all_is_equal(old in value(), new in value()) {
            prop_assert_eq!(differences(&old, &new).is_empty(), old == new);
            for Difference { pointer, old: before, new: after } in differences(&old, &new) {
                prop_assert_eq!(old.pointer(&pointer), before.as_ref());
                prop_assert_eq!(new.pointer(&pointer), after.as_ref());
            }
        }
    }
}

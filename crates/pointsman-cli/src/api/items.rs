//! Keys and customers as the API's answers have them, under the names of their entries in KV.

use pointsman_core::{base::time::Timestamp, identity::customer_id::CustomerId};
use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use crate::{
    records::{Kind, own_name},
    store::Keeps,
};

/// Records in a page. So many are as many as a page may have.
const PAGE: usize = 1000;

/// Where records stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shelf {
    Keys,
    /// Operators' own records of customers.
    Customers,
    /// What the config API says of customers.
    Provided,
}

/// A record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Item {
    pub(super) name: String,
    /// The record as it stands; one that is none is text.
    pub(super) text: String,
    /// Of what the config API says there is none: nobody changes it here.
    pub(super) version: Option<u64>,
    /// When it ends by itself, beside what its record says.
    ends: Option<Timestamp>,
}

impl Item {
    pub(super) fn keeps(&self) -> Keeps {
        Keeps::ending(self.ends.map(|end| end.millis() / 1000))
    }
}

impl Shelf {
    pub(super) const ALL: [Self; 3] = [Self::Keys, Self::Customers, Self::Provided];

    /// What names of its records begin with.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Keys => Kind::Key.prefix(),
            Self::Customers => Kind::Customer.prefix(),
            Self::Provided => CustomerId::REFRESHED_PREFIX,
        }
    }

    pub(super) fn has(self, name: &str) -> bool {
        name.starts_with(self.prefix())
    }

    /// The shelf of names that begin so, and what follows its own prefix.
    pub(super) fn of(prefix: &str) -> Option<(Self, &str)> {
        Self::ALL.into_iter().find_map(|shelf| Some((shelf, prefix.strip_prefix(shelf.prefix())?)))
    }

    /// The path of one record.
    pub(super) fn path(name: &str) -> Option<(String, Self)> {
        let (shelf, rest) = Self::of(name)?;
        match shelf {
            Self::Keys => Kind::of(name).map(|_| (format!("/v1/keys/{rest}"), shelf)),
            Self::Customers => Kind::of(name).map(|_| (format!("/v1/customers/{}", encoded(rest)), shelf)),
            Self::Provided => own_name(name).map(|_| (format!("/v1/customers/{}", encoded(rest)), shelf)),
        }
    }

    /// Under which name pages have them.
    pub(super) const fn list(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Customers | Self::Provided => "customers",
        }
    }

    /// The path of a page of records whose name goes on so behind the prefix, behind a cursor. Keys are had by no beginning of
    /// their digest.
    pub(super) fn page(self, beginning: &str, cursor: Option<&str>) -> String {
        let mut path = format!("/v1/{}?limit={PAGE}", self.list());
        if self != Self::Keys && !beginning.is_empty() {
            path.push_str(&format!("&prefix={}", encoded(beginning)));
        }
        if let Some(cursor) = cursor {
            path.push_str(&format!("&cursor={}", encoded(cursor)));
        }
        path
    }

    /// The records of a page.
    pub(super) fn items(self, page: &Value) -> impl Iterator<Item = Item> {
        let all = page.get(self.list()).and_then(Value::as_array);
        all.into_iter().flatten().filter_map(move |item| item_of(self, item))
    }
}

/// A record as an answer has it; `None` where the answer has none for this shelf.
pub(super) fn item_of(shelf: Shelf, item: &Value) -> Option<Item> {
    let id = item.get("id")?.as_str()?;
    let place = if shelf == Shelf::Provided { item.get("provider")? } else { item };
    let text = match place.get("record")? {
        Value::String(text) => text.clone(),
        record => record.to_string(),
    };
    let ends = item.get("storeExpiresAt").and_then(Value::as_str).and_then(Timestamp::parse_rfc3339);
    let version = item.get("version").and_then(Value::as_u64).filter(|_| shelf != Shelf::Provided);
    Some(Item { name: format!("{}{id}", shelf.prefix()), text, version, ends })
}

/// A text as a segment of a path, and as a value of a query. `+` would be no space in a path.
pub(super) fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

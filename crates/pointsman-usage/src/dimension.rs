//! By what requests are told apart.

use serde::{Deserialize, Serialize};

/// One blob of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Dimension {
    /// Whose request it was; empty where nobody was authenticated.
    Customer,
    /// The first 16 hexadecimal digits of the API key's digest.
    Key,
    /// The backend, as `gateway.toml` calls it.
    Backend,
    /// Which origin of the backend.
    Origin,
    /// The route.
    Route,
    /// The rule that matched.
    Rule,
    /// The variant of a split.
    Variant,
    /// Why the gateway refused or failed.
    Reason,
    /// How the caller was authenticated: `api_key`, the issuer's name, `anonymous`, …
    Issuer,
    /// The class of the status: `2xx` to `5xx`.
    Status,
    /// The place of the platform that answered.
    Place,
    /// The version of the configuration.
    Version,
    /// The method of the request.
    Method,
    /// Whom a refused credential names. Nobody has verified that.
    ClaimedCustomer,
}

impl Dimension {
    /// All, in the order of the points' blobs.
    pub const ALL: [Self; 14] = [
        Self::Customer,
        Self::Route,
        Self::Rule,
        Self::Variant,
        Self::Backend,
        Self::Origin,
        Self::Key,
        Self::Issuer,
        Self::Reason,
        Self::Status,
        Self::Place,
        Self::Version,
        Self::Method,
        Self::ClaimedCustomer,
    ];

    /// The column that holds it.
    #[must_use]
    pub const fn column(self) -> &'static str {
        match self {
            Self::Customer => "blob2",
            Self::Route => "blob3",
            Self::Rule => "blob4",
            Self::Variant => "blob5",
            Self::Backend => "blob6",
            Self::Origin => "blob7",
            Self::Key => "blob8",
            Self::Issuer => "blob9",
            Self::Reason => "blob10",
            Self::Status => "blob11",
            Self::Place => "blob12",
            Self::Version => "blob13",
            Self::Method => "blob14",
            Self::ClaimedCustomer => "blob15",
        }
    }

    /// Its name in a question.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Route => "route",
            Self::Rule => "rule",
            Self::Variant => "variant",
            Self::Backend => "backend",
            Self::Origin => "origin",
            Self::Key => "key",
            Self::Issuer => "issuer",
            Self::Reason => "reason",
            Self::Status => "status",
            Self::Place => "place",
            Self::Version => "version",
            Self::Method => "method",
            Self::ClaimedCustomer => "claimedCustomer",
        }
    }

    /// The dimension of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_knows_each_dimension_by_one_name() {
        for dimension in Dimension::ALL {
            assert_eq!(Dimension::named(dimension.name()), Some(dimension));
            let json = serde_json::to_value(dimension).unwrap();
            assert_eq!(json, dimension.name());
            assert_eq!(serde_json::from_value::<Dimension>(json).unwrap(), dimension);
        }
        assert_eq!(Dimension::named("colour"), None);
    }

    #[test]
    fn each_dimension_has_a_column_of_its_own() {
        let columns: std::collections::BTreeSet<_> = Dimension::ALL.map(Dimension::column).into();
        assert_eq!(columns.len(), Dimension::ALL.len());
    }
}

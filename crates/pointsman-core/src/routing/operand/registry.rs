//! The registry of operands. One row here adds one; a row of the platform's `request.cf` needs no other code.
//! CONTRIBUTING.md says what is generated from it.

use super::ValueType;
use crate::http::cf::{CfKind, CfProperty};

/// An operand, but for claims, which have the names that issuers give them.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name behind `$`, and before `:` where a name of the configuration's own follows.
    pub name: &'static str,
    /// Where its value comes from.
    pub source: Source,
    /// What it is, as a part of a sentence: "… is one of DE, AT".
    pub words: &'static str,
    /// What its values mean, in a line without a full stop.
    pub help: &'static str,
    /// A value; a text without quotes.
    pub example: &'static str,
}

/// Where an operand's value comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// The caller's subject.
    Subject,
    /// What the platform says of the client.
    Cf(CfProperty),
    /// The client's address.
    Ip,
    /// The method.
    Method,
    /// The host.
    Host,
    /// A part of the path.
    Param,
    /// A field.
    Header,
    /// A parameter of the query.
    Query,
}

impl Source {
    /// What the operand's values can be.
    #[must_use]
    pub const fn value_type(self) -> ValueType {
        match self {
            Self::Cf(property) => match property.kind {
                CfKind::Text => ValueType::Text,
                CfKind::Number => ValueType::Number,
                CfKind::Flag { .. } => ValueType::Boolean,
            },
            Self::Query => ValueType::Texts,
            Self::Subject | Self::Ip | Self::Method | Self::Host | Self::Param | Self::Header => {
                ValueType::Text
            }
        }
    }

    /// A name that may stand behind the operand's own name and a colon, where one must.
    #[must_use]
    pub const fn argument(self) -> Option<&'static str> {
        match self {
            Self::Param => Some("id"),
            Self::Header => Some("x-beta"),
            Self::Query => Some("beta"),
            Self::Subject | Self::Cf(_) | Self::Ip | Self::Method | Self::Host => None,
        }
    }
}

/// The entries that are properties of `request.cf`, with these properties.
pub fn of_platform() -> impl Iterator<Item = (&'static Entry, CfProperty)> {
    REGISTRY.iter().filter_map(|entry| match entry.source {
        Source::Cf(property) => Some((entry, property)),
        _ => None,
    })
}

/// The client's continent: also its region where the configuration has none of its own.
pub const CONTINENT: CfProperty = CfProperty { path: "continent", kind: CfKind::Text };

/// All operands, in the order in which people read of them.
pub const REGISTRY: &[Entry] = &[
    Entry {
        name: "subject",
        source: Source::Subject,
        words: "the subject",
        help: "The caller's subject: of a token the claim sub, of an API key what its record says",
        example: "user-7",
    },
    Entry {
        name: "country",
        source: Source::Cf(CfProperty { path: "country", kind: CfKind::Text }),
        words: "the country",
        help: "The client's country, two letters, or T1 for Tor",
        example: "DE",
    },
    Entry {
        name: "continent",
        source: Source::Cf(CONTINENT),
        words: "the continent",
        help: "The client's continent: AF, AN, AS, EU, NA, OC or SA",
        example: "EU",
    },
    Entry {
        name: "region",
        source: Source::Cf(CfProperty { path: "regionCode", kind: CfKind::Text }),
        words: "the part of the country",
        help: "The code of the part of the country where the client is; two countries may share one, so test the country too",
        example: "BY",
    },
    Entry {
        name: "eu",
        source: Source::Cf(CfProperty { path: "isEUCountry", kind: CfKind::Flag { known_by: "country" } }),
        words: "being in the EU",
        help: "Whether the client's country is in the European Union; not there where the country is unknown",
        example: "true",
    },
    Entry {
        name: "colo",
        source: Source::Cf(CfProperty { path: "colo", kind: CfKind::Text }),
        words: "the data centre",
        help: "The data centre that the client reaches",
        example: "FRA",
    },
    Entry {
        name: "asn",
        source: Source::Cf(CfProperty { path: "asn", kind: CfKind::Number }),
        words: "the network",
        help: "The number of the autonomous system, the network that the client is in",
        example: "13335",
    },
    Entry {
        name: "tls_version",
        source: Source::Cf(CfProperty { path: "tlsVersion", kind: CfKind::Text }),
        words: "the TLS version",
        help: "The version of TLS that the client speaks to the platform",
        example: "TLSv1.3",
    },
    Entry {
        name: "bot_score",
        source: Source::Cf(CfProperty { path: "botManagement.score", kind: CfKind::Number }),
        words: "the bot score",
        help: "How likely a person sent the request, from 1 for a bot to 99; not there without Bot Management",
        example: "30",
    },
    Entry {
        name: "ip",
        source: Source::Ip,
        words: "the address",
        help: "The client's address; a text or a list in a condition means addresses and ranges",
        example: "192.0.2.0/24",
    },
    Entry { name: "method", source: Source::Method, words: "the method", help: "The method", example: "GET" },
    Entry {
        name: "host",
        source: Source::Host,
        words: "the host",
        help: "The host that was asked for, in lower case, without its port",
        example: "api.example.com",
    },
    Entry {
        name: "param",
        source: Source::Param,
        words: "the path part",
        help: "A placeholder of the route's path, decoded, but for %2F; only in the route's own conditions and splits",
        example: "7",
    },
    Entry {
        name: "header",
        source: Source::Header,
        words: "the field",
        help: "A request field, but authorization and cookie, which hold credentials; several lines are one text, with commas between them",
        example: "yes",
    },
    Entry {
        name: "query",
        source: Source::Query,
        words: "the query parameter",
        help: "A parameter of the query, name and value decoded; one that was sent several times is a list",
        example: "1",
    },
];

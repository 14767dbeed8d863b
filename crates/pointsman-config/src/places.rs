//! What the platform can say of a client and a request: countries, continents, data centres, methods. A condition that compares
//! with anything else never holds.

mod countries;
mod data_centres;

pub use self::{
    countries::{Country, all_countries, country, country_meant},
    data_centres::is_data_centre,
};

/// Codes of continents, with their names in English.
pub const CONTINENTS: [(&str, &str); 7] = [
    ("AF", "Africa"),
    ("AN", "Antarctica"),
    ("AS", "Asia"),
    ("EU", "Europe"),
    ("NA", "North America"),
    ("OC", "Oceania"),
    ("SA", "South America"),
];

/// What the platform says in the place of a country and a continent: of a client in the Tor network, and of one whom it cannot
/// place.
pub const NO_PLACES: [(&str, &str); 2] = [("T1", "Tor"), ("XX", "unknown")];

/// The methods that reach a Worker: the runtime's HTTP server answers each other one itself, with 501
/// (`KJ_HTTP_FOR_EACH_METHOD` in Cap'n Proto's `kj/compat/http.h`).
pub const METHODS: [&str; 28] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "PATCH",
    "PURGE",
    "OPTIONS",
    "TRACE",
    "COPY",
    "LOCK",
    "MKCOL",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "SEARCH",
    "UNLOCK",
    "ACL",
    "REPORT",
    "MKACTIVITY",
    "CHECKOUT",
    "MERGE",
    "MSEARCH",
    "NOTIFY",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "QUERY",
    "BAN",
];

/// The versions of TLS that a client may speak, as the platform names them.
pub const TLS_VERSIONS: [&str; 4] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

//! By what requests are chosen.

use pointsman_usage::Dimension;

use super::Chosen;

/// Several values of one option are alternatives; of several options, all must fit.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Filters: one may be given several times, and any of its values fits")]
pub(super) struct Filters {
    /// Requests of this customer.
    #[arg(long, value_name = "ID")]
    customer: Vec<String>,
    /// Requests with the key whose digest begins so, as `keys list` and `keys inspect` show it.
    #[arg(long, value_name = "DIGITS", value_parser = digits)]
    key: Vec<String>,
    /// Requests to this backend.
    #[arg(long, value_name = "NAME")]
    backend: Vec<String>,
    /// Requests to this origin of a backend.
    #[arg(long, value_name = "NAME")]
    origin: Vec<String>,
    /// Requests of this route.
    #[arg(long, value_name = "NAME")]
    route: Vec<String>,
    /// Requests that this rule matched.
    #[arg(long, value_name = "NAME")]
    rule: Vec<String>,
    /// Requests to this variant of a split.
    #[arg(long, value_name = "NAME")]
    variant: Vec<String>,
    /// Requests that were refused or failed for this reason.
    #[arg(long, value_name = "ID")]
    reason: Vec<String>,
    /// Requests that were authenticated so: `api_key`, an issuer's name, `anonymous`.
    #[arg(long, value_name = "NAME")]
    issuer: Vec<String>,
    /// Requests that were answered so: 2xx, 3xx, 4xx or 5xx.
    #[arg(long, value_name = "CLASS")]
    status: Vec<String>,
    /// Requests that this place of the platform answered, such as FRA.
    #[arg(long, value_name = "PLACE")]
    place: Vec<String>,
    /// Requests by this version of the configuration.
    #[arg(id = "configuration_version", long = "version", value_name = "VERSION")]
    version: Vec<String>,
    /// Requests with this method.
    #[arg(long, value_name = "METHOD")]
    method: Vec<String>,
    /// Requests whose refused credential names this customer.
    #[arg(long, value_name = "ID")]
    claimed_customer: Vec<String>,
}

fn digits(text: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&text.len())
        && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if fits {
        Ok(text.to_owned())
    } else {
        Err("write the first digits of a digest, hexadecimal and in lower case".to_owned())
    }
}

impl Filters {
    pub(super) fn chosen(&self) -> Chosen {
        [
            (Dimension::Customer, &self.customer),
            (Dimension::Key, &self.key),
            (Dimension::Backend, &self.backend),
            (Dimension::Origin, &self.origin),
            (Dimension::Route, &self.route),
            (Dimension::Rule, &self.rule),
            (Dimension::Variant, &self.variant),
            (Dimension::Reason, &self.reason),
            (Dimension::Issuer, &self.issuer),
            (Dimension::Status, &self.status),
            (Dimension::Place, &self.place),
            (Dimension::Version, &self.version),
            (Dimension::Method, &self.method),
            (Dimension::ClaimedCustomer, &self.claimed_customer),
        ]
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(dimension, values)| (dimension, values.clone()))
        .collect()
    }
}

//! The address of a gateway that runs, where a secret is sent.

use std::fs;

use url::{Host, Url};

use crate::{
    configuration::{GATEWAY, upward},
    ending::{Failure, input},
};

/// What is asked there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Endpoint {
    /// The ledger, by operators.
    Ledger,
    /// The management API, by whoever has a root key.
    Api,
}

impl Endpoint {
    /// The member of `[operator]` that says its path.
    pub(crate) const fn member(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Api => "api",
        }
    }

    const fn whose(self) -> &'static str {
        match self {
            Self::Ledger => "the ledger",
            Self::Api => "the management API",
        }
    }
}

/// Where an endpoint is, by the address that `option` gives. One without a path has that of `gateway.toml`.
///
/// # Errors
/// Where a secret must not be sent there, or nothing tells the path.
pub(crate) fn endpoint(option: &str, address: &str, endpoint: Endpoint) -> Result<Url, Failure> {
    let mut url = confidential(option, address)?;
    if url.path() == "/" {
        url.set_path(&path_in_file(option, endpoint)?);
    }
    Ok(url)
}

/// An address that a secret may be sent to, as `option` or a variable gives it.
///
/// # Errors
/// Where others could listen, or it has more than a path.
pub(crate) fn confidential(option: &str, address: &str) -> Result<Url, Failure> {
    let mut url = Url::parse(address).map_err(|problem| input(format!("{option} {address:?}: {problem}")))?;
    let is_near = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && is_near) {
        return Err(input(format!("{option} must be an https address: a secret is sent there")));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(input(format!("{option} must have no user, password or query")));
    }
    url.set_fragment(None);
    Ok(url)
}

/// The path in `[operator]`. Other faults of the file are of no consequence here.
fn path_in_file(option: &str, endpoint: Endpoint) -> Result<String, Failure> {
    let (member, whose) = (endpoint.member(), endpoint.whose());
    let file = upward(GATEWAY.as_ref(), GATEWAY);
    let failed = |what: String| {
        input(format!("{}: {what}. Or give the whole address of {whose} in {option}", file.display()))
    };
    let text = fs::read_to_string(&file).map_err(|problem| failed(problem.to_string()))?;
    let value: toml::Value = toml::from_str(&text).map_err(|problem| failed(problem.message().to_owned()))?;
    let path = value.get("operator").and_then(|operator| operator.get(member)).and_then(toml::Value::as_str);
    path.map(str::to_owned).ok_or_else(|| failed(format!("has no [operator] {member}, the path of {whose}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_to_no_address_that_others_can_listen_to() {
        let endpoint = |address: &str| endpoint("--gateway", address, Endpoint::Ledger);
        for good in
            ["https://api.example.com/l", "http://localhost:8787/l", "http://127.0.0.1/l", "http://[::1]/l"]
        {
            assert!(endpoint(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.example.com/l",
            "ftp://localhost/l",
            "https://a:b@api.example.com/l",
            "api.example.com",
            "https://api.example.com/l?x",
        ] {
            assert!(matches!(endpoint(bad), Err(Failure::Input(_))), "{bad}");
        }
    }
}

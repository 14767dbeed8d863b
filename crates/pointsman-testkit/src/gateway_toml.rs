//! The text of a `gateway.toml` for a test: what the test is about is written out, and the rest is the same everywhere.

use std::fmt;

use pointsman_core::state::config::Gateway;

use crate::gateway_of;

/// A `gateway.toml` in the making.
#[derive(Clone, Debug, Default)]
pub struct GatewayToml {
    top: String,
    tables: String,
}

impl GatewayToml {
    pub fn new() -> Self {
        Self::default()
    }

    /// Lines of the top level, which TOML wants before all tables.
    pub fn top(mut self, lines: &str) -> Self {
        self.top.push_str(&format!("{lines}\n"));
        self
    }

    /// `[name]`, with these lines.
    pub fn table(mut self, name: &str, lines: &str) -> Self {
        self.tables.push_str(&format!("[{name}]\n{lines}\n"));
        self
    }

    /// A backend at `https://<name>.example.com`.
    pub fn backend(self, name: &str) -> Self {
        self.table(&format!("backends.{name}"), &format!("url = \"https://{name}.example.com\""))
    }

    /// An issuer at `https://<name>.example.com`, whose keys are found by discovery.
    pub fn issuer(self, name: &str) -> Self {
        let lines = "audience = \"api\"\nalgorithms = [\"ES256\"]\ndiscovery = true";
        self.table(
            "[issuers]",
            &format!("name = \"{name}\"\nissuer = \"https://{name}.example.com\"\n{lines}"),
        )
    }

    /// A route for a path, which takes these credentials; `lines` are its rules and whatever else it says.
    pub fn route(self, path: &str, auth: &[&str], lines: &str) -> Self {
        self.table("[routes]", &format!("path = \"{path}\"\nauth = {auth:?}\n{lines}"))
    }

    /// The gateway that it makes.
    pub fn gateway(&self) -> Gateway {
        gateway_of(&self.to_string())
    }
}

impl fmt::Display for GatewayToml {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.top, self.tables)
    }
}

/// The line of a route whose one rule leads everybody to a backend.
pub fn all_to(backend: &str) -> String {
    format!("rules = [{{ name = \"all\", to = \"{backend}\" }}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_made_of_its_parts_in_any_order() {
        let toml = GatewayToml::new()
            .backend("shared")
            .route("/{+path}", &["api_key", "main"], &all_to("shared"))
            .table("api_keys", "checksum = false")
            .issuer("main")
            .top("name = \"test\"");
        assert_eq!(toml.gateway().routes().len(), 1);
        assert!(toml.to_string().starts_with("name = \"test\"\n"));
    }
}

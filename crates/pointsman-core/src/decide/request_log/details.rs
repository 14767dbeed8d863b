//! What a line of the log tells beside what was decided: of refusals always, of other requests where the configuration wants
//! it, since it costs the usual request more than everything else in its line.

use crate::{
    base::json::write_behind,
    decide::request_log::Trace,
    directory::log::Revision,
    http::{cf::CfValue, head::Head},
    state::config::Gateway,
};

/// Where a request came in, for the details of its line.
pub struct Surroundings<'a> {
    /// The request.
    pub head: &'a Head<'a>,
    /// The configuration that decided.
    pub gateway: &'a Gateway,
    /// The state of the directory that the isolate followed to; `None` where no ledger is bound.
    pub revision: Option<Revision>,
}

/// Hexadecimal digits of a key's digest that the log and metrics have: as many as tell a billion keys apart, and none of the
/// key itself.
const KEY_DIGITS: usize = 16;

impl Trace {
    /// Adds the beginning of the digest of the caller's key.
    pub fn write_key(&self, line: &mut String) {
        if let Some(key) = self.key {
            write_behind(",\"key\":\"", &format!("{key:0KEY_DIGITS$x}"), line);
        }
    }

    /// Adds the details.
    #[cold]
    #[inline(never)]
    pub fn write_details(&self, of: &Surroundings<'_>, line: &mut String) {
        let Surroundings { head, gateway, revision } = of;
        self.write_key(line);
        let matched = gateway.table.find(head.target.path);
        let route = matched.and_then(|matched| gateway.routes.get(matched.route(head.method)?));
        member(line, ",\"path_template\":\"", route.map(|route| &*route.path));
        member(line, ",\"host\":\"", Some(head.target.host()));
        if let Some(CfValue::Text(country)) = head.fields.cf("country") {
            member(line, ",\"country\":\"", Some(&country));
        }
        member(line, ",\"configuration\":\"", Some(&gateway.version));
        if let Some(revision) = revision {
            line.push_str(",\"directory_revision\":");
            line.push_str(&revision.to_string());
        }
    }
}

fn member(line: &mut String, opening: &str, value: Option<&str>) {
    if let Some(value) = value {
        write_behind(opening, value, line);
    }
}

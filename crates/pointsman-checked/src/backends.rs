//! Named backends and their origins.

use std::rc::Rc;

use pointsman_core::{
    base::time::Span,
    customer::{
        backend_url::{AllowHttp, is_binding, split_network},
        template::BackendTemplate,
    },
    forward::failover::{Balance, Breaker},
    http::fields::{FieldLines, FieldPolicy, MAX_FIXED, basic_credentials, is_field_value},
    state::config::{Backend, Origin},
};

use super::{
    identities::field,
    node::{Node, Read, fault},
};

/// What the value of a fixed field must be.
pub const FIXED_VALUE: &str = "must be 1 to 4096 characters of printable ASCII without a space at either end";
const FOREVER: Span = Span::from_millis(u64::MAX);

#[inline(never)]
pub(super) fn backend(node: Node<'_>, allow_http: AllowHttp, policy: &mut FieldPolicy) -> Read<Backend> {
    let timeout = |node: Node<'_>| node.timeout(FOREVER);
    Ok(Backend {
        name: Rc::from(node.read("name", Node::text)?),
        origins: node.list("origins", |node| {
            let wanted = "must name a service binding: binding:NAME or binding:NAME/base";
            let (text, binding) = node.read("url", |node| node.known(wanted, origin_place))?;
            Ok(Origin {
                url: node.read("url", |_| match BackendTemplate::parse(&text, allow_http) {
                    Ok(url) => Ok(url),
                    Err(error) => fault(error.to_string()),
                })?,
                binding,
                region: node.option("region", |node| node.text().map(Rc::from))?,
                weight: node.read("weight", Node::small)?,
                timeout: node.option("timeout", timeout)?,
            })
        })?,
        balance: if node.read("weighted", Node::flag)? { Balance::Weighted } else { Balance::Ordered },
        breaker: Breaker {
            failures: node.read("failures", Node::small)?,
            ratio: node.read("failure_ratio", Node::share)?,
            pause: node.read("pause", timeout)?,
        },
        timeout: node.read("timeout", timeout)?,
        deadline: node.option("deadline", timeout)?,
        failure_statuses: node.list("failure_statuses", Node::small)?,
        fields: fields(node, policy)?,
    })
}

/// The fields of requests to a backend, of which a client's other spellings reach none.
#[inline(never)]
fn fields(node: Node<'_>, policy: &mut FieldPolicy) -> Read<FieldLines> {
    let mut fields = FieldLines::default();
    node.list("headers", |node| {
        let name = node.read("name", field)?;
        policy.ask_for(&name);
        // Basic credentials are put together here, since their parts may be variables.
        if !node.member("user").is_null() {
            let (user, password) = (node.read("user", Node::text)?, node.read("password", Node::text)?);
            fields.push_checked(&name, &basic_credentials(user, password));
            return Ok(());
        }
        let value = node.read("value", |node| match node.text()? {
            text if is_field_value(text, MAX_FIXED) => Ok(text),
            _ => fault(FIXED_VALUE),
        })?;
        fields.push_checked(&name, value);
        Ok(())
    })?;
    Ok(fields)
}

/// The URL of an origin, and the binding that is called in place of the network: a service binding (`binding:NAME/base`), or a
/// private network, which the URL names (`vpc:NAME/http://10.0.0.5`). `None` where a service binding's name cannot be one.
#[must_use]
pub fn origin_place(text: &str) -> Option<(String, Option<Rc<str>>)> {
    let Some(rest) = text.strip_prefix("binding:") else {
        return Some((text.to_owned(), split_network(text).0.map(Rc::from)));
    };
    let (name, base) = rest.find('/').and_then(|slash| rest.split_at_checked(slash)).unwrap_or((rest, ""));
    // Nothing is looked up: the host is what the bound Worker reads in the request's URL.
    let host = name.to_ascii_lowercase().replace('_', "-");
    is_binding(name).then(|| (format!("https://{host}.binding{base}"), Some(Rc::from(name))))
}

//! What a request asks for, by its method and path.

use pointsman_core::{
    base::percent::decode_strict,
    identity::{customer_id::CustomerId, root_key::Scope},
};

use crate::{
    api::{Answered, ApiRequest, problem::Problem},
    rows::Entry,
};

/// What a request asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Call {
    /// The API's description.
    Description,
    /// What the root key may do.
    Oneself,
    /// To have the config API asked anew.
    Announce,
    /// To see something.
    Read(Read),
    /// To change something.
    Change(Change),
    /// To make many changes at once.
    Bulk,
    /// To report keys that have leaked.
    LeakedKeys,
}

/// What there is to be seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Read {
    Keys,
    Key(String),
    Customers,
    Customer(CustomerId),
    Audit,
}

/// What can be changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    CreateKey,
    PutKey(String),
    PatchKey(String),
    RevokeKey(String),
    RollKey(String),
    PutCustomer(CustomerId),
    PatchCustomer(CustomerId),
    RemoveCustomer(CustomerId),
    RevokeTokens,
    AllowTokens,
}

impl Call {
    /// What a request asks for.
    pub(crate) fn of(request: &ApiRequest) -> Answered<Self> {
        let segments = segments(&request.path)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["v1", rest @ ..] = segments.as_slice() else { return Err(Problem::NotFound) };
        let method = if request.method == "HEAD" { "GET" } else { request.method.as_str() };
        match (rest, method) {
            (["openapi.json"], "GET") => Ok(Self::Description),
            (["openapi.json"], _) => Err(Problem::MethodNotAllowed("GET, HEAD")),
            (["self"], "GET") => Ok(Self::Oneself),
            (["self"], _) => Err(Problem::MethodNotAllowed("GET, HEAD")),
            (["keys"], "GET") => Ok(Self::Read(Read::Keys)),
            (["keys", id], "GET") => Ok(Self::Read(Read::Key(digest(id)?))),
            (["customers"], "GET") => Ok(Self::Read(Read::Customers)),
            (["customers"], _) => Err(Problem::MethodNotAllowed("GET, HEAD")),
            (["customers", id], "GET") => Ok(Self::Read(Read::Customer(customer(id)?))),
            (["audit"], "GET") => Ok(Self::Read(Read::Audit)),
            (["audit"], _) => Err(Problem::MethodNotAllowed("GET, HEAD")),
            (["customers-changed"], "POST") => Ok(Self::Announce),
            (["bulk"], "POST") => Ok(Self::Bulk),
            (["leaked-keys"], "POST") => Ok(Self::LeakedKeys),
            (["customers-changed"] | ["bulk"] | ["leaked-keys"], _) => Err(Problem::MethodNotAllowed("POST")),
            _ => Change::of(rest, method).map(Self::Change),
        }
    }

    /// The entry that it names, where it is of one.
    pub(crate) fn names(&self) -> Option<Entry> {
        match self {
            Self::Read(Read::Key(digest)) => Entry::key(digest),
            Self::Read(Read::Customer(id)) => Some(Entry::Customer(id.clone())),
            Self::Change(change) => change.names(),
            _ => None,
        }
    }

    /// What the root key needs for it.
    pub(crate) fn scope(&self) -> Option<Scope> {
        match self {
            // Each of many changes needs its own.
            Self::Description | Self::Oneself | Self::Bulk => None,
            Self::Announce => Some(Scope::CustomersWrite),
            Self::Read(Read::Keys | Read::Key(_)) => Some(Scope::KeysRead),
            Self::Read(Read::Customers | Read::Customer(_)) => Some(Scope::CustomersRead),
            Self::Read(Read::Audit) => Some(Scope::AuditRead),
            Self::Change(change) => Some(change.scope()),
            Self::LeakedKeys => Some(Scope::KeysWrite),
        }
    }
}

impl Change {
    /// One change of many, by its method and its path behind the API's.
    pub(crate) fn of_operation(method: &str, path: &str) -> Answered<Self> {
        let segments = segments(path)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["v1", rest @ ..] = segments.as_slice() else { return Err(Problem::NotFound) };
        Self::of(rest, method)
    }

    fn of(segments: &[&str], method: &str) -> Answered<Self> {
        match (segments, method) {
            (["keys"], "POST") => Ok(Self::CreateKey),
            (["keys"], _) => Err(Problem::MethodNotAllowed("GET, HEAD, POST")),
            (["keys", id], "PUT") => digest(id).map(Self::PutKey),
            (["keys", id], "PATCH") => digest(id).map(Self::PatchKey),
            (["keys", id], "DELETE") => digest(id).map(Self::RevokeKey),
            (["customers", id], "PUT") => customer(id).map(Self::PutCustomer),
            (["customers", id], "PATCH") => customer(id).map(Self::PatchCustomer),
            (["customers", id], "DELETE") => customer(id).map(Self::RemoveCustomer),
            (["keys" | "customers", _], _) => Err(Problem::MethodNotAllowed("GET, HEAD, PUT, PATCH, DELETE")),
            (["keys", id, "roll"], "POST") => digest(id).map(Self::RollKey),
            (["revocations"], "POST") => Ok(Self::RevokeTokens),
            (["revocations", "lift"], "POST") => Ok(Self::AllowTokens),
            (["keys", _, "roll"] | ["revocations"] | ["revocations", "lift"], _) => {
                Err(Problem::MethodNotAllowed("POST"))
            }
            _ => Err(Problem::NotFound),
        }
    }

    fn names(&self) -> Option<Entry> {
        match self {
            Self::PutKey(digest)
            | Self::PatchKey(digest)
            | Self::RevokeKey(digest)
            | Self::RollKey(digest) => Entry::key(digest),
            Self::PutCustomer(id) | Self::PatchCustomer(id) | Self::RemoveCustomer(id) => {
                Some(Entry::Customer(id.clone()))
            }
            Self::CreateKey | Self::RevokeTokens | Self::AllowTokens => None,
        }
    }

    /// What the root key needs for it.
    pub(crate) const fn scope(&self) -> Scope {
        match self {
            Self::CreateKey | Self::PutKey(_) | Self::PatchKey(_) | Self::RevokeKey(_) | Self::RollKey(_) => {
                Scope::KeysWrite
            }
            Self::PutCustomer(_) | Self::PatchCustomer(_) | Self::RemoveCustomer(_) => Scope::CustomersWrite,
            Self::RevokeTokens | Self::AllowTokens => Scope::RevocationsWrite,
        }
    }
}

/// The segments of a path that begins with `/`, decoded.
fn segments(path: &str) -> Answered<Vec<String>> {
    let behind = path.strip_prefix('/').ok_or(Problem::NotFound)?;
    let decoded = |segment: &str| {
        let unreadable = || Problem::Unreadable("the path is not percent-encoded UTF-8".to_owned());
        let bytes = decode_strict(segment.as_bytes()).map_err(|_| unreadable())?;
        String::from_utf8(bytes).map_err(|_| unreadable())
    };
    behind.split('/').map(decoded).collect()
}

/// A key's id: its digest. A key itself is no id, and is not repeated.
fn digest(id: &str) -> Answered<String> {
    Entry::key(id).map(|_| id.to_owned()).ok_or(Problem::NotFound)
}

fn customer(id: &str) -> Answered<CustomerId> {
    CustomerId::parse(id).ok_or(Problem::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, path: &str) -> Answered<Call> {
        let request =
            ApiRequest { method: method.to_owned(), path: path.to_owned(), ..ApiRequest::default() };
        Call::of(&request)
    }

    #[test]
    fn a_path_names_one_thing_and_a_customers_id_may_hold_anything() {
        let id = |id: &str| CustomerId::parse(id).unwrap();
        assert_eq!(call("GET", "/v1/customers/a%2Fb"), Ok(Call::Read(Read::Customer(id("a/b")))));
        assert_eq!(call("DELETE", "/v1/customers/a"), Ok(Call::Change(Change::RemoveCustomer(id("a")))));
        assert_eq!(call("HEAD", "/v1/keys"), Ok(Call::Read(Read::Keys)));
        let digest = "0".repeat(64);
        assert_eq!(
            call("POST", &format!("/v1/keys/{digest}/roll")),
            Ok(Call::Change(Change::RollKey(digest)))
        );
        for path in ["", "/", "/v1", "/v1/", "/v2/keys", "/v1/keys/sk_test_x", "/v1/customers/", "/v1/keys/"]
        {
            assert_eq!(call("GET", path), Err(Problem::NotFound), "{path}");
        }
        assert!(matches!(call("GET", "/v1/customers/%zz"), Err(Problem::Unreadable(_))));
        assert!(matches!(call("GET", "/v1/customers/%ff"), Err(Problem::Unreadable(_))));
    }

    #[test]
    fn other_methods_are_told_which_are_allowed() {
        for (method, path) in [
            ("PUT", "/v1/keys"),
            ("POST", "/v1/customers"),
            ("GET", "/v1/bulk"),
            ("GET", "/v1/leaked-keys"),
            ("GET", "/v1/revocations"),
            ("DELETE", "/v1/self"),
            ("POST", "/v1/audit"),
            ("POST", "/v1/openapi.json"),
            ("POST", "/v1/customers/a"),
            ("GET", "/v1/keys/x/roll"),
        ] {
            assert!(matches!(call(method, path), Err(Problem::MethodNotAllowed(_))), "{method} {path}");
        }
    }
}

//! Where a rule can send a request.

/// Where a request can go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// To this backend, an index into the configured ones.
    Backend(usize),
    /// To the customer's own.
    Customer {
        /// What happens to callers without a customer id or whose customer nobody listed.
        unlisted: Unlisted,
    },
}

/// What `to = "customer"` does for callers without a customer id or whose customer is not listed.
/// A *malformed* id or record is refused in either case, as is a disabled customer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unlisted {
    /// 401 without an id, 403 with an unknown one.
    Refuse,
    /// Go on with the next rule.
    Next,
}

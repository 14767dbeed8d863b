//! How a request is handed on: URL and fields, attempts at several origins, identity tokens, limits.

pub mod assertion;
pub mod failover;
pub mod limit;
pub mod plan;

//! Heads of requests and answers: targets, fields, paths, CORS, the answers of our own. Nothing here knows who calls.

pub mod answer;
pub mod cf;
pub mod cors;
pub mod credential_copies;
pub mod error_shape;
mod families;
pub mod fields;
pub mod head;
pub mod path;
pub mod prelude;
pub mod protected_resource;
pub mod trace_context;

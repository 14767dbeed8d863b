//! Pointsman: an identity-routing API gateway for Cloudflare Workers.
//!
//! A request travels `intake → authenticate → customer → route → forward → account`; the files below
//! are named after those stages. Everything but [`edge`] is pure: it takes the time, the stored
//! records and the request's head as values and returns a decision, so that it compiles and is
//! tested natively in seconds. The edge translates between that core and the Workers runtime.

pub mod answer;
pub mod authenticate;
pub mod bounds;
pub mod cache;
pub mod claims;
pub mod config;
pub mod cors;
pub mod customer;
pub mod customer_id;
pub mod decision;
pub mod digest;
pub mod error;
pub mod explain;
pub mod forward;
pub mod freshness;
pub mod gateway;
pub mod journal;
pub mod journey;
pub mod json;
pub mod limit;
pub mod memory;
pub mod name;
pub mod number;
pub mod object;
pub mod operator;
pub mod ports;
pub mod principal;
pub mod record;
pub mod request;
pub mod route;
pub mod scan;
pub mod settings;
pub mod shape;
pub mod survey;
pub mod time;

#[cfg(any(target_arch = "wasm32", edge_check))]
mod edge;

/// The configuration compiled into this build: `gateway.toml` as JSON, turned by `build.rs`.
pub const COMPILED_GATEWAY: &str = include_str!(concat!(env!("OUT_DIR"), "/gateway.json"));

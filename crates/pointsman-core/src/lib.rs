//! The core of Pointsman, an identity-routing API gateway: what becomes of a request.
//!
//! [`decide`] takes the head of a request, the checked configuration, what the isolate remembers and the time, and says
//! what becomes of the request: it is forwarded, answered here, or something must be loaded first. Nothing here waits,
//! asks a clock or knows a platform, and nothing reads a configuration file.
//!
//! The modules stand in the order in which they need each other: each uses those before it and none behind it.
//! `tests/layers.rs` holds that.

pub mod base;

pub mod http;

pub mod identity;

pub mod customer;

pub mod directory;

pub mod routing;

pub mod forward;

pub mod state;

pub mod decide;

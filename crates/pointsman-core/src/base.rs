//! What every layer stands on: time, digests, JSON, numbers, records, freshness. Nothing here knows of HTTP, of a caller or of a gateway.

pub mod cidr;
pub mod digest;
pub mod freshness;
pub mod identifier;
pub mod json;
pub mod name;
pub mod number;
pub mod object;
pub mod percent;
pub mod problem;
pub mod record;
pub mod refusal;
pub mod scan;
pub mod shape;
pub mod time;
pub mod units;

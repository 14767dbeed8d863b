//! A world of files and a clock that stands where it is put, for journeys through the whole core.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod files;
mod fixtures;
mod gateway_toml;
mod isolate;
mod ledger;
mod minted;
mod request;
mod world;

pub use self::{
    files::{files, json, read, root},
    fixtures::{bearer, gateway, gateway_of, key, noon, token, variables},
    gateway_toml::{GatewayToml, all_to},
    isolate::{Isolate, Result_},
    ledger::OwnLedger,
    minted::{digest_of, mint, public_jwk, thumbprint},
    request::{TestFields, head},
    world::{KEY_SET, LedgerStub, Source, World},
};

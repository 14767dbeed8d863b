//! Randomness.

use std::{fs::File, io::Read};

/// Random bytes from the operating system.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), String> {
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(bytes));
    read.map_err(|problem| format!("/dev/urandom: {problem}"))
}

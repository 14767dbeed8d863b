//! Randomness.

/// Random bytes from the operating system.
///
/// # Errors
/// Where the system gives none.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), String> {
    getrandom::getrandom(bytes).map_err(|problem| format!("no random numbers: {problem}"))
}

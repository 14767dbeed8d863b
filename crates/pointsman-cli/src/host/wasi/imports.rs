//! The two functions of the module `pointsman_host`, which the launcher gives. `unsafe` is here alone: JavaScript reads and
//! writes this program's memory by addresses and lengths, which no type can hold it to.

#![allow(unsafe_code)]

#[link(wasm_import_module = "pointsman_host")]
unsafe extern "C" {
    /// Does what a request of so many bytes of JSON asks, with a body. Returns the length of the answer; where that
    /// failed, −1 less the length of the answer, which then says why.
    #[link_name = "call"]
    fn host_call(request: *const u8, request_length: usize, body: *const u8, body_length: usize) -> isize;

    /// Copies the answer of the last call to an address that has room for it.
    #[link_name = "answer"]
    fn host_answer(into: *mut u8);
}

/// Asks, and puts the answer into `into`. Gives the answer's length.
///
/// # Errors
/// Why it failed, in the launcher's words, or that the answer is longer than `into`.
pub(super) fn call(request: &str, body: &[u8], into: &mut [u8]) -> Result<usize, String> {
    let length = ask(request, body)?;
    if length > into.len() {
        return Err(format!("an answer of {length} bytes where at most {} were asked for", into.len()));
    }
    // SAFETY: `into` has room for `length` bytes, and is borrowed for this call alone.
    unsafe { host_answer(into.as_mut_ptr()) };
    Ok(length)
}

/// Asks, and gives the whole answer.
///
/// # Errors
/// Why it failed, in the launcher's words.
pub(super) fn call_for_all(request: &str) -> Result<Vec<u8>, String> {
    ask(request, &[]).map(answer)
}

fn ask(request: &str, body: &[u8]) -> Result<usize, String> {
    // SAFETY: both live until the call returns, and JavaScript only reads them.
    let length = unsafe { host_call(request.as_ptr(), request.len(), body.as_ptr(), body.len()) };
    let failed = || String::from_utf8_lossy(&answer(length.unsigned_abs().saturating_sub(1))).into_owned();
    usize::try_from(length).map_err(|_| failed())
}

fn answer(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    // SAFETY: `bytes` has room for `length` bytes.
    unsafe { host_answer(bytes.as_mut_ptr()) };
    bytes
}

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pointsman_fuzz::key_set::run(data));

#[cfg(not(fuzzing))]
fn main() {}

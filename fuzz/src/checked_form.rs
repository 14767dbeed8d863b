//! The checked form of a configuration, as the Worker finds it in the module beside it or in a variable: whatever stands
//! there, it starts or says why not.

use super::probe::{answers, names_a_place, variables};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match pointsman_checked::read(text, &variables()) {
        Ok(started) => {
            answers(&started.gateway);
        }
        Err(faults) => {
            assert!(!faults.is_empty(), "it is refused, and nothing is wrong with it");
            faults.iter().for_each(|fault| names_a_place(&fault.pointer, &fault.what));
        }
    }
}

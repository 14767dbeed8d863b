//! Reads the shape of a configuration and finds everything in it that has no place there.
//!
//! Serde stops at the first error. So the offending part is noted, taken out, and the rest is read
//! again, until it fits.

use serde_json::Value;

use super::{
    file::GatewayFile,
    findings::{Finding, Findings, pointer_of},
};

/// Which items were taken out of which lists, so that later findings still count as the file does.
#[derive(Debug, Default)]
pub(super) struct Removed(Vec<(String, usize)>);

/// More errors than anybody reads at once.
const MAX_ERRORS: usize = 100;

pub(super) fn read(mut document: Value, findings: &mut Findings) -> (Option<GatewayFile>, Removed) {
    let mut removed = Removed::default();
    for _ in 0..MAX_ERRORS {
        let error = match serde_path_to_error::deserialize::<_, GatewayFile>(&document) {
            Ok(file) => return (Some(file), removed),
            Err(error) => error,
        };
        let pointer = pointer_of(error.path());
        findings.error(removed.original(&pointer), error.inner().to_string());
        if !removed.take_out(&mut document, &pointer) {
            break;
        }
    }
    (None, removed)
}

impl Removed {
    fn take_out(&mut self, document: &mut Value, pointer: &str) -> bool {
        let Some((parent, step)) = pointer.rsplit_once('/') else { return false };
        match document.pointer_mut(parent) {
            Some(Value::Object(members)) => {
                members.remove(&step.replace("~1", "/").replace("~0", "~")).is_some()
            }
            Some(Value::Array(items)) => {
                let Some(index) = step.parse::<usize>().ok().filter(|index| *index < items.len()) else {
                    return false;
                };
                items.remove(index);
                let original = self.original_index(parent, index);
                self.0.push((parent.to_owned(), original));
                true
            }
            _ => false,
        }
    }

    pub(super) fn with_original_pointer(&self, finding: Finding) -> Finding {
        Finding { pointer: self.original(&finding.pointer), ..finding }
    }

    /// The pointer into the file as it was written.
    fn original(&self, pointer: &str) -> String {
        let mut shrunk = String::new();
        let mut original = String::new();
        for step in pointer.split('/').skip(1) {
            let index = step.parse::<usize>().ok().map(|index| self.original_index(&shrunk, index));
            let written = index.map_or_else(|| step.to_owned(), |index| index.to_string());
            shrunk = format!("{shrunk}/{step}");
            original = format!("{original}/{written}");
        }
        original
    }

    fn original_index(&self, list: &str, index: usize) -> usize {
        let mut gone: Vec<usize> =
            self.0.iter().filter(|(from, _)| from == list).map(|(_, index)| *index).collect();
        gone.sort_unstable();
        gone.into_iter().fold(index, |index, gone| if gone <= index { index + 1 } else { index })
    }
}

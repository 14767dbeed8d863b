//! Reads the shape of a configuration and finds everything in it that has no place there.

use pointsman_core::base::shape::{At, Shape, ShapeErrors};
use serde_json::Value;

use super::{
    file::GatewayFile,
    findings::{Finding, Findings},
};

/// Which items were left out of which lists, so that later findings still count as the file does.
#[derive(Debug, Default)]
pub(super) struct Removed(Vec<(String, usize)>);

pub(super) fn read(document: &Value, findings: &mut Findings) -> (Option<GatewayFile>, Removed) {
    let mut shape_errors = ShapeErrors::default();
    let file = GatewayFile::read(document, &At::Root, &mut shape_errors);
    for (pointer, what) in shape_errors.found {
        findings.error(pointer, what);
    }
    (file, Removed(shape_errors.left_out))
}

impl Removed {
    pub(super) fn with_original_pointer(&self, finding: Finding) -> Finding {
        Finding { pointer: self.original(&finding.pointer), ..finding }
    }

    /// The pointer into the file as it was written.
    fn original(&self, pointer: &str) -> String {
        let mut original = String::new();
        for step in pointer.split('/').skip(1) {
            let index = step.parse().ok().map(|index| self.original_index(&original, index).to_string());
            original.push('/');
            original.push_str(index.as_deref().unwrap_or(step));
        }
        original
    }

    /// Items are left out from the first to the last, so each is counted where it stood.
    fn original_index(&self, list: &str, index: usize) -> usize {
        let left_out = self.0.iter().filter(|(from, _)| from == list);
        left_out.fold(index, |index, (_, gone)| if *gone <= index { index + 1 } else { index })
    }
}

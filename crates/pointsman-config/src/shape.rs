//! Reads the shape of a configuration and finds everything in it that has no place there.

use serde_json::Value;

use super::{
    file::GatewayFile,
    findings::{Finding, Findings},
    renamed::write_instead,
    spelling::{self, Corrections, Reading},
};

/// What differs between the file as it is written and what was read of it, so that later findings still count as the file does.
#[derive(Debug)]
pub(super) struct Differences {
    /// Which items were left out of which lists.
    left_out: Vec<(String, usize)>,
    corrections: Corrections,
}

pub(super) fn read(document: &Value, findings: &mut Findings) -> (Option<GatewayFile>, Differences) {
    let Reading { value, found, left_out, corrections } = spelling::read(document, write_instead);
    for (pointer, what) in found {
        findings.error(pointer, what);
    }
    (value, Differences { left_out, corrections })
}

impl Differences {
    /// The finding with its place in the file as it was written; `None` where another one has said what to write there.
    pub(super) fn as_written(&self, finding: Finding) -> Option<Finding> {
        let pointer = self.with_all_items(&finding.pointer);
        let is_told = self.corrections.have_told(&pointer);
        (!is_told).then(|| Finding { pointer: self.corrections.written(&pointer), ..finding })
    }

    /// The pointer, counted in lists of which nothing was left out.
    fn with_all_items(&self, pointer: &str) -> String {
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
        let left_out = self.left_out.iter().filter(|(from, _)| from == list);
        left_out.fold(index, |index, (_, gone)| if *gone <= index { index + 1 } else { index })
    }
}

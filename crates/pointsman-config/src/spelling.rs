//! What was meant by members that a document cannot have. They are read as if they had the name that was meant: then one
//! misspelt name is one finding, and not also a missing member, and what is wrong within it is found at once.

use pointsman_core::base::shape::{At, Shape, ShapeErrors, UnknownMember};
use serde_json::Value;

use super::{
    findings::{escape, nearest},
    renamed::member_of,
};

/// What to write for the member at a JSON Pointer, where the document never has one of that name.
pub(super) type WriteInstead = fn(&str) -> Option<&'static str>;

/// A document as it was read, and what does not fit.
#[derive(Debug)]
pub(super) struct Reading<T> {
    /// `None` where nothing is left that could be used.
    pub(super) value: Option<T>,
    /// Pointers into the document as it is written, and what is wrong there.
    pub(super) found: Vec<(String, String)>,
    /// The items that were left out of lists: the list's pointer once all is corrected, and where in the list it stood.
    pub(super) left_out: Vec<(String, usize)>,
    pub(super) corrections: Corrections,
}

/// Reads a document of cases or the like: its value, and pointers with what is wrong there. With anything wrong, the value is
/// not what the document says.
pub fn read_strictly<T: Shape>(document: &Value) -> (Option<T>, Vec<(String, String)>) {
    let Reading { value, found, .. } = read(document, |_| None);
    (value, found)
}

pub(super) fn read<T: Shape>(document: &Value, write_instead: WriteInstead) -> Reading<T> {
    let mut document = document.clone();
    let mut corrections = Corrections::default();
    // What stands in a misspelt table is seen when that table has its name. Each time fewer names are unknown.
    let (value, shape_errors) = loop {
        let mut shape_errors = ShapeErrors::default();
        let value = T::read(&document, &At::Root, &mut shape_errors);
        if !corrections.correct(&shape_errors.unknown, &mut document, write_instead) {
            break (value, shape_errors);
        }
    };
    let mut found = corrections.findings();
    for (pointer, what) in shape_errors.found {
        if corrections.has_not_fitted(&pointer) {
            continue;
        }
        let what = match write_instead(&pointer) {
            Some(write) => instead(pointer.rsplit('/').next().unwrap_or_default(), write),
            None => what,
        };
        found.push((corrections.written(&pointer), what));
    }
    Reading { value, found, left_out: shape_errors.left_out, corrections }
}

/// A member that was given the name that was meant.
#[derive(Debug)]
struct Correction {
    /// The pointer of the object.
    object: String,
    written: String,
    meant: String,
    /// The finding that it is.
    what: String,
    /// Whether the finding says what to write for the whole member, name and value.
    is_whole: bool,
    /// Whether its value is none of the member that was meant.
    is_unfit: bool,
}

impl Correction {
    /// The pointer of the member, once it has the name that was meant.
    fn pointer(&self) -> String {
        format!("{}/{}", self.object, escape(&self.meant))
    }

    /// Gives the member that name.
    fn apply(&self, document: &mut Value) {
        let object = document.pointer_mut(&self.object).and_then(Value::as_object_mut);
        if let Some(object) = object
            && let Some(value) = object.remove(&self.written)
        {
            object.insert(self.meant.clone(), value);
        }
    }

    /// Whether its finding has said already what to write here: anything else would be a second finding of one fault.
    fn covers(&self, pointer: &str) -> bool {
        let inner = pointer.strip_prefix(&self.pointer());
        inner.is_some_and(|inner| inner.is_empty() || self.is_whole && inner.starts_with('/'))
    }
}

/// All corrections of a document. Pointers count in the document as it is once all is corrected.
#[derive(Debug, Default)]
pub(super) struct Corrections(Vec<Correction>);

impl Corrections {
    /// Corrects what can be corrected of the members that were found unknown. Returns whether there was any.
    fn correct(
        &mut self,
        unknown: &[UnknownMember],
        document: &mut Value,
        write_instead: WriteInstead,
    ) -> bool {
        let before = self.0.len();
        for member in unknown {
            // Of two that would be the same one, the second is unknown.
            let is_new = |new: &Correction| self.0.iter().all(|old| old.pointer() != new.pointer());
            if let Some(correction) = meant(member, write_instead).filter(is_new) {
                correction.apply(document);
                self.0.push(correction);
            }
        }
        self.0.len() > before
    }

    /// What is to be said of each, with its pointer into the document as it is written.
    fn findings(&self) -> Vec<(String, String)> {
        let finding =
            |correction: &Correction| (self.written(&correction.pointer()), correction.what.clone());
        self.0.iter().map(finding).collect()
    }

    /// Notes that a value does not fit, where it is one of a corrected member: something else may have been meant, and the
    /// finding of the correction is enough.
    fn has_not_fitted(&mut self, pointer: &str) -> bool {
        let corrected = self.0.iter_mut().find(|correction| correction.covers(pointer));
        corrected.map(|correction| correction.is_unfit = true).is_some()
    }

    /// The pointer into the document as it is written.
    pub(super) fn written(&self, pointer: &str) -> String {
        let (mut corrected, mut written) = (String::new(), String::new());
        for step in pointer.split('/').skip(1) {
            corrected = format!("{corrected}/{step}");
            let correction = self.0.iter().find(|correction| correction.pointer() == corrected);
            let step = correction.map_or_else(|| step.to_owned(), |correction| escape(&correction.written));
            written = format!("{written}/{step}");
        }
        written
    }

    /// Whether what is wrong here may only follow from a misspelt member: it is the member's, whose finding says what to write,
    /// or its object's, which may lack the member because its value does not fit.
    pub(super) fn have_told(&self, pointer: &str) -> bool {
        let is_told = |correction: &Correction| {
            correction.is_whole && correction.covers(pointer)
                || correction.is_unfit && correction.object == pointer
        };
        self.0.iter().any(is_told)
    }
}

fn meant(
    UnknownMember { object, name, absent }: &UnknownMember,
    write_instead: WriteInstead,
) -> Option<Correction> {
    let correction = |meant: &str, what, is_whole| Correction {
        object: object.clone(),
        written: name.clone(),
        meant: meant.to_owned(),
        what,
        is_whole,
        is_unfit: false,
    };
    if let Some(write) = write_instead(&format!("{object}/{}", escape(name))) {
        let meant = absent.iter().find(|absent| *absent == member_of(write))?;
        return Some(correction(meant, instead(name, write), true));
    }
    let near = nearest(name, absent.iter().map(String::as_str))?;
    Some(correction(near, format!("unknown field `{name}`: did you mean `{near}`?"), false))
}

/// That this member has another name, with the line to write.
fn instead(name: &str, write: &str) -> String {
    format!("there is no `{name}` here: write {write}")
}

#[cfg(test)]
mod tests {
    use pointsman_core::base::shape::shape;
    use serde_json::json;

    use super::*;

    shape! {
        #[derive(Debug)]
        struct Garden {
            name: String,
            fences: Option<u32>,
            beds: Vec<Bed> = default,
        }
    }
    shape! {
        #[derive(Debug)]
        struct Bed {
            plants: Vec<String>,
        }
    }

    fn found(document: &Value) -> Vec<String> {
        let (_, found) = read_strictly::<Garden>(document);
        found.iter().map(|(pointer, what)| format!("{pointer}: {what}")).collect()
    }

    #[test]
    fn a_misspelt_member_is_one_finding_and_what_is_within_it_counts() {
        assert_eq!(
            found(&json!({ "nmae": "g", "bed": [{ "plants": [] }, { "plnts": ["rose", 7] }, {}] })),
            [
                "/bed: unknown field `bed`: did you mean `beds`?",
                "/nmae: unknown field `nmae`: did you mean `name`?",
                "/bed/1/plnts: unknown field `plnts`: did you mean `plants`?",
                "/bed/1/plnts/1: must be text, not a number",
                "/bed/2: missing field `plants`",
            ]
        );
    }

    #[test]
    fn a_value_of_another_kind_is_no_second_finding() {
        assert_eq!(
            found(&json!({ "name": "g", "fence": "high" })),
            ["/fence: unknown field `fence`: did you mean `fences`?"]
        );
        assert_eq!(found(&json!({ "nmae": 7 })), ["/nmae: unknown field `nmae`: did you mean `name`?"]);
    }

    #[test]
    fn a_member_that_is_there_or_is_far_off_was_not_meant() {
        assert_eq!(
            found(&json!({ "name": "g", "nmae": "h", "moat": true })),
            [
                "/moat: unknown field `moat`, expected one of `name`, `fences`, `beds`",
                "/nmae: unknown field `nmae`, expected one of `name`, `fences`, `beds`",
            ]
        );
        assert_eq!(found(&json!({ "moat": true })).len(), 2);
        // Two that could be the same one: the first is.
        let said = found(&json!({ "nam": "g", "nmae": "h" }));
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said.concat().contains("`nam`: did you mean") && !said.concat().contains("missing"),
            "{said:?}"
        );
    }
}

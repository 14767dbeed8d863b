//! What crosses from JavaScript of a request at once: one text, since each that crosses is dear.

use crate::{base::scan, http::head::PresentFields};

/// A request's survey, as `survey` in `glue.js` makes it, with NUL between its parts: which fields of interest there
/// are, the method, the URL, then names and values of these fields.
#[derive(Debug)]
pub struct RequestPrelude {
    text: String,
    /// Where each part ends. They are asked for again and again, and looked for once.
    ends: Vec<usize>,
}

/// Before the names and values of fields.
const FIRST_FIELD: usize = 3;
/// The first three parts, and as many fields as most requests have that are of interest.
const USUAL_PARTS: usize = 19;

impl RequestPrelude {
    /// Finds the parts of the text. What is missing in it is empty.
    #[must_use]
    pub fn new(text: String) -> Self {
        let mut ends = Vec::with_capacity(USUAL_PARTS);
        let mut from = 0;
        while let Some(length) = text.get(from..).and_then(|rest| scan::position(rest, 0)) {
            ends.push(from + length);
            from += length + 1;
        }
        ends.push(text.len());
        Self { text, ends }
    }

    /// Which fields of interest there are.
    #[must_use]
    pub fn seen(&self) -> PresentFields {
        PresentFields::from_bits(self.part(0).parse().unwrap_or_default())
    }

    /// The method (RFC 9110, section 9).
    #[must_use]
    pub fn method(&self) -> &str {
        self.part(1)
    }

    /// The URL, as the runtime serialises it.
    #[must_use]
    pub fn url(&self) -> &str {
        self.part(2)
    }

    /// The value of a field of interest.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut start = self.ends.get(FIRST_FIELD - 1)? + 1;
        for pair in self.ends.get(FIRST_FIELD..)?.chunks(2) {
            let (Some(end_of_name), end) = (pair.first(), pair.last()?) else { break };
            // Nearly all others are told apart by their length.
            let is_as_long = *end_of_name == start + name.len();
            if is_as_long && self.text.as_bytes().get(start..*end_of_name) == Some(name.as_bytes()) {
                // A name at the very end has no value.
                return Some(self.text.get(end_of_name + 1..*end).unwrap_or_default());
            }
            start = end + 1;
        }
        None
    }

    /// The names and values of all fields of interest.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        (FIRST_FIELD..self.ends.len()).step_by(2).map(|index| (self.part(index), self.part(index + 1)))
    }

    fn part(&self, index: usize) -> &str {
        let start = match index.checked_sub(1) {
            Some(before) => self.ends.get(before).map(|end| end + 1),
            None => Some(0),
        };
        let range = start.zip(self.ends.get(index)).and_then(|(start, end)| self.text.get(start..*end));
        range.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn its_parts_are_found_by_what_they_are() {
        let bits = PresentFields::AUTHORIZATION.bits();
        let survey = RequestPrelude::new(format!(
            "{bits}\0GET\0https://a.example/x?y\0authorization\0Bearer via\0via\0\0cf-ray\08f1c"
        ));
        assert_eq!(survey.seen(), PresentFields::AUTHORIZATION);
        assert_eq!((survey.method(), survey.url()), ("GET", "https://a.example/x?y"));
        assert_eq!(survey.field("authorization"), Some("Bearer via"));
        assert_eq!(survey.field("via"), Some(""));
        assert_eq!(survey.field("cf-ray"), Some("8f1c"));
        let fields: Vec<_> = survey.fields().collect();
        assert_eq!(fields, [("authorization", "Bearer via"), ("via", ""), ("cf-ray", "8f1c")]);
        // Neither a value nor a part of a name is a field.
        assert_eq!((survey.field("Bearer via"), survey.field("cf"), survey.field("GET")), (None, None, None));
    }

    #[test]
    fn what_is_missing_is_empty() {
        let survey = RequestPrelude::new(String::new());
        assert_eq!((survey.method(), survey.url(), survey.field("")), ("", "", None));
        assert_eq!(survey.seen(), PresentFields::default());
        assert_eq!(RequestPrelude::new("0\0GET\0u\0name".to_owned()).field("name"), Some(""));
    }

    proptest! {
        #[test]
        fn parts_are_those_of_split(text in "[ab\0é€]{0,60}") {
            let survey = RequestPrelude::new(text.clone());
            let expected: Vec<_> = text.split('\0').collect();
            let parts: Vec<_> = (0..survey.ends.len()).map(|index| survey.part(index)).collect();
            prop_assert_eq!(parts, expected);
        }
    }
}

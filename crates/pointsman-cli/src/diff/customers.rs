//! Where each customer's record stands, for keys that name it: 24 bytes a customer, and no record.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io,
};

use super::{callers::customer_record, content::Content, data::Span};

/// Where a record stands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    /// Of the customer's id.
    hash: u64,
    file: u32,
    length: u32,
    offset: u64,
}

impl Place {
    pub(super) fn new(id: &str, file: u32, record: &Span) -> Self {
        Self { hash: hash(id), offset: record.offset, length: record.length, file }
    }
}

/// The same in each run: whoever can choose ids so that they meet makes a lookup read a few records more.
fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// All customers at hand.
#[derive(Default)]
pub(super) struct Customers<'a> {
    places: Vec<Place>,
    files: Vec<&'a Content>,
}

impl<'a> Customers<'a> {
    pub(super) fn new(mut places: Vec<Place>, files: Vec<&'a Content>) -> Self {
        places.sort_unstable();
        Self { places, files }
    }

    /// This customer's record: of several the first, in the order of the files.
    ///
    /// # Errors
    /// Where a file cannot be read any more.
    pub(super) fn find(&self, id: &str) -> io::Result<Option<Vec<u8>>> {
        let wanted = hash(id);
        let first = self.places.partition_point(|place| place.hash < wanted);
        // Another id may have the same hash.
        for place in self.places.iter().skip(first).take_while(|place| place.hash == wanted) {
            let file = self.files.get(place.file as usize).ok_or(io::ErrorKind::NotFound)?;
            let mut record = vec![0; place.length as usize];
            file.read_exact_at(&mut record, place.offset)?;
            if customer_record(&record).is_ok_and(|(own, _)| own.as_str() == id) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }
}

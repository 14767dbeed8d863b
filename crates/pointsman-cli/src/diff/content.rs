//! What a source of records is read from: a file of the user's, or a temporary one that KV's entries wait in.

use std::{
    fs,
    io::{self, Read},
};

use crate::host::Temporary;

/// Bytes that are read by their place, so that several threads can read them at once.
#[derive(Debug)]
pub(super) enum Content {
    File(fs::File),
    Temporary(Temporary),
}

impl Content {
    /// Reads from the beginning.
    pub(super) const fn reader(&self) -> Reader<'_> {
        Reader { content: self, at: 0 }
    }

    /// Reads exactly what there is room for, from this place on.
    ///
    /// # Errors
    /// The system's, and where the bytes end before.
    pub(super) fn read_exact_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        Reader { content: self, at }.read_exact(into)
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Self::File(file) => read_file_at(file, into, at),
            Self::Temporary(file) => file.read_at(into, at),
        }
    }
}

/// Where one reader stands in it.
pub(super) struct Reader<'a> {
    content: &'a Content,
    at: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.content.read_at(into, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

/// Several threads read one file: none may move where another reads.
#[cfg(unix)]
fn read_file_at(file: &fs::File, into: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, at)
}

/// Elsewhere there is one thread.
#[cfg(not(unix))]
fn read_file_at(mut file: &fs::File, into: &mut [u8], at: u64) -> io::Result<usize> {
    use std::io::{Seek, SeekFrom};
    file.seek(SeekFrom::Start(at))?;
    file.read(into)
}

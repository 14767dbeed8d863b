//! Files with records: which there are, and each record with its place.

use std::{
    ffi::OsStr,
    fs,
    io::{self, BufRead, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use pointsman_core::base::json::without_bom;
use serde_json::value::RawValue;

use crate::{
    ending::{Failure, input},
    findings::{At, Placed},
    records::Kind,
};

/// A file with records of one kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RecordFile {
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) files: Vec<RecordFile>,
    /// The kinds that the folder speaks of, be it with an empty file.
    pub(crate) kinds: Vec<Kind>,
    /// What is probably meant otherwise.
    pub(crate) warnings: Vec<Placed>,
}

/// A record as it stands in its file.
pub(crate) struct Raw<'a> {
    pub(crate) json: &'a [u8],
    /// Where it begins, in bytes.
    pub(crate) offset: u64,
    /// The line on which it begins, counted from 1.
    pub(crate) line: usize,
}

/// The byte order mark that some editors begin a file with. It is read over.
const BOM: char = '\u{feff}';

/// Deeper folders are a loop of links.
const DEPTH: usize = 32;

/// The records of a folder: `customers.json`, `customers.jsonl`, all in `customers/`, and the same for keys.
///
/// # Errors
/// Where it cannot be read, or has none of these.
pub(crate) fn of_folder(folder: &Path) -> Result<Folder, Failure> {
    let mut found = Folder::default();
    let mut known = Vec::new();
    for kind in Kind::ALL {
        let word = kind.many();
        let mut speaks = false;
        for name in [format!("{word}.json"), format!("{word}.jsonl")] {
            let path = folder.join(&name);
            if path.is_file() {
                found.files.push(RecordFile { path, kind });
                speaks = true;
            }
            known.push(name);
        }
        let inner = folder.join(word);
        if inner.is_dir() {
            found.files.extend(within(&inner, kind, DEPTH)?);
            speaks = true;
        }
        if speaks {
            found.kinds.push(kind);
        }
    }
    for path in entries(folder)? {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if path.is_file() && is_records(&path) && !known.iter().any(|known| known == name) {
            let at = At::Line { file: path.display().to_string(), line: 1 };
            let known = known.join(", ");
            let what =
                format!("is not read: records stand in {known}, and in the folders customers and keys");
            found.warnings.push(Placed::warning(at, "", what));
        }
    }
    if found.kinds.is_empty() {
        let known = known.join(", ");
        let folder = folder.display();
        return Err(input(format!("{folder}: holds none of {known}, and no folder customers or keys")));
    }
    Ok(found)
}

/// A file, or all files with records in a folder.
///
/// # Errors
/// Where they cannot be read.
pub(crate) fn of_path(path: &Path, kind: Kind) -> Result<Vec<RecordFile>, Failure> {
    if path.is_dir() {
        let files = within(path, kind, DEPTH)?;
        if files.is_empty() {
            return Err(input(format!("{}: holds no file .json or .jsonl", path.display())));
        }
        return Ok(files);
    }
    fs::metadata(path).map_err(|problem| input(format!("{}: {problem}", path.display())))?;
    Ok(vec![RecordFile { path: path.to_path_buf(), kind }])
}

fn within(folder: &Path, kind: Kind, depth: usize) -> Result<Vec<RecordFile>, Failure> {
    if depth == 0 {
        return Err(input(format!("{}: lies too deep; does a link lead back?", folder.display())));
    }
    let mut files = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            files.extend(within(&path, kind, depth - 1)?);
        } else if is_records(&path) {
            files.push(RecordFile { path, kind });
        }
    }
    Ok(files)
}

/// What is in a folder, in order, without what is hidden.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |problem: io::Error| input(format!("{}: {problem}", folder.display()));
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn is_records(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json" || extension == "jsonl")
}

/// Hands out each record of a file: of an array, of JSON lines, or one or several as they are. JSON lines are
/// read one by one; any other file is held while it is read.
///
/// # Errors
/// Where the file is no JSON.
pub(crate) fn each(path: &Path, take: &mut dyn FnMut(Raw<'_>)) -> Result<(), Placed> {
    let at = |line| At::Line { file: path.display().to_string(), line };
    let failed = |problem: io::Error| Placed::error(at(1), "", problem.to_string());
    if path.extension().is_some_and(|extension| extension == "jsonl") {
        let file = fs::File::open(path).map_err(failed)?;
        return each_line(io::BufReader::new(file), take).map_err(failed);
    }
    let bytes = fs::read(path).map_err(failed)?;
    let text = std::str::from_utf8(&bytes).map_err(|problem| {
        let line = newlines(bytes.get(..problem.valid_up_to()).unwrap_or_default()) + 1;
        Placed::error(at(line), "", "is not UTF-8: save it as UTF-8")
    })?;
    // Offsets count from the file's beginning.
    let start = text.as_ptr() as usize;
    let text = text.strip_prefix(BOM).unwrap_or(text);
    let not_json = |problem: serde_json::Error| {
        Placed::error(at(problem.line().max(1)), "", format!("is not JSON: {problem}"))
    };
    let records: Vec<&RawValue> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(not_json)?
    } else {
        serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>().map_err(not_json)?
    };
    if text.trim().is_empty() {
        return Err(Placed::error(at(1), "", "is empty: without records, write []"));
    }
    let (mut line, mut counted) = (1, 0);
    for record in records {
        let json = record.get().as_bytes();
        let offset = (json.as_ptr() as usize).saturating_sub(start);
        line += newlines(bytes.get(counted..offset).unwrap_or_default());
        counted = offset;
        take(Raw { json, offset: offset as u64, line });
    }
    Ok(())
}

fn each_line(mut reader: impl BufRead, take: &mut dyn FnMut(Raw<'_>)) -> io::Result<()> {
    let (mut offset, mut text) = (0, Vec::new());
    for line in 1.. {
        text.clear();
        let length = reader.read_until(b'\n', &mut text)?;
        if length == 0 {
            break;
        }
        let begun = if line == 1 { without_bom(&text) } else { &text };
        let json = begun.trim_ascii();
        if !json.is_empty() {
            let before = text.len() - begun.trim_ascii_start().len();
            take(Raw { json, offset: offset + before as u64, line });
        }
        offset += length as u64;
    }
    Ok(())
}

/// The bytes of a record that was seen before.
///
/// # Errors
/// Where they are no longer there.
pub(crate) fn again(path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn records(name: &str, text: &str) -> Result<Vec<(String, usize)>, String> {
        let folder = Scratch::new();
        let path = folder.write(name, text);
        let mut found = Vec::new();
        let read = each(&path, &mut |raw| {
            let bytes = again(&path, raw.offset, raw.json.len()).unwrap();
            assert_eq!(bytes, raw.json, "the place leads back to the record");
            found.push((String::from_utf8(bytes).unwrap(), raw.line));
        });
        read.map_err(|placed| format!("{}: {}", placed.line(), placed.finding.what))?;
        Ok(found)
    }

    #[test]
    fn every_form_hands_out_records_with_their_lines() {
        let two = [("{\"a\":\n1}".to_owned(), 2), ("{\"b\":\"é\"}".to_owned(), 4)];
        assert_eq!(records("x.json", "[\n{\"a\":\n1},\n{\"b\":\"é\"}]").unwrap(), two);
        assert_eq!(records("x.json", "\n{\"a\":\n1}\n{\"b\":\"é\"}\n").unwrap(), two);
        let lines = [("{\"a\":1}".to_owned(), 1), ("nonsense".to_owned(), 3), ("[]".to_owned(), 4)];
        assert_eq!(records("x.jsonl", "{\"a\":1}\r\n\n  nonsense \n[]").unwrap(), lines);
        for text in ["\u{feff}[\n{\"a\":\n1},\n{\"b\":\"é\"}]", "\u{feff}\n{\"a\":\n1}\n{\"b\":\"é\"}\n"] {
            assert_eq!(records("x.json", text).unwrap(), two, "after a byte order mark");
        }
        let one = [("{\"a\":1}".to_owned(), 1), ("{}".to_owned(), 2)];
        assert_eq!(records("x.jsonl", "\u{feff} {\"a\":1}\n{}").unwrap(), one);
        assert_eq!(records("x.jsonl", "\u{feff}\n").unwrap(), []);
        assert_eq!(records("x.json", " [] ").unwrap(), []);
        assert_eq!(records("x.jsonl", "").unwrap(), []);
    }

    #[test]
    fn what_is_no_json_is_said_with_its_line() {
        for (text, said) in [
            ("[\n{},\n", "3: is not JSON"),
            ("[{}] x", "1: is not JSON"),
            ("{}\n{", "2: is not JSON"),
            (" \n", "1: is empty"),
            ("\u{feff}", "1: is empty"),
        ] {
            let problem = records("x.json", text).unwrap_err();
            assert!(problem.starts_with(said), "{problem}");
        }
    }

    #[test]
    fn a_folder_speaks_of_what_it_has() {
        let folder = Scratch::new();
        assert!(of_folder(folder.path()).is_err());
        for name in
            ["customers/b/c.json", "customers/a.json", "customers/.hidden.json", "customers/readme.md"]
        {
            folder.write(name, "[]");
        }
        folder.write("customer.json", "[]");
        let found = of_folder(folder.path()).unwrap();
        let name = |file: &RecordFile| file.path.strip_prefix(folder.path()).unwrap().to_path_buf();
        let names: Vec<_> = found.files.iter().map(name).collect();
        assert_eq!(names, [Path::new("customers/a.json"), Path::new("customers/b/c.json")]);
        assert_eq!(found.kinds, [Kind::Customer]);
        assert_eq!(found.warnings.len(), 1);
        folder.write("keys.jsonl", "");
        assert_eq!(of_folder(folder.path()).unwrap().kinds, [Kind::Customer, Kind::Key]);
    }
}

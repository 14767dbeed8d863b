//! Files that nobody else can open and that nothing can leave behind.

use std::{
    env, fs,
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
};

use crate::entropy::random;

/// A file that has no name any more: it is gone with the last who holds it open, however that one ends.
///
/// # Errors
/// Where the folder for such files cannot be written to.
pub(crate) fn file() -> Result<fs::File, String> {
    let mut name = [0; 16];
    random(&mut name)?;
    let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = env::temp_dir().join(format!("pointsman-{name}"));
    let made = fs::OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
    let made = made.map_err(|problem| format!("{}: {problem}", path.display()))?;
    fs::remove_file(&path).map_err(|problem| format!("{}: {problem}", path.display()))?;
    Ok(made)
}

/// Such a file, filled and ready to be read from its beginning.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn filled(
    write: impl FnOnce(&mut io::BufWriter<&fs::File>) -> io::Result<()>,
) -> Result<fs::File, String> {
    let made = file()?;
    let mut writer = io::BufWriter::new(&made);
    let written = write(&mut writer).and_then(|()| writer.flush());
    drop(writer);
    written.and_then(|()| rewind(&made)).map_err(|problem| format!("a temporary file: {problem}"))?;
    Ok(made)
}

/// Back to the beginning.
pub(crate) fn rewind(mut file: &fs::File) -> io::Result<()> {
    file.seek(SeekFrom::Start(0)).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::unix::fs::MetadataExt};

    use super::*;

    #[test]
    fn a_file_has_no_name_and_one_reader() {
        let mut made = filled(|writer| writer.write_all(b"secret")).unwrap();
        let about = made.metadata().unwrap();
        assert_eq!((about.nlink(), about.mode() & 0o777), (0, 0o600));
        let mut text = String::new();
        made.read_to_string(&mut text).unwrap();
        assert_eq!(text, "secret");
    }
}

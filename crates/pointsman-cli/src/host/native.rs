//! The machine as a native program finds it.

use std::{
    env, fs,
    io::{self, Read, Seek, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::{Ended, Program};
use crate::entropy::random;

/// What has to be done before anything else: nothing.
pub(crate) const fn begin() {}

/// A file that nobody else can open, and that has no name any more: it is gone with the last who holds it open, however
/// that one ends.
#[derive(Debug)]
pub(crate) struct Temporary(fs::File);

impl Temporary {
    /// An empty one.
    ///
    /// # Errors
    /// Where the folder for such files cannot be written to.
    pub(crate) fn new() -> Result<Self, String> {
        let mut name = [0; 16];
        random(&mut name)?;
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = env::temp_dir().join(format!("pointsman-{name}"));
        let failed = |problem| format!("{}: {problem}", path.display());
        let made = fs::OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        let made = made.map_err(failed)?;
        fs::remove_file(&path).map_err(failed)?;
        Ok(Self(made))
    }

    /// Back to the beginning.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn rewind(&mut self) -> io::Result<()> {
        self.0.rewind()
    }

    /// Reads from this place on, wherever else it is read or written.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        self.0.read_at(into, at)
    }

    fn stream(&self) -> io::Result<Stdio> {
        self.0.try_clone().map(Stdio::from)
    }
}

impl Read for Temporary {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Temporary {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Starts all programs and waits until the last has ended.
pub(crate) fn run_all(programs: &[Program<'_>]) -> Vec<Result<Ended, String>> {
    let started: Vec<io::Result<Child>> = programs.iter().map(start).collect();
    let ended = |child: io::Result<Child>| child.and_then(|mut child| child.wait());
    let told =
        |status: std::process::ExitStatus| Ended { success: status.success(), how: status.to_string() };
    started.into_iter().map(|child| ended(child).map(told).map_err(|problem| problem.to_string())).collect()
}

fn start(program: &Program<'_>) -> io::Result<Child> {
    let Program { name, arguments, variables, first_in_path, input, output, errors } = program;
    let mut command = Command::new(name);
    command.args(arguments).envs(variables.iter().copied()).stdout(output.stream()?);
    match input {
        None => command.stdin(Stdio::null()),
        Some(file) => {
            (&file.0).rewind()?;
            command.stdin(file.stream()?)
        }
    };
    if let Some(file) = errors {
        command.stderr(file.stream()?);
    }
    if let Some(folder) = first_in_path {
        let path = env::var_os("PATH").unwrap_or_default();
        if let Ok(path) = env::join_paths(std::iter::once(folder.clone()).chain(env::split_paths(&path))) {
            command.env("PATH", path);
        }
    }
    command.spawn()
}

/// A new file that its owner alone can read.
///
/// # Errors
/// Where there is one of this name, or none can be made.
pub(crate) fn create_private(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// The path of a file from the root, without links.
///
/// # Errors
/// Where there is no such file.
pub(crate) fn real_path(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// Where this program lies.
pub(crate) fn own_path() -> Option<PathBuf> {
    env::current_exe().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_temporary_file_has_no_name_and_one_reader() {
        let mut made = Temporary::filled(|writer| writer.write_all(b"secret")).unwrap();
        let about = made.0.metadata().unwrap();
        assert_eq!((about.nlink(), about.mode() & 0o777), (0, 0o600));
        let mut text = String::new();
        made.read_to_string(&mut text).unwrap();
        assert_eq!(text, "secret");
    }
}

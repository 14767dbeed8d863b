//! What the command line needs of the machine that WebAssembly has not: programs with their standard streams, temporary files
//! without a name, files for their owner alone, and the real path of a file. A port of two implementations, which have the
//! same names: `native` for a program of its own, `wasi` for WebAssembly in Node, where JavaScript does it
//! (`packages/pointsman/lib/host.mjs`).
//!
//! Everything else WASI has: files by path, arguments, the environment, standard streams and whether they are a terminal,
//! clocks and randomness.

use std::{
    ffi::OsString,
    io::{self, BufWriter, Write},
    path::PathBuf,
    slice,
};

#[cfg(not(any(target_os = "wasi", edge_check)))]
mod native;
#[cfg(any(target_os = "wasi", edge_check))]
mod wasi;

#[cfg(not(any(target_os = "wasi", edge_check)))]
pub(crate) use native::*;
#[cfg(any(target_os = "wasi", edge_check))]
pub(crate) use wasi::*;

/// The name of the program that runs JavaScript. In Node it is the Node that runs this program.
pub(crate) const NODE: &str = "node";

/// A program to be started.
pub(crate) struct Program<'a> {
    /// Its path, or a name that is looked for in `PATH`.
    pub(crate) name: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// What is set beside the variables that this program has.
    pub(crate) variables: Vec<(&'static str, &'static str)>,
    /// The folder that stands first in its `PATH`.
    pub(crate) first_in_path: Option<PathBuf>,
    /// What it reads, from its beginning; nothing where there is none.
    pub(crate) input: Option<&'a Temporary>,
    pub(crate) output: &'a Temporary,
    /// Where its messages go; to this program's own standard error where there is none.
    pub(crate) errors: Option<&'a Temporary>,
}

/// How a program ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ended {
    pub(crate) success: bool,
    /// For messages: "exit status: 1".
    pub(crate) how: String,
}

/// Starts a program and waits until it has ended.
///
/// # Errors
/// Where it cannot be started.
pub(crate) fn run(program: &Program<'_>) -> Result<Ended, String> {
    run_all(slice::from_ref(program)).pop().unwrap_or_else(|| Err("nothing was started".to_owned()))
}

impl Temporary {
    /// Such a file, filled and ready to be read from its beginning.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn filled(
        write: impl FnOnce(&mut BufWriter<&mut Self>) -> io::Result<()>,
    ) -> Result<Self, String> {
        let mut made = Self::new()?;
        let mut writer = BufWriter::with_capacity(BUFFER, &mut made);
        let written = write(&mut writer).and_then(|()| writer.flush());
        drop(writer);
        written.and_then(|()| made.rewind()).map_err(|problem| format!("a temporary file: {problem}"))?;
        Ok(made)
    }
}

/// How much of a temporary file is read or written at once.
pub(crate) const BUFFER: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn shell<'a>(script: &str, input: Option<&'a Temporary>, output: &'a Temporary) -> Program<'a> {
        Program {
            name: "sh".into(),
            arguments: vec!["-c".into(), script.into()],
            variables: vec![("GREETING", "hello")],
            first_in_path: Some("/first".into()),
            input,
            output,
            errors: Some(output),
        }
    }

    fn text(mut file: Temporary) -> String {
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn programs_get_what_they_are_given() {
        let input = Temporary::filled(|writer| writer.write_all(b"from the file")).unwrap();
        let (first, second) = (Temporary::new().unwrap(), Temporary::new().unwrap());
        let ended = run_all(&[
            shell("cat; echo \" $GREETING ${PATH%%:*}\"", Some(&input), &first),
            shell("cat; echo bad >&2; exit 7", None, &second),
        ]);
        let ended: Vec<_> = ended.into_iter().map(Result::unwrap).collect();
        assert_eq!(ended.iter().map(|ended| ended.success).collect::<Vec<_>>(), [true, false]);
        assert_eq!(ended[1].how, "exit status: 7");
        assert_eq!(
            (text(first), text(second)),
            ("from the file hello /first\n".to_owned(), "bad\n".to_owned())
        );
    }

    #[test]
    fn the_beginning_of_the_input_is_read_again_by_the_next_program() {
        let input = Temporary::filled(|writer| writer.write_all(b"twice")).unwrap();
        for _ in 0..2 {
            let output = Temporary::new().unwrap();
            run_all(&[shell("cat", Some(&input), &output)]).remove(0).unwrap();
            assert_eq!(text(output), "twice");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_and_the_others_run() {
        let (first, second) = (Temporary::new().unwrap(), Temporary::new().unwrap());
        let missing = Program { name: "/no/such/program".into(), ..shell("", None, &first) };
        let ended = run_all(&[missing, shell("echo here", None, &second)]);
        assert!(ended[0].as_ref().unwrap_err().contains("No such file"), "{ended:?}");
        assert_eq!(text(second), "here\n");
    }
}

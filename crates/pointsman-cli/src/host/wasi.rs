//! The machine as WebAssembly finds it in Node: what WASI lacks is asked of JavaScript, by one call with a request as JSON.
//! `packages/pointsman/lib/host.mjs` is the other end.

use std::{
    env, fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{Ended, Program};

mod imports;

/// Paths count from where the program was called. WASI knows no such folder: the launcher says it in `PWD`.
pub(crate) fn begin() {
    if let Some(folder) = env::var_os("PWD") {
        // Where it is gone, paths count from the root, and each message names the path that was not found.
        let _ = env::set_current_dir(folder);
    }
}

/// As the native one: it has no name, so WASI cannot open it, and JavaScript holds it open.
#[derive(Debug)]
pub(crate) struct Temporary {
    file: u64,
    /// Where it is read or written next. A program that is given the file begins at its beginning.
    at: u64,
}

impl Temporary {
    /// An empty one.
    ///
    /// # Errors
    /// Where the folder for such files cannot be written to.
    pub(crate) fn new() -> Result<Self, String> {
        let file = ask(&json!({ "do": "open_temporary" }))?;
        file.as_u64().map(|file| Self { file, at: 0 }).ok_or_else(|| UNREADABLE.to_owned())
    }

    /// Back to the beginning.
    ///
    /// # Errors
    /// None: the native one has some.
    pub(crate) const fn rewind(&mut self) -> io::Result<()> {
        self.at = 0;
        Ok(())
    }

    /// Reads from this place on, wherever else it is read or written.
    ///
    /// # Errors
    /// The host's.
    pub(crate) fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let request = json!({ "do": "read", "file": self.file, "at": at, "most": into.len() });
        imports::call(&request.to_string(), &[], into).map_err(io::Error::other)
    }
}

impl Read for Temporary {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.read_at(into, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

impl Write for Temporary {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let request = json!({ "do": "write", "file": self.file, "at": self.at });
        tell(&request, bytes).map_err(io::Error::other)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // A file that cannot be closed ends with the process.
        let _ = tell(&json!({ "do": "close", "file": self.file }), &[]);
    }
}

/// Starts all programs and waits until the last has ended.
pub(crate) fn run_all(programs: &[Program<'_>]) -> Vec<Result<Ended, String>> {
    let answers = programs.iter().map(described).collect::<Result<Vec<_>, _>>();
    let answers = answers.and_then(|programs| ask(&json!({ "do": "run", "programs": programs })));
    match answers {
        Ok(Value::Array(ended)) if ended.len() == programs.len() => ended.iter().map(told).collect(),
        Ok(_) => programs.iter().map(|_| Err(UNREADABLE.to_owned())).collect(),
        Err(problem) => programs.iter().map(|_| Err(problem.clone())).collect(),
    }
}

fn described(program: &Program<'_>) -> Result<Value, String> {
    let Program { name, arguments, variables, first_in_path, input, output, errors } = program;
    let arguments: Result<Vec<&str>, String> = arguments.iter().map(|argument| text(argument)).collect();
    let variables: serde_json::Map<_, _> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    Ok(json!({
        "name": text(name)?,
        "arguments": arguments?,
        "variables": variables,
        "firstInPath": first_in_path.as_deref().map(text).transpose()?,
        "input": input.map(|input| input.file),
        "output": output.file,
        "errors": errors.map(|errors| errors.file),
    }))
}

fn told(ended: &Value) -> Result<Ended, String> {
    if let Some(problem) = ended.get("error").and_then(Value::as_str) {
        return Err(problem.to_owned());
    }
    let success = ended.get("success").and_then(Value::as_bool);
    let how = ended.get("how").and_then(Value::as_str);
    let (Some(success), Some(how)) = (success, how) else { return Err(UNREADABLE.to_owned()) };
    Ok(Ended { success, how: how.to_owned() })
}

/// A new file that its owner alone can read. WASI has no word for that, so JavaScript makes the file.
///
/// # Errors
/// Where there is one of this name, or none can be made.
pub(crate) fn create_private(path: &Path) -> io::Result<fs::File> {
    let path = text(path).map_err(io::Error::other)?;
    tell(&json!({ "do": "create_private", "path": path }), &[]).map_err(io::Error::other)?;
    fs::OpenOptions::new().write(true).open(path)
}

/// The path of a file from the root, without links.
///
/// # Errors
/// Where there is no such file.
pub(crate) fn real_path(path: &Path) -> io::Result<PathBuf> {
    let path = text(path).map_err(io::Error::other)?;
    let real = ask(&json!({ "do": "real_path", "path": path })).map_err(io::Error::other)?;
    real.as_str().map(PathBuf::from).ok_or_else(|| io::Error::other(UNREADABLE))
}

/// Where this program lies: the launcher gives that as the program's name.
pub(crate) fn own_path() -> Option<PathBuf> {
    env::args_os().next().map(PathBuf::from)
}

const UNREADABLE: &str =
    "the launcher's answer cannot be read: are pointsman.wasm and its launcher of one version?";

/// Has JavaScript do something that is answered by JSON.
fn ask(request: &Value) -> Result<Value, String> {
    let answer = imports::call_for_all(&request.to_string())?;
    serde_json::from_slice(&answer).map_err(|_| UNREADABLE.to_owned())
}

/// Has JavaScript do something that has no answer.
fn tell(request: &Value, body: &[u8]) -> Result<(), String> {
    imports::call(&request.to_string(), body, &mut []).map(|_| ())
}

/// A path or an argument as JavaScript has it.
fn text<T: AsRef<std::ffi::OsStr> + ?Sized>(text: &T) -> Result<&str, String> {
    let text = text.as_ref();
    text.to_str().ok_or_else(|| format!("{}: is not UTF-8", text.display()))
}

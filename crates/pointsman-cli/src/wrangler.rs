//! KV through wrangler, which has the credentials; this program has none.
//!
//! What goes in and what comes out are files without a name: values are in no file that stays behind, and in
//! no argument that others see.

use std::{
    env, fs,
    io::{BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::json;

use crate::{
    ending::Failure,
    output::warning,
    store::{Entry, Kv, Listed, Sum, Taker},
    temporary,
    wrangler::answers::{listing, values},
};

mod answers;

const BINDING: &str = "POINTSMAN_KV";
/// The REST API gives so many values at once.
const READ_REMOTE: usize = 100;
/// wrangler reads local ones from one process, and holds them all.
const READ_LOCAL: usize = 5_000;
/// wrangler starts slowly, so several are at it. Each takes a hundred megabytes.
const READERS: usize = 4;
/// Pauses before a call is tried again.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// What wrangler said is cut here.
const SAID: u64 = 64 << 10;

/// Which of the two namespaces of a binding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// The one on this machine, of `npm start` and `wrangler dev`.
    Local,
    /// The one of the deployed Worker.
    Remote,
}

/// The namespace that `wrangler.toml` binds.
#[derive(Clone, Debug)]
pub(crate) struct Wrangler {
    pub(crate) place: Place,
    /// `wrangler.toml`.
    pub(crate) config: PathBuf,
    pub(crate) environment: Option<String>,
    pub(crate) persist_to: Option<PathBuf>,
}

impl Kv for Wrangler {
    fn list(&self, prefix: &str) -> Result<Vec<Listed>, Failure> {
        let out = self.run(&["key", "list", "--prefix", prefix], None)?;
        listing(BufReader::new(out)).map_err(|what| Failure::Store(format!("wrangler kv key list: {what}")))
    }

    fn get_many(&self, names: &[String], take: &mut Taker<'_>) -> Result<(), Failure> {
        let size = if self.place == Place::Local { READ_LOCAL } else { READ_REMOTE };
        let chunks: Vec<&[String]> = names.chunks(size).collect();
        let readers = if self.place == Place::Local { 1 } else { READERS.min(chunks.len()) };
        if readers <= 1 {
            return chunks.iter().try_for_each(|chunk| hand_out(self.get_chunk(chunk)?, take));
        }
        let next = AtomicUsize::new(0);
        let first_failure = Mutex::new(None);
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::sync_channel(readers);
            for _ in 0..readers {
                let (sender, next, chunks, first_failure) = (sender.clone(), &next, &chunks, &first_failure);
                scope.spawn(move || {
                    while let Some(chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
                        match self.get_chunk(chunk) {
                            Ok(values) => {
                                // Whoever takes the values may have had enough.
                                if sender.send(values).is_err() {
                                    return;
                                }
                            }
                            Err(failure) => {
                                // The others end with what they are at.
                                next.store(chunks.len(), Ordering::Relaxed);
                                if let Ok(mut first) = first_failure.lock() {
                                    first.get_or_insert(failure);
                                }
                                return;
                            }
                        }
                    }
                });
            }
            drop(sender);
            receiver.iter().try_for_each(|values| hand_out(values, take))
        })?;
        match first_failure.into_inner() {
            Ok(Some(failure)) => Err(failure),
            _ => Ok(()),
        }
    }

    fn put(&self, entries: &[Entry]) -> Result<(), Failure> {
        let input = temporary::filled(|writer| {
            writer.write_all(b"[")?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            for (index, Entry { name, value, keeps }) in entries.iter().enumerate() {
                let metadata = keeps.metadata(Sum::of(value.as_bytes()));
                let mut entry = json!({ "key": name, "value": value, "metadata": metadata });
                if let (Some(end), Some(members)) = (keeps.end(now), entry.as_object_mut()) {
                    members.insert("expiration".to_owned(), json!(end));
                }
                write!(writer, "{}{entry}", if index == 0 { "" } else { "," })?;
            }
            writer.write_all(b"]")
        });
        self.run(&["bulk", "put", STDIN], Some(&input.map_err(Failure::Store)?)).map(|_| ())
    }

    fn delete(&self, names: &[String]) -> Result<(), Failure> {
        self.run(&["bulk", "delete", STDIN, "--force"], Some(&list(names)?)).map(|_| ())
    }
}

/// Where wrangler finds what it is given.
const STDIN: &str = "/dev/stdin";

type Values = Vec<(String, Option<String>)>;

fn hand_out(values: Values, take: &mut Taker<'_>) -> Result<(), Failure> {
    values.into_iter().try_for_each(|(name, value)| take(&name, value))
}

fn list(names: &[String]) -> Result<fs::File, Failure> {
    temporary::filled(|writer| Ok(serde_json::to_writer(writer, names)?)).map_err(Failure::Store)
}

impl Wrangler {
    fn get_chunk(&self, names: &[String]) -> Result<Values, Failure> {
        let out = self.run(&["bulk", "get", STDIN], Some(&list(names)?))?;
        let failed = |what: &str| Failure::Store(format!("wrangler kv bulk get: {what}"));
        let mut found = values(BufReader::new(out)).map_err(|what| failed(&what))?;
        // One that is passed over in silence would count as absent, and be written over.
        let take = |name: &String| match found.remove(name) {
            Some(value) => Ok((name.clone(), value)),
            None => Err(failed(&format!("answered nothing about {name}"))),
        };
        names.iter().map(take).collect()
    }

    /// Runs `wrangler kv …` and gives what it printed.
    fn run(&self, arguments: &[&str], input: Option<&fs::File>) -> Result<fs::File, Failure> {
        let mut pauses = PAUSES.iter();
        loop {
            let said = match self.attempt(arguments, input).map_err(Failure::Store)? {
                Ok(out) => return Ok(out),
                Err(said) => said,
            };
            let what = format!(
                "wrangler kv {} {} failed",
                arguments.first().unwrap_or(&""),
                arguments.get(1).unwrap_or(&"")
            );
            match pauses.next() {
                Some(pause) if is_passing(&said) => {
                    warning(&format!("{what} and is tried again in {} s", pause.as_secs()));
                    thread::sleep(*pause);
                }
                _ => return Err(Failure::Store(format!("{what}:\n{said}"))),
            }
        }
    }

    fn attempt(
        &self,
        arguments: &[&str],
        input: Option<&fs::File>,
    ) -> Result<Result<fs::File, String>, String> {
        let plain = |problem: std::io::Error| problem.to_string();
        let (out, err) = (temporary::file()?, temporary::file()?);
        let stdin = match input {
            None => Stdio::null(),
            Some(file) => {
                temporary::rewind(file).map_err(plain)?;
                Stdio::from(file.try_clone().map_err(plain)?)
            }
        };
        let mut command = program(&self.config);
        command.arg("kv").args(arguments).args(["--binding", BINDING]);
        command.arg(if self.place == Place::Remote { "--remote" } else { "--local" });
        command.arg("--config").arg(&self.config);
        if let Some(name) = &self.environment {
            command.args(["--env", name]);
        }
        if let Some(folder) = &self.persist_to {
            command.arg("--persist-to").arg(folder);
        }
        command.env("WRANGLER_SEND_METRICS", "false").env("NO_COLOR", "1").stdin(stdin);
        command.stdout(out.try_clone().map_err(plain)?).stderr(err.try_clone().map_err(plain)?);
        let status = command
            .status()
            .map_err(|problem| format!("cannot run wrangler: {problem}. Run `npm run setup` first."))?;
        temporary::rewind(&out).and_then(|()| temporary::rewind(&err)).map_err(plain)?;
        if status.success() {
            return Ok(Ok(out));
        }
        let mut said = Vec::new();
        for file in [out, err] {
            file.take(SAID).read_to_end(&mut said).map_err(plain)?;
        }
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        Ok(Err(if said.is_empty() { format!("it said nothing ({status})") } else { said }))
    }
}

/// wrangler, as the project that `wrangler.toml` belongs to has it, or the project that this program was built
/// in. Called without npx, which takes a second each time.
fn program(config: &Path) -> Command {
    let config = fs::canonicalize(config).unwrap_or_default();
    let own = env::current_exe().unwrap_or_default();
    let folders =
        config.ancestors().chain(own.ancestors()).skip(1).map(|folder| folder.join("node_modules/.bin"));
    let Some(bin) = { folders }.find(|bin| bin.join("wrangler").exists()) else {
        let mut command = Command::new("npx");
        command.args(["--no-install", "wrangler"]);
        return command;
    };
    let mut command = Command::new(bin.join("wrangler"));
    // Beside it is the Node that is new enough for it.
    let path = env::var_os("PATH").unwrap_or_default();
    if let Ok(path) = env::join_paths(std::iter::once(bin).chain(env::split_paths(&path))) {
        command.env("PATH", path);
    }
    command
}

/// Whether wrangler failed of something that passes: the network, a limit of the API, a database in use.
fn is_passing(said: &str) -> bool {
    const WORDS: [&str; 10] = [
        "too many requests",
        "rate limit",
        "rate-limit",
        "econnreset",
        "etimedout",
        "eai_again",
        "fetch failed",
        "socket hang up",
        "sqlite_busy",
        "database is locked",
    ];
    const STATUSES: [&str; 5] = ["429", "500", "502", "503", "504"];
    let said = said.to_ascii_lowercase();
    let mut tokens = said.split(|letter: char| !letter.is_ascii_alphanumeric());
    WORDS.iter().any(|word| said.contains(word)) || tokens.any(|token| STATUSES.contains(&token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_tried_again() {
        for said in [
            "A request to the Cloudflare API (/accounts/x/bulk) failed.\n  Too many requests [code: 971]",
            "Received a malformed response from the API\n<html> PUT /bulk -> 502 Bad Gateway",
            "TypeError: fetch failed\n  cause: read ECONNRESET",
        ] {
            assert!(is_passing(said), "{said}");
        }
        for said in [
            "Authentication error [code: 10000]",
            "No KV Namespaces configured in your configuration!",
            "account 4290f500a0502 is not yours",
        ] {
            assert!(!is_passing(said), "{said}");
        }
    }
}

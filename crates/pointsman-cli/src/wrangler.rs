//! KV through wrangler, which has the credentials; this program has none.
//!
//! What goes in and what comes out are files without a name: values are in no file that stays behind, and in
//! no argument that others see.

use std::{
    ffi::OsString,
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::json;

use crate::{
    ending::Failure,
    host::{self, BUFFER, Ended, Program, Temporary},
    output::warning,
    store::{Entry, Kv, Listed, Taker},
    wrangler::answers::{listed_values, listing, values},
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
    /// Whether a ledger is bound beside the namespace.
    pub(crate) is_followed: bool,
}

impl Kv for Wrangler {
    fn list(&self, prefix: &str) -> Result<Vec<Listed>, Failure> {
        let out = self.run(&["key", "list", "--prefix", prefix], None)?;
        listing(BufReader::with_capacity(BUFFER, out))
            .map_err(|what| Failure::Store(format!("wrangler kv key list: {what}")))
    }

    fn list_values(&self, prefix: &str) -> Result<Vec<(String, Option<String>)>, Failure> {
        let out = self.run(&["key", "list", "--prefix", prefix], None)?;
        let failed = |what| Failure::Store(format!("wrangler kv key list: {what}"));
        listed_values(BufReader::with_capacity(BUFFER, out)).map_err(failed)
    }

    fn get_many(&self, names: &[String], take: &mut Taker<'_>) -> Result<(), Failure> {
        let (size, readers) =
            if self.place == Place::Local { (READ_LOCAL, 1) } else { (READ_REMOTE, READERS) };
        let chunks: Vec<&[String]> = names.chunks(size).collect();
        for at_once in chunks.chunks(readers) {
            let inputs = at_once.iter().map(|names| list(names)).collect::<Result<Vec<_>, _>>()?;
            let outputs =
                self.run_all(&["bulk", "get", STDIN], &inputs.iter().map(Some).collect::<Vec<_>>())?;
            for (names, output) in at_once.iter().zip(outputs) {
                hand_out(names, output, take)?;
            }
        }
        Ok(())
    }

    fn put(&self, entries: &[Entry]) -> Result<(), Failure> {
        let input = Temporary::filled(|writer| {
            writer.write_all(b"[")?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            for (index, Entry { name, value, keeps }) in entries.iter().enumerate() {
                let metadata = keeps.metadata(value);
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

    fn is_followed(&self) -> bool {
        self.is_followed
    }
}

/// Where wrangler finds what it is given.
const STDIN: &str = "/dev/stdin";

/// Hands out what `wrangler kv bulk get` printed of these names.
fn hand_out(names: &[String], output: Temporary, take: &mut Taker<'_>) -> Result<(), Failure> {
    let failed = |what: &str| Failure::Store(format!("wrangler kv bulk get: {what}"));
    let mut found = values(BufReader::with_capacity(BUFFER, output)).map_err(|what| failed(&what))?;
    for name in names {
        // One that is passed over in silence would count as absent, and be written over.
        let value = found.remove(name).ok_or_else(|| failed(&format!("answered nothing about {name}")))?;
        take(name, value)?;
    }
    Ok(())
}

fn list(names: &[String]) -> Result<Temporary, Failure> {
    Temporary::filled(|writer| Ok(serde_json::to_writer(writer, names)?)).map_err(Failure::Store)
}

impl Wrangler {
    /// Runs `wrangler kv …` and gives what it printed.
    fn run(&self, arguments: &[&str], input: Option<&Temporary>) -> Result<Temporary, Failure> {
        let nothing = || Failure::Store("wrangler was not run".to_owned());
        self.run_all(arguments, &[input])?.pop().ok_or_else(nothing)
    }

    /// Runs `wrangler kv …` once for each input, all at once, and gives what each printed. What failed of something that
    /// passes is tried again.
    fn run_all(&self, arguments: &[&str], inputs: &[Option<&Temporary>]) -> Result<Vec<Temporary>, Failure> {
        let words: Vec<&str> = ["wrangler", "kv"].iter().chain(arguments.iter().take(2)).copied().collect();
        let what = format!("{} failed", words.join(" "));
        let mut pauses = PAUSES.iter();
        let mut ended = self.attempt(arguments, inputs).map_err(Failure::Store)?;
        loop {
            let failures = || ended.iter().filter_map(|ended| ended.as_ref().err());
            let Some(said) = failures().find(|said| !is_passing(said)).or_else(|| failures().next()) else {
                return Ok(ended.into_iter().flatten().collect());
            };
            let Some(pause) = pauses.next().filter(|_| is_passing(said)) else {
                return Err(Failure::Store(format!("{what}:\n{said}")));
            };
            warning(&format!("{what} and is tried again in {} s", pause.as_secs()));
            thread::sleep(*pause);
            let failed = inputs.iter().zip(&ended).filter(|(_, ended)| ended.is_err());
            let inputs: Vec<_> = failed.map(|(input, _)| *input).collect();
            let again = self.attempt(arguments, &inputs).map_err(Failure::Store)?;
            ended
                .iter_mut()
                .filter(|ended| ended.is_err())
                .zip(again)
                .for_each(|(ended, again)| *ended = again);
        }
    }

    /// What each run printed, or what it said of its failure.
    fn attempt(
        &self,
        arguments: &[&str],
        inputs: &[Option<&Temporary>],
    ) -> Result<Vec<Result<Temporary, String>>, String> {
        let files = || inputs.iter().map(|_| Temporary::new()).collect::<Result<Vec<_>, _>>();
        let (outputs, errors) = (files()?, files()?);
        let streams = inputs.iter().zip(&outputs).zip(&errors);
        let programs: Vec<Program<'_>> = streams
            .map(|((input, output), errors)| self.program(arguments, *input, output, errors))
            .collect();
        let ended = host::run_all(&programs);
        drop(programs);
        outputs
            .into_iter()
            .zip(errors)
            .zip(ended)
            .map(|((output, errors), ended)| told(output, errors, ended))
            .collect()
    }

    /// wrangler, as the project that `wrangler.toml` belongs to has it, or the project that this program was built in.
    /// Called without npx, which takes a second each time.
    fn program<'a>(
        &self,
        arguments: &[&str],
        input: Option<&'a Temporary>,
        output: &'a Temporary,
        errors: &'a Temporary,
    ) -> Program<'a> {
        let bin = bin_folder(&self.config);
        let (name, mut all): (PathBuf, Vec<OsString>) = match &bin {
            Some(bin) => (bin.join("wrangler"), Vec::new()),
            None => ("npx".into(), vec!["--no-install".into(), "wrangler".into()]),
        };
        all.push("kv".into());
        all.extend(arguments.iter().map(Into::into));
        all.extend(["--binding", BINDING].map(Into::into));
        all.push(if self.place == Place::Remote { "--remote" } else { "--local" }.into());
        all.extend(["--config".into(), self.config.clone().into()]);
        if let Some(name) = &self.environment {
            all.extend(["--env".into(), name.into()]);
        }
        if let Some(folder) = &self.persist_to {
            all.extend(["--persist-to".into(), folder.into()]);
        }
        Program {
            name,
            arguments: all,
            variables: vec![("WRANGLER_SEND_METRICS", "false"), ("NO_COLOR", "1")],
            first_in_path: bin,
            input,
            output,
            errors: Some(errors),
        }
    }
}

fn told(
    mut output: Temporary,
    mut errors: Temporary,
    ended: Result<Ended, String>,
) -> Result<Result<Temporary, String>, String> {
    let plain = |problem: io::Error| problem.to_string();
    let ended =
        ended.map_err(|problem| format!("cannot run wrangler: {problem}. Run `npm run setup` first."))?;
    output.rewind().and_then(|()| errors.rewind()).map_err(plain)?;
    if ended.success {
        return Ok(Ok(output));
    }
    let mut said = Vec::new();
    for file in [output, errors] {
        file.take(SAID).read_to_end(&mut said).map_err(plain)?;
    }
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    Ok(Err(if said.is_empty() { format!("it said nothing ({})", ended.how) } else { said }))
}

/// The folder where wrangler is, and beside it the Node that is new enough for it.
pub(crate) fn bin_folder(config: &Path) -> Option<PathBuf> {
    let config = host::real_path(config).unwrap_or_default();
    let own = host::own_path().unwrap_or_default();
    let folders =
        config.ancestors().chain(own.ancestors()).skip(1).map(|folder| folder.join("node_modules/.bin"));
    { folders }.find(|bin| bin.join("wrangler").exists())
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

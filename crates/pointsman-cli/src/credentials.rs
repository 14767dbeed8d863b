//! Credentials that a command is given: on standard input or in a file. An argument is seen by every user of the machine
//! while the command runs, and by whoever reads the shell's history afterwards.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use pointsman_core::identity::{api_key::is_well_formed, operator_secret};

use crate::ending::{Failure, input};

/// Where an API key at hand comes from.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct KeyFile {
    /// Reads the key itself from this file; - is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

/// A credential: `argument` may be `-` alone, for standard input, and `file` names a file. `option` is how the argument
/// is written, and `file_option` how the file is.
///
/// # Errors
/// Where the argument is the credential itself, or where there is none to read.
pub(crate) fn given(
    option: &str,
    argument: Option<&str>,
    file_option: &str,
    file: Option<&Path>,
) -> Result<Option<String>, Failure> {
    match (argument, file) {
        (None, None) => Ok(None),
        (Some("-"), None) => on_stdin().map(Some),
        (None, Some(file)) if file == Path::new("-") => on_stdin().map(Some),
        (None, Some(file)) => {
            let text = fs::read_to_string(file)
                .map_err(|problem| input(format!("{}: {problem}", file.display())))?;
            trimmed(&text, &file.display().to_string()).map(Some)
        }
        (Some(_), Some(_)) => Err(input(format!("give either {option} or {file_option}"))),
        // Not repeated: it may be one.
        (Some(_), None) => Err(input(format!(
            "{option} takes no credential as an argument, which others on this machine and the shell's history see: give - \
             and write it to standard input, or {file_option} FILE"
        ))),
    }
}

/// A credential from standard input.
///
/// # Errors
/// Where there is none.
pub(crate) fn on_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    io::stdin()
        .lock()
        .read_to_string(&mut text)
        .map_err(|problem| input(format!("standard input: {problem}")))?;
    trimmed(&text, "standard input")
}

fn trimmed(text: &str, place: &str) -> Result<String, Failure> {
    let text = text.trim();
    if text.is_empty() { Err(input(format!("{place} has no credential in it"))) } else { Ok(text.to_owned()) }
}

/// What is said of a credential that stands among the arguments of any command.
pub(crate) const AMONG_ARGUMENTS: &str = "an API key, a token or an operators' secret stands among the arguments, where \
others on this machine and the shell's history see it: nothing was done. Write it to standard input and give - in its place, \
or name a file (--key-file, --jwt-file, --header-file). If it is in use, change it";

/// Whether a credential stands in an argument: a minted API key or operators' secret, or a signed token.
pub(crate) fn is_among(arguments: impl Iterator<Item = String>) -> bool {
    let of_word = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    arguments.into_iter().any(|argument| {
        argument
            .split(|letter| !of_word(letter))
            .any(|word| is_token(word) || word.split(['.', '-']).any(is_minted))
    })
}

fn is_minted(word: &str) -> bool {
    let mut parts = word.rsplitn(3, '_').skip(2);
    operator_secret::is_minted(word) || parts.next().is_some_and(|prefix| is_well_formed(word, prefix))
}

/// A compact JWS (RFC 7515, section 7.1) whose header is a JSON object: `{"` is `eyJ` in base64url.
fn is_token(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    matches!(parts.as_slice(), [header, payload, signature] if header.starts_with("eyJ") && payload.starts_with("ey") && signature.len() >= 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk_live_05AFKPUZejoty38DINSXchmr_2Jvp40";
    const SECRET: &str = "pso_02468ACEGIKMOQSUWYacegikmoqsuwy02468ACEGIKM_0JlQ4k";
    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLW9mLTY0LWJ5dGVz";

    #[test]
    fn credentials_are_found_wherever_they_stand() {
        for credential in [KEY, SECRET, TOKEN] {
            for argument in [
                credential.to_owned(),
                format!("--key={credential}"),
                format!("Authorization: Bearer {credential}"),
                format!("/x?api_key={credential}&y=1"),
                format!("https://user:{credential}@a.example/"),
                format!("{{\"key\":\"{credential}\"}}"),
            ] {
                assert!(is_among(["explain".to_owned(), argument.clone()].into_iter()), "{argument}");
            }
        }
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for argument in [
            "-",
            "115bcf13bca4",
            "key:115bcf1300000000000000000000000000000000000000000000000000000000",
            "sk_live",
            "sk_live_05AFKPUZejoty38DINSXchmr_2Jvp41",
            "pso_02468ACEGIKMOQSUWYacegikmoqsuwy02468ACEGIKM_0JlQ4l",
            "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.",
            "a.b.c",
            "/etc/keys/my_key_file.txt",
        ] {
            assert!(!is_among(std::iter::once(argument.to_owned())), "{argument}");
        }
    }

    #[test]
    fn an_argument_is_never_taken_for_a_credential() {
        let refused = given("--key", Some("a-key-of-theirs"), "--key-file", None).unwrap_err();
        let Failure::Input(what) = refused else { panic!("{refused:?}") };
        assert!(what.contains("--key-file FILE") && !what.contains("a-key-of-theirs"), "{what}");
        assert_eq!(given("--key", None, "--key-file", None).unwrap(), None);
    }
}

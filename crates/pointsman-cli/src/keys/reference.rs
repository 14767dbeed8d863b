//! Which key is meant: by itself, its digest, or what its record says.

use super::list::{Stored, all, short};
use crate::{
    credentials::{self, KeyFile},
    ending::{Failure, input},
    output::plain,
    records::Kind,
    store::{Kv, Sum},
};

/// Names one key in KV.
#[derive(clap::Args)]
pub(crate) struct Reference {
    /// The key's digest, or at least its first 6 digits; - reads the key itself from standard input, so that the key
    /// stays in no history.
    #[arg(value_name = "DIGEST|-", required_unless_present_any = ["subject", "name", "key_file"], conflicts_with_all = ["subject", "name", "key_file"])]
    key: Option<String>,
    #[command(flatten)]
    file: KeyFile,
    /// The key of this subject, which must have only one.
    #[arg(long, conflicts_with = "key_file")]
    subject: Option<String>,
    /// The key of this name, which only one key may have.
    #[arg(long, conflicts_with = "key_file")]
    name: Option<String>,
}

/// Fewer digits of a digest are hardly meant as one.
const LEAST_DIGITS: usize = 6;

impl Reference {
    /// The key itself, where standard input or a file has it. It is read once.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn key(&self) -> Result<Option<String>, Failure> {
        let stdin = self.key.as_deref().filter(|key| *key == "-");
        credentials::given("DIGEST", stdin, "--key-file", self.file.key_file.as_deref())
    }

    /// The entry of the key that is meant. `key` is what [`Reference::key`] gave.
    ///
    /// # Errors
    /// Where it is none, or more than one.
    pub(crate) fn find(&self, key: Option<&str>, kv: &dyn Kv) -> Result<Stored, Failure> {
        if let Some(key) = key {
            return by_digest(kv, &Sum::of(key.as_bytes()).to_string());
        }
        let Some(text) = self.key.as_deref() else { return self.by_record(kv) };
        let text = text.strip_prefix(Kind::Key.prefix()).unwrap_or(text);
        let hexadecimal = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !hexadecimal || !(LEAST_DIGITS..=64).contains(&text.len()) {
            return Err(input(format!(
                "DIGEST must be the digest of a key, or at least {LEAST_DIGITS} lower-case hexadecimal digits of its \
                 beginning. A key itself is read from standard input or a file: give - or --key-file FILE"
            )));
        }
        if text.len() == 64 {
            by_digest(kv, text)
        } else {
            by_digest(kv, &only(all(kv, text, false)?, &format!("whose digest begins with {text}"))?.digest)
        }
    }

    fn by_record(&self, kv: &dyn Kv) -> Result<Stored, Failure> {
        let mut found = all(kv, "", false)?;
        let mut words = Vec::new();
        for (name, wanted) in [("subject", &self.subject), ("name", &self.name)] {
            if let Some(wanted) = wanted {
                found.retain(|key| key.text(name) == Some(wanted.as_str()));
                words.push(format!("of {name} {wanted:?}"));
            }
        }
        // What is done next is done by the record itself, and not by what the listing shows of it.
        let found = by_digest(kv, &only(found, &words.join(" and "))?.digest)?;
        let fits = |(name, wanted): (&str, &Option<String>)| {
            wanted.is_none() || found.text(name) == wanted.as_deref()
        };
        if [("subject", &self.subject), ("name", &self.name)].into_iter().all(fits) {
            return Ok(found);
        }
        Err(Failure::Store(format!(
            "KV key:{} was changed by somebody else meanwhile: run this again",
            found.digest
        )))
    }
}

fn by_digest(kv: &dyn Kv, digest: &str) -> Result<Stored, Failure> {
    let text = kv.get(&format!("{}{digest}", Kind::Key.prefix()))?;
    let text = text.ok_or_else(|| input(format!("{} has no key of the digest {digest}", kv.called())))?;
    let record = serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text));
    Ok(Stored { digest: digest.to_owned(), record })
}

fn only(found: Vec<Stored>, which: &str) -> Result<Stored, Failure> {
    const SHOWN: usize = 5;
    match <[Stored; 1]>::try_from(found) {
        Ok([key]) => Ok(key),
        Err(none) if none.is_empty() => Err(input(format!("KV has no key {which}"))),
        Err(several) => {
            let some: Vec<String> = several
                .iter()
                .take(SHOWN)
                .map(|key| format!("{} ({})", short(&key.digest), plain(key.text("subject").unwrap_or("-"))))
                .collect();
            let more = if several.len() > SHOWN { ", …" } else { "" };
            Err(input(format!(
                "{} keys are {which}: name one by its digest: {}{more}",
                several.len(),
                some.join(", ")
            )))
        }
    }
}

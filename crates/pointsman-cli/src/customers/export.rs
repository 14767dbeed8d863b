//! `pointsman customers export`.

use std::{
    collections::HashSet,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::known::{all, has_source};
use serde_json::Value;

use crate::{
    configuration::GatewayFile,
    ending::{CommandResult, End, Failure, input},
    output::{counted, warning},
    records::without_notes,
    store::Sum,
    target::Target,
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman customers export --remote > customers.json
  pointsman customers export --format jsonl --to customers.jsonl --remote
  pointsman customers export --format folder --to data/customers --remote";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// One JSON array, one record a line, or a folder with one file for each customer.
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
    /// The file or folder that is written; by default standard output.
    #[arg(long, value_name = "PATH", required_if_eq("format", "folder"))]
    to: Option<PathBuf>,
    /// Writes every customer, by the record that counts: also those that only the config API knows, with the refresh's
    /// notes (fetchedAt, generation, etag, gone, scheduled).
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    gateway: GatewayFile,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum Format {
    Json,
    Jsonl,
    Folder,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let to = arguments.to.as_deref();
    if let (Format::Folder, Some(folder)) = (arguments.format, to) {
        need_empty(folder)?;
    }
    // A fault in gateway.toml keeps nobody from looking.
    let gateway = arguments.gateway.load_if_there(arguments.target.project()).ok().flatten();
    // What is kept is what KV holds, and not what its listing shows.
    let customers = all(&*arguments.target.kv()?, "", arguments.all && has_source(gateway.as_ref()), true)?;
    let mut records: Vec<(String, String)> = Vec::new();
    let mut malformed = 0;
    for (id, known) in customers {
        let text = if arguments.all { known.counts() } else { known.own.as_deref() };
        let Some(text) = text else { continue };
        let record = pointsman_core::base::record::entry_of(text.as_bytes()).map(|members| {
            let mut record = Value::Object(members);
            if !arguments.all {
                without_notes(&mut record);
            }
            record
        });
        match record {
            // As text: a hundred thousand parsed records are many times as large.
            Ok(record) if arguments.format == Format::Folder => records.push((id, format!("{record:#}"))),
            Ok(record) => records.push((id, record.to_string())),
            Err(problem) => {
                malformed += 1;
                warning(&format!("KV, customer {}: is left out: {problem}", crate::output::plain(&id)));
            }
        }
    }
    let written = match (arguments.format, to) {
        (Format::Folder, Some(folder)) => into_folder(folder, &records),
        (format, Some(file)) => fs::File::create(file).and_then(|file| into(file, format, &records)),
        (format, None) => into(io::stdout().lock(), format, &records),
    };
    let place = to.map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
    written.map_err(|problem| input(format!("{place}: {problem}")))?;
    eprintln!("{} in {place}", counted(records.len(), "customer", "customers"));
    Ok(if malformed == 0 { End::Done } else { End::BadInput })
}

fn into(file: impl Write, format: Format, records: &[(String, String)]) -> io::Result<()> {
    let mut writer = io::BufWriter::new(file);
    if format == Format::Jsonl {
        for (_, record) in records {
            writeln!(writer, "{record}")?;
        }
        return writer.flush();
    }
    writer.write_all(b"[")?;
    for (index, (_, record)) in records.iter().enumerate() {
        write!(writer, "{}\n  {record}", if index == 0 { "" } else { "," })?;
    }
    writer.write_all(if records.is_empty() { b"]\n" } else { b"\n]\n" })?;
    writer.flush()
}

fn into_folder(folder: &Path, records: &[(String, String)]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut taken = HashSet::new();
    for (id, record) in records {
        let mut name = file_name(id);
        // Some file systems take Acme and acme for one.
        if !taken.insert(name.to_lowercase()) {
            name = format!("{name}~{}", Sum::of(id.as_bytes()));
        }
        fs::write(folder.join(format!("{name}.json")), format!("{record}\n"))?;
    }
    Ok(())
}

/// An id as the name of a file; it is only for people, the id stands in the record.
fn file_name(id: &str) -> String {
    const LONGEST: usize = 100;
    let plain: String = id
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    if plain.len() > LONGEST || plain.starts_with('.') { Sum::of(id.as_bytes()).to_string() } else { plain }
}

/// What else lies there would count as customers too.
fn need_empty(folder: &Path) -> Result<(), Failure> {
    let empty = fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    let what = || format!("{}: is not empty: export into a new folder, and compare", folder.display());
    if empty { Ok(()) } else { Err(input(what())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_no_path() {
        for (id, name) in [("acme-corp", "acme-corp"), ("a/../b", "a%2F..%2Fb"), ("é", "%C3%A9")] {
            assert_eq!(file_name(id), name);
        }
        for id in ["..", ".hidden", &"x".repeat(256)] {
            assert_eq!(file_name(id), Sum::of(id.as_bytes()).to_string());
        }
    }

    #[test]
    fn ids_that_differ_in_case_have_a_file_each() {
        let folder = crate::scratch::Scratch::new();
        let records: Vec<_> = ["Acme", "acme"].map(|id| (id.to_owned(), id.to_owned())).to_vec();
        into_folder(folder.path(), &records).unwrap();
        let names: HashSet<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().to_lowercase())
            .collect();
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn every_format_is_what_the_import_reads() {
        let records: Vec<_> = ["a", "b"]
            .map(|id| (id.to_owned(), serde_json::json!({ "customerId": id }).to_string()))
            .to_vec();
        let text = |format, records: &[(String, String)]| {
            let mut bytes = Vec::new();
            into(&mut bytes, format, records).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(
            text(Format::Json, &records),
            "[\n  {\"customerId\":\"a\"},\n  {\"customerId\":\"b\"}\n]\n"
        );
        assert_eq!(text(Format::Json, &[]), "[]\n");
        assert_eq!(text(Format::Jsonl, &records), "{\"customerId\":\"a\"}\n{\"customerId\":\"b\"}\n");
    }
}

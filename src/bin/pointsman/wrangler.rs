//! KV through wrangler, which has the credentials; this program has none.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

/// Which KV is meant.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Target {
    /// The KV that `npm start` and `wrangler dev` use.
    #[arg(long)]
    local: bool,
    /// The KV of the deployed Worker.
    #[arg(long)]
    remote: bool,
    /// No KV: what would be written is printed as JSON.
    #[arg(long)]
    dry_run: bool,
}

/// wrangler takes at most 10 000 entries at once.
const CHUNK: usize = 10_000;
const BINDING: &str = "POINTSMAN_KV";

impl Target {
    /// Whether nothing is written.
    pub(crate) const fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// Puts entries (name, value) into KV.
    ///
    /// # Errors
    /// What wrangler said.
    pub(crate) fn put(&self, entries: &[(String, Value)]) -> Result<(), String> {
        let entries = bulk(entries);
        if self.dry_run {
            return Ok(());
        }
        let total = entries.len();
        let mut done = 0;
        for chunk in entries.chunks(CHUNK) {
            self.put_chunk(chunk)?;
            done += chunk.len();
            eprintln!("{done} of {total} entries written");
        }
        Ok(())
    }

    fn put_chunk(&self, entries: &[Value]) -> Result<(), String> {
        let file = tempfile()?;
        let result = self.put_file(file.as_path(), entries);
        // What wrangler said matters more than a file that stays behind.
        result.and(fs::remove_file(&file).map_err(|problem| problem.to_string()))
    }

    fn put_file(&self, file: &Path, entries: &[Value]) -> Result<(), String> {
        let mut written =
            fs::File::create(file).map_err(|problem| format!("{}: {problem}", file.display()))?;
        let text = Value::Array(entries.to_vec()).to_string();
        written.write_all(text.as_bytes()).map_err(|problem| problem.to_string())?;
        let place = if self.remote { "--remote" } else { "--local" };
        let output = Command::new("npx")
            .args(["--no-install", "wrangler", "kv", "bulk", "put"])
            .arg(file)
            .args(["--binding", BINDING, place])
            .env("WRANGLER_SEND_METRICS", "false")
            .stdin(Stdio::null())
            .output()
            .map_err(|problem| format!("cannot run npx wrangler: {problem}. Run `npm ci` first."))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(format!("wrangler kv bulk put failed:\n{}", String::from_utf8_lossy(&said).trim()))
    }
}

/// Entries as `wrangler kv bulk put` takes them.
pub(crate) fn bulk(entries: &[(String, Value)]) -> Vec<Value> {
    let entry =
        |(name, value): &(String, Value)| serde_json::json!({ "key": name, "value": value.to_string() });
    entries.iter().map(entry).collect()
}

fn tempfile() -> Result<std::path::PathBuf, String> {
    let mut name = [0; 8];
    crate::entropy::random(&mut name)?;
    let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(std::env::temp_dir().join(format!("pointsman-{name}.json")))
}

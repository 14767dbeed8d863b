//! `pointsman customers tidy`.

use serde_json::json;

use super::{known::known_beside, names};
use crate::{
    ending::{CommandResult, End, Failure},
    output::{Progress, counted, line},
    records::is_left_over,
    store::Kv,
    target::Target,
};

pub(super) const EXAMPLES: &str = "Example:
  pointsman customers tidy --remote

Before 0.1.0, refreshes wrote customer:<id>. Such an entry has fetchedAt, and nobody reads the entry any more once
source:customer:<id> is there. The gateway deletes no such entry, since it cannot know what the entry holds at that
moment. This command reads each entry right before it deletes the entry, but KV cannot do both in one step: run the
command while nobody writes customers.";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Prints what was deleted as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// So many are read and then deleted, so that little time passes in between.
const AT_ONCE: usize = 1000;

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let (deleted, left) = tidy(&*arguments.target.kv()?)?;
    if arguments.json {
        line(&json!({ "deleted": deleted, "stillCounting": left }).to_string());
        return Ok(End::Done);
    }
    line(&format!("{} deleted", counted(deleted, "entry", "entries")));
    if left > 0 {
        line(&format!(
            "  {}, since the config API has no other record of that customer yet",
            counted(left, "entry stays", "entries stay")
        ));
    }
    Ok(End::Done)
}

/// Deletes what is left over and read by nobody. How many were deleted, and how many still count.
fn tidy(kv: &dyn Kv) -> Result<(usize, usize), Failure> {
    let names = names(kv)?;
    let mut progress = Progress::new(names.len(), "customers looked at");
    let (mut deleted, mut left) = (0, 0);
    for chunk in names.chunks(AT_ONCE) {
        let mut left_over = Vec::new();
        kv.get_many(chunk, &mut |name, value| {
            left_over.extend(value.filter(|value| is_left_over(value)).map(|_| name.to_owned()));
            Ok(())
        })?;
        let beside = known_beside(kv, &left_over.iter().map(String::as_str).collect::<Vec<_>>())?;
        left += left_over.len() - beside.len();
        // Once more, after all that was asked since.
        let mut gone = Vec::new();
        kv.get_many(&beside, &mut |name, value| {
            gone.extend(value.filter(|value| is_left_over(value)).map(|_| name.to_owned()));
            Ok(())
        })?;
        if !gone.is_empty() {
            kv.delete(&gone)?;
        }
        deleted += gone.len();
        progress.advance(chunk.len());
    }
    Ok((deleted, left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::memory::{Content, Memory};

    #[test]
    fn only_what_is_left_over_and_read_by_nobody_goes() {
        let refreshed = |id: &str| {
            format!(
                r#"{{"customerId":"{id}","backendUrl":"https://a.example","fetchedAt":"2026-01-01T00:00:00Z"}}"#
            )
        };
        let own = r#"{"customerId":"own","backendUrl":"https://a.example"}"#.to_owned();
        let mut content = Content::new();
        for (name, value) in [
            ("customer:moved", refreshed("moved")),
            ("source:customer:moved", refreshed("moved")),
            ("customer:waiting", refreshed("waiting")),
            ("customer:own", own),
            ("source:customer:own", refreshed("own")),
            ("customer:broken", "{\"fetchedAt\":".to_owned()),
            ("source:customer:broken", refreshed("broken")),
        ] {
            content.insert(name.to_owned(), (value, None));
        }
        let kv = Memory::of(content);
        assert_eq!(tidy(&kv).unwrap(), (1, 1));
        assert_eq!(*kv.touched.borrow(), ["customer:moved"]);
    }
}

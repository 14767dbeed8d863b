//! The folders of the core stand in an order, and each needs only those before it. Crates cannot hold that for folders of
//! one crate, so this test does: it reads which folders the sources name.
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::{fs, path::Path};

/// The order of `src/lib.rs`.
const LAYERS: [&str; 9] =
    ["base", "http", "identity", "customer", "directory", "routing", "forward", "state", "decide"];

/// Code without comments: what documentation refers to needs nothing.
fn without_comments(code: &str) -> String {
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The names that stand behind each `crate::`, those of a braced list at its outermost level.
fn roots(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    for (_, rest) in code.match_indices("crate::").map(|(at, prefix)| code.split_at(at + prefix.len())) {
        let Some(list) = rest.strip_prefix('{') else {
            found.push(word(rest));
            continue;
        };
        let (mut depth, mut begins) = (1, true);
        for (at, letter) in list.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => begins = true,
                _ if begins && depth == 1 && !letter.is_whitespace() => {
                    found.push(word(list.get(at..).unwrap_or_default()));
                    begins = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

fn sources(folder: &Path, into: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn no_layer_needs_one_behind_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let declared = fs::read_to_string(root.join("lib.rs")).unwrap();
    let order: Vec<_> =
        declared.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(order, LAYERS, "src/lib.rs has the layers in their order");
    let mut wrong = Vec::new();
    for (place, layer) in LAYERS.iter().enumerate() {
        let mut files = Vec::new();
        sources(&root.join(layer), &mut files);
        assert!(files.len() > 1, "{layer} has sources");
        for (file, code) in files {
            let behind = LAYERS.split_at(place + 1).1;
            let needed =
                roots(&without_comments(&code)).into_iter().filter(|name| behind.contains(&name.as_str()));
            wrong.extend(needed.map(|name| format!("{file} needs {name}")));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn what_is_planted_is_found() {
    assert_eq!(roots("use crate::decide::explain;"), ["decide"]);
    assert_eq!(
        roots("use crate::{\n    base::{json, time::Span},\n    state::memory::Memory,\n};"),
        ["base", "state"]
    );
    assert_eq!(roots("let x = crate::forward::plan::url();"), ["forward"]);
    assert_eq!(roots(&without_comments("/// [`crate::decide`]\nfn f() {}")), Vec::<String>::new());
}

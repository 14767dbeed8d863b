//! What is held of everything that strangers or files hand to the core, whatever the bytes are: one function for each
//! parser, which panics where the parser is not as it should be. libFuzzer calls them with bytes of its own making
//! (`fuzz/targets`), and `tests/fuzz_corpus.rs` with those of `fuzz/corpus`.
//!
//! A check compares with something that does not share the parser's code: another parser, laxer and simpler, or the text
//! itself, printed and read again. That nothing panics is held besides.

pub mod answer_heads;
pub mod checked_form;
pub mod compact_jws;
pub mod configuration;
pub mod key_set;
pub mod oracle;
pub mod path;
pub mod prelude;
pub mod probe;
pub mod records;

/// What is called with the bytes.
pub type Target = fn(&[u8]);

/// All of them, by the names of their folders in `fuzz/corpus`.
pub const TARGETS: [(&str, Target); 8] = [
    ("answer_heads", answer_heads::run),
    ("checked_form", checked_form::run),
    ("compact_jws", compact_jws::run),
    ("configuration", configuration::run),
    ("key_set", key_set::run),
    ("path", path::run),
    ("prelude", prelude::run),
    ("records", records::run),
];

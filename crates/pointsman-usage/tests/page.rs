//! `docs/usage.md` shows questions with their SQL: the very texts that this crate makes. With the environment variable
//! `REWRITE` set, the SQL is written anew.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::{env, fs};

use pointsman_usage::{Question, sql};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/usage.md");

/// The page with the SQL behind each question, and how many questions it has.
fn rewritten(page: &str) -> (String, usize) {
    let mut parts = page.split("```json\n");
    let mut text = parts.next().unwrap().to_owned();
    let mut count = 0;
    for part in parts {
        let (question, rest) =
            part.split_once("\n```\n\n```sql\n").expect("each question has its SQL behind it");
        let (_, after) = rest.split_once("```\n").unwrap();
        let question_read = Question::parse(question).unwrap();
        text.push_str(&format!("```json\n{question}\n```\n\n```sql\n{}\n```\n{after}", sql(&question_read)));
        count += 1;
    }
    (text, count)
}

#[test]
fn the_page_shows_the_sql_that_is_made() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (now, count) = rewritten(&page);
    assert_eq!(count, 4);
    if env::var_os("REWRITE").is_some() {
        fs::write(PAGE, &now).unwrap();
    }
    assert!(now == page || env::var_os("REWRITE").is_some(), "docs/usage.md: run this test with REWRITE=1");
}

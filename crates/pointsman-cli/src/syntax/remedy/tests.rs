use super::super::{json, position, toml};

/// Broken texts: what is said of each, with line and column.
const CASES: &[(&str, &str)] = &[
    // A text without quotes.
    ("url = https://b.example\n", "1:7: a text stands in quotes: write url = \"https://b.example\""),
    ("[a]\nto = shared\n", "2:6: a text stands in quotes: write to = \"shared\""),
    ("fresh = 30s\n", "1:9: a text stands in quotes: write fresh = \"30s\""),
    ("stale = 24h # a day\n", "1:9: a text stands in quotes: write stale = \"24h\""),
    ("share = 20%\n", "1:9: a text stands in quotes: write share = \"20%\""),
    ("path = /api/{+path}\n", "1:13: a text stands in quotes: write path = \"/api/{+path}\""),
    ("url = ${URL}\n", "1:8: a text stands in quotes: write url = \"${URL}\""),
    ("rules = [{ name = all, to = \"b\" }]\n", "1:19: a text stands in quotes: write name = \"all\""),
    (
        "rules = [\n  { name = \"all\", to = shared },\n]\n",
        "2:24: a text stands in quotes: write to = \"shared\"",
    ),
    ("methods = [GET, POST]\n", "1:12: a text stands in quotes: write \"GET\""),
    ("methods = [\"GET\", POST]\n", "1:19: a text stands in quotes: write \"POST\""),
    ("\ta = 1\n\tb\t=\tx\n", "2:6: a text stands in quotes: write b = \"x\""),
    // Words of other languages.
    ("anonymous = True\n", "1:13: write anonymous = true"),
    ("anonymous = no\n", "1:13: write anonymous = false"),
    ("x = null\n", "1:5: there is no null in TOML: leave the member out"),
    ("// a comment\na = 1\n", "1:4: a comment begins with #, not with //"),
    ("a = 1 // one\n", "1:5: a comment begins with #, not with //"),
    ("a = \"x\";\n", "1:8: nothing stands behind a value: delete the ;"),
    // What stands twice.
    (
        "[backends.b]\nurl = \"x\"\n\n[backends.b]\nurl = \"y\"\n",
        "4:11: [backends.b] stands in line 1 already: write both parts under one [backends.b], or give this one another name",
    ),
    (
        "[routes]\na = 1\n[[routes]]\na = 1\n",
        "3:3: [routes] stands in line 1 already: write [[routes]] each time",
    ),
    (
        "[[routes]]\na = 1\n[routes]\na = 1\n",
        "3:2: [routes] stands in line 1 already: write [[routes]] each time",
    ),
    (
        "[issuers]\na = 1\n[issuers]\na = 1\n",
        "3:2: [issuers] stands in line 1 already: write [[issuers]] each time",
    ),
    ("[a]\nx = 1\ny = 2\nx = 3\n", "4:1: x stands in line 2 already: remove one of the two"),
    ("[a]\nx = 1\n[b]\nx = 1\nx = 2\n", "5:1: x stands in line 4 already: remove one of the two"),
    ("a = { x = 1, x = 2 }\n", "1:14: x is there already: remove one of the two"),
    ("a = 1\n[a]\nb = 1\n", "2:2: a has a value already: write its members in one place"),
    // Brackets.
    ("[[routes]\npath = \"/\"\n", "1:10: a table's name stands in brackets: write [[routes]]"),
    ("[routes\npath = \"/\"\n", "1:8: a table's name stands in brackets: write [routes]"),
    ("routes]]\npath = \"/\"\n", "1:7: a table's name stands in brackets: write [[routes]]"),
    ("[[routes # all\n", "1:9: a table's name stands in brackets: write [[routes]]"),
    ("[my table]\na = 1\n", "1:4: a name with a space stands in quotes: write [\"my table\"]"),
    ("a = [1, 2\nb = 3\n", "2:1: what a line above began is not closed: write ] before this line"),
    ("a = { x = 1\nb = 2\n", "2:1: what a line above began is not closed: write } before this line"),
    // JSON and YAML.
    ("\"name\": \"x\",\n", "1:7: a name and its value have = between them: write name = \"x\""),
    ("name: x\n", "1:7: a name and its value have = between them: write name = \"x\""),
    ("[a]\n  name: \"x\"\n", "2:9: a name and its value have = between them: write name = \"x\""),
    ("a = { \"to\": \"b\" }\n", "1:11: a name and its value have = between them: write to = \"b\""),
    (
        "a = [{ \"name\": \"all\", \"to\": \"b\" }]\n",
        "1:14: a name and its value have = between them: write name = \"all\"",
    ),
    (
        "- name: x\n",
        "1:3: a list's item has no - before it: write [[routes]] above the members of each, or [ … ] with commas",
    ),
    ("a = \"x\",\n", "1:8: no comma stands at the end of a line, outside of [ … ] and { … }: delete the ,"),
    ("a = [\"x\" \"y\"]\n", "1:10: there is no comma between the two: write , there"),
    ("a = [\"x\",, \"y\"]\n", "1:10: there are two commas: delete one"),
    // Quotes.
    (
        "url = \u{201c}https://b.example\u{201d}\n",
        "1:7: \u{201c} is no quote of a file: write \" in its place, at both ends of the text",
    ),
    (
        "a = 'x\u{2019}\n",
        "1:8: \u{2019} is no quote of a file: write \" in its place, at both ends of the text",
    ),
    ("a = \"x\n b = 1\n", "1:7: the text is not closed: write \" at its end, in the same line"),
    ("a = 'it's'\n", "1:9: the text ends at its second ': write it in double quotes, \"…\""),
    ("a = \"\"\"x\ny = 1\n", "2:6: the text is not closed: write \"\"\" behind it"),
    ("a = \"C:\\path\"\n", "1:9: \\ has a meaning within \"…\": write \\\\, or the text between ' and '"),
    (
        "a\u{a0}= 1\n",
        "1:2: the line has a space that is none (U+00A0), as pages on the web do: delete it, and type the space anew",
    ),
    // Equals signs.
    ("name \"x\"\n", "1:6: a name and its value have = between them: write name = \"x\""),
    ("just text here\n", "1:6: a name and its value have = between them: write just = \"text here\""),
    ("a == 1\n", "1:4: write a = 1"),
    ("a => x\n", "1:4: write a = \"x\""),
    ("a =\n", "1:4: a has no value: write a = …"),
    ("a\n", "1:2: a has no value: write a = …"),
    ("= 1\n", "1:1: the name is missing: write … = 1"),
    ("a = 1 b = 2\n", "1:9: each name stands in a line of its own: write b = 2 in the next line"),
    // What the parser says well enough itself.
    ("a = 007\n", "1:5: unexpected leading zero, expected nothing"),
];

#[test]
fn a_broken_text_says_where_and_what_to_write() {
    let mut wrong = Vec::new();
    for (text, expected) in CASES {
        let fault = toml(text).unwrap_err();
        let (line, column) = position(text, fault.at);
        let said = format!("{line}:{column}: {}", fault.what);
        let said = said.replacen("is not TOML: ", "", 1);
        if said != *expected {
            wrong.push(format!("{text:?}\n  said     {said}\n  expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn broken_json_says_where() {
    for (text, expected) in [
        ("{ \"a\": 1, }", "1:9: is not JSON: trailing commas are not allowed"),
        ("{ 'a': 1 }", "1:3: is not JSON: single-quoted strings are not allowed"),
        ("{ \"a\": 1 // x\n}", "1:10: is not JSON: comments are not allowed"),
        ("{\n \"a\": 1\n \"b\": 2 }", "2:8: is not JSON: expected comma"),
        (
            "{ \u{201c}a\u{201d}: 1 }",
            "1:3: is not JSON: \u{201c} is no quote of a file: write \" in its place, at both ends of the text",
        ),
        ("{", "1:2: is not JSON: unterminated object"),
    ] {
        let fault = json(text).unwrap_err();
        let (line, column) = position(text, fault.at);
        assert_eq!(format!("{line}:{column}: {}", fault.what), expected);
    }
}

/// Whatever stands in a file, something is said of it, and within it.
#[test]
fn no_text_breaks_the_remedy() {
    let good = "[[routes]]\npath = \"/ü{+path}\"\nrules = [{ name = 'all', to = \"b\" }] # é\n";
    for (place, _) in good.char_indices() {
        let (before, behind) = good.split_at(place);
        for more in ["\"", "'", "[", "]", "{", "}", "=", ":", ",", "#", "\\", "\n", "x", "\u{201c}", "-", " "]
        {
            let text = format!("{before}{more}{behind}");
            if let Err(fault) = toml(&text) {
                assert!(
                    fault.at <= text.len() && !fault.what.trim_end_matches(' ').ends_with(':'),
                    "{text}: {fault:?}"
                );
            }
            let cut = format!("{before}{more}");
            if let Err(fault) = toml(&cut) {
                assert!(fault.at <= cut.len(), "{cut}: {fault:?}");
            }
        }
    }
}

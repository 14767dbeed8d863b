//! Values that an operand never has: a country that does not exist, a method in lower case, a host with its port. Whoever denies
//! by such a value lets everybody in, so it is a fault. Where the platform may get new values, it is a warning.

use pointsman_core::routing::operand::Operand;
use serde_json::{Number, Value};

use super::{
    findings::Findings,
    places::{CONTINENTS, METHODS, NO_PLACES, TLS_VERSIONS, country, country_meant, is_data_centre},
};

/// Which part of an operand's value a text is compared with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part {
    Whole,
    Beginning,
    End,
}

/// What is wrong with a value, and what to write.
enum Fault {
    Never(String),
    Unknown(String),
}

/// Says so where `of` never is `value`.
pub(super) fn check(value: &Value, of: &Operand, at: &str, findings: &mut Findings) {
    match value {
        Value::String(text) => check_text(text, of, Part::Whole, at, findings),
        Value::Number(number) => {
            let within = range(of).is_none_or(|(least, most)| {
                number.as_u64().is_some_and(|number| (least..=most).contains(&number))
                    || number
                        .as_f64()
                        .is_some_and(|number| number.fract() == 0.0 && in_floats(number, least, most))
            });
            if !within {
                findings.error(at, out_of_range(of));
            }
        }
        _ => {}
    }
}

/// Says so where no value of `of` has `text` as this part.
pub(super) fn check_text(text: &str, of: &Operand, part: Part, at: &str, findings: &mut Findings) {
    match fault(text, of, part) {
        Some(Fault::Never(what)) => findings.error(at, format!("never holds: {what}")),
        Some(Fault::Unknown(what)) => findings.warn(at, what),
        None => {}
    }
}

/// Says so where no value of `of` compares so with `number`.
pub(super) fn check_comparison(
    operator: &str,
    number: &Number,
    of: &Operand,
    at: &str,
    findings: &mut Findings,
) {
    let (Some((least, most)), Some(number)) = (range(of), number.as_f64()) else { return };
    #[allow(clippy::cast_precision_loss)] // the bounds are below 2^53
    let (least, most) = (least as f64, most as f64);
    let can = match operator {
        ">" => number < most,
        ">=" => number <= most,
        "<" => number > least,
        _ => number >= least,
    };
    if !can {
        findings.error(at, out_of_range(of));
    }
}

#[allow(clippy::cast_precision_loss)] // the bounds are below 2^53
fn in_floats(number: f64, least: u64, most: u64) -> bool {
    (least as f64..=most as f64).contains(&number)
}

/// The whole numbers that an operand can be, where the platform has bounds.
fn range(of: &Operand) -> Option<(u64, u64)> {
    match of {
        Operand::Cf(own) => match own.name {
            "asn" => Some((1, u64::from(u32::MAX))),
            "bot_score" => Some((1, 99)),
            _ => None,
        },
        _ => None,
    }
}

fn out_of_range(of: &Operand) -> String {
    let (least, most) = range(of).unwrap_or_default();
    format!("never holds: {of} is a whole number from {least} to {most}")
}

fn fault(text: &str, of: &Operand, part: Part) -> Option<Fault> {
    match of {
        Operand::Method => method(text, part),
        Operand::Host => host(text, part),
        Operand::Cf(own) => match own.name {
            "country" => country_fault(text, part),
            "continent" => continent(text, part),
            "region" => subdivision(text, part),
            "colo" => data_centre(text, part),
            "tls_version" => tls_version(text, part),
            _ => None,
        },
        _ => None,
    }
}

/// A text in the wrong case: where it is a part, that is all that can be said of it.
fn in_capitals(text: &str, what: &str) -> Option<Fault> {
    let capitals = text.to_ascii_uppercase();
    (capitals != text).then(|| Fault::Never(format!("{what} is in capital letters: write {capitals:?}")))
}

fn country_fault(text: &str, part: Part) -> Option<Fault> {
    if part != Part::Whole {
        return in_capitals(text, "$country");
    }
    if country(text).is_some() || NO_PLACES.iter().any(|(code, _)| *code == text) {
        return None;
    }
    let (capitals, no_place) = (text.to_ascii_uppercase(), no_place(text));
    let continent =
        CONTINENTS.iter().find(|(code, name)| *code == capitals || name.eq_ignore_ascii_case(text));
    let write = match (country_meant(text), no_place, continent) {
        (Some(country), ..) => format!("write {:?} for {}", country.code, country.name),
        (None, Some(code), _) => format!("write {code:?}"),
        (None, None, Some(("EU", _))) => {
            "write \"$eu\" = true for the European Union, or \"$continent\" = \"EU\" for Europe".to_owned()
        }
        (None, None, Some((code, name))) => format!("write \"$continent\" = {code:?} for {name}"),
        (None, None, None) => {
            "write two capital letters as in ISO 3166-1, such as \"DE\", or \"T1\" for Tor".to_owned()
        }
    };
    Some(Fault::Never(format!("{text:?} is no country's code: {write}")))
}

fn no_place(text: &str) -> Option<&'static str> {
    let is_meant = |(code, name): &&(&'static str, &str)| {
        code.eq_ignore_ascii_case(text) || name.eq_ignore_ascii_case(text)
    };
    NO_PLACES.iter().find(is_meant).map(|(code, _)| *code)
}

fn continent(text: &str, part: Part) -> Option<Fault> {
    if part != Part::Whole {
        return in_capitals(text, "$continent");
    }
    if CONTINENTS.iter().chain(&NO_PLACES).any(|(code, _)| *code == text) {
        return None;
    }
    let is_meant = |(code, name): &&(&'static str, &str)| {
        code.eq_ignore_ascii_case(text) || name.eq_ignore_ascii_case(text)
    };
    let meant = CONTINENTS.iter().chain(&NO_PLACES).find(is_meant);
    let write = match meant {
        Some((code, _)) => format!("write {code:?}"),
        None if country(text).is_some() => format!("write \"$country\" = {text:?}"),
        None => {
            let codes: Vec<_> = CONTINENTS.iter().map(|(code, _)| *code).collect();
            format!("write one of {}", codes.join(", "))
        }
    };
    Some(Fault::Never(format!("{text:?} is no continent's code: {write}")))
}

/// The part of ISO 3166-2 behind the country.
fn subdivision(text: &str, part: Part) -> Option<Fault> {
    let capitals = text.to_ascii_uppercase();
    if let Some((before, code)) = capitals.split_once('-')
        && country(before).is_some()
    {
        return Some(Fault::Never(format!(
            "$region is the code without its country: write \"$country\" = {before:?}, \"$region\" = {code:?}"
        )));
    }
    let is_code =
        !text.is_empty() && text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match (is_code, part) {
        (true, _) => in_capitals(text, "$region"),
        (false, Part::Whole) => Some(Fault::Never(format!(
            "{text:?} is no code of a part of a country: write the one to three capital letters or digits behind the - in ISO \
             3166-2, such as \"BY\" for Bavaria (DE-BY)"
        ))),
        (false, _) => in_capitals(text, "$region"),
    }
}

fn data_centre(text: &str, part: Part) -> Option<Fault> {
    let capitals = text.to_ascii_uppercase();
    if part != Part::Whole || is_data_centre(&capitals) {
        return in_capitals(text, "$colo");
    }
    if text.len() != 3 || !text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Some(Fault::Never(format!(
            "{text:?} is no data centre's code: write three capital letters, those of an airport nearby, such as \"FRA\""
        )));
    }
    let what = format!(
        "no data centre of the code {capitals:?} is known here: unless it is new, no client is ever there. The codes are at \
         https://www.cloudflarestatus.com"
    );
    in_capitals(text, "$colo").or(Some(Fault::Unknown(what)))
}

fn tls_version(text: &str, part: Part) -> Option<Fault> {
    let known = TLS_VERSIONS.join(", ");
    let is_part = |own: &&str| match part {
        Part::Whole => *own == text,
        Part::Beginning => own.starts_with(text),
        Part::End => own.ends_with(text),
    };
    if TLS_VERSIONS.iter().any(is_part) {
        return None;
    }
    let bare = |text: &str| text.to_ascii_lowercase().trim_start_matches(|c| "tlsv ".contains(c)).to_owned();
    // "TLSv1" has no further digit.
    let wanted = bare(text).trim_end_matches(".0").to_owned();
    let meant = TLS_VERSIONS.iter().find(|own| bare(own) == wanted && !wanted.is_empty());
    Some(match meant.filter(|_| part == Part::Whole) {
        Some(meant) => {
            Fault::Never(format!("{text:?} is no version as the platform names it: write {meant:?}"))
        }
        None => {
            Fault::Unknown(format!("{text:?} is no version of TLS that is known here: there are {known}"))
        }
    })
}

fn method(text: &str, part: Part) -> Option<Fault> {
    if part != Part::Whole {
        return in_capitals(text, "$method");
    }
    not_a_method(text).map(Fault::Never)
}

/// Why no request that reaches a Worker has this method; `None` where one may have.
pub(super) fn not_a_method(text: &str) -> Option<String> {
    if METHODS.contains(&text) {
        return None;
    }
    let capitals = text.trim().to_ascii_uppercase();
    let write = match METHODS.iter().find(|own| **own == capitals) {
        Some(own) => format!("write {own:?}"),
        None => format!("write one of {}", METHODS.join(", ")),
    };
    Some(format!("{text:?} is no method of a request that reaches a Worker: {write}"))
}

fn host(text: &str, part: Part) -> Option<Fault> {
    let bare = bare_host(text, part);
    if bare == text && is_host(text) {
        return None;
    }
    let write = match bare.strip_prefix('*') {
        Some(end) if is_host(end) => format!("write {{ suffix = {end:?} }}"),
        _ if is_host(&bare) => format!("write {bare:?}"),
        _ => "write a host such as \"api.example.com\"".to_owned(),
    };
    Some(Fault::Never(format!(
        "{text:?} is no host as the gateway compares it, in lower case and without scheme, port and path: {write}"
    )))
}

/// Without all that is no host's.
fn bare_host(text: &str, part: Part) -> String {
    let lower = text.trim().to_lowercase();
    let without_scheme = lower.split_once("://").map_or(lower.as_str(), |(_, rest)| rest);
    let without_path = without_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    // The colons of an address in brackets are not a port's.
    let host = match without_path.rsplit_once(':') {
        Some((host, port)) if part != Part::Beginning && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            host
        }
        _ => without_path,
    };
    if host.is_ascii() { host.to_owned() } else { ascii(host) }
}

/// As clients send a host that is not ASCII.
fn ascii(host: &str) -> String {
    let url = url::Url::parse(&format!("https://{host}")).ok();
    url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| host.to_owned())
}

fn is_host(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    let address = text.starts_with('[') && text.ends_with(']');
    !text.is_empty() && (text.bytes().all(plain) || address)
}

//! What the platform is taken to say of the client of a request that is explained. Each operand that it says has an option,
//! and a member of a request in a case file, by its name.

use clap::{Arg, ArgMatches, Command, FromArgMatches};
use pointsman_config::places::country;
use pointsman_core::{
    base::shape::{At, Object, Shape, ShapeErrors},
    http::cf::{CfKind, CfProperty},
    routing::operand::registry::{Entry, of_platform},
};
use serde_json::{Map, Value};

/// The names of the members.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    of_platform().map(|(entry, _)| entry.name)
}

/// A `request.cf` with what was given.
#[derive(Clone, Debug, Default)]
pub(super) struct PlatformOptions {
    pub(super) cf: Map<String, Value>,
    /// The same by the names of the operands, with what follows from what was given.
    told: Map<String, Value>,
}

impl PlatformOptions {
    /// Reads the members of a request in a case file.
    pub(super) fn of_case(request: &mut Object<'_>) -> Self {
        Self::of(|entry, property| match property.kind {
            CfKind::Text => request.member::<Option<String>>(entry.name).map(Value::from),
            CfKind::Number => request.member::<Option<NumberMember>>(entry.name).map(|number| number.0),
            CfKind::Flag { .. } => request.member::<Option<bool>>(entry.name).map(Value::from),
        })
    }

    /// With what was given of each operand. A country has a continent, and is in the European Union or not: that follows,
    /// unless something else was given.
    fn of(mut given: impl FnMut(&'static Entry, CfProperty) -> Option<Value>) -> Self {
        let mut told = Map::new();
        for (entry, property) in of_platform() {
            if let Some(value) = given(entry, property) {
                told.insert(entry.name.to_owned(), value);
            }
        }
        if let Some(country) = told.get("country").and_then(Value::as_str).and_then(country) {
            told.entry("continent").or_insert_with(|| country.continent.into());
            told.entry("eu").or_insert_with(|| country.in_eu.into());
        }
        let mut cf = Map::new();
        for (entry, property) in of_platform() {
            if let Some(value) = told.get(entry.name) {
                property.say(value.clone(), &mut cf);
            }
        }
        Self { cf, told }
    }

    /// What the client is taken for, by the names of the operands.
    pub(super) fn told(&self) -> Value {
        Value::Object(self.told.clone())
    }
}

/// A number of any kind.
struct NumberMember(Value);

impl Shape for NumberMember {
    fn read(value: &Value, at: &At<'_>, shape_errors: &mut ShapeErrors) -> Option<Self> {
        if value.is_number() { Some(Self(value.clone())) } else { shape_errors.other(at, value, "a number") }
    }
}

fn option(entry: &'static Entry, property: CfProperty) -> Arg {
    let option = Arg::new(entry.name).long(entry.name.replace('_', "-"));
    let with_value = || {
        let help = format!("{}. Example: {}", entry.help, entry.example);
        option.clone().value_name(entry.name.to_uppercase()).help(help)
    };
    match property.kind {
        CfKind::Text => with_value(),
        CfKind::Number => with_value().allow_negative_numbers(true).value_parser(number),
        // `--eu` alone, or `--eu=false`.
        CfKind::Flag { .. } => option
            .help(entry.help)
            .value_name("BOOLEAN")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_parser(clap::value_parser!(bool)),
    }
}

fn number(text: &str) -> Result<serde_json::Number, &'static str> {
    text.parse().map_err(|_| "is no number")
}

impl clap::Args for PlatformOptions {
    fn augment_args(command: Command) -> Command {
        of_platform().fold(command, |command, (entry, property)| command.arg(option(entry, property)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for PlatformOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self::of(|entry, property| match property.kind {
            CfKind::Text => matches.get_one::<String>(entry.name).cloned().map(Value::String),
            CfKind::Number => matches.get_one(entry.name).cloned().map(Value::Number),
            CfKind::Flag { .. } => matches.get_one(entry.name).copied().map(Value::Bool),
        }))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

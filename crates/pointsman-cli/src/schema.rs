//! `pointsman schema`: JSON Schemas of what people write, from the types that the gateway parses.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use pointsman_config::file::GatewayFile;
use pointsman_core::{customer::record::CustomerRecord, identity::key_record::KeyRecord};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

use crate::{
    ending::{CommandResult, End, input},
    output,
};

mod api;
mod conditions;
mod countries;
mod fields;
mod grammar;
mod operands;
mod refine;

pub(crate) use self::operands::type_name;

/// A kind of document.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum SchemaDocument {
    /// gateway.toml, or the GATEWAY variable
    Gateway,
    /// A customer's record in KV
    Customer,
    /// A list of customers, as for `customers import` and as the config API answers
    Customers,
    /// An API key's record in KV
    Key,
    /// A list of API keys in a file, each with its digest beside its record
    Keys,
}

#[derive(clap::Args)]
#[command(after_help = "Example:\n  pointsman schema gateway > gateway.schema.json")]
pub(crate) struct Arguments {
    /// What the schema is of.
    #[arg(value_enum, default_value = "gateway")]
    document: SchemaDocument,
    /// Writes the schemas of all documents, operands.json, the list of operands, countries.json, and api.openapi.json, the
    /// management API, into this folder instead, and overwrites those that exist.
    #[arg(long, value_name = "FOLDER", conflicts_with = "document")]
    write: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> CommandResult {
    match &arguments.write {
        None => output::line(text(&schema(arguments.document).map_err(input)?).trim_end()),
        Some(folder) => write(folder).map_err(input)?,
    }
    Ok(End::Done)
}

fn write(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|problem| format!("{}: {problem}", folder.display()))?;
    for document in SchemaDocument::value_variants() {
        let file = folder.join(document.file());
        fs::write(&file, text(&schema(*document)?))
            .map_err(|problem| format!("{}: {problem}", file.display()))?;
        eprintln!("{} written", file.display());
    }
    for (name, content) in [
        (operands::FILE, operands::list()),
        (countries::FILE, countries::list()),
        (api::FILE, api::description()?),
    ] {
        let file = folder.join(name);
        fs::write(&file, text(&content)).map_err(|problem| format!("{}: {problem}", file.display()))?;
        eprintln!("{} written", file.display());
    }
    Ok(())
}

fn text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

impl SchemaDocument {
    const fn file(self) -> &'static str {
        match self {
            Self::Gateway => "gateway.schema.json",
            Self::Customer => "customer.schema.json",
            Self::Customers => "customers.schema.json",
            Self::Key => "key.schema.json",
            Self::Keys => "keys.schema.json",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Gateway => "Pointsman: gateway.toml",
            Self::Customer => "Pointsman: a customer's record",
            Self::Customers => "Pointsman: customers",
            Self::Key => "Pointsman: an API key's record",
            Self::Keys => "Pointsman: API keys",
        }
    }
}

/// The schema of a document: the shape by the types, and by `fields` what a text or number must be.
fn schema(document: SchemaDocument) -> Result<Value, String> {
    let (raw, fields, definitions) = match document {
        SchemaDocument::Gateway => (raw::<GatewayFile>(), fields::gateway(), grammar::definitions()),
        SchemaDocument::Customer => (raw::<CustomerRecord>(), fields::customer(), Map::new()),
        SchemaDocument::Customers => (raw::<Vec<CustomerRecord>>(), fields::customer(), Map::new()),
        SchemaDocument::Key => (raw::<KeyRecord>(), fields::key(), Map::new()),
        SchemaDocument::Keys => (raw::<Vec<KeyRecord>>(), fields::key_of_file(), Map::new()),
    };
    let mut schema = refine::refine(raw, &fields, definitions)?;
    if let Some(members) = schema.as_object_mut() {
        members.insert("title".to_owned(), Value::from(document.title()));
    }
    Ok(schema)
}

fn raw<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How the committed schemas are written anew.
    const WRITE: &str = "npm run pointsman -- schema --write schemas";

    #[test]
    fn the_committed_schemas_are_those_of_the_code() {
        for document in SchemaDocument::value_variants() {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas").join(document.file());
            let committed = fs::read_to_string(&file).unwrap_or_default();
            let fresh = text(&schema(*document).unwrap());
            assert!(committed == fresh, "{} is stale: run `{WRITE}`", file.display());
        }
        for (name, fresh) in [(operands::FILE, operands::list()), (api::FILE, api::description().unwrap())] {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas").join(name);
            let committed = fs::read_to_string(&file).unwrap_or_default();
            assert!(committed == text(&fresh), "{} is stale: run `{WRITE}`", file.display());
        }
    }

    /// A field that is added is a field whose grammar is thought of.
    #[test]
    fn no_field_is_left_to_its_bare_type() {
        for (raw, fields) in [
            (raw::<GatewayFile>(), fields::gateway()),
            (raw::<CustomerRecord>(), fields::customer()),
            (raw::<KeyRecord>(), fields::key()),
        ] {
            let left = refine::unrefined(&raw, &fields);
            assert!(left.is_empty(), "src/schema/fields.rs does not name {left:?}");
        }
    }

    #[test]
    fn a_name_that_no_type_has_is_an_error() {
        let mistyped = [refine::Field::of("KeyRecord", "subjekt", grammar::some_text())];
        let said = refine::refine(raw::<KeyRecord>(), &mistyped, Map::new()).unwrap_err();
        assert_eq!(said, "KeyRecord has no subjekt");
    }
}

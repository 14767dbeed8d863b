//! From JSON values to structs: every member has its type, none is unknown, and all that does not fit is
//! found at once, each thing at its JSON Pointer (RFC 6901).
//!
//! A member that is `null` is one that is not there, whatever it is: serializers of many languages write it so.
//! Only values that are kept as they came, such as claims, keep theirs.
//!
//! Serde's derived readers stop at the first error and do not know where in the document it is. Wrapped so
//! that they do, they made a quarter of the Worker, for what is read once an isolate or once a record.

use std::{fmt, ops::Deref};

use serde_json::{Map, Value};

/// What can be read from a JSON value.
pub trait Shape: Sized {
    /// Whether an object must have the member that is read as this.
    const REQUIRED: bool = true;

    /// Reads a value and notes what does not fit. `None` where nothing is left that could be used.
    fn read(value: &Value, at: &At<'_>, shape_errors: &mut ShapeErrors) -> Option<Self>;
}

/// A place in a document.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    /// The whole.
    Root,
    /// A member of an object.
    Member(&'a Self, &'a str),
    /// An item of a list.
    Item(&'a Self, usize),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Member(parent, name) => write!(formatter, "{parent}/{}", escape(name)),
            Self::Item(parent, index) => write!(formatter, "{parent}/{index}"),
        }
    }
}

/// A member's name as a step of a JSON Pointer.
#[must_use]
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What does not fit.
#[derive(Debug, Default)]
pub struct ShapeErrors {
    /// Pointers, and what is wrong there.
    pub found: Vec<(String, String)>,
    /// The items that were left out of lists: the list's pointer, and where in the list it stood.
    pub left_out: Vec<(String, usize)>,
    /// The members that their objects cannot have; each is in `found` too. For a check that says what was meant.
    #[cfg(feature = "spelling")]
    pub unknown: Vec<UnknownMember>,
}

/// A member that its object cannot have.
#[cfg(feature = "spelling")]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnknownMember {
    /// The object's pointer.
    pub object: String,
    /// The member's name.
    pub name: String,
    /// The members that the object could have and lacks.
    pub absent: Vec<String>,
}

impl ShapeErrors {
    fn note(&mut self, at: &At<'_>, what: String) {
        self.found.push((at.to_string(), what));
    }

    /// Notes that a value is something else. What it is stays unsaid but for its kind: it may be a secret.
    pub fn other<T>(&mut self, at: &At<'_>, value: &Value, wanted: &str) -> Option<T> {
        self.note_other(at, value, wanted);
        None
    }

    fn note_other(&mut self, at: &At<'_>, value: &Value, wanted: &str) {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(true) => "true",
            Value::Bool(false) => "false",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.note(at, format!("must be {wanted}, not {kind}"));
    }
}

/// An object that is read member by member.
#[derive(Debug)]
pub struct Object<'a> {
    members: &'a Map<String, Value>,
    at: &'a At<'a>,
    shape_errors: &'a mut ShapeErrors,
    complete: bool,
}

impl<'a> Object<'a> {
    /// The members of a value that should be an object with no members but `names`.
    pub fn new(
        value: &'a Value,
        names: &[&str],
        at: &'a At<'a>,
        shape_errors: &'a mut ShapeErrors,
    ) -> Option<Self> {
        let Value::Object(members) = value else {
            return shape_errors.other(at, value, "an object");
        };
        let unknown = |name: &str, value: &Value| !value.is_null() && !names.contains(&name);
        for (name, _) in members.iter().filter(|(name, value)| unknown(name, value)) {
            let what = format!("unknown field `{name}`, expected one of `{}`", names.join("`, `"));
            shape_errors.note(&At::Member(at, name), what);
            #[cfg(feature = "spelling")]
            shape_errors.unknown.push(UnknownMember {
                object: at.to_string(),
                name: name.clone(),
                absent: names
                    .iter()
                    .filter(|name| members.get(**name).is_none_or(Value::is_null))
                    .map(|name| (*name).to_owned())
                    .collect(),
            });
        }
        Some(Self { members, at, shape_errors, complete: true })
    }

    /// Reads a member. Without one that is required, or where that cannot be used, neither can the object.
    #[inline(never)]
    pub fn member<T: Shape + Default>(&mut self, name: &str) -> T {
        let read = match self.value(name) {
            Some(value) => T::read(value, &At::Member(self.at, name), self.shape_errors),
            None => {
                if T::REQUIRED {
                    self.shape_errors.note(self.at, format!("missing field `{name}`"));
                }
                None
            }
        };
        self.complete &= !T::REQUIRED || read.is_some();
        read.unwrap_or_default()
    }

    /// Reads a member that is empty where there is none.
    #[inline(never)]
    pub fn member_or_default<T: Shape + Default>(&mut self, name: &str) -> T {
        let value = self.value(name);
        value
            .and_then(|value| T::read(value, &At::Member(self.at, name), self.shape_errors))
            .unwrap_or_default()
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// Whether all was there that had to be.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.complete
    }
}

/// Defines a struct that is read from an object whose members have the names of its fields, or says with which
/// names those of another one are read. `= default` marks a member that may be missing though the field is no `Option`.
#[macro_export]
macro_rules! shape {
    ($(#[$about:meta])* $vis:vis struct $type:ident {
        $($(#[$meta:meta])* $public:vis $field:ident: $of:ty $(= $default:ident)?,)+
    }) => {
        $(#[$about])*
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
        $vis struct $type {
            $($(#[$meta])* $(#[cfg_attr(feature = "schema", schemars($default))])? $public $field: $of,)+
        }
        $crate::shape!(for $type { $($field: (stringify!($field)) $(= $default)?,)+ });
    };
    (for $type:ty { $($field:ident: $name:tt $(= $default:ident)?,)+ }) => {
        impl $crate::base::shape::Shape for $type {
            fn read(
                value: &serde_json::Value,
                at: &$crate::base::shape::At<'_>,
                shape_errors: &mut $crate::base::shape::ShapeErrors,
            ) -> Option<Self> {
                let mut object = $crate::base::shape::Object::new(value, &[$($name),+], at, shape_errors)?;
                let read = Self { $($field: $crate::shape!(object, $name $(, $default)?),)+ };
                object.is_complete().then_some(read)
            }
        }
    };
    ($object:ident, $name:tt) => { $object.member($name) };
    ($object:ident, $name:tt, default) => { $object.member_or_default($name) };
}
pub use shape;

impl Shape for Value {
    fn read(value: &Value, _: &At<'_>, _: &mut ShapeErrors) -> Option<Self> {
        Some(value.clone())
    }
}

impl Shape for Map<String, Value> {
    fn read(value: &Value, at: &At<'_>, shape_errors: &mut ShapeErrors) -> Option<Self> {
        value.as_object().cloned().or_else(|| shape_errors.other(at, value, "an object"))
    }
}

impl Shape for String {
    fn read(value: &Value, at: &At<'_>, shape_errors: &mut ShapeErrors) -> Option<Self> {
        value.as_str().map(str::to_owned).or_else(|| shape_errors.other(at, value, "text"))
    }
}

impl Shape for bool {
    fn read(value: &Value, at: &At<'_>, shape_errors: &mut ShapeErrors) -> Option<Self> {
        value.as_bool().or_else(|| shape_errors.other(at, value, "true or false"))
    }
}

macro_rules! whole_numbers {
    ($($type:ty)+) => {$(
        impl Shape for $type {
            fn read(value: &Value, at: &At<'_>, shape_errors: &mut ShapeErrors) -> Option<Self> {
                let whole = value.as_u64().and_then(|number| Self::try_from(number).ok());
                if whole.is_none() {
                    no_whole_number(value, Self::MAX as u64, at, shape_errors);
                }
                whole
            }
        }
    )+};
}
whole_numbers!(u16 u32 u64 usize);

fn no_whole_number(value: &Value, most: u64, at: &At<'_>, shape_errors: &mut ShapeErrors) {
    let wanted = format!("a whole number from 0 to {most}");
    if value.is_number() {
        shape_errors.note(at, format!("must be {wanted}"));
    } else {
        shape_errors.note_other(at, value, &wanted);
    }
}

impl<T: Shape> Shape for Option<T> {
    const REQUIRED: bool = false;

    fn read(value: &Value, at: &At<'_>, shape_errors: &mut ShapeErrors) -> Option<Self> {
        Some(if value.is_null() { None } else { T::read(value, at, shape_errors) })
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn read(value: &Value, at: &At<'_>, shape_errors: &mut ShapeErrors) -> Option<Self> {
        let Value::Array(items) = value else {
            return shape_errors.other(at, value, "a list");
        };
        let mut list = Self::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match T::read(item, &At::Item(at, index), shape_errors) {
                Some(item) => list.push(item),
                None => shape_errors.left_out.push((at.to_string(), index)),
            }
        }
        Some(list)
    }
}

/// The members of an object by name, in order of their names.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transparent))]
pub struct Table<T>(
    #[cfg_attr(feature = "schema", schemars(with = "std::collections::BTreeMap<String, T>"))]
    Vec<(String, T)>,
);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deref for Table<T> {
    type Target = [(String, T)];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> FromIterator<(String, T)> for Table<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(members: I) -> Self {
        Self(members.into_iter().collect())
    }
}

impl<T> Table<T> {
    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

impl<T: Shape> Shape for Table<T> {
    fn read(value: &Value, at: &At<'_>, shape_errors: &mut ShapeErrors) -> Option<Self> {
        let Value::Object(members) = value else {
            return shape_errors.other(at, value, "an object");
        };
        let mut table = Vec::with_capacity(members.len());
        for (name, member) in members {
            if let Some(read) = T::read(member, &At::Member(at, name), shape_errors) {
                table.push((name.clone(), read));
            }
        }
        Some(Self(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    shape! {
        #[derive(Debug, Eq, PartialEq)]
        struct Garden {
            name: String,
            fenced: Option<bool>,
            beds: Vec<Bed> = default,
            paths: Table<u16> = default,
        }
    }

    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    #[derive(Debug, Eq, PartialEq)]
    struct Bed {
        plants: Vec<String>,
        area: Option<u32>,
    }
    shape! { for Bed { plants: "thePlants", area: "area", } }

    fn read(json: &str) -> (Option<Garden>, ShapeErrors) {
        let mut shape_errors = ShapeErrors::default();
        (Garden::read(&serde_json::from_str(json).unwrap(), &At::Root, &mut shape_errors), shape_errors)
    }

    fn found(json: &str) -> Vec<String> {
        read(json).1.found.iter().map(|(pointer, what)| format!("{pointer}: {what}")).collect()
    }

    #[test]
    fn what_may_be_missing_may_be_missing_and_null_is_no_value() {
        let (garden, shape_errors) = read(r#"{"name":"g","fenced":null,"beds":[{"thePlants":[]}]}"#);
        let bed = Bed { plants: vec![], area: None };
        let expected =
            Garden { name: "g".to_owned(), fenced: None, beds: vec![bed], paths: Table::default() };
        assert_eq!(garden.as_ref(), Some(&expected));
        assert!(shape_errors.found.is_empty());
        assert_eq!(
            found(r#"{"name":null,"beds":null,"paths":null,"moat":null}"#),
            [": missing field `name`"],
        );
        let (garden, _) = read(r#"{"name":"g","beds":null,"paths":null,"moat":null}"#);
        assert_eq!(garden.unwrap(), Garden { beds: vec![], fenced: None, ..expected });
        assert_eq!(found(r#"{"name":"g","beds":[null]}"#), ["/beds/0: must be an object, not null"]);
    }

    #[test]
    fn all_that_does_not_fit_is_found_at_once_and_no_value_is_told() {
        let said = found(
            r#"{"nmae":"secret","beds":[{"area":1},7,{"thePlants":["rose",{"secret":1}],"area":-1},{"thePlants":"secret"}],
                "paths":{"to/the~gate":65536,"home":1.5,"away":"secret"},"fenced":"yes"}"#,
        );
        assert_eq!(
            said,
            [
                "/nmae: unknown field `nmae`, expected one of `name`, `fenced`, `beds`, `paths`",
                ": missing field `name`",
                "/fenced: must be true or false, not text",
                "/beds/0: missing field `thePlants`",
                "/beds/1: must be an object, not a number",
                "/beds/2/thePlants/1: must be text, not an object",
                "/beds/2/area: must be a whole number from 0 to 4294967295",
                "/beds/3/thePlants: must be a list, not text",
                "/paths/away: must be a whole number from 0 to 65535, not text",
                "/paths/home: must be a whole number from 0 to 65535",
                "/paths/to~1the~0gate: must be a whole number from 0 to 65535",
            ]
        );
    }

    #[test]
    fn what_cannot_be_used_is_left_out_of_its_list() {
        let (garden, shape_errors) =
            read(r#"{"name":"g","beds":[{"area":1},{"thePlants":[1,"rose"],"weeds":0},{"thePlants":1}]}"#);
        let beds = garden.unwrap().beds;
        assert_eq!(beds, [Bed { plants: vec!["rose".to_owned()], area: None }]);
        let at = |list: &str, index| (list.to_owned(), index);
        assert_eq!(shape_errors.left_out, [at("/beds", 0), at("/beds/1/thePlants", 0), at("/beds", 2)]);
    }

    #[cfg(feature = "spelling")]
    #[test]
    fn an_unknown_member_is_told_with_those_that_its_object_lacks() {
        let (_, shape_errors) = read(r#"{"name":"g","fenced":null,"beds":[{"theplants":[],"moat":null}]}"#);
        let bed = UnknownMember {
            object: "/beds/0".to_owned(),
            name: "theplants".to_owned(),
            absent: vec!["thePlants".to_owned(), "area".to_owned()],
        };
        assert_eq!(shape_errors.unknown, [bed]);
        let absent = read(r#"{"name":"g","fenced":null,"beds":[],"fence":true}"#).1.unknown.remove(0).absent;
        assert_eq!(absent, ["fenced", "paths"]);
    }

    #[test]
    fn without_what_is_required_there_is_nothing() {
        for json in ["{}", r#"{"name":7}"#, "[]", "null"] {
            assert!(read(json).0.is_none(), "{json}");
            assert_eq!(found(json).len(), 1, "{json}");
        }
    }
}

//! One declaration per group of settings: the struct, its documentation, its reader and its part of the example file
//! are all made from it.

use super::reader::Setting;
use super::schema::Property;
use std::fmt::Write;

/// What a group of settings says of itself.
pub(crate) trait Settings: Setting {
    /// Its settings, in order.
    fn describe() -> Vec<Described>;

    /// The same, as a schema has it.
    fn properties() -> Vec<Property>;
}

/// A setting as the example file shows it.
pub(crate) struct Described {
    /// Its key.
    pub key: &'static str,
    /// What it is for, one line each.
    pub doc: &'static [&'static str],
    /// What the example shows.
    pub example: Example,
}

/// What the example file shows of a setting.
pub(crate) enum Example {
    /// Its default, as TOML.
    Default(String),
    /// A value, because every installation has its own.
    Value(&'static str),
    /// A value that is commented out, because it is not set by default.
    Unset(&'static str),
    /// The settings of a table.
    Table(Vec<Described>),
}

/// A default as TOML.
pub(crate) fn default_as_toml<T: serde::Serialize>(value: &T) -> String {
    toml::Value::try_from(value).map(|value| value.to_string()).unwrap_or_default()
}

/// The example file of these settings, each below its documentation.
pub(crate) fn example(settings: &[Described]) -> String {
    let mut text = String::new();
    write_table(&mut text, "", settings);
    text
}

/// Writes a table: its own settings first, because a table header ends the table before it.
fn write_table(text: &mut String, path: &str, settings: &[Described]) {
    for setting in settings {
        let (mark, value) = match &setting.example {
            Example::Default(value) => ("", value.as_str()),
            Example::Value(value) => ("", *value),
            Example::Unset(value) => ("# ", *value),
            Example::Table(_) => continue,
        };
        write_doc(text, setting.doc);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{mark}{} = {value}\n", setting.key);
    }
    for setting in settings {
        if let Example::Table(inner) = &setting.example {
            let path = if path.is_empty() { setting.key.to_owned() } else { format!("{path}.{}", setting.key) };
            write_doc(text, setting.doc);
            let _ = writeln!(text, "[{path}]\n");
            write_table(text, &path, inner);
        }
    }
}

fn write_doc(text: &mut String, doc: &[&str]) {
    for line in doc {
        let _ = writeln!(text, "#{line}");
    }
}

/// Declares a group of settings. After each field's type stands what happens if it is not set:
/// `default(value)`, `required("example")`, `unset("example")` (for an `Option`), `shown("example")` (the same, for what most
/// have), `named("example")` (for groups by name), or `table` (for a nested group).
macro_rules! settings {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident {
            $( $(#[doc = $field_doc:literal])+ $field:ident: $type:ty => $how:ident $(($value:expr))?, )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $( $(#[doc = $field_doc])+ pub $field: $type, )+
        }

        impl $name {
            /// Reads the group's own keys of a table.
            pub(crate) fn read_section(
                section: &mut $crate::config::reader::Section<'_, '_>,
                out: &mut $crate::diagnostic::Diagnostics,
            ) -> Option<Self> {
                $( let $field = $crate::config::settings::read_field!(section, out, $field, $how $(($value))?); )+
                Some(Self { $( $field: $field?, )+ })
            }
        }

        impl $crate::config::reader::Setting for $name {
            fn read(
                source: &$crate::diagnostic::Source,
                name: &str,
                value: &toml::Spanned<toml::de::DeValue<'_>>,
                out: &mut $crate::diagnostic::Diagnostics,
            ) -> Option<Self> {
                let mut section = $crate::config::reader::Section::of(source, name, value, out)?;
                let read = Self::read_section(&mut section, out);
                section.finish(out);
                read
            }

            fn schema() -> serde_json::Value {
                $crate::config::schema::table(<Self as $crate::config::settings::Settings>::properties())
            }
        }

        impl $crate::config::settings::Settings for $name {
            fn describe() -> Vec<$crate::config::settings::Described> {
                vec![$( $crate::config::settings::Described {
                    key: stringify!($field),
                    doc: &[$($field_doc),+],
                    example: $crate::config::settings::example_of!($type, $how $(($value))?),
                }, )+]
            }

            fn properties() -> Vec<$crate::config::schema::Property> {
                vec![$( $crate::config::schema::property_of!(
                    $type, stringify!($field), &[$($field_doc),+], $how $(($value))?
                ), )+]
            }
        }
    };
}
pub(crate) use settings;

/// How a field is read; see `settings`.
macro_rules! read_field {
    ($section:ident, $out:ident, $field:ident, default($value:expr)) => {
        $section.optional(stringify!($field), $value, $out)
    };
    ($section:ident, $out:ident, $field:ident, required($example:expr)) => {
        $section.required(stringify!($field), $out)
    };
    ($section:ident, $out:ident, $field:ident, unset($example:expr)) => {
        $section.optional(stringify!($field), None, $out)
    };
    ($section:ident, $out:ident, $field:ident, shown($example:expr)) => {
        $section.optional(stringify!($field), None, $out)
    };
    ($section:ident, $out:ident, $field:ident, named($example:expr)) => {
        $section.optional(stringify!($field), Default::default(), $out)
    };
    ($section:ident, $out:ident, $field:ident, table) => {
        $section.table(stringify!($field), $out)
    };
}
pub(crate) use read_field;

/// What the example shows of a field; see `settings`.
macro_rules! example_of {
    ($type:ty, default($value:expr)) => {{
        let value: $type = $value;
        $crate::config::settings::Example::Default($crate::config::settings::default_as_toml(&value))
    }};
    ($type:ty, required($example:expr)) => {
        $crate::config::settings::Example::Value($example)
    };
    ($type:ty, shown($example:expr)) => {
        $crate::config::settings::Example::Value($example)
    };
    ($type:ty, named($example:expr)) => {
        $crate::config::settings::Example::Unset($example)
    };
    ($type:ty, unset($example:expr)) => {
        $crate::config::settings::Example::Unset($example)
    };
    ($type:ty, table) => {
        $crate::config::settings::Example::Table(<$type as $crate::config::settings::Settings>::describe())
    };
}
pub(crate) use example_of;

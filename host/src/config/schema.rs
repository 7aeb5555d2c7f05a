//! JSON Schemas (draft 2020-12) of settings: what an editor with a TOML language server completes and checks by. Each is
//! made from the declaration of its setting.

use serde_json::{Map, Value, json};

/// The dialect that all of our schemas are written in.
pub(crate) const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A key of a table.
pub(crate) struct Property {
    /// Its name.
    pub(crate) key: &'static str,
    /// What it is for.
    pub(crate) doc: String,
    /// What it can be.
    pub(crate) schema: Value,
    /// What it is if it is not set, where that can be said.
    pub(crate) default: Option<Value>,
    /// Whether it must be set.
    pub(crate) is_required: bool,
}

/// A text.
pub(crate) fn text() -> Value {
    json!({ "type": "string" })
}

/// One of these words.
pub(crate) fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    json!({ "enum": words.into_iter().collect::<Vec<_>>() })
}

/// True or false.
pub(crate) fn truth() -> Value {
    json!({ "type": "boolean" })
}

/// A whole number from `least` on.
pub(crate) fn whole(least: u64, most: Option<u64>) -> Value {
    let mut schema = json!({ "type": "integer", "minimum": least });
    if let (Some(most), Some(schema)) = (most, schema.as_object_mut()) {
        schema.insert("maximum".to_owned(), most.into());
    }
    schema
}

/// A list.
pub(crate) fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// One of several forms.
pub(crate) fn any_of(forms: &[Value]) -> Value {
    json!({ "anyOf": forms })
}

/// A table with these keys and no others.
pub(crate) fn table(properties: Vec<Property>) -> Value {
    let required: Vec<&str> = properties.iter().filter(|it| it.is_required).map(|it| it.key).collect();
    let mut schema = json!({ "type": "object", "additionalProperties": false });
    if let Some(schema) = schema.as_object_mut() {
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        let properties: Map<String, Value> =
            properties.into_iter().map(|property| (property.key.to_owned(), property.described())).collect();
        schema.insert("properties".to_owned(), Value::Object(properties));
    }
    schema
}

impl Property {
    /// A key that may be left out.
    pub(crate) fn optional(key: &'static str, doc: &str, schema: Value) -> Self {
        Self { key, doc: doc.to_owned(), schema, default: None, is_required: false }
    }

    /// A key that must be there.
    pub(crate) fn required(key: &'static str, doc: &str, schema: Value) -> Self {
        Self { is_required: true, ..Self::optional(key, doc, schema) }
    }

    fn described(self) -> Value {
        let mut schema = self.schema;
        if let Some(schema) = schema.as_object_mut() {
            if !self.doc.is_empty() {
                schema.insert("description".to_owned(), self.doc.into());
            }
            if let Some(default) = self.default {
                schema.insert("default".to_owned(), default);
            }
        }
        schema
    }
}

/// A schema as a file of its own.
pub(crate) fn document(title: &str, description: &str, mut schema: Value) -> Value {
    // Editors ignore it; files say with it where their schema is.
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.entry("$schema").or_insert_with(text);
    }
    let mut whole = json!({ "$schema": DIALECT, "title": title, "description": description });
    if let (Some(whole), Some(schema)) = (whole.as_object_mut(), schema.as_object_mut()) {
        whole.append(schema);
    }
    whole
}

/// The lines of a documentation comment as one text.
pub(crate) fn joined(doc: &[&str]) -> String {
    doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// How a field's declaration says what it is if it is not set; see `settings`.
macro_rules! property_of {
    ($type:ty, $key:expr, $doc:expr, default($value:expr)) => {{
        let value: $type = $value;
        $crate::config::schema::Property {
            default: serde_json::to_value(&value).ok(),
            ..$crate::config::schema::property_of!($type, $key, $doc, unset(""))
        }
    }};
    ($type:ty, $key:expr, $doc:expr, required($example:expr)) => {
        $crate::config::schema::Property {
            is_required: true,
            ..$crate::config::schema::property_of!($type, $key, $doc, unset(""))
        }
    };
    ($type:ty, $key:expr, $doc:expr, $how:ident $(($value:expr))?) => {
        $crate::config::schema::Property::optional(
            $key,
            &$crate::config::schema::joined($doc),
            <$type as $crate::config::reader::Setting>::schema(),
        )
    };
}
pub(crate) use property_of;

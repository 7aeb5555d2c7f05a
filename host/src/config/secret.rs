//! Where a secret is, as files write it: never the secret itself.

use super::reader::{Section, Setting};
use super::schema;
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::secret::SecretRef;
use std::path::PathBuf;
use toml::Spanned;
use toml::de::DeValue;

impl Setting for SecretRef {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        const HELP: &str = "write { env = \"NAME\" }, { file = \"path\" } or { credential = \"name\" }";
        if value.get_ref().is_str() {
            // The text is not shown: it may be the password.
            let diagnostic = Diagnostic::error(source.path(), format!("`{name}` must not stand in the file itself"));
            out.push(diagnostic.help(HELP));
            return None;
        }
        let mut section = Section::of(source, name, value, out)?;
        let env = section.optional::<Option<String>>("env", None, out)?.map(Self::Env);
        let file = section.optional::<Option<PathBuf>>("file", None, out)?.map(Self::File);
        let credential = section.optional::<Option<String>>("credential", None, out)?.map(Self::Credential);
        section.finish(out);
        let mut places = [env, file, credential].into_iter().flatten();
        match (places.next(), places.next()) {
            (Some(place), None) => Some(place),
            _ => {
                out.push(source.error(value.span(), format!("`{name}` must name one place")).help(HELP));
                None
            }
        }
    }

    fn schema() -> serde_json::Value {
        let place = |key, doc| schema::table(vec![schema::Property::required(key, doc, schema::text())]);
        schema::any_of(&[
            place("env", "An environment variable."),
            place("file", "A file."),
            place("credential", "A credential of systemd."),
        ])
    }
}

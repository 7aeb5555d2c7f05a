//! An extractor for tests: makes a field of the subject, and one of each other type.

use mailmill_sdk::{
    About, Config, Declaration, Diagnostic, Entry, Extractor, Failure, Field, Host, Plugin, Value, ValueType,
};
use std::marker::PhantomData;

mailmill_sdk::export_extractor!(Subject, "../../../wit");

/// A subject that it does not survive.
const POISON: &str = "Panic, please";

/// The plugin. It has no rules.
#[derive(Debug)]
pub struct Subject<H>(PhantomData<H>);

impl<H: Host> Plugin<H> for Subject<H> {
    const ABOUT: About = About { name: "subject", version: env!("CARGO_PKG_VERSION"), summary: "repeats the subject" };

    fn configure(_: &H, _: &Config) -> Result<Self, Vec<Diagnostic>> {
        Ok(Self(PhantomData))
    }
}

impl<H: Host> Extractor<H> for Subject<H> {
    fn declares(&self) -> Vec<Declaration> {
        let declare = |name: &str, kind| Declaration { name: name.to_owned(), kind };
        vec![
            declare("title", ValueType::Text),
            declare("price", ValueType::Decimal),
            declare("arrived", ValueType::DateTime),
        ]
    }

    fn extract(&self, host: &H) -> Result<Vec<Entry>, Failure> {
        assert!(host.text(&Field::Subject).as_deref() != Some(POISON), "asked to panic");
        let entry = |name: &str, value| Entry { name: name.to_owned(), value };
        Ok(vec![
            entry("title", host.text(&Field::Subject).map_or(Value::None, Value::Text)),
            entry("price", Value::Decimal { units: 12_345, scale: 2 }),
            entry("arrived", host.received()),
        ])
    }
}

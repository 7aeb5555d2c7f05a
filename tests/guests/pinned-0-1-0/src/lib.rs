//! A plugin that was built against version 0.1.0 of the contract, and goes on working with every later host of 0.1.x. Its
//! `wit/` is a copy of the contract as it was and never changes; it uses one function of every interface, and no SDK.
#![cfg(target_arch = "wasm32")]

wit_bindgen::generate!({ path: "wit", world: "preprocessor" });

use exports::mailmill::rules::{lifecycle, preprocess};
use mailmill::rules::edit::{self, Kind};
use mailmill::rules::log::{Level, log};
use mailmill::rules::lookup::{self, Form, Reading};
use mailmill::rules::patterns::{Pattern, Selector};
use mailmill::rules::types::{About, Config, Diagnostic, Failure, Field, Value, Verdict};
use mailmill::rules::{mail, wake};
use std::cell::OnceCell;

struct Plugin {
    pattern: Pattern,
    selector: Selector,
}

thread_local! {
    static PLUGIN: OnceCell<Plugin> = const { OnceCell::new() };
}

struct Component;
export!(Component);

impl lifecycle::Guest for Component {
    fn describe() -> About {
        About {
            name: "pinned".to_owned(),
            version: "0.1.0".to_owned(),
            summary: "cuts numbers, as version 0.1.0 of the contract does".to_owned(),
            schema: Some("{}".to_owned()),
        }
    }

    fn configure(config: Config) -> Result<(), Vec<Diagnostic>> {
        let verbs = config.verbs.len();
        log(Level::Debug, &format!("{verbs} verbs, {} fields, {}", config.fields.len(), config.rules));
        let refuse = |reason, offset| vec![Diagnostic { reason, path: vec!["pattern".to_owned()], offset }];
        let source = config.settings.iter().find(|(key, _)| key == "pattern");
        let source = source.map(|(_, value)| value.as_str()).ok_or_else(|| refuse("is missing".to_owned(), None))?;
        let pattern = Pattern::compile(source).map_err(|error| refuse(error.reason, error.offset))?;
        let selector = Selector::compile("blockquote").map_err(|error| refuse(error.reason, error.offset))?;
        wake::on_match(&pattern);
        wake::on_element(&selector);
        let _ = PLUGIN.with(|plugin| plugin.set(Plugin { pattern, selector }));
        Ok(())
    }
}

impl preprocess::Guest for Component {
    fn preprocess() -> Result<Verdict, Failure> {
        let reading = Reading { locale: "de".to_owned(), time_zone: String::new(), currency: String::new() };
        let failure = |reason| Failure { reason, rule: Some("pattern".to_owned()) };
        PLUGIN.with(|plugin| {
            let plugin = plugin.get().ok_or_else(|| failure("it was not configured".to_owned()))?;
            for span in mail::elements(&plugin.selector, 10) {
                edit::cut(span, Kind::Quote, "selector");
            }
            for span in mail::find_all(&Field::Body, &plugin.pattern, 10) {
                let text = mail::slice(&Field::Body, span);
                match lookup::read(&text, Form::Integer, &reading) {
                    Ok(Value::Integer(number)) => log(Level::Info, &format!("the number {number}")),
                    Ok(_) => return Err(failure("no integer".to_owned())),
                    Err(reason) => return Err(failure(format!("{text} {reason}"))),
                }
                edit::cut(span, Kind::Other, "pattern");
            }
            Ok(Verdict::Next)
        })
    }
}

//! The rule files of the shipped plugins.

use crate::action::{Argument, Verb, verbs};
use crate::config::schema::{Property, any_of, list, table, text, truth, whole, words};
use crate::field::ValueType;
use crate::message::document::CutKind;
use serde_json::{Value, json};

/// The tables of `languages.toml`, which rule files can have found.
const TABLES: [(&str, &str); 6] = [
    ("attribution", "The line above a quote; … stands for anything."),
    ("original-ruler", "What stands between dashes above a quote."),
    ("forward-ruler", "The same above a forwarded message; with a colon at the end it is a line of its own."),
    ("forward-subject", "What the subject of a forwarded message starts with."),
    ("device-line", "What devices and programs add below a text; … stands for their name."),
    ("closing", "What people write above their name."),
];
/// The labels above a quote as Outlook writes them.
const HEADER_BLOCK: &str = "header-block";

fn optional(key: &'static str, doc: &str, schema: Value) -> Property {
    Property::optional(key, doc, schema)
}

fn required(key: &'static str, doc: &str, schema: Value) -> Property {
    Property::required(key, doc, schema)
}

fn kinds() -> Value {
    let names: Vec<String> = CutKind::ALL.iter().map(ToString::to_string).collect();
    words(names.iter().map(String::as_str))
}

/// `[[test]]`: a message, and what is expected of it.
fn tests(expect: &str, schema: Value) -> Property {
    let ticket = table(vec![
        optional("number", "Its number.", text()),
        optional("class", "Its class.", text()),
        optional("status", "Its status.", text()),
    ]);
    let test = table(vec![
        required("name", "What it shows.", text()),
        optional("from", "The sender, such as \"Ann <ann@client.example>\".", text()),
        optional("subject", "The subject.", text()),
        optional("headers", "Further header fields, by name.", json!({ "type": "object" })),
        optional("body", "The text of the message.", text()),
        optional("html", "Its HTML, in place of a text.", text()),
        optional("ticket", "The ticket that it follows up.", ticket),
        optional("drop", "The kinds of cut that are applied; not given: quotes.", list(&kinds())),
        required("expect", expect, schema),
    ]);
    optional("test", "The file's own tests: they must pass before the rules are taken.", list(&test))
}

/// Rules of the plugin `reply`.
pub(super) fn preprocess() -> Value {
    let texts = || list(&text());
    let rule = table(vec![
        required("name", "Its name, for reports.", text()),
        required("kind", "What it cuts.", kinds()),
        optional("pattern", "A regular expression that finds it in the text.", text()),
        optional("selector", "A CSS selector that finds it in the HTML.", text()),
        optional(
            "cut",
            "How much is cut: the match; all before it, or after it; the quote below it; or it and a few lines below it.",
            words(["match", "before", "after", "quote", "tail"]),
        ),
        optional("lines", "With `cut = \"tail\"`: the most lines below the match.", whole(0, None)),
        optional("width", "With `cut = \"tail\"`: the most characters of each of them.", whole(0, None)),
        optional("clients", "Only for mail of these clients.", texts()),
        optional("from", "Only if this pattern matches in the sender.", text()),
        optional("to", "Only if this pattern matches in the recipients.", text()),
        optional("subject", "Only if this pattern matches in the subject.", text()),
        optional("headers", "Only if these patterns match in the header fields of these names.", by_name(&text())),
    ]);
    let container = table(vec![
        required("name", "Its name, for reports.", text()),
        required("selector", "A CSS selector of what holds a quote.", text()),
        optional("inner", "A CSS selector of the quote in it.", text()),
        optional("above", "What is cut above it, too.", json!({})),
    ]);
    let finds = TABLES.iter().map(|(name, _)| *name).chain([HEADER_BLOCK, "quoted-lines"]);
    let mut keys = vec![
        optional("clients", "The clients whose mail the file is for; not given: everybody's.", texts()),
        optional("find", "The tables of languages.toml that are looked for.", list(&words(finds))),
        optional("forwards-only", "Whether only forwarded messages are looked for.", truth()),
        optional("rule", "Patterns and selectors of its own.", list(&rule)),
        optional("container", "Elements that hold quotes.", list(&container)),
        tests("The text that is left.", text()),
    ];
    keys.extend(TABLES.map(|(name, doc)| optional(name, doc, by_name(&texts()))));
    keys.push(optional(HEADER_BLOCK, "The labels above a quote, by language.", by_name(&labels())));
    table(keys)
}

/// A table of any names.
fn by_name(value: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": value })
}

fn labels() -> Value {
    let label = |key, doc| optional(key, doc, list(&text()));
    table(vec![
        label("from", "The sender."),
        label("date", "The date."),
        label("to", "The recipients."),
        label("cc", "Those who get a copy."),
        label("subject", "The subject."),
    ])
}

/// `languages.toml`.
pub(super) fn languages() -> Value {
    let mut tables: Vec<Property> = TABLES.map(|(name, doc)| optional(name, doc, list(&text()))).into();
    tables.push(optional(HEADER_BLOCK, "The labels above a quote.", labels()));
    by_name(&table(tables))
}

/// Rules of the plugin `fields`.
pub(super) fn fields() -> Value {
    let reading = || {
        [
            optional("locale", "How numbers and dates are written: a language such as \"de\" or \"en-GB\".", text()),
            optional("time_zone", "Where times without an offset are, such as \"Europe/Berlin\".", text()),
            optional("currency", "The currency of amounts without one, such as \"EUR\".", text()),
        ]
    };
    let types = ["text", "memo", "html", "integer", "decimal", "float", "currency", "boolean", "date-time", "ticket"];
    let field = |own: Vec<Property>| {
        let mut keys = vec![
            required("name", "Its name: small letters, digits and hyphens.", text()),
            optional("description", "What it is, for readers.", text()),
            optional("type", "What its text is read as; not given: text.", words(types)),
            optional("required", "Whether a message without it is told.", truth()),
            optional("default", "What it is in a message that does not have it.", json!({})),
        ];
        keys.extend(reading());
        keys.extend(own);
        table(keys)
    };
    let from =
        || required("from", "Where it is looked for: a field of every message, or \"subject-and-body\".", text());
    let searched = field(vec![
        from(),
        optional("check_for", "A text: the field says whether it occurs.", text()),
        optional("pattern", "A regular expression: its group is the value.", text()),
        optional("after", "A text: the value stands after it.", text()),
        optional("before", "A text: the value stands before it.", text()),
        optional("at", "The character that the value starts at, counted from 0.", whole(0, None)),
        optional("length", "How many characters it has.", whole(0, None)),
    ]);
    let captured = field(vec![optional("group", "The group of the pattern; not given: that of its name.", text())]);
    let mut pattern = vec![
        optional("description", "What it is, for readers.", text()),
        from(),
        required("pattern", "A regular expression with named groups.", text()),
        required("field", "The fields that its groups fill.", list(&captured)),
    ];
    pattern.extend(reading());
    let mut keys = vec![
        optional("field", "Fields that look for themselves.", list(&searched)),
        optional("pattern", "Patterns that fill several fields.", list(&table(pattern))),
        tests("The fields that it gets, by name.", json!({ "type": "object" })),
    ];
    keys.extend(reading());
    table(keys)
}

/// Rules of the plugin `statements`.
pub(super) fn statements() -> Value {
    let nested = || json!({ "$ref": "#/$defs/statement" });
    let mut steps: Vec<Value> = verbs().iter().map(action).collect();
    steps.push(nested());
    let steps = any_of(&steps);
    let branch = table(vec![
        required("if", "The condition.", text()),
        required("then", "What is done if it holds.", json!({ "$ref": "#/$defs/steps" })),
    ]);
    let statement = table(vec![
        optional("name", "Its name, for reports.", text()),
        optional("if", "The condition, such as `subject contains \"invoice\"`; without one it always holds.", text()),
        required("then", "What is done if it holds, in order.", json!({ "$ref": "#/$defs/steps" })),
        optional("else_if", "What is looked at if it does not, in order.", list(&branch)),
        optional("else", "What is done if none of them holds.", json!({ "$ref": "#/$defs/steps" })),
        optional("stop", "Whether the statements behind it are skipped once it has done something.", truth()),
    ]);
    let step = json!({ "type": ["object", "string"] });
    let expect = any_of(&[list(&step)]);
    let mut whole = table(vec![
        optional("statement", "Statements, top to bottom.", list(&nested())),
        tests("The actions that it comes to: verbs, or tables with `do` and some arguments.", expect),
    ]);
    if let Some(whole) = whole.as_object_mut() {
        whole.insert("$defs".to_owned(), json!({ "statement": statement, "steps": list(&steps) }));
    }
    whole
}

/// `{ do = "VERB", … }`.
fn action(verb: &Verb) -> Value {
    let mut keys = vec![required("do", verb.summary, words([verb.name]))];
    keys.extend(verb.arguments.iter().map(argument));
    table(keys)
}

fn argument(argument: &Argument) -> Property {
    // Whatever the type, a text can stand for it: one with macros, or the name of a field.
    let form = match argument.kind {
        ValueType::Boolean => any_of(&[text(), truth()]),
        ValueType::Integer => any_of(&[text(), json!({ "type": "integer" })]),
        ValueType::Decimal | ValueType::Currency => any_of(&[text(), json!({ "type": "number" })]),
        ValueType::Text | ValueType::DateTime | ValueType::Html => text(),
    };
    Property { is_required: argument.required, ..optional(argument.name, argument.summary, form) }
}

/// `classes.toml`.
pub(super) fn classes() -> Value {
    let common = || {
        let number = table(vec![
            required("prefix", "What a number starts with.", text()),
            optional("digits", "How many digits it has at least.", whole(1, None)),
        ]);
        vec![
            optional("number", "What the numbers of tickets look like.", number),
            optional("statuses", "Where a ticket can stand, in the order of its life.", list(&text())),
            optional("initial", "The status of a new ticket.", text()),
            optional("terminal", "The statuses in which its life is over.", list(&text())),
            optional("reopen", "The status that `reopen` sets; not given: `initial`.", text()),
        ]
    };
    let mut class = vec![required("name", "Its name.", text())];
    class.extend(common());
    let mut keys = common();
    keys.push(required("class", "The classes.", list(&table(class))));
    table(keys)
}

/// Cases of a plugin's project: tests of whatever world.
pub(super) fn cases() -> Value {
    table(vec![tests("What the plugin makes of it: the text that is left, the fields, or the actions.", json!({}))])
}

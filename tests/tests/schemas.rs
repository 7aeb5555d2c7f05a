//! `mailmill schema`: a validator that is not ours takes every file that is shipped, and refuses what the program refuses.

use anyhow::{Context, Result, ensure};
use jsonschema::Validator;
use mailmill_tests::{Installation, target};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The schemas that the program prints, by kind.
struct Schemas(BTreeMap<&'static str, Validator>);

const KINDS: [&str; 11] = [
    "settings",
    "job",
    "pipeline",
    "preprocess",
    "languages",
    "fields",
    "statements",
    "classes",
    "cases",
    "plugin",
    "report",
];

impl Schemas {
    fn printed(installation: &Installation) -> Result<Self> {
        let validator = |kind: &'static str| {
            let printed = installation.mailmill(&["schema", kind])?.success()?.stdout;
            let schema: Value = serde_json::from_str(&printed)?;
            jsonschema::meta::validate(&schema).map_err(|error| anyhow::anyhow!("{kind} is no schema: {error}"))?;
            Ok((kind, jsonschema::validator_for(&schema).map_err(|error| anyhow::anyhow!("{kind}: {error}"))?))
        };
        KINDS.into_iter().map(validator).collect::<Result<_>>().map(Self)
    }

    /// What is wrong with a file of that kind, by its schema.
    fn faults(&self, kind: &str, instance: &Value) -> Result<Vec<String>> {
        let validator = self.0.get(kind).context("a kind that there is not")?;
        Ok(validator.iter_errors(instance).map(|error| format!("{} at {}", error, error.instance_path())).collect())
    }

    fn takes(&self, kind: &str, name: &Path, text: &str) -> Result<()> {
        let faults = self.faults(kind, &toml(text)?)?;
        ensure!(faults.is_empty(), "{} is no {kind}: {faults:#?}", name.display());
        Ok(())
    }

    fn refuses(&self, kind: &str, text: &str) -> Result<()> {
        ensure!(!self.faults(kind, &toml(text)?)?.is_empty(), "as {kind}, this was taken: {text}");
        Ok(())
    }
}

/// TOML as an editor's language server hands it to a validator: dates are texts.
fn toml(text: &str) -> Result<Value> {
    Ok(json(&toml::from_str::<toml::Value>(text)?))
}

fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(truth) => Value::from(*truth),
        toml::Value::Datetime(at) => Value::from(at.to_string()),
        toml::Value::Array(items) => items.iter().map(json).collect(),
        toml::Value::Table(entries) => entries.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn toml_files(folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path)?;
            files.push((path, text));
        }
    }
    ensure!(!files.is_empty(), "{} has no files", folder.display());
    Ok(files)
}

/// A line that is commented out because it is not set, set.
fn all_set(example: &str) -> String {
    let is_setting = |line: &str| {
        line.split_once(" = ").is_some_and(|(key, _)| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
    };
    let line = |line: &str| match line.strip_prefix("# ").filter(|rest| is_setting(rest)) {
        Some(rest) => format!("{rest}\n"),
        None => format!("{line}\n"),
    };
    example.lines().map(line).collect()
}

#[test]
fn every_shipped_file_is_taken() -> Result<()> {
    let installation = Installation::new()?;
    let schemas = Schemas::printed(&installation)?;
    let rules = repository().join("rules");
    let whole = [
        ("pipeline", "pipeline.toml"),
        ("languages", "languages.toml"),
        ("fields", "fields.toml"),
        ("classes", "classes.toml"),
    ];
    for (kind, name) in whole {
        let path = rules.join(name);
        schemas.takes(kind, &path, &std::fs::read_to_string(&path)?)?;
    }
    for (kind, folder) in [("preprocess", "preprocess"), ("statements", "statements")] {
        for (path, text) in toml_files(&rules.join(folder))? {
            schemas.takes(kind, &path, &text)?;
        }
    }
    for (kind, arguments) in [("settings", &["config", "example"][..]), ("job", &["config", "example", "--job"])] {
        let example = installation.mailmill(arguments)?.success()?.stdout;
        schemas.takes(kind, Path::new("the example"), &example)?;
        schemas.takes(kind, Path::new("the example, with all that is not set"), &all_set(&example))?;
    }
    for world in ["extractor", "preprocessor", "processor"] {
        installation.mailmill(&["plugin", "new", world, "--lang", "rust", "--world", world])?.success()?;
        for (kind, file) in [("plugin", "plugin.toml"), ("cases", "cases/first.toml")] {
            let path = format!("{world}/{file}");
            schemas.takes(kind, Path::new(&path), &installation.read(&path)?)?;
        }
    }
    Ok(())
}

#[test]
fn what_the_program_refuses_is_refused() -> Result<()> {
    let schemas = Schemas::printed(&Installation::new()?)?;
    schemas.refuses("settings", "ruels = \"rules\"")?;
    schemas.refuses("settings", "[plugin_limits]\ndeadline_ms = 0")?;
    schemas.refuses("settings", "[log]\nformat = \"yaml\"")?;
    schemas.refuses("job", "[source]\ntype = \"imap\"\nhost = \"mail.example.org\"")?;
    schemas.refuses("job", "[source]\ntype = \"gopher\"\npath = \"mail\"")?;
    schemas.refuses("job", "[schedule]\nevery = \"5m\"")?;
    schemas.refuses("pipeline", "[[step]]\nname = \"a\"\nhop = \"preproces\"\nplugin = \"reply\"")?;
    schemas.refuses("preprocess", "[[rule]]\nname = \"a\"\nkind = \"qoute\"\npattern = \"x\"")?;
    schemas.refuses("preprocess", "find = [\"atribution\"]")?;
    schemas.refuses("languages", "[de]\natribution = []")?;
    schemas.refuses("fields", "[[field]]\nname = \"a\"")?;
    schemas.refuses("fields", "[[field]]\nname = \"a\"\nfrom = \"subject\"\ntype = \"number\"")?;
    schemas.refuses("statements", "[[statement]]\nname = \"a\"\nthen = [{ do = \"creat-ticket\" }]")?;
    schemas.refuses("statements", "[[statement]]\nname = \"a\"\nthen = [{ do = \"ignore\", raeson = \"x\" }]")?;
    schemas.refuses("statements", "[[statement]]\nname = \"a\"\nif = \"x is blank\"")?;
    schemas.refuses("classes", "[[class]]\nnmae = \"incident\"")?;
    schemas.refuses("cases", "[[test]]\nname = \"a\"")?;
    schemas.refuses("plugin", "name = \"a\"\nlanguage = \"cobol\"\nworld = \"extractor\"")?;
    schemas.refuses("report", "revision = \"1\"")
}

#[test]
fn the_reports_of_all_samples_are_as_published() -> Result<()> {
    let installation = Installation::new()?;
    let schemas = Schemas::printed(&installation)?;
    installation.add_folder_job("desk")?;
    let mut samples = 0;
    for entry in std::fs::read_dir(repository().join("xtask/samples"))? {
        std::fs::copy(entry?.path(), installation.path(&format!("mail/{samples}.eml")))?;
        samples += 1;
    }
    installation.mailmill(&["run", "--once"])?.success()?;
    for receipt in 1..=samples {
        let printed = installation.mailmill(&["log", "--message", &receipt.to_string(), "--json"])?.success()?.stdout;
        let report: Value = serde_json::from_str(&printed)?;
        let faults = schemas.faults("report", &report)?;
        ensure!(faults.is_empty(), "the report of receipt {receipt}: {faults:#?}\n{printed}");
    }
    let message = installation.path("mail/0.eml");
    let tried = installation.mailmill(&["try", &message.display().to_string(), "--json"])?.success()?.stdout;
    let tried: Value = serde_json::from_str(&tried)?;
    let faults = schemas.faults("report", tried.get("report").context("`try --json` has no report")?)?;
    ensure!(faults.is_empty() && samples > 10, "{faults:#?}");
    Ok(())
}

#[test]
fn all_schemas_are_written_to_a_folder() -> Result<()> {
    let installation = Installation::new()?;
    let said = installation.mailmill(&["schema", "--write", "schemas"])?.success()?.stdout;
    assert_eq!(said, "wrote 11 schemas to schemas\n");
    for kind in KINDS {
        let text = installation.read(&format!("schemas/{kind}.schema.json"))?;
        assert_eq!(text, installation.mailmill(&["schema", kind])?.success()?.stdout, "{kind}");
    }
    let listed = installation.mailmill(&["schema"])?.success()?.stdout;
    ensure!(KINDS.iter().all(|kind| listed.contains(kind)), "{listed}");
    Ok(())
}

/// The language server of many editors, in the npm registry; `cargo xtask test` gets it.
const TAPLO: &str = "web/node_modules/.bin/taplo";

/// What an editor would mark in the files of the installation: the exit code, and what it says.
fn marked(installation: &Installation) -> Result<(bool, String)> {
    let checked = std::process::Command::new(target().join(TAPLO))
        .args(["check", "--colors", "never"])
        .current_dir(installation.path("."))
        .output()
        .context("cannot run taplo")?;
    Ok((checked.status.success(), String::from_utf8_lossy(&checked.stderr).into_owned()))
}

#[test]
fn an_editor_checks_each_file_by_its_schema() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("desk")?;
    let set_up = || installation.shell("mailmill schema --editor")?.success();
    let said = set_up()?.stdout;
    assert_eq!(
        said,
        "wrote 11 schemas to schemas\nwrote .taplo.toml: editors with taplo complete and check the files in this folder now\n"
    );
    let (sound, said) = marked(&installation)?;
    ensure!(sound, "{said}");
    // That it was not for want of looking: a key that there is not, in a file of each kind.
    let files = [
        "mailmill.toml",
        "jobs/desk.toml",
        "rules/pipeline.toml",
        "rules/preprocess/gmail.toml",
        "rules/languages.toml",
        "rules/fields.toml",
        "rules/statements/10-default.toml",
        "rules/classes.toml",
    ];
    for file in files {
        installation.write(file, &format!("unheard_of = 1\n{}", installation.read(file)?))?;
    }
    let (sound, said) = marked(&installation)?;
    ensure!(!sound && said.contains("'unheard_of' was unexpected"), "{said}");
    for file in files {
        ensure!(said.contains(&format!("{file}:1:1")), "{file} is not marked: {said}");
    }
    // A second time, what is there stays, and another's configuration too.
    ensure!(set_up()?.stdout.ends_with(".taplo.toml names them already\n"));
    installation.write(".taplo.toml", "[formatting]\n")?;
    let said = set_up()?.stdout;
    ensure!(
        said.contains(".taplo.toml is there and stays as it is; add to it:") && said.contains("**/jobs/*.toml"),
        "{said}"
    );
    assert_eq!(installation.read(".taplo.toml")?, "[formatting]\n");
    Ok(())
}

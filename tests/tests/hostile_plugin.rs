//! A preprocessor that never comes to an end, in one job, beside another job of the same daemon.

use anyhow::{Context, Result};
use mailmill_tests::records::quarantine;
use mailmill_tests::{Daemon, Installation, messages, target};
use serde_json::Value;

const STEP: &str = "\n[[step]]\nname = \"hostile\"\nhop = \"preprocess\"\nplugin = \"misbehave\"\nrules = \"hostile.toml\"\n\
                    recommended = false\n";
const RULES: &str = "rules/hostile.toml";
/// What is set in this test: so many faults in a row, and so much time for each.
const FAULTS_MAX: usize = 3;
const LIMITS: &str = "\n[plugin_limits]\nfaults_max = 3\ndeadline_ms = 250\n";

struct Scene {
    installation: Installation,
    daemon: Daemon,
    sent: usize,
}

impl Scene {
    fn start() -> Result<Self> {
        let installation = Installation::new()?;
        let component = target().join("test-plugins/misbehave.wasm");
        std::fs::copy(component, installation.path("plugins/misbehave.wasm")).context("run `cargo xtask plugins`")?;
        installation.write("rules/pipeline.toml", &(installation.read("rules/pipeline.toml")? + STEP))?;
        installation.write(RULES, "does = \"loop\"\n")?;
        installation.write("mailmill.toml", &(installation.read("mailmill.toml")? + LIMITS))?;
        for (job, steps) in [("attacked", "[\"hostile\"]"), ("quiet", "\"recommended\"")] {
            installation.write(&format!("mail-{job}/.keep"), "")?;
            let path = installation.path(&format!("mail-{job}"));
            let source = format!("[source]\ntype = \"folder\"\npath = '{}'\nsettle_ms = 100\n", path.display());
            let rest = format!("[schedule]\nevery = \"1s\"\n[preprocess]\nsteps = {steps}\napply_to = \"all\"\n");
            installation.write(&format!("jobs/{job}.toml"), &(source + &rest))?;
        }
        let mut daemon = Daemon::start(&installation, &[])?;
        daemon.wait_for("the start", 0, |line| line.contains("mailmill is running"))?;
        Ok(Self { installation, daemon, sent: 0 })
    }

    /// Sends a message to each job, and gives the warnings of both reports.
    fn send(&mut self) -> Result<[Vec<String>; 2]> {
        self.sent += 1;
        let skip = self.daemon.log_length();
        let message = messages::request(self.sent, "ann@client.example");
        let jobs = ["attacked", "quiet"];
        for job in jobs {
            self.installation.write(&format!("mail-{job}/{}.eml", self.sent), &message)?;
        }
        for job in jobs {
            let handled = |line: &str| line.contains("message handled") && line.contains(job);
            let line = self.daemon.wait_for("the message handled", skip, handled)?;
            assert!(line.contains("accepted"), "a faulty preprocessor costs a message nothing: {line}");
        }
        let [attacked, quiet] = jobs.map(|job| self.warnings(job));
        Ok([attacked?, quiet?])
    }

    fn json(&self, arguments: &[&str]) -> Result<Value> {
        Ok(serde_json::from_str(&self.installation.mailmill(arguments)?.success()?.stdout)?)
    }

    /// The warnings in the report of the job's latest message.
    fn warnings(&self, job: &str) -> Result<Vec<String>> {
        let sessions = self.json(&["log", "--job", job, "--json"])?;
        let session = sessions.pointer("/0/id").context("no session")?.to_string();
        let receipts = self.json(&["log", &session, "--json"])?;
        let last = receipts.as_array().and_then(|receipts| receipts.last()).context("no receipt")?;
        let report = self.json(&["log", "--message", &last["id"].to_string(), "--json"])?;
        let warnings =
            report.get("warnings").and_then(serde_json::Value::as_array).context("no warnings in the report")?;
        Ok(warnings.iter().filter_map(|warning| warning.as_str().map(str::to_owned)).collect())
    }

    /// What `plugin list` says of suspended steps, in words and as JSON.
    fn suspended(&self) -> Result<(String, Value)> {
        let told = self.installation.mailmill(&["plugin", "list"])?.success()?.stdout;
        let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("suspended")).collect();
        let rows = self.json(&["plugin", "list", "--json"])?;
        let row = rows.as_array().and_then(|rows| rows.iter().find(|row| row["file"] == "misbehave.wasm"));
        Ok((lines.join("\n"), row.context("no row")?["suspended"].clone()))
    }

    fn change(&mut self, file: &str, text: &str) -> Result<()> {
        let skip = self.daemon.log_length();
        self.installation.write(file, text)?;
        self.daemon.wait_for("the change", skip, |line| line.contains("new rules are in force")).map(drop)
    }
}

#[test]
fn a_hostile_plugin_is_named_then_suspended_until_it_changes() -> Result<()> {
    let mut scene = Scene::start()?;
    for _ in 0..FAULTS_MAX {
        let [attacked, quiet] = scene.send()?;
        let told =
            "step \"hostile\": it took longer than 250 ms and was stopped (limit `deadline_ms`); its cuts were dropped";
        assert_eq!((attacked, quiet), (vec![told.to_owned()], Vec::new()));
    }
    let skip = 0;
    let line = scene.daemon.wait_for("the warning", skip, |line| line.contains("a step is left out"))?;
    assert!(line.contains("WARN") && line.contains("hostile") && line.contains("misbehave"), "{line}");

    let told = "step \"hostile\": it is suspended until the plugin \"misbehave\" or the step's rules change, because it has \
                failed 3 times in a row; the last time it took longer than 250 ms and was stopped (limit `deadline_ms`)";
    let [attacked, quiet] = scene.send()?;
    assert_eq!((attacked, quiet), (vec![told.to_owned()], Vec::new()));

    // Other rules that change do not let it off.
    let statements = "rules/statements/10-default.toml";
    scene.change(statements, &(scene.installation.read(statements)? + "# A comment.\n"))?;
    assert_eq!(scene.send()?[0], [told]);
    let (words, json) = scene.suspended()?;
    assert!(words.contains("step \"hostile\": it is suspended until the plugin \"misbehave\""), "{words}");
    assert_eq!((&json[0]["step"], &json[0]["faults"]), (&"hostile".into(), &3.into()), "{json}");

    scene.change(RULES, "pattern = \"This is\"\n")?;
    assert_eq!(scene.send()?, [Vec::<String>::new(), Vec::new()], "it has changed, and is called again");
    // The store is told once a second.
    mailmill_tests::wait_until("the list", || {
        Ok((scene.suspended()? == (String::new(), Value::Array(Vec::new()))).then_some(()))
    })?;
    assert!(scene.daemon.terminate()?.success(), "{}", scene.daemon.log());
    Ok(())
}

#[test]
fn a_fault_that_a_message_cannot_do_without_is_its_own_alone() -> Result<()> {
    let installation = Installation::new()?;
    std::fs::copy(target().join("test-plugins/subject.wasm"), installation.path("plugins/subject.wasm"))
        .context("run `cargo xtask plugins`")?;
    let shipped = "name = \"fields\"\nhop = \"extract\"\nplugin = \"fields\"\nrules = \"fields.toml\"\n";
    installation.edit(
        "rules/pipeline.toml",
        shipped,
        "name = \"fragile\"\nhop = \"extract\"\nplugin = \"subject\"\n",
    )?;
    installation.write("mailmill.toml", &(installation.read("mailmill.toml")? + LIMITS))?;
    installation.add_folder_job("folder")?;
    // More of them in a row than suspend a preprocessor.
    for number in 0..2 * FAULTS_MAX {
        let bad = messages::request(number, "eve@client.example");
        let bad = bad.replace(&format!("Subject: Request {number}"), "Subject: Panic, please");
        installation.write(&format!("mail/{number}.eml"), &bad)?;
    }
    installation.write("mail/9.eml", &messages::request(9, "ann@client.example"))?;
    let run = installation.mailmill(&["run", "--once"])?.success()?;
    assert_eq!(run.stderr.matches("accepted").count(), 1, "{}", run.stderr);
    let waiting = quarantine(&installation)?;
    assert_eq!(waiting.len(), 2 * FAULTS_MAX, "{waiting:#?}");
    assert!(waiting.iter().all(|entry| entry.cause.contains("it panicked: asked to panic")), "{waiting:#?}");
    let shown = installation.mailmill(&["quarantine", "show", &waiting[0].id])?.success()?.stdout;
    assert!(shown.contains("fragile"), "the step is named: {shown}");
    Ok(())
}

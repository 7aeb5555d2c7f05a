//! A preprocessor that never comes to an end, in one job, beside another job of the same daemon.

use anyhow::{Context, Result};
use mailmill_tests::records::quarantine;
use mailmill_tests::{Daemon, Installation, messages, target};
use serde_json::Value;

const STEP: &str = "\n[[step]]\nname = \"hostile\"\nhop = \"preprocess\"\nplugin = \"misbehave\"\nrules = \"hostile.toml\"\n\
                    recommended = false\n";
const PLUGIN: &str = "plugins/misbehave.wasm";
const SENDER: &str = "ann@client.example";
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
    /// A daemon with these limits. The job `attacked` finds so many messages at its start.
    fn start(limits: &str, waiting: usize) -> Result<Self> {
        let installation = Installation::new()?;
        let component = target().join("test-plugins/misbehave.wasm");
        std::fs::copy(component, installation.path(PLUGIN)).context("run `cargo xtask plugins`")?;
        installation.write("rules/pipeline.toml", &(installation.read("rules/pipeline.toml")? + STEP))?;
        installation.write(RULES, "does = \"loop\"\n")?;
        installation.write("mailmill.toml", &(installation.read("mailmill.toml")? + limits))?;
        for (job, steps) in [("attacked", "[\"hostile\"]"), ("quiet", "\"recommended\"")] {
            installation.write(&format!("mail-{job}/.keep"), "")?;
            let path = installation.path(&format!("mail-{job}"));
            let source = format!("[source]\ntype = \"folder\"\npath = '{}'\nsettle_ms = 100\n", path.display());
            let rest = format!("[schedule]\nevery = \"1s\"\n[preprocess]\nsteps = {steps}\napply_to = \"all\"\n");
            installation.write(&format!("jobs/{job}.toml"), &(source + &rest))?;
        }
        for number in 1..=waiting {
            installation.write(&format!("mail-attacked/{number}.eml"), &messages::request(number, SENDER))?;
        }
        let mut daemon = Daemon::start(&installation, &[])?;
        daemon.wait_for("the start", 0, |line| line.contains("mailmill is running"))?;
        Ok(Self { installation, daemon, sent: waiting })
    }

    /// Sends a message to each job, and gives the warnings of both reports.
    fn send(&mut self) -> Result<[Vec<String>; 2]> {
        self.sent += 1;
        let skip = self.daemon.log_length();
        let message = messages::request(self.sent, SENDER);
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
        self.wait_for_rules(skip)
    }

    /// Another plugin in the place of the hostile one, that does the same.
    fn replace_plugin(&mut self) -> Result<()> {
        let (skip, beside) = (self.daemon.log_length(), self.installation.path("plugins/.new"));
        let mut component = std::fs::read(self.installation.path(PLUGIN))?;
        // A custom section, which has no meaning: its kind, its size, and its name with the size of that.
        component.extend_from_slice(b"\x00\x04\x03new");
        std::fs::write(&beside, component)?;
        std::fs::rename(beside, self.installation.path(PLUGIN))?;
        self.wait_for_rules(skip)
    }

    fn wait_for_rules(&mut self, skip: usize) -> Result<()> {
        self.daemon.wait_for("the change", skip, |line| line.contains("new rules are in force")).map(drop)
    }
}

const STOPPED: &str =
    "step \"hostile\": it took longer than 250 ms and was stopped (limit `deadline_ms`); its cuts were dropped";

#[test]
fn a_hostile_plugin_is_named_then_suspended_until_it_changes() -> Result<()> {
    let mut scene = Scene::start(LIMITS, 0)?;
    for _ in 0..FAULTS_MAX {
        assert_eq!(scene.send()?, [vec![STOPPED.to_owned()], Vec::new()]);
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

    scene.replace_plugin()?;
    for _ in 0..FAULTS_MAX {
        assert_eq!(scene.send()?[0], [STOPPED], "another plugin is called again, as often as the first one was");
    }
    assert_eq!(scene.send()?[0], [told], "and is no better");

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
fn neighbours_of_a_hostile_plugin_do_not_wait_until_it_is_done() -> Result<()> {
    // It takes 25 seconds of both workers for the first job's mail, and is never suspended.
    const WAITING: usize = 200;
    const QUIET: usize = 5;
    let limits = "\n[plugin_limits]\nfaults_max = 100000\ndeadline_ms = 250\n\n[limits]\nworkers = 2\n";
    let mut scene = Scene::start(limits, WAITING)?;
    let handled = |line: &str, job: &str| line.contains("message handled") && line.contains(job);
    scene.daemon.wait_for("the first message", 0, |line| handled(line, "attacked"))?;
    for number in 1..=QUIET {
        scene.installation.write(&format!("mail-quiet/{number}.eml"), &messages::request(number, SENDER))?;
    }
    let log = mailmill_tests::wait_until("the neighbour's messages", || {
        let log = scene.daemon.log();
        Ok((log.lines().filter(|line| handled(line, "quiet")).count() == QUIET).then_some(log))
    })?;
    assert!(log.lines().any(|line| line.contains("fetching") && line.contains("quiet")), "{log}");
    // From when the neighbour has mail on, jobs take turns; otherwise all of the other job's mail would come first.
    let since = log.lines().skip_while(|line| !(line.contains("fetching") && line.contains("quiet")));
    let between = since.filter(|line| handled(line, "attacked")).count();
    assert!(between < WAITING / 4, "{between} messages of the other job came first:\n{log}");
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

//! Files changed under the running daemon: what is sound takes effect, what is not changes nothing.

use anyhow::{Context, Result};
use mailmill_tests::records::{receipts, tickets};
use mailmill_tests::{Daemon, Installation, messages};

const STATEMENTS: &str = "rules/statements/10-default.toml";
const PIPELINE: &str = "rules/pipeline.toml";
const TAKEN: &str = "new rules are in force";
const NOT_TAKEN: &str = "the rules are not taken";

/// A daemon on a folder of mail, and how many messages it was given.
struct Scene {
    installation: Installation,
    daemon: Daemon,
    sent: usize,
}

impl Scene {
    fn start(installation: Installation) -> Result<Self> {
        installation.add_folder_job("folder")?;
        let mut daemon = Daemon::start(&installation, &[])?;
        daemon.wait_for("the start", 0, |line| line.contains("mailmill is running"))?;
        Ok(Self { installation, daemon, sent: 0 })
    }

    /// Drops a message into the folder and waits until it is handled.
    fn send(&mut self) -> Result<()> {
        self.sent += 1;
        let skip = self.daemon.log_length();
        let message = messages::request(self.sent, "ann@client.example");
        self.installation.write(&format!("mail/{}.eml", self.sent), &message)?;
        self.daemon.wait_for("the message handled", skip, |line| line.contains("message handled")).map(drop)
    }

    /// Makes a change and waits for what the daemon says to it.
    fn change(&mut self, expect: &str, change: impl FnOnce(&Installation) -> Result<()>) -> Result<()> {
        let skip = self.daemon.log_length();
        change(&self.installation)?;
        self.daemon.wait_for(expect, skip, |line| line.contains(expect)).map(drop)
    }

    /// Ends the daemon and gives the revision that each message ran on, in the order of sending.
    fn revisions(&mut self) -> Result<Vec<String>> {
        assert!(self.daemon.terminate()?.success(), "{}", self.daemon.log());
        Ok(receipts(&self.installation)?.into_iter().map(|receipt| receipt.revision).collect())
    }
}

#[test]
fn a_rule_file_edited_broken_and_mended() -> Result<()> {
    let installation = Installation::new()?;
    let shipped = installation.read(STATEMENTS)?;
    let class = |name: &str| {
        shipped.replace("\"create-ticket\", class = \"incident\"", &format!("\"create-ticket\", class = \"{name}\""))
    };
    let mut scene = Scene::start(installation)?;

    scene.send()?;
    scene.change(TAKEN, |files| files.write(STATEMENTS, &class("problem")))?;
    scene.send()?;
    scene.change(NOT_TAKEN, |files| files.write(STATEMENTS, &format!("{shipped}\n[[statement]\n")))?;
    scene.send()?;
    scene.change(TAKEN, |files| files.write(STATEMENTS, &class("change-request")))?;
    scene.send()?;

    let revisions = scene.revisions()?;
    let [first, second, third, fourth] = revisions.as_slice() else { panic!("not four receipts: {revisions:?}") };
    assert_ne!(first, second, "an edit makes a new revision");
    assert_eq!(second, third, "a broken file leaves the revision in force");
    assert_ne!(third, fourth, "the mended file makes another");
    let classes: Vec<_> = tickets(&scene.installation)?.into_iter().map(|ticket| ticket.class).collect();
    assert_eq!(classes, ["incident", "problem", "problem", "change-request"]);
    Ok(())
}

#[test]
fn a_change_taken_back_is_the_revision_of_before() -> Result<()> {
    let installation = Installation::new()?;
    let shipped = installation.read(STATEMENTS)?;
    let mut scene = Scene::start(installation)?;
    scene.send()?;
    scene.change(TAKEN, |files| files.write(STATEMENTS, &format!("{shipped}# A comment.\n")))?;
    scene.send()?;
    scene.change(TAKEN, |files| files.write(STATEMENTS, &shipped))?;
    scene.send()?;

    let revisions = scene.revisions()?;
    let [first, second, third] = revisions.as_slice() else { panic!("not three receipts: {revisions:?}") };
    assert_ne!(first, second);
    assert_eq!(first, third);
    Ok(())
}

#[test]
fn a_plugin_dropped_in_and_then_a_broken_one() -> Result<()> {
    let installation = Installation::new()?;
    let shipped = installation.read(PIPELINE)?;
    let own = "\n[[step]]\nname = \"own\"\nhop = \"preprocess\"\nplugin = \"own\"\n";
    let component = std::fs::read(installation.path("plugins/reply.wasm"))?;
    let mut scene = Scene::start(installation)?;
    let plugin = |files: &Installation, bytes: &[u8]| -> Result<()> {
        std::fs::write(files.path("plugins/.own.new"), bytes)?;
        std::fs::rename(files.path("plugins/.own.new"), files.path("plugins/own.wasm")).context("cannot drop it in")
    };

    scene.send()?;
    scene.change(TAKEN, |files| {
        plugin(files, &component)?;
        files.write(PIPELINE, &format!("{shipped}{own}"))
    })?;
    scene.send()?;
    scene.change(NOT_TAKEN, |files| plugin(files, b"this is no plugin"))?;
    scene.send()?;
    assert!(scene.daemon.log().contains("own.wasm"), "the log names the broken file:\n{}", scene.daemon.log());

    let revisions = scene.revisions()?;
    let [first, second, third] = revisions.as_slice() else { panic!("not three receipts: {revisions:?}") };
    assert_ne!(first, second, "the plugin is part of the revision");
    assert_eq!(second, third, "the broken one changes nothing");
    Ok(())
}

#[test]
fn rules_and_jobs_come_into_force_together() -> Result<()> {
    let installation = Installation::new()?;
    let mut scene = Scene::start(installation)?;
    let job = scene.installation.read("jobs/folder.toml")?.replace("\"recommended\"", "[\"gmail\"]");
    scene.change("the job starts with new settings", |files| files.write("jobs/folder.toml", &job))?;

    let renamed = scene.installation.read(PIPELINE)?.replace("name = \"gmail\"", "name = \"google\"");
    scene.change(NOT_TAKEN, |files| files.write(PIPELINE, &renamed))?;
    let fault = "folder.toml:10:10: pipeline.toml has no preprocess step \"gmail\"";
    assert!(
        scene.daemon.log().contains(fault),
        "the log says which job would lose which step:\n{}",
        scene.daemon.log()
    );
    scene.send()?;

    // With the job changed as well, both suit each other and are taken.
    let job = job.replace("[\"gmail\"]", "[\"google\"]");
    scene.change("the job starts with new settings", |files| files.write("jobs/folder.toml", &job))?;
    assert!(scene.daemon.log().contains(TAKEN), "{}", scene.daemon.log());
    scene.send()?;

    let revisions = scene.revisions()?;
    let [first, second] = revisions.as_slice() else { panic!("not two receipts: {revisions:?}") };
    assert_ne!(first, second, "the first message ran on the rules before");
    Ok(())
}

#[test]
fn settings_changed_while_running_are_checked() -> Result<()> {
    let installation = Installation::new()?;
    let mut scene = Scene::start(installation)?;
    let settings = scene.installation.read("mailmill.toml")?;
    let change =
        |scene: &mut Scene, expect: &str, text: &str| scene.change(expect, |files| files.write("mailmill.toml", text));
    change(&mut scene, "the settings have errors: the next start will fail", &format!("{settings}\n[limit]\n"))?;
    change(&mut scene, "the settings are again what is in force", &settings)?;
    let other = format!("{settings}\n[limits]\nworkers = 1\n");
    change(&mut scene, "they come into force at the next start", &other)
}

#[test]
fn a_job_added_under_the_running_daemon_starts() -> Result<()> {
    let installation = Installation::new()?;
    let mut scene = Scene::start(installation)?;
    scene.change("the job starts with new settings", |files| {
        files.write("other/1.eml", &messages::request(1, "bob@client.example"))?;
        files.write("jobs/other.toml", "[source]\ntype = \"folder\"\npath = \"../other\"\n")
    })?;
    scene.daemon.wait_for("its message", 0, |line| line.contains("message handled") && line.contains("other"))?;
    Ok(())
}

//! Everything that pages let people do, done with a mouse in a real browser: tickets, what is held, what is sent, the log, rules,
//! plugins, people.

use super::scene::{PASSWORD, Scene, block_on};
use anyhow::{Context, Result, ensure};
use mailmill_tests::browser::Browser;
use mailmill_tests::messages;
use std::net::TcpListener;

/// The file of rules that is changed.
const FILE: &str = "rules/preprocess/gmail.toml";
/// Answers every new request.
const ANSWERS: &str = "[[statement]]\nname = \"all\"\nif = 'ticket is blank'\nthen = [{ do = \"create-ticket\", class = \"incident\" }, { do = \"notify\", text = \"We have it.\" }]\n\
                       else = [{ do = \"comment\" }]\n";

/// A desk with a ticket, an answer that nobody takes, and a stranger's words about the ticket.
fn desk(port: u16) -> Result<Scene> {
    Scene::with_strangers(|installation| {
        installation.write("rules/statements/10-default.toml", ANSWERS)?;
        let settings = installation.read("mailmill.toml")?;
        let smtp = format!(
            "[smtp]\nserver = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"\nfrom = \"desk@desk.example\"\n"
        );
        installation.write("mailmill.toml", &format!("{settings}\n{smtp}"))
    })
}

#[test]
fn what_mail_has_become_is_worked_on() -> Result<()> {
    // A port where nobody listens any more.
    let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let scene = desk(nobody)?;
    block_on(async {
        let browser = Browser::start().await?;
        scene.enter(&browser).await?;
        tickets(&browser, &scene).await?;
        quarantine(&browser, &scene).await?;
        outbox(&browser, &scene).await?;
        log(&browser, &scene).await?;
        job(&browser, &scene).await?;
        browser.end().await
    })
}

async fn tickets(browser: &Browser, scene: &Scene) -> Result<()> {
    browser.open(&scene.at("/tickets")).await?;
    browser.press("T00001").await?;
    browser.write("text", "Looked into it.").await?;
    browser.choose("visibility", "public").await?;
    browser.choose("status", "resolved").await?;
    browser.press("Record").await?;
    browser.see("Looked into it.").await?;
    browser.see("resolved").await?;
    browser.choose("status", "closed").await?;
    browser.press("Record").await?;
    browser.see("closed").await?;
    browser.open(&scene.at("/tickets")).await?;
    browser.choose("status", "closed").await?;
    browser.see("T00001").await?;
    Ok(())
}

async fn quarantine(browser: &Browser, scene: &Scene) -> Result<()> {
    // One that is released becomes a ticket of its own, one that is dropped is recorded as rejected.
    browser.open(&scene.at("/quarantine")).await?;
    browser.press("1").await?;
    browser.see("mallory@evil.example").await?;
    browser.choose("others", "new-ticket").await?;
    browser.press("Release: run it again on the rules in force").await?;
    browser.see("What happened, step by step").await?;
    browser.see("T00002").await?;
    browser.open(&scene.at("/quarantine/2")).await?;
    browser.press("Drop").await?;
    browser.answer(false).await?;
    browser.press("Drop").await?;
    browser.answer(true).await?;
    browser.see("Nothing is in quarantine.").await?;
    Ok(())
}

async fn outbox(browser: &Browser, scene: &Scene) -> Result<()> {
    // Two answers wait for a server that takes them, the latest first.
    browser.open(&scene.at("/outbox")).await?;
    browser.choose("state", "waiting").await?;
    browser.see("ann@client.example").await?;
    browser.press("Try now").await?;
    browser.see("It is tried again at once.").await?;
    browser.press_last("Drop").await?;
    browser.see("It is dropped, and will not be sent.").await?;
    let left = browser.text().await?;
    ensure!(left.contains("mallory@evil.example") && !left.contains("ann@client.example"), "{left}");
    Ok(())
}

async fn log(browser: &Browser, scene: &Scene) -> Result<()> {
    // How long the log is kept, one session less, and all of it.
    browser.open(&scene.at("/log")).await?;
    browser.press("Change for how long they are kept").await?;
    browser.write("days", "7").await?;
    browser.press("Save").await?;
    browser.see("Sessions are kept for 7 days.").await?;
    browser.choose("outcome", "accepted").await?;
    browser.see("with accepted messages").await?;
    browser.open(&scene.at("/log/1")).await?;
    browser.see("Request 1").await?;
    browser.press("Delete this session").await?;
    browser.answer(true).await?;
    browser.see("Incoming mail").await?;
    browser.open(&scene.at("/log/1")).await?;
    browser.see("Not found").await?;
    browser.open(&scene.at("/tickets/T00001")).await?;
    browser.see("Looked into it.").await.context("tickets stay")?;
    browser.open(&scene.at("/log")).await?;
    browser.press("Clear the log").await?;
    browser.keys("#days", "\u{e009}a").await?;
    browser.keys("#days", "0").await?;
    browser.press("Clear").await?;
    browser.open(&scene.at("/log/2")).await?;
    browser.see("Not found").await?;
    Ok(())
}

async fn job(browser: &Browser, scene: &Scene) -> Result<()> {
    // A job rests, runs, and goes.
    browser.open(&scene.at("/jobs/folder")).await?;
    browser.press("Pause").await?;
    browser.see("paused by admin").await?;
    browser.press("Resume").await?;
    browser.see("Pause").await?;
    browser.press("Delete this job").await?;
    browser.write("confirm", "folder").await?;
    browser.press("Delete").await?;
    browser.see("There is no job yet").await?;
    ensure!(!scene.installation.path("jobs/folder.toml").exists());
    Ok(())
}

#[test]
fn rules_plugins_and_people_are_changed() -> Result<()> {
    let mut scene = Scene::start(|installation| {
        installation.add_folder_job("folder")?;
        installation.write("mail/1.eml", &messages::reply(1, "ann@client.example"))
    })?;
    scene.daemon.wait_for("the message", 0, |line| line.contains("message handled"))?;
    let original = scene.installation.read(FILE)?;
    block_on(async {
        let browser = Browser::start().await?;
        scene.enter(&browser).await?;
        steps(&browser, &scene).await?;
        files(&browser, &scene, &original).await?;
        own_rule(&browser, &scene).await?;
        revisions(&browser, &scene, &original).await?;
        trial(&browser, &scene).await?;
        plugins(&browser, &scene).await?;
        people(&browser, &scene).await?;
        browser.end().await
    })
}

async fn steps(browser: &Browser, scene: &Scene) -> Result<()> {
    // A step is switched off and on, dragged, and looked into.
    browser.open(&scene.at("/jobs/folder/steps")).await?;
    browser.press_spoken("Switch off: outlook").await?;
    browser.see("Switch on").await?;
    browser.press_spoken("Switch on: outlook").await?;
    browser.press_spoken("Up: outlook").await?;
    browser.press("gmail").await?;
    browser.see("TOML").await?;
    Ok(())
}

async fn files(browser: &Browser, scene: &Scene, original: &str) -> Result<()> {
    // A mistake is shown where it is, and nothing is saved; what is sound is, with its difference shown before.
    browser.keys("#text", "\n[[rule]]\npattern = '('\n").await?;
    browser.press("Save").await?;
    browser.see("gmail.toml:").await?;
    ensure!(scene.installation.read(FILE)? == original);
    browser.open(&scene.at("/rules/file?path=preprocess/gmail.toml")).await?;
    browser.keys("#text", "\n# Looked through.\n").await?;
    browser.press("Check and show the difference").await?;
    browser.see("+# Looked through.").await?;
    ensure!(scene.installation.read(FILE)? == original);
    browser.press("Save").await?;
    browser.see("Saved. The").await?;
    ensure!(scene.installation.read(FILE)?.contains("# Looked through."));
    Ok(())
}

async fn own_rule(browser: &Browser, scene: &Scene) -> Result<()> {
    // A rule of one's own.
    browser.open(&scene.at("/rules/new")).await?;
    for (name, value) in [("name", "zebras"), ("summary", "Cuts stripes"), ("pattern", "(?m)^Zebra.*$")] {
        browser.write(name, value).await?;
    }
    browser.write("message", "From: ann@client.example\nSubject: Zoo\n\nIt works.\n\nZebra crossing\n").await?;
    browser.press("Try it").await?;
    browser.see("Your rule matches once.").await?;
    browser.press("Save").await?;
    browser.see("The rule is made.").await?;
    ensure!(scene.installation.path("rules/preprocess/zebras.toml").exists());
    Ok(())
}

async fn revisions(browser: &Browser, scene: &Scene, original: &str) -> Result<()> {
    // What changed, by whom, and the way back.
    browser.open(&scene.at("/revisions")).await?;
    let seen = browser.text().await?;
    ensure!(seen.matches("Go back to it").count() == 2, "{seen}");
    browser.press("Show the difference").await?;
    browser.see("+name = \"zebras\"").await?;
    browser.open(&scene.at("/revisions")).await?;
    browser.press_last("Go back to it").await?;
    browser.press("Put these files back").await?;
    browser.see("The files are put back").await?;
    ensure!(scene.installation.read(FILE)? == original);
    Ok(())
}

async fn trial(browser: &Browser, scene: &Scene) -> Result<()> {
    // A message on edited rules.
    browser.open(&scene.at("/messages/1")).await?;
    browser.press("Source").await?;
    browser.see("In-Reply-To:").await?;
    browser.open(&scene.at("/messages/1")).await?;
    browser.press("Try it again on edited rules").await?;
    browser.press("Edit it beside this message").await?;
    browser.press("Try the text above on it").await?;
    browser.see("What is struck through would be gone").await?;
    browser.open(&scene.at("/try")).await?;
    browser.write("message", "From: ann@client.example\nSubject: Zoo\n\nIt works.\n").await?;
    browser.press("Try it").await?;
    browser.see("would be accepted").await?;
    Ok(())
}

async fn plugins(browser: &Browser, scene: &Scene) -> Result<()> {
    browser.open(&scene.at("/plugins")).await?;
    browser.press_spoken("Suspend: gmail").await?;
    browser.see("by admin").await?;
    browser.press_spoken("Resume: gmail").await?;
    browser.press("reply").await?;
    browser.see("What it may ask the host for").await?;
    Ok(())
}

async fn people(browser: &Browser, scene: &Scene) -> Result<()> {
    // People and tokens, and what was done.
    browser.open(&scene.at("/settings")).await?;
    browser.press("Add somebody, or change a password").await?;
    browser.keys("#user-name", "vera").await?;
    browser.keys("#user-password", PASSWORD).await?;
    browser.press("Save").await?;
    browser.see("vera").await?;
    browser.press("Make a token").await?;
    browser.keys("#token-name", "a report").await?;
    browser.press("Make").await?;
    browser.see("It is shown this once").await?;
    browser.press_spoken("Revoke a report").await?;
    browser.see("There is no token.").await?;
    browser.press_spoken("Remove vera").await?;
    browser.answer(true).await?;
    browser.see("remove-user").await?;
    for done in ["rollback", "suspend-step", "resume-step", "make-token", "revoke-token", "set-user"] {
        browser.see(done).await?;
    }
    Ok(())
}

//! Rules in the browser: who changed them, how they differ, the way back; plugins and the steps that run them.

use super::scene::{PASSWORD, Scene, block_on, log_in, token, until};
use anyhow::{Context, Result, ensure};
use http::Method;
use mailmill_tests::web::Web;
use mailmill_tests::{messages, wait_until};

const FILE: &str = "rules/preprocess/gmail.toml";

/// What stands in a page between two texts.
fn between<'a>(page: &'a str, before: &str, after: &str) -> Result<&'a str> {
    let found = page.split(before).nth(1).and_then(|rest| rest.split(after).next());
    found.with_context(|| format!("{before:?} in {page}"))
}

#[test]
fn earlier_rules_are_compared_and_come_back() -> Result<()> {
    let scene = Scene::start(|installation| installation.add_folder_job("folder"))?;
    block_on(async {
        let admin = log_in(&scene).await?;
        let original = scene.installation.read(FILE)?;
        let page = admin.get("/revisions").await?.text;
        let first = between(&page, "/revisions/difference", "in force</span>")?;
        let first = between(first, "<code>", "</code>")?.to_owned();

        let changed = format!("# Mended in the browser.\n{original}");
        let fields = [("path", "preprocess/gmail.toml"), ("before", &original), ("text", &changed), ("what", "save")];
        ensure!(admin.submit("/rules", "/rules/file", &fields).await?.status == 303);
        until(&admin, "/revisions", "<td>admin</td>").await.context("who changed them")?;
        let differ = admin.get(&format!("/revisions/difference?from={first}&to=now")).await?.text;
        ensure!(differ.contains("<ins>+# Mended in the browser.</ins>"), "{differ}");

        // A viewer compares, and changes nothing.
        let viewer = [("name", "vera"), ("role", "viewer"), ("password", PASSWORD)];
        ensure!(admin.submit("/settings", "/settings/users", &viewer).await?.status == 303);
        let stranger = Web::new(&scene.address);
        let entered = stranger.post("/login", &[("name", "vera"), ("password", PASSWORD)]).await?;
        let vera = stranger.with_cookie_of(&entered)?;
        let page = vera.get("/revisions").await?.text;
        ensure!(page.contains(&first) && !page.contains("Go back to it"), "{page}");
        let confirmation = format!("/revisions/rollback?to={first}");
        ensure!(vera.get(&confirmation).await?.status == 403);
        ensure!(vera.submit("/jobs", "/revisions/rollback", &[("to", &first)]).await?.status == 403);

        // What is put back is what was looked at.
        let page = admin.get(&confirmation).await?.text;
        ensure!(page.contains("<del>-# Mended in the browser.</del>") && page.contains("1 file in"), "{page}");
        let seen = between(&page, "name=\"seen\" value=\"", "\"")?.to_owned();
        scene.installation.write(FILE, &format!("# By hand.\n{changed}"))?;
        let stale = admin.submit(&confirmation, "/revisions/rollback", &[("to", &first), ("seen", &seen)]).await?;
        ensure!(stale.status == 422 && stale.text.contains("have changed meanwhile"), "{stale:?}");
        scene.installation.write(FILE, &changed)?;
        let done = admin.submit(&confirmation, "/revisions/rollback", &[("to", &first), ("seen", &seen)]).await?;
        ensure!(done.status == 303, "{done:?}");
        ensure!(scene.installation.read(FILE)? == original);
        until(&admin, "/rules", &first).await?;
        ensure!(admin.get("/settings").await?.text.contains("rollback"));

        // From rules with errors, too, there is a way back; scripts take it with a token.
        scene.installation.write(FILE, "nonsense")?;
        let script = Web::new(&scene.address).with_token(&token(&admin, "a script", "admin").await?);
        let answer = script.get(&format!("/api/v1/revisions/difference?from={first}&to=now")).await?;
        ensure!(answer.status == 200 && answer.text.contains("+nonsense"), "{answer:?}");
        let answer = script.send(Method::POST, &format!("/api/v1/revisions/{first}/rollback"), "").await?;
        ensure!(answer.status == 200 && answer.text == "{\"changed\":true}", "{answer:?}");
        ensure!(scene.installation.read(FILE)? == original);
        let again = script.send(Method::POST, &format!("/api/v1/revisions/{first}/rollback"), "").await?;
        ensure!(again.text == "{\"changed\":false}", "{again:?}");
        let revisions = script.get("/api/v1/revisions").await?.text;
        ensure!(revisions.contains(&first) && revisions.contains("\"changed_by\":\"admin\""), "{revisions}");
        Ok(())
    })
}

#[test]
fn a_step_rests_until_it_is_resumed() -> Result<()> {
    let mut scene = Scene::start(|installation| installation.add_folder_job("folder"))?;
    block_on(async {
        let admin = log_in(&scene).await?;
        let seen = admin.get("/plugins/reply").await?.text;
        for expected in ["mailmill:rules/edit", "cut", "Hash (SHA-256)", "granted reuse", "MiB of memory"] {
            ensure!(seen.contains(expected), "{expected}: {seen}");
        }
        ensure!(admin.get("/plugins/none").await?.status == 404);
        ensure!(admin.submit("/plugins", "/plugins/steps/gmail/suspend", &[]).await?.status == 303);
        let page = admin.get("/plugins").await?.text;
        ensure!(page.contains("admin has suspended it") && page.contains("Resume: gmail"), "{page}");
        ensure!(admin.submit("/plugins", "/plugins/steps/statements/suspend", &[]).await?.status == 404);

        scene.installation.write("mail/1.eml", &messages::reply(1, "ann@client.example"))?;
        scene.daemon.wait_for("the message", 0, |line| line.contains("message handled"))?;
        let message = admin.get("/messages/1").await?.text;
        ensure!(message.contains("admin has suspended it"), "{message}");
        // The daemon tells others of it once a second.
        let listed = wait_until("the command line to know it", || {
            let listed = scene.installation.mailmill(&["plugin", "list"])?.success()?.stdout;
            Ok(listed.contains("step \"gmail\": admin has suspended it").then_some(listed))
        });
        listed?;

        let script = Web::new(&scene.address).with_token(&token(&admin, "a script", "admin").await?);
        let plugin = script.get("/api/v1/plugins/reply").await?.text;
        ensure!(plugin.contains("\"by\":\"admin\"") && plugin.contains("deadline_ms"), "{plugin}");
        let resumed = script.send(Method::POST, "/api/v1/steps/gmail/resume", "").await?;
        ensure!(resumed.text == "{\"changed\":true}", "{resumed:?}");
        ensure!(admin.get("/plugins").await?.text.contains("Suspend: gmail"));
        scene.installation.write("mail/2.eml", &messages::reply(2, "ann@client.example"))?;
        scene.daemon.wait_for("the other", 0, |line| line.contains("message handled") && line.contains("2.eml"))?;
        ensure!(!admin.get("/messages/2").await?.text.contains("has suspended it"));
        Ok(())
    })
}

#[test]
fn rules_are_tried_as_they_are_edited() -> Result<()> {
    let mut scene = Scene::start(|installation| {
        installation.add_folder_job("folder")?;
        installation.write("mail/1.eml", &messages::reply(1, "ann@client.example"))
    })?;
    scene.daemon.wait_for("the message", 0, |line| line.contains("message handled"))?;
    let message = "From: ann@client.example\nSubject: Zoo\n\nThe lamp works.\n\nZebra crossing below\n";
    block_on(async {
        let admin = log_in(&scene).await?;
        // The rules that a job runs, on a message that was received, whatever becomes of it.
        let steps = admin.get("/jobs/folder/steps").await?.text;
        ensure!(steps.contains("<option value=\"1\">"), "{steps}");
        let fields = [("job", "folder"), ("cleaning", "yes"), ("receipt", "1"), ("message", "")];
        let tried = admin.submit("/try", "/try", &fields).await?.text;
        ensure!(tried.contains("<del class=\"cut quote\""), "{tried}");
        let page = admin.get("/messages/1").await?.text;
        ensure!(page.contains("/try?receipt=1#edited"), "{page}");
        let opened = [("what", "open"), ("path", "preprocess/gmail.toml"), ("message", message)];
        let opened = admin.submit("/try?receipt=1", "/rules/file", &opened).await?.text;
        ensure!(opened.contains("Zebra crossing below") && opened.contains("gmail_quote"), "{opened}");

        // A rule that is not saved.
        let original = scene.installation.read(FILE)?;
        let rule =
            "[[rule]]\nname = 'striped'\nkind = 'signature'\npattern = '(?m)^Zebra.*$'\ncut = 'match'\n\n[[test]]";
        let edited = original.replacen("[[test]]", rule, 1);
        let base = [("path", "preprocess/gmail.toml"), ("before", &*original), ("message", message), ("what", "try")];
        let with = |text| -> Vec<(&str, &str)> { base.into_iter().chain([("text", text)]).collect() };
        let tried = admin.submit("/rules", "/rules/file", &with(&edited)).await?;
        ensure!(tried.status == 200, "{tried:?}");
        let cut = "<del class=\"cut signature\" title=\"signature, cut by gmail: striped\">Zebra crossing below";
        ensure!(tried.text.contains(cut), "{}", tried.text);
        let tried = admin.submit("/rules", "/rules/file", &with(&original)).await?.text;
        ensure!(!tried.contains("<del") && tried.contains("No rule wants anything cut."), "{tried}");
        let broken = admin.submit("/rules", "/rules/file", &with("[[rule]]\npattern = '('\n")).await?;
        ensure!(broken.status == 422 && broken.text.contains("gmail.toml"), "{broken:?}");
        ensure!(scene.installation.read(FILE)? == original);

        // One of one's own: off until a job switches it on.
        let own = [
            ("name", "zebras"),
            ("summary", "Cuts stripes"),
            ("pattern", r"(?m)^Zebra.*$"),
            ("cut", "match"),
            ("kind", "other"),
        ];
        let with =
            |what| -> Vec<(&str, &str)> { own.into_iter().chain([("what", what), ("message", message)]).collect() };
        let tried = admin.submit("/rules/new", "/rules/new", &with("try")).await?.text;
        ensure!(tried.contains("other, cut by zebras: zebras"), "{tried}");
        ensure!(!scene.installation.path("rules/preprocess/zebras.toml").exists());
        let saved = admin.submit("/rules/new", "/rules/new", &with("save")).await?;
        ensure!(saved.status == 303, "{saved:?}");
        ensure!(scene.installation.read("rules/preprocess/zebras.toml")?.contains(r#""(?m)^Zebra.*$""#));
        let page = until(&admin, "/jobs/folder/steps", "Switch on: zebras").await?;
        ensure!(page.contains("Cuts stripes"), "{page}");
        let again = admin.submit("/rules/new", "/rules/new", &with("save")).await?;
        ensure!(again.status == 422 && again.text.contains("zebras"), "{again:?}");
        new_statements(&scene, &admin).await
    })
}

/// What a new file of statements begins with is sound, as it is offered.
async fn new_statements(scene: &Scene, admin: &Web) -> Result<()> {
    let page = admin.get("/processing").await?.text;
    let path = between(&page, "required pattern=\"statements/[0-9a-z-]+[.]toml\" value=\"", "\"")?;
    let page = admin.get(&format!("/rules/file?new=true&path={path}")).await?.text;
    let text = between(&page, "spellcheck=\"false\">", "</textarea>")?;
    let text = text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">");
    let fields = [("path", path), ("text", &*text), ("what", "save")];
    let saved = admin.submit("/rules", "/rules/file", &fields).await?;
    ensure!(saved.status == 303, "{saved:?}");
    ensure!(scene.installation.read(&format!("rules/{path}"))? == text);
    let again = admin.submit("/rules", "/rules/file", &fields).await?;
    ensure!(again.status == 409, "one that is there is not written over: {again:?}");
    Ok(())
}

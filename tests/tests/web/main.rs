//! The web admin in a real browser: a newcomer's first minutes, every page on every width, hostile mail opened, and who may do what.

mod actions;
mod https;
mod jobs;
mod pages;
mod rules;
mod scene;
mod scripts;
mod viewers;

use anyhow::{Context, Result, ensure};
use mailmill_tests::browser::Browser;
use mailmill_tests::web::Web;
use mailmill_tests::{Dovecot, messages, target};
use scene::{Scene, block_on, log_in, token};

#[test]
fn a_newcomer_makes_a_job_and_reads_what_became_of_the_mail() -> Result<()> {
    let server = Dovecot::start()?;
    server.mailbox("ann")?.deliver(&messages::request(1, "ann@client.example"))?;
    let scene = Scene::start(|_| Ok(()))?;
    block_on(async {
        let browser = Browser::start().await?;
        scene.enter(&browser).await?;
        browser.see("There is no job yet").await?;

        browser.press("New job").await?;
        for (name, value) in [("name", "support"), ("host", "127.0.0.1"), ("user", "ann"), ("secret", "wrong")] {
            browser.write(name, value).await?;
        }
        browser.write("port", &server.imap.to_string()).await?;
        browser.choose("security", "none").await?;
        // Pieces of the form come without a new page: what is typed stays.
        browser.write("secret", Dovecot::PASSWORD).await?;
        browser.press("Browse mailboxes").await?;
        browser.see("Mailboxes to watch").await?;
        browser.press("Show the next ten runs").await?;
        browser.see("every 5m").await?;
        browser.press("Test connection").await?;
        browser.see("These settings work. They are not saved yet.").await?;
        browser.write("every", "never").await?;
        browser.press("Create").await?;
        browser.see("`every`").await?;
        browser.write("every", "1s").await?;
        // What was typed has stayed, the password too.
        let typed = browser.script("return document.getElementById('secret').value", Vec::new()).await?;
        ensure!(typed == Dovecot::PASSWORD, "{typed}");
        browser.write("secret", "wrong").await?;
        browser.press("Create").await?;
        browser.see("The job is made").await?;
        browser.see("No preprocessing rule is on").await?;

        browser.press("Test connection").await?;
        browser.press("Test connection").await?;
        browser.see("authentication, ").await?;
        browser.see("failed").await?;
        browser.press("Back to the job").await?;
        browser.press("Edit").await?;
        browser.write("secret", Dovecot::PASSWORD).await?;
        browser.press("Save").await?;
        browser.see("Job support").await?;
        browser.press("Test connection").await?;
        browser.press("Test connection").await?;
        browser.see("The settings of job support work.").await?;
        let file = scene.installation.read("jobs/support.toml")?;
        ensure!(file.contains("# A job of mailmill") && !file.contains(Dovecot::PASSWORD), "{file}");

        // Its mail was there before the job, and is passed over; what comes now is not.
        browser.press("Back to the job").await?;
        browser.see("nothing new").await?;
        server.mailbox("ann")?.deliver(&messages::request(2, "ann@client.example"))?;
        browser.press("Run now").await?;
        browser.open(&scene.at("/tickets")).await?;
        for _ in 0..50 {
            if browser.text().await?.contains("T00001") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            browser.open(&scene.at("/tickets")).await?;
        }
        browser.press("T00001").await.with_context(|| scene.daemon.log())?;
        browser.see("ann@client.example").await?;
        browser.open(&scene.at("/log")).await?;
        browser.see("support").await?;

        move_a_step(&browser, &scene).await?;
        browser.end().await
    })
}

/// With keys alone: past the menu, to a step, and down with it.
async fn move_a_step(browser: &Browser, scene: &Scene) -> Result<()> {
    browser.open(&scene.at("/jobs/support/steps")).await?;
    browser.press("Switch on all that are recommended").await?;
    browser.see("Switch off").await?;
    browser.keys("body", "\u{e004}\u{e007}").await?;
    let focused = browser.script("return document.activeElement.id", Vec::new()).await?;
    ensure!(focused == "content", "the first key leads past the menu: {focused}");
    browser.keys("[aria-label=\"Down: forwards\"]", "\u{e007}").await?;
    browser.see("Up").await?;
    // What was pressed has the focus again, so that the next key moves it on.
    browser.focused("[aria-label=\"Down: forwards\"]").await?;
    let order = scene.installation.read("jobs/support.toml")?;
    let place = |step: &str| order.find(&format!("\"{step}\"")).context("a step in the file");
    ensure!(place("gmail")? < place("forwards")?, "{order}");
    Ok(())
}

/// What asks an API for all that its description promises; `cargo xtask test` gets it from the Python package index.
const SCHEMATHESIS: &str = "web/venv/bin/schemathesis";

#[test]
fn the_api_answers_as_it_is_described() -> Result<()> {
    let mut scene = Scene::start(|installation| {
        installation.add_folder_job("folder")?;
        installation.write("mail/1.eml", &messages::request(1, "ann@client.example"))
    })?;
    scene.daemon.wait_for("the message", 0, |line| line.contains("message handled"))?;
    let mut header = String::new();
    block_on(async {
        let admin = log_in(&scene).await?;
        header = format!("Authorization: Bearer {}", token(&admin, "all of it", "admin").await?);
        Ok(())
    })?;
    // Whether a text makes a job, or a name is one of a status, is more than a schema can say: such is answered with 422.
    let accepted = "[checks.positive_data_acceptance]\nexpected-statuses = [\"2xx\", \"401\", \"403\", \"404\", \"409\", \"422\"]\n";
    scene.installation.write("schemathesis.toml", accepted)?;
    let output = std::process::Command::new(target().join(SCHEMATHESIS))
        .args(["run", "--max-examples", "20", "--seed", "1", "--header", &header])
        .arg(scene.at("/api/v1/openapi.json"))
        .current_dir(scene.installation.path("."))
        .output()
        .context("schemathesis: cargo xtask test gets it")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && said.contains("54 selected"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

#[test]
fn who_is_not_let_in_sees_and_does_nothing() -> Result<()> {
    let scene = Scene::start(|installation| installation.add_folder_job("folder"))?;
    block_on(async {
        let stranger = Web::new(&scene.address);
        for path in [
            "/jobs",
            "/log",
            "/messages/1",
            "/messages/1/raw",
            "/tickets",
            "/settings",
            "/rules/file?path=classes.toml",
        ] {
            let answer = stranger.get(path).await?;
            ensure!(answer.status == 303 && answer.headers["location"] == "/login", "{path}: {answer:?}");
        }
        for path in ["/api/v1/jobs", "/api/v1/tickets", "/api/v1/messages/1"] {
            ensure!(stranger.get(path).await?.status == 401, "{path}");
        }
        ensure!(stranger.get("/setup?token=guessed").await?.status == 422);

        let admin = log_in(&scene).await?;
        let page = admin.get("/jobs").await?;
        let policy = page.headers["content-security-policy"].to_str()?;
        ensure!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        // The link is used up.
        ensure!(stranger.get(scene.link.trim_start_matches(&scene.address)).await?.status == 422);

        // A form that was not made for this login.
        for fields in [&[][..], &[("csrf", "")], &[("csrf", "AAAA")]] {
            let answer = admin.post("/jobs/folder/pause", fields).await?;
            ensure!(answer.status == 403, "{answer:?}");
        }
        ensure!(!admin.get("/jobs").await?.text.contains("paused by"));
        ensure!(admin.submit("/jobs", "/jobs/folder/pause", &[]).await?.status == 303);
        ensure!(admin.get("/jobs").await?.text.contains("paused by admin"));

        // A viewer looks, and changes nothing.
        let viewer = [("name", "vera"), ("role", "viewer"), ("password", "another long password")];
        ensure!(admin.submit("/settings", "/settings/users", &viewer).await?.status == 303);
        let answer = stranger.post("/login", &[("name", "vera"), ("password", "another long password")]).await?;
        let vera = stranger.with_cookie_of(&answer)?;
        ensure!(vera.get("/jobs").await?.status == 200);
        for path in ["/jobs/folder/resume", "/jobs/folder/delete", "/settings/tokens", "/log/clear", "/jobs/new"] {
            ensure!(vera.submit("/jobs", path, &[("name", "x")]).await?.status == 403, "{path}");
        }
        ensure!(!vera.get("/settings").await?.text.contains("Tokens of the API"));

        // Files outside of the rules are none.
        for path in ["../mailmill.toml", "/etc/passwd", "preprocess/../../mailmill.toml", "../jobs/folder.toml"] {
            let answer = admin.get(&format!("/rules/file?path={path}")).await?;
            ensure!(answer.status == 404, "{path}: {answer:?}");
        }

        // What was written last is what counts: a file that has changed meanwhile is not overwritten.
        let before = scene.installation.read("jobs/folder.toml")?;
        scene.installation.write("jobs/folder.toml", &format!("# by hand\n{before}"))?;
        let fields = [("before", before.as_str()), ("text", &format!("# in the browser\n{before}"))];
        let answer = admin.submit("/jobs", "/jobs/folder/file", &fields).await?;
        ensure!(answer.status == 409 && answer.text.contains("has changed meanwhile"), "{answer:?}");
        ensure!(scene.installation.read("jobs/folder.toml")?.starts_with("# by hand"));

        // Logged out is logged out.
        admin.submit("/jobs", "/logout", &[]).await?;
        ensure!(admin.get("/jobs").await?.status == 303);

        // Who guesses waits.
        let mut statuses = Vec::new();
        for _ in 0..7 {
            statuses.push(
                stranger.post("/login", &[("name", "admin"), ("password", "a guess of mine")]).await?.status.as_u16(),
            );
        }
        ensure!(statuses == [401, 401, 401, 401, 401, 401, 429], "{statuses:?}");
        Ok(())
    })
}

#[test]
fn scripts_do_with_a_token_what_people_do() -> Result<()> {
    let mut scene = Scene::start(|installation| {
        installation.add_folder_job("folder")?;
        installation.write("mail/1.eml", &messages::request(1, "ann@client.example"))
    })?;
    scene.daemon.wait_for("the message", 0, |line| line.contains("message handled"))?;
    block_on(async {
        let admin = log_in(&scene).await?;
        let with = async |name: &str, role: &str| -> Result<Web> {
            Ok(Web::new(&scene.address).with_token(&token(&admin, name, role).await?))
        };
        let (reader, writer) = (with("a report", "viewer").await?, with("a script", "admin").await?);
        let json = async |path: &str| -> Result<serde_json::Value> {
            let answer = reader.get(path).await?;
            ensure!(answer.status == 200 && answer.headers["content-type"] == "application/json", "{path}: {answer:?}");
            Ok(serde_json::from_str(&answer.text)?)
        };
        assert_eq!(json("/api/v1/jobs").await?[0]["name"], "folder");
        assert_eq!(json("/api/v1/tickets").await?[0]["number"], "T00001");
        assert_eq!(
            json("/api/v1/tickets/T00001").await?["requester"].as_str().map(|it| it.contains("ann@")),
            Some(true)
        );
        let session = json("/api/v1/sessions").await?[0]["id"].clone();
        assert_eq!(json(&format!("/api/v1/sessions/{session}/messages")).await?[0]["outcome"], "accepted");
        assert_eq!(json("/api/v1/messages/1").await?["report"]["revision"], json("/api/v1/rules").await?["revision"]);
        ensure!(reader.send(http::Method::POST, "/api/v1/jobs/folder/pause", "").await?.status == 403);
        ensure!(writer.send(http::Method::POST, "/api/v1/jobs/folder/pause", "").await?.status == 200);
        assert_eq!(json("/api/v1/jobs/folder").await?["paused_by"], "a script");
        let answers = [
            ("/api/v1/jobs/none", 404),
            ("/api/v1/messages/x", 400),
            ("/api/v1/sessions?limit=0", 400),
            ("/api/v1/none", 404),
        ];
        for (path, status) in answers {
            let answer = reader.get(path).await?;
            ensure!(answer.status == status && answer.text.starts_with("{\"error\":"), "{path}: {answer:?}");
        }
        // Each call that is served is described, and the other way round.
        let described = json("/api/v1/openapi.json").await?;
        let paths: Vec<&String> = described["paths"].as_object().context("paths")?.keys().collect();
        assert_eq!(paths.len(), 45, "{paths:?}");
        ensure!(admin.get("/settings").await?.text.contains("pause-job"), "what a script did is written down");
        Ok(())
    })
}

#[test]
fn a_desk_of_its_own_is_enough_to_live_with() -> Result<()> {
    let scene = Scene::with_strangers(|_| Ok(()))?;
    block_on(async {
        let admin = log_in(&scene).await?;
        let page = "/tickets/T00001";
        let change =
            [("key", "once"), ("text", "<b>Looked</b> into it"), ("visibility", "internal"), ("status", "closed")];
        // Pressed twice, it is done once.
        for _ in 0..2 {
            let answer = admin.submit(page, "/tickets/T00001/change", &change).await?;
            ensure!(answer.status == 303, "{answer:?}");
        }
        let ticket = admin.get(page).await?.text;
        assert_eq!(ticket.matches("&lt;b&gt;Looked&lt;/b&gt; into it").count(), 1, "{ticket}");
        ensure!(ticket.contains("badge calm\">closed") && ticket.contains(">internal<"), "{ticket}");
        let nothing = [("key", "again"), ("text", " "), ("status", "closed")];
        ensure!(admin.submit(page, "/tickets/T00001/change", &nothing).await?.status == 422);

        let held = admin.get("/quarantine").await?.text;
        ensure!(held.contains("mallory@evil.example") && held.contains("/quarantine/2"), "{held}");
        let kept = admin.submit("/quarantine/1", "/quarantine/1/drop", &[]).await?;
        ensure!(kept.status == 303, "{kept:?}");
        let again = admin.submit("/jobs", "/quarantine/1/release", &[]).await?;
        ensure!(again.status == 422 && again.text.contains("released already"), "{again:?}");
        let released = admin.submit("/quarantine/2", "/quarantine/2/release", &[("others", "new-ticket")]).await?;
        ensure!(released.status == 303, "{released:?}");
        ensure!(admin.get("/tickets").await?.text.contains("T00002"));
        ensure!(admin.get("/quarantine").await?.text.contains("Nothing is in quarantine."));
        let done = admin.get("/settings").await?.text;
        for what in ["change-ticket", "drop-quarantined", "release"] {
            ensure!(done.contains(what), "{what}: {done}");
        }
        Ok(())
    })
}

//! A job's form: what it shows of the server and the schedule before anything is saved, and what it writes.

use super::scene::{Scene, block_on, log_in, until};
use anyhow::{Result, ensure};
use mailmill_tests::web::Web;
use mailmill_tests::{DeviceAnswer, Dovecot, TokenServer};

#[test]
fn what_is_filled_in_is_tried_before_it_is_saved() -> Result<()> {
    let server = Dovecot::start()?;
    server.mailbox("ann")?.command("CREATE Support")?;
    let scene = Scene::start(|_| Ok(()))?;
    let port = server.imap.to_string();
    let job = [("name", "support"), ("host", "127.0.0.1"), ("port", &*port), ("user", "ann"), ("security", "none")];
    let with = |more: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> {
        let defaults = [("type", "imap"), ("authentication", "password"), ("reject", "yes")];
        more.iter().copied().chain(job).chain(defaults).collect()
    };
    block_on(async {
        let admin = log_in(&scene).await?;
        let post = async |fields: &[(&str, &str)]| admin.submit("/jobs/new", "/jobs/new", fields).await;

        // The mailboxes that there are, with those marked that are chosen.
        let page =
            post(&with(&[("what", "folders"), ("secret", Dovecot::PASSWORD), ("mailbox", "inbox, Elsewhere")])).await?;
        let marked = "type=\"checkbox\" name=\"mailbox\" value=\"INBOX\" checked";
        let other = "type=\"checkbox\" name=\"mailbox\" value=\"Support\">";
        ensure!(page.text.contains(marked) && page.text.contains(other), "{}", page.text);
        ensure!(page.text.contains("name=\"mailbox\" value=\"Elsewhere\""), "what is not listed stays: {}", page.text);
        let empty = "name=\"secret\" type=\"password\" autocomplete=\"new-password\" aria-describedby=\"secret-hint\">";
        ensure!(page.text.contains(empty), "a password is never sent back: {}", page.text);
        let wrong = post(&with(&[("what", "folders"), ("secret", "wrong"), ("mailbox", "INBOX")])).await?.text;
        ensure!(wrong.contains("role=\"alert\"") && wrong.contains("refuses"), "{wrong}");
        let pop3 = post(&with(&[("what", "folders"), ("type", "pop3")])).await?.text;
        ensure!(pop3.contains("POP3 knows one mailbox only"), "{pop3}");

        // The next runs of what is filled in, whatever else is missing.
        let runs = post(&[
            ("what", "runs"),
            ("at", "08:00, 17:30"),
            ("days", "mon"),
            ("days", ""),
            ("time_zone", "Asia/Tokyo"),
        ])
        .await?;
        ensure!(runs.text.matches("<li><time").count() == 10 && runs.text.contains("T23:00:00Z"), "{}", runs.text);
        ensure!(runs.text.contains("on the clock of Asia/Tokyo"), "{}", runs.text);
        ensure!(runs.text.contains("name=\"days\" value=\"mon\" checked"), "{}", runs.text);
        let never = post(&[("what", "runs"), ("every", "never")]).await?.text;
        ensure!(never.contains("role=\"alert\"") && never.contains("`every`"), "{never}");

        let tested =
            post(&with(&[("what", "test"), ("secret", Dovecot::PASSWORD), ("mailbox", "Support")])).await?.text;
        ensure!(tested.contains("These settings work. They are not saved yet."), "{tested}");
        ensure!(!scene.installation.path("jobs/support.toml").exists());

        let several = [("secret", Dovecot::PASSWORD), ("mailbox", "INBOX"), ("mailbox", "Support"), ("mailbox", "")];
        let made = post(&with(&several)).await?;
        ensure!(made.status == 303, "{made:?}");
        let file = scene.installation.read("jobs/support.toml")?;
        ensure!(file.contains("mailbox = [\"INBOX\", \"Support\"]") && !file.contains("oauth"), "{file}");
        let kept = scene.installation.read("jobs/support.password")?;
        ensure!(kept == Dovecot::PASSWORD, "{kept}");

        // SPA, and what is kept is tried too.
        let spa = with(&[("authentication", "ntlm"), ("mailbox", "INBOX"), ("existing_mail", "handle")]);
        ensure!(admin.submit("/jobs/support/edit", "/jobs/support/edit", &spa).await?.status == 303);
        let file = scene.installation.read("jobs/support.toml")?;
        ensure!(file.contains("authentication = \"ntlm\"") && file.contains("existing_mail = \"handle\""), "{file}");
        let tested = with(&[("what", "test"), ("authentication", "password"), ("mailbox", "INBOX")]);
        let tested = admin.submit("/jobs/support/edit", "/jobs/support/edit", &tested).await?.text;
        ensure!(tested.contains("These settings work."), "{tested}");

        own_certificate(&admin, &scene, &with(&[("security", "tls"), ("mailbox", "INBOX")])).await?;

        // Which messages are cleaned, and of what.
        let scope = [("what", "scope"), ("kind", "quote"), ("kind", "signature"), ("apply_to", "all")];
        ensure!(admin.submit("/jobs/support/steps", "/jobs/support/steps", &scope).await?.status == 303);
        let file = scene.installation.read("jobs/support.toml")?;
        ensure!(file.contains("kinds = [\"quote\", \"signature\"]") && file.contains("apply_to = \"all\""), "{file}");
        Ok(())
    })
}

/// A certificate of its own, and days of several kinds.
async fn own_certificate(admin: &Web, scene: &Scene, job: &[(&str, &str)]) -> Result<()> {
    let print = "ab".repeat(32);
    let own = [("fingerprint", &*print), ("days", "tue"), ("days", "fri"), ("days", ""), ("at", "09:00")];
    let own: Vec<(&str, &str)> = job.iter().copied().chain(own).collect();
    ensure!(admin.submit("/jobs/support/edit", "/jobs/support/edit", &own).await?.status == 303);
    let file = scene.installation.read("jobs/support.toml")?;
    ensure!(
        file.contains(&format!("fingerprint = \"{print}\"")) && file.contains("days = [\"tue\", \"fri\"]"),
        "{file}"
    );
    let page = admin.get("/jobs/support/edit").await?.text;
    ensure!(page.contains(&print) && page.contains("name=\"days\" value=\"fri\" checked"), "{page}");
    Ok(())
}

#[test]
fn somebody_grants_a_job_its_right_in_the_browser() -> Result<()> {
    let tokens = TokenServer::start("desk")?;
    let server = Dovecot::start_trusting(&tokens)?;
    let scene = Scene::start(|_| Ok(()))?;
    let port = server.imap.to_string();
    let (token_url, device_url) = (tokens.token_url(), tokens.device_url());
    let job = [
        ("name", "desk"),
        ("type", "imap"),
        ("host", "127.0.0.1"),
        ("port", &*port),
        ("user", "desk"),
        ("security", "starttls"),
        ("authentication", "oauth2"),
        ("mailbox", "INBOX"),
    ];
    let with = |more: &[(&'static str, &str)]| -> Vec<(&str, String)> {
        more.iter().copied().chain(job).map(|(key, value)| (key, value.to_owned())).collect()
    };
    block_on(async {
        let admin = log_in(&scene).await?;
        let post = async |path: &str, fields: Vec<(&str, String)>| {
            let fields: Vec<(&str, &str)> = fields.iter().map(|(key, value)| (*key, value.as_str())).collect();
            admin.submit("/jobs/new", path, &fields).await
        };
        let faulty = post("/jobs/new", with(&[("provider", "gmail"), ("client_id", "app")])).await?;
        ensure!(faulty.status == 422 && faulty.text.contains("`client_secret` is needed"), "{faulty:?}");
        let application = [
            ("provider", "other"),
            ("client_id", TokenServer::CLIENT_ID),
            ("client_secret", TokenServer::CLIENT_SECRET),
            ("grant", "device"),
            ("token_url", &*token_url),
            ("device_url", &*device_url),
            ("scopes", "mail, offline_access"),
        ];
        let made = post("/jobs/new", with(&application)).await?;
        ensure!(made.status == 303, "{made:?}");
        let file = scene.installation.read("jobs/desk.toml")?;
        ensure!(file.contains("client_secret = { file = \"desk.client-secret\" }"), "{file}");
        ensure!(file.contains("scopes = [\"mail\", \"offline_access\"]") && !file.contains("password ="), "{file}");
        let page = admin.get("/jobs/desk/edit").await?.text;
        ensure!(page.contains("value=\"other\" selected") && !page.contains(TokenServer::CLIENT_SECRET), "{page}");

        tokens.script_device(1, &[DeviceAnswer::Pending]);
        ensure!(admin.submit("/jobs/desk/authorize", "/jobs/desk/authorize", &[]).await?.status == 303);
        until(&admin, "/jobs/desk/authorize", "enter this code").await?;
        until(&admin, "/jobs/desk/authorize", "Granted.").await?;
        let tested = admin.submit("/jobs/desk/test", "/jobs/desk/test", &[]).await?.text;
        ensure!(tested.contains("The settings of job desk work."), "{tested}");

        // Back to a password: what the application was is gone.
        let again = post("/jobs/desk/edit", with(&[("authentication", "password"), ("secret", "a password")])).await?;
        ensure!(again.status == 303, "{again:?}");
        let file = scene.installation.read("jobs/desk.toml")?;
        ensure!(!file.contains("oauth") && file.contains("desk.password"), "{file}");
        Ok(())
    })
}

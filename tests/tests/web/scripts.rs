//! What people do on pages, done by a script alone.
#![expect(clippy::indexing_slicing, reason = "a value of JSON that is not there is null, and fails the test")]

use super::scene::{Scene, block_on, log_in, token};
use anyhow::{Context, Result, ensure};
use http::Method;
use mailmill_tests::messages;
use mailmill_tests::web::{Answer, Web};
use serde_json::{Value, json};

/// Somebody with a token.
struct Script(Web);

impl Script {
    async fn ask(&self, path: &str) -> Result<Value> {
        let answer = self.0.get(&format!("/api/v1{path}")).await?;
        ensure!(answer.status == 200, "{path}: {answer:?}");
        Ok(serde_json::from_str(&answer.text)?)
    }

    async fn tell(&self, method: Method, path: &str, body: Value) -> Result<Answer> {
        self.0.send_json(method, &format!("/api/v1{path}"), &body).await
    }

    async fn done(&self, method: Method, path: &str, body: Value) -> Result<Value> {
        let answer = self.tell(method, path, body).await?;
        ensure!(answer.status == 200, "{path}: {answer:?}");
        Ok(serde_json::from_str(&answer.text)?)
    }

    /// What is refused, and in which words.
    async fn refused(&self, method: Method, path: &str, body: Value, expected: (u16, &str)) -> Result<()> {
        let answer = self.tell(method, path, body).await?;
        ensure!(answer.status == expected.0 && answer.text.contains(expected.1), "{path}: {answer:?}");
        Ok(())
    }
}

#[test]
fn a_script_keeps_jobs_and_works_at_the_desk() -> Result<()> {
    let scene = Scene::with_strangers(|_| Ok(()))?;
    block_on(async {
        let admin = log_in(&scene).await?;
        let script = Script(Web::new(&scene.address).with_token(&token(&admin, "a script", "admin").await?));
        let reader = Script(Web::new(&scene.address).with_token(&token(&admin, "a report", "viewer").await?));
        jobs(&scene, &script, &reader).await?;
        desk(&scene, &script, &reader).await?;
        let deeds = script.ask("/audit").await?;
        let deeds = deeds.as_array().context("a list")?;
        for what in
            ["edit-job", "create-job", "delete-job", "set-password", "test-connection", "release", "change-ticket"]
        {
            let is_it = |deed: &&Value| deed["what"] == what && deed["who"] == "a script";
            ensure!(deeds.iter().any(|deed| is_it(&deed)), "{what}: {deeds:#?}");
        }
        Ok(())
    })
}

async fn jobs(scene: &Scene, script: &Script, reader: &Script) -> Result<()> {
    let file = reader.ask("/jobs/folder/file").await?;
    let (text, digest) = (file["text"].as_str().context("a text")?, &file["digest"]);
    let changed = format!("# By a script.\n{text}");
    let change = json!({ "text": changed, "digest": digest });
    reader.refused(Method::PUT, "/jobs/folder/file", change.clone(), (403, "viewer")).await?;
    let written = script.done(Method::PUT, "/jobs/folder/file", change.clone()).await?;
    ensure!(scene.installation.read("jobs/folder.toml")? == changed);
    script.refused(Method::PUT, "/jobs/folder/file", change, (409, "another digest")).await?;
    let faulty = json!({ "text": "[source]\ntype = \"folder\"\n", "digest": written["digest"] });
    script.refused(Method::PUT, "/jobs/folder/file", faulty, (422, "folder.toml:1")).await?;
    let unknown = json!({ "text": changed.replace("\"recommended\"", "[\"gmial\"]"), "digest": written["digest"] });
    script.refused(Method::PUT, "/jobs/folder/file", unknown, (422, "did you mean `gmail`")).await?;

    let tested = script.done(Method::POST, "/jobs/folder/test", Value::Null).await?;
    ensure!(tested["works"] == true && tested["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{tested}");
    let boxes = script.ask("/jobs/folder/mailboxes").await?;
    ensure!(boxes[0]["holds_mail"] == true, "{boxes}");
    ensure!(reader.ask("/jobs/folder/runs").await?.as_array().is_some_and(|runs| runs.len() == 10));

    let steps = reader.ask("/jobs/folder/steps").await?;
    ensure!(steps["available"].as_array().is_some_and(|all| all.len() > 10), "{steps}");
    let wanted = json!({ "steps": ["outlook", "gmail"], "kinds": ["quote"], "apply_to": "all" });
    let steps = script.done(Method::PUT, "/jobs/folder/steps", wanted).await?;
    ensure!(steps["steps"] == json!(["outlook", "gmail"]) && steps["follows_recommended"] == false, "{steps}");
    ensure!(steps["kinds"] == json!(["quote"]) && steps["apply_to"] == "all", "{steps}");
    let unknown = json!({ "steps": ["nothing"] });
    script.refused(Method::PUT, "/jobs/folder/steps", unknown, (422, "no preprocess step")).await?;

    let source = "[source]\ntype = \"imap\"\nhost = \"127.0.0.1\"\nport = 1\nuser = \"ann\"\npassword = { file = \"second.password\" }\n";
    let second = json!({ "name": "second", "text": source, "password": "a secret" });
    script.done(Method::POST, "/jobs", second.clone()).await?;
    ensure!(scene.installation.read("jobs/second.password")? == "a secret");
    script.refused(Method::POST, "/jobs", second, (409, "already")).await?;
    script.refused(Method::POST, "/jobs", json!({ "name": "../x", "text": source }), (422, "letters")).await?;
    script.done(Method::PUT, "/jobs/second/password", json!({ "password": "another" })).await?;
    ensure!(scene.installation.read("jobs/second.password")? == "another");
    let tested = script.done(Method::POST, "/jobs/second/test", Value::Null).await?;
    ensure!(tested["works"] == false, "{tested}");
    script.done(Method::DELETE, "/jobs/second", Value::Null).await?;
    ensure!(!scene.installation.path("jobs/second.toml").exists());
    Ok(())
}

async fn desk(scene: &Scene, script: &Script, reader: &Script) -> Result<()> {
    // All nine hops, and nothing of it is kept.
    let message = messages::request(9, "bob@client.example");
    let tried = reader.done(Method::POST, "/try", json!({ "message": message, "job": "folder" })).await?;
    ensure!(tried["outcome"] == "accepted" && tried["created"] == json!(["T00002"]), "{tried}");
    let tried = reader.done(Method::POST, "/try", json!({ "receipt": 1 })).await?;
    ensure!(tried["job"] == "folder" && tried["report"]["revision"].is_string(), "{tried}");
    reader.refused(Method::POST, "/try", json!({}), (422, "either")).await?;
    ensure!(reader.ask("/tickets").await?.as_array().is_some_and(|tickets| tickets.len() == 1));
    let raw = reader.0.get("/api/v1/messages/1/raw").await?;
    ensure!(raw.text == scene.installation.read("mail/1.eml")?, "{raw:?}");

    let release = json!({ "others": "new-ticket" });
    reader.refused(Method::POST, "/quarantine/1/release", release.clone(), (403, "viewer")).await?;
    script.done(Method::POST, "/quarantine/1/release", release.clone()).await?;
    script.refused(Method::POST, "/quarantine/1/release", release, (422, "released already")).await?;
    script.done(Method::DELETE, "/quarantine/2", Value::Null).await?;
    ensure!(script.ask("/quarantine").await? == json!([]));
    ensure!(script.ask("/tickets").await?[0]["number"] == "T00002");

    // Sent twice, it is done once.
    let work = json!({ "comment": "Looked into it", "status": "closed", "key": "once" });
    let answers = [
        script.done(Method::POST, "/tickets/T00001/changes", work.clone()).await?,
        script.done(Method::POST, "/tickets/T00001/changes", work).await?,
    ];
    ensure!(answers[0]["receipt"].is_i64() && answers[0] == answers[1], "{answers:?}");
    let ticket = reader.ask("/tickets/T00001").await?;
    ensure!(ticket["status"] == "closed" && ticket["comments"].as_array().is_some_and(|it| it.len() == 1), "{ticket}");
    let unknown = json!({ "status": "lost" });
    script.refused(Method::POST, "/tickets/T00001/changes", unknown, (422, "no status")).await?;
    Ok(())
}

#[test]
fn a_script_keeps_rules_the_log_and_who_has_access() -> Result<()> {
    let scene = Scene::with_strangers(|_| Ok(()))?;
    block_on(async {
        let admin = log_in(&scene).await?;
        let script = Script(Web::new(&scene.address).with_token(&token(&admin, "a script", "admin").await?));
        rules(&scene, &script).await?;
        log(&scene, &script).await?;
        access(&scene, &script).await
    })
}

async fn rules(scene: &Scene, script: &Script) -> Result<()> {
    let files = script.ask("/rules/files").await?;
    ensure!(files.as_array().is_some_and(|files| files.contains(&json!("preprocess/gmail.toml"))), "{files}");
    let pipeline = script.ask("/rules/file?path=pipeline.toml").await?;
    let step =
        "\n[[step]]\nname = \"zebras\"\nhop = \"preprocess\"\nplugin = \"reply\"\nrules = \"preprocess/zebras.toml\"\n";
    let rule =
        |pattern: &str| format!("[[rule]]\nname = 'zebras'\nkind = 'other'\npattern = '{pattern}'\ncut = 'match'\n");
    let text = format!("{}{step}", pipeline["text"].as_str().context("a text")?);
    let changes = |pattern: &str, check_only: bool| {
        let own = json!({ "path": "preprocess/zebras.toml", "text": rule(pattern) });
        let named = json!({ "path": "pipeline.toml", "text": text, "digest": pipeline["digest"] });
        json!({ "files": [named, own], "check_only": check_only })
    };
    // Both or none: the step names the file, which is not there without it.
    script.refused(Method::POST, "/rules/changes", changes("(", false), (422, "zebras.toml:4")).await?;
    let checked = script.done(Method::POST, "/rules/changes", changes("^Zebra", true)).await?;
    ensure!(
        checked["changed"] == false && checked["difference"].as_str().is_some_and(|it| it.contains("+pattern")),
        "{checked}"
    );
    ensure!(!scene.installation.path("rules/preprocess/zebras.toml").exists());
    let saved = script.done(Method::POST, "/rules/changes", changes("^Zebra", false)).await?;
    ensure!(saved["changed"] == true && saved["revision"] == checked["revision"], "{saved}");
    for _ in 0..100 {
        if script.ask("/revisions").await?[0]["revision"] == saved["revision"] {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    ensure!(script.ask("/rules").await?["revision"] == saved["revision"]);
    ensure!(script.ask("/revisions").await?[0]["changed_by"] == "a script");
    script.refused(Method::POST, "/rules/changes", changes("^Zebra", false), (409, "another digest")).await?;
    let outside = json!({ "files": [{ "path": "../jobs/folder.toml", "text": "" }] });
    script.refused(Method::POST, "/rules/changes", outside, (422, "no name of a rule file")).await?;
    let own = script.ask("/rules/file?path=preprocess/zebras.toml").await?;
    let gone = json!({ "files": [{ "path": "preprocess/zebras.toml", "digest": own["digest"] }] });
    script.refused(Method::POST, "/rules/changes", gone, (422, "pipeline.toml")).await
}

async fn log(scene: &Scene, script: &Script) -> Result<()> {
    let settings = scene.installation.read("mailmill.toml")?;
    scene.installation.write("mailmill.toml", &format!("# Ours.\n{settings}"))?;
    let kept = script.done(Method::PUT, "/log/retention", json!({ "days": 7 })).await?;
    ensure!(kept["days"] == 7 && script.ask("/log/retention").await?["days"] == 7, "{kept}");
    let settings = scene.installation.read("mailmill.toml")?;
    ensure!(settings.contains("# Ours.") && settings.contains("retention_days = 7"), "{settings}");
    script.refused(Method::PUT, "/log/retention", json!({ "days": -1 }), (422, "days")).await?;

    let sessions = script.ask("/sessions").await?;
    let ended = sessions.as_array().context("a list")?.iter().find(|session| !session["finished_at"].is_null());
    let id = ended.context("a session that has ended")?["id"].clone();
    script.done(Method::DELETE, &format!("/sessions/{id}"), Value::Null).await?;
    script.refused(Method::DELETE, &format!("/sessions/{id}"), Value::Null, (404, "no session")).await?;
    let cleared = script.done(Method::DELETE, "/sessions?older_than_days=0&job=folder", Value::Null).await?;
    ensure!(cleared["sessions"].is_u64(), "{cleared}");
    Ok(())
}

async fn access(scene: &Scene, script: &Script) -> Result<()> {
    let password = "a password that is long";
    script.done(Method::PUT, "/people/vera", json!({ "role": "viewer", "password": password })).await?;
    ensure!(script.ask("/people").await?[1]["role"] == "viewer");
    script.refused(Method::DELETE, "/people/admin", Value::Null, (422, "only administrator")).await?;
    let viewer = json!({ "role": "viewer", "password": password });
    script.refused(Method::PUT, "/people/admin", viewer, (422, "only administrator")).await?;
    script.refused(Method::PUT, "/people/max", json!({ "role": "king", "password": password }), (422, "role")).await?;
    script.done(Method::DELETE, "/people/vera", Value::Null).await?;

    let made = script.done(Method::POST, "/tokens", json!({ "name": "another", "role": "viewer" })).await?;
    let other = Script(Web::new(&scene.address).with_token(made["token"].as_str().context("a token")?));
    other.ask("/jobs").await?;
    ensure!(other.0.get("/api/v1/people").await?.status == 403);
    other.refused(Method::POST, "/jobs/folder/test", Value::Null, (403, "viewer")).await?;
    let tokens = script.ask("/tokens").await?;
    let id = |name: &str| {
        let found = tokens.as_array().and_then(|all| all.iter().find(|token| token["name"] == name));
        found.map(|token| token["id"].clone()).context("a token")
    };
    script.done(Method::DELETE, &format!("/tokens/{}", id("another")?), Value::Null).await?;
    ensure!(other.0.get("/api/v1/jobs").await?.status == 401);
    script.refused(Method::DELETE, &format!("/tokens/{}", id("a script")?), Value::Null, (422, "in the browser")).await
}

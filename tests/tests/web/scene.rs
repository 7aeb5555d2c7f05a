//! A daemon with its web admin, and the ways in.

use anyhow::{Context, Result, ensure};
use mailmill_tests::browser::Browser;
use mailmill_tests::web::Web;
use mailmill_tests::{Daemon, Installation, messages};
use std::path::{Path, PathBuf};

pub(super) const PASSWORD: &str = "three blind mice, see how";
/// A message whose HTML tries what the HTML of mail tries.
pub(super) const HOSTILE: &str = include_str!("hostile.eml");

/// A daemon with its web admin, and where that is.
pub(super) struct Scene {
    pub(super) installation: Installation,
    pub(super) daemon: Daemon,
    pub(super) address: String,
    /// The link for the first password.
    pub(super) link: String,
}

impl Scene {
    pub(super) fn start(prepare: impl FnOnce(&Installation) -> Result<()>) -> Result<Self> {
        let installation = Installation::new()?;
        let settings = installation.read("mailmill.toml")?;
        installation.write("mailmill.toml", &format!("{settings}\n[web]\nlisten = \"127.0.0.1:0\"\n"))?;
        prepare(&installation)?;
        let mut daemon = Daemon::start(&installation, &[])?;
        let line = daemon.wait_for("the link", 0, |line| line.contains("/setup?token="))?;
        let link = line
            .split_whitespace()
            .find(|word| word.contains("/setup?token="))
            .context("a link in the line")?
            .to_owned();
        let address = link.split("/setup").next().unwrap_or_default().to_owned();
        Ok(Self { installation, daemon, address, link })
    }

    /// One with a request, and two messages of strangers in quarantine.
    pub(super) fn with_strangers(prepare: impl FnOnce(&Installation) -> Result<()>) -> Result<Self> {
        let mut scene = Self::start(|installation| {
            installation.add_folder_job("folder")?;
            prepare(installation)?;
            installation.write("mail/1.eml", &messages::request(1, "ann@client.example"))
        })?;
        scene.daemon.wait_for("the request", 0, |line| line.contains("message handled"))?;
        for number in [2, 3] {
            let stranger = messages::tagged_reply(number, "mallory@evil.example", "T00001");
            scene.installation.write(&format!("mail/{number}.eml"), &stranger)?;
            scene.daemon.wait_for("the stranger", 0, |line| line.contains(&format!("{number}.eml")))?;
        }
        Ok(scene)
    }

    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// Sets the administrator's password, which logs in.
    pub(super) async fn enter(&self, browser: &Browser) -> Result<()> {
        browser.open(&self.link).await?;
        browser.write("password", PASSWORD).await?;
        browser.write("again", PASSWORD).await?;
        browser.press("Set the password").await?;
        browser.see("Jobs").await
    }
}

/// Where pictures of the pages are kept.
pub(super) fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("web")
}

pub(super) fn block_on(work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Logs in without a browser.
pub(super) async fn log_in(scene: &Scene) -> Result<Web> {
    enter(&Web::new(&scene.address), scene).await
}

/// Logs in as the first admin, as somebody.
pub(super) async fn enter(web: &Web, scene: &Scene) -> Result<Web> {
    let token = scene.link.split("token=").nth(1).unwrap_or_default();
    let answer = web.post("/setup", &[("token", token), ("password", PASSWORD), ("again", PASSWORD)]).await?;
    ensure!(answer.status == 303, "{answer:?}");
    web.with_cookie_of(&answer)
}

/// Makes a viewer, and logs in as one.
pub(super) async fn viewer(admin: &Web, scene: &Scene) -> Result<Web> {
    let viewer = [("name", "vera"), ("role", "viewer"), ("password", PASSWORD)];
    ensure!(admin.submit("/settings", "/settings/users", &viewer).await?.status == 303);
    let stranger = Web::new(&scene.address);
    let answer = stranger.post("/login", &[("name", "vera"), ("password", PASSWORD)]).await?;
    stranger.with_cookie_of(&answer)
}

/// A new token of the API, with this role.
pub(super) async fn token(admin: &Web, name: &str, role: &str) -> Result<String> {
    let made = admin.submit("/settings", "/settings/tokens", &[("name", name), ("role", role)]).await?;
    let token = made.text.split("<pre>").nth(1).and_then(|rest| rest.split("</pre>").next());
    Ok(token.context("a token")?.to_owned())
}

/// Waits until a page says this.
pub(super) async fn until(who: &Web, path: &str, expected: &str) -> Result<String> {
    let mut text = String::new();
    for _ in 0..100 {
        text = who.get(path).await?.text;
        if text.contains(expected) {
            return Ok(text);
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    anyhow::bail!("{path} does not say {expected:?}, but:\n{text}")
}

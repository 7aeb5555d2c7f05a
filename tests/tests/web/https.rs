//! The web admin with a certificate of its own.

use super::scene::{Scene, block_on, enter};
use anyhow::{Result, ensure};
use mailmill_tests::Certificates;
use mailmill_tests::web::Web;

#[test]
fn pages_come_over_https() -> Result<()> {
    let mut files = None;
    let mut scene = Scene::start(|installation| {
        files = Some(Certificates::write(&installation.path("."))?);
        let tls = "[web.tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n";
        let settings =
            installation.read("mailmill.toml")?.replace("listen = \"127.0.0.1:0\"", "listen = \"0.0.0.0:0\"");
        installation.write("mailmill.toml", &format!("{settings}\n{tls}"))
    })?;
    let authority =
        |files: &Option<Certificates>| files.as_ref().map(|files| files.authority.clone()).unwrap_or_default();
    let first = authority(&files);
    ensure!(scene.address.starts_with("https://0.0.0.0:"), "{}", scene.address);
    scene.address = scene.address.replace("0.0.0.0", "127.0.0.1");
    block_on(async {
        let web = Web::new(&scene.address).trusting(&first);
        // Somebody who says nothing holds up nobody.
        let _silent = tokio::net::TcpStream::connect(scene.address.trim_start_matches("https://")).await?;
        let answer = web.get("/login").await?;
        ensure!(answer.status == 200, "{answer:?}");
        let plain = Web::new(&scene.address.replace("https://", "http://"));
        ensure!(plain.get("/login").await.is_err(), "plain HTTP is not answered");
        let admin = enter(&web, &scene).await?;
        ensure!(admin.get("/jobs").await?.status == 200);
        let again = web.post("/login", &[("name", "admin"), ("password", super::scene::PASSWORD)]).await?;
        let cookie = again.headers["set-cookie"].to_str()?;
        ensure!(cookie.contains("; Secure") && cookie.contains("; HttpOnly"), "{cookie}");

        // Another certificate, of another authority: taken up when the daemon is told to read its files again.
        let kept = scene.installation.path("first.pem");
        std::fs::copy(&first, &kept)?;
        Certificates::write(&scene.installation.path("."))?;
        ensure!(Web::new(&scene.address).trusting(&kept).get("/login").await?.status == 200, "not before");
        scene.daemon.signal("HUP")?;
        scene.daemon.wait_for("the other one", 0, |line| line.contains("was read again"))?;
        ensure!(web.get("/login").await?.status == 200);
        ensure!(Web::new(&scene.address).trusting(&kept).get("/login").await.is_err());

        // One that is broken is said to be, and the one before stays.
        scene.installation.write("server.key", "no key")?;
        scene.daemon.signal("HUP")?;
        let line = scene.daemon.wait_for("the fault", 0, |line| line.contains("keeps the certificate"))?;
        ensure!(line.contains("server.key") && line.contains("`key` under [web.tls]"), "{line}");
        ensure!(web.get("/login").await?.status == 200);
        Ok(())
    })?;
    let checked = scene.installation.mailmill(&["check"])?;
    ensure!(checked.stderr.contains("server.key") && checked.stderr.contains("mailmill.toml:"), "{}", checked.stderr);
    Ok(())
}

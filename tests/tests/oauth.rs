//! OAuth 2.0 against a real Dovecot, which asks the token server of the tests about every token.

use anyhow::{Context, Result};
use mailmill_tests::records::{receipts, tickets};
use mailmill_tests::{Daemon, DeviceAnswer, Dovecot, Failure, Installation, Request, TokenServer, messages};
use std::time::Duration;

const USER: &str = "desk";
const SENDER: &str = "ann@client.example";

struct Scene {
    installation: Installation,
    server: Dovecot,
    tokens: TokenServer,
}

impl Scene {
    fn new() -> Result<Self> {
        let tokens = TokenServer::start(USER)?;
        let server = Dovecot::start_trusting(&tokens)?;
        Ok(Self { installation: Installation::new()?, server, tokens })
    }

    /// The job, with these lines in its table of OAuth.
    fn add_job(&self, oauth: &str) -> Result<()> {
        self.installation.write("secret", TokenServer::CLIENT_SECRET)?;
        let secret = self.installation.path("secret");
        self.installation.write(
            "jobs/desk.toml",
            &format!(
                "[source]\ntype = \"imap\"\nhost = \"127.0.0.1\"\nport = {}\nca_file = '{}'\nuser = \"{USER}\"\n\
                 authentication = \"oauth2\"\n\n[source.oauth]\nclient_id = \"{}\"\nclient_secret = {{ file = '{}' }}\n\
                 token_url = \"{}\"\n{oauth}\n[schedule]\nevery = \"1s\"\n",
                self.server.imaps,
                self.server.certificates.authority.display(),
                TokenServer::CLIENT_ID,
                secret.display(),
                self.tokens.token_url(),
            ),
        )
    }

    fn add_device_job(&self) -> Result<()> {
        self.add_job(&format!("device_url = \"{}\"\nscopes = [\"mail\"]", self.tokens.device_url()))
    }

    /// One session, and what it says of its failure if it fails.
    fn session(&self) -> Result<Option<String>> {
        let run = self.installation.mailmill(&["run", "--once"])?;
        let fault = run.stderr.lines().find_map(|line| line.split_once("nothing is lost: "));
        if run.code == Some(0) {
            return Ok(None);
        }
        Ok(Some(fault.with_context(|| run.stderr.clone())?.1.to_owned()))
    }

    fn deliver(&self, number: usize) -> Result<()> {
        self.server.mailbox(USER)?.deliver(&messages::request(number, SENDER))
    }
}

#[test]
fn an_application_gets_its_tokens_by_itself() -> Result<()> {
    let scene = Scene::new()?;
    scene.add_job("")?;
    scene.deliver(1)?;
    assert_eq!(scene.session()?, None);
    assert_eq!(tickets(&scene.installation)?.len(), 1);
    assert_eq!(scene.tokens.count(Request::ClientCredentials), 1);
    Ok(())
}

#[test]
fn someone_grants_the_right_with_a_code_and_it_lasts() -> Result<()> {
    let scene = Scene::new()?;
    scene.add_device_job()?;
    let fault = scene.session()?;
    let expect = "cannot get an access token for user \"desk\": job \"desk\" is not authorised yet: run `mailmill authorize \
                  desk` job=\"desk\"";
    assert_eq!(fault.as_deref(), Some(expect));

    scene.tokens.script_device(1, &[DeviceAnswer::Pending, DeviceAnswer::SlowDown]);
    let shown = scene.installation.mailmill(&["authorize", "desk"])?.success()?.stdout;
    assert!(shown.contains("On any device, open      http"), "{shown}");
    assert!(shown.ends_with("ok: job \"desk\" is authorised; try it with: mailmill test-connection desk\n"), "{shown}");

    scene.deliver(1)?;
    assert_eq!(scene.session()?, None);
    scene.deliver(2)?;
    assert_eq!(scene.session()?, None);
    assert_eq!(receipts(&scene.installation)?.len(), 2);

    scene.tokens.revoke_refresh();
    let fault = scene.session()?.context("a withdrawn grant works")?;
    assert!(fault.contains("the authorisation of job \"desk\" is not valid any more"), "{fault}");
    assert!(fault.contains("run `mailmill authorize desk`"), "{fault}");
    Ok(())
}

#[test]
fn a_provider_may_forget_each_grant_that_was_used() -> Result<()> {
    let scene = Scene::new()?;
    scene.add_device_job()?;
    scene.tokens.set_rotation(true);
    scene.tokens.script_device(1, &[]);
    scene.installation.mailmill(&["authorize", "desk"])?.success()?;
    for _ in 0..3 {
        assert_eq!(scene.session()?, None);
    }
    assert_eq!(scene.tokens.count(Request::Refresh), 3);
    Ok(())
}

#[test]
fn a_grant_is_refused() -> Result<()> {
    let scene = Scene::new()?;
    scene.add_device_job()?;
    let check = |answer: DeviceAnswer, expect: &str| -> Result<()> {
        scene.tokens.script_device(1, &[answer]);
        let run = scene.installation.mailmill(&["authorize", "desk"])?;
        assert_eq!((run.code, run.stderr.as_str()), (Some(1), expect));
        Ok(())
    };
    check(DeviceAnswer::Denied, "error: the right to read the mail was not granted: access_denied\n")?;
    check(DeviceAnswer::Expired, "error: nobody has granted the right within the time: run the command again\n")
}

#[test]
fn a_running_daemon_gets_another_token_when_one_is_refused() -> Result<()> {
    let mut scene = Scene::new()?;
    scene.add_job("")?;
    scene.deliver(1)?;
    let mut daemon = Daemon::start(&scene.installation, &[])?;
    daemon.wait_for("the first message handled", 0, |line| line.contains("message handled"))?;
    assert_eq!(scene.tokens.count(Request::ClientCredentials), 1);

    // The token in the daemon's hands is good by the clock, but the provider has withdrawn it.
    scene.tokens.revoke_access();
    let skip = daemon.log_length();
    scene.server.stop()?;
    daemon.wait_for("the outage", skip, |line| line.contains("the session failed; nothing is lost"))?;
    scene.server.start_again()?;
    scene.deliver(2)?;
    daemon.wait_for("the second message handled", skip, |line| line.contains("message handled"))?;
    assert!(scene.tokens.count(Request::ClientCredentials) >= 2);
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    Ok(())
}

#[test]
fn a_token_is_used_until_it_expires() -> Result<()> {
    let scene = Scene::new()?;
    scene.add_job("")?;
    scene.tokens.set_lifetime(Duration::from_secs(3600));
    let mut daemon = Daemon::start(&scene.installation, &[])?;
    for number in 1..4 {
        let skip = daemon.log_length();
        scene.deliver(number)?;
        daemon.wait_for("the message handled", skip, |line| line.contains("message handled"))?;
    }
    assert_eq!(scene.tokens.count(Request::ClientCredentials), 1);
    Ok(())
}

#[test]
fn a_provider_that_fails_is_named() -> Result<()> {
    let scene = Scene::new()?;
    scene.add_job("")?;
    let check = |failure: Failure, expect: &str| -> Result<()> {
        scene.tokens.fail(Request::ClientCredentials, &[failure]);
        let fault = scene.session()?.context("it works")?;
        assert_eq!(fault, format!("cannot get an access token for user \"desk\": {expect} job=\"desk\""));
        Ok(())
    };
    check(Failure::Unavailable, "127.0.0.1 cannot issue a token now: it answers 503 Service Unavailable")?;
    check(Failure::Broken, "127.0.0.1 cannot issue a token now: it answers 500 Internal Server Error")?;
    check(
        Failure::InvalidClient,
        "127.0.0.1 issues no token: invalid_client; check client_id, client_secret and the rights of the application",
    )?;
    check(Failure::Garbage, "the answer of 127.0.0.1 makes no sense: it is no answer of OAuth 2.0 (at .)")?;
    assert_eq!(scene.session()?, None);
    Ok(())
}

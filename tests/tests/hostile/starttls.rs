//! TLS that is asked for on a plain connection: stripped, refused, answered with garbage, or with something slipped in. The
//! password is never sent.

use super::{Scene, tagged};
use anyhow::Result;
use mailmill_tests::{Dovecot, Meddling, Proxy, Said, Speaker};

#[test]
fn starttls_is_taken_out_on_the_way() -> Result<()> {
    let strip = |said: &Said<'_>| {
        let text = String::from_utf8_lossy(said.text);
        if said.by == Speaker::Server && text.contains(" STARTTLS") {
            return Meddling::Instead(text.replace(" STARTTLS", "").into_bytes());
        }
        Meddling::Pass
    };
    starttls("STARTTLS", strip)
}

#[test]
fn starttls_is_refused() -> Result<()> {
    starttls("not today", |said| {
        if said.is_command("STARTTLS") { Meddling::Answer(tagged(said, "NO not today")) } else { Meddling::Pass }
    })
}

#[test]
fn starttls_is_answered_with_garbage() -> Result<()> {
    starttls("127.0.0.1", |said| {
        if said.is_command("STARTTLS") {
            Meddling::Answer([tagged(said, "OK begin"), vec![b'x'; 4096]].concat())
        } else {
            Meddling::Pass
        }
    })
}

#[test]
fn an_answer_is_slipped_in_behind_starttls() -> Result<()> {
    starttls("127.0.0.1", |said| {
        if said.is_end_of("STARTTLS") {
            let injected = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n* PREAUTH welcome\r\n";
            Meddling::Instead([said.text, injected].concat())
        } else {
            Meddling::Pass
        }
    })
}

#[test]
fn what_is_offered_before_tls_is_gone_after_it() -> Result<()> {
    let scene = Scene::new()?;
    scene.deliver("desk")?;
    let proxy = Proxy::start(scene.server.imap, |said| {
        let text = String::from_utf8_lossy(said.text);
        if said.by == Speaker::Server && text.contains(" IDLE") {
            return Meddling::Instead(text.replace(" IDLE", " IDLE X-HONEY AUTH=GSSAPI").into_bytes());
        }
        Meddling::Pass
    })?;
    scene.add_job("desk", proxy.port, "starttls")?;
    let tested = scene.installation.mailmill(&["test-connection", "desk", "--json"])?.success()?.stdout;
    assert!(tested.contains("IDLE") && !tested.contains("X-HONEY"), "{tested}");
    Ok(())
}

#[test]
fn a_server_that_needs_no_login_cannot_be_secured() -> Result<()> {
    starttls("it says that we are logged in already, and then it is too late", |said| {
        if said.by == Speaker::Server && said.number == 0 {
            Meddling::Instead(b"* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\n".to_vec())
        } else {
            Meddling::Pass
        }
    })
}

/// A session with `starttls` fails, with `expect` in its error and without the password on the wire in any form; one
/// that is left alone works.
fn starttls(expect: &str, meddler: impl FnMut(&Said<'_>) -> Meddling + Send + 'static) -> Result<()> {
    let scene = Scene::new()?;
    let mailbox = scene.deliver("desk")?;
    let proxy = Proxy::start(scene.server.imap, meddler)?;
    scene.add_job("desk", proxy.port, "starttls")?;
    let run = scene.run_once()?;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains(expect), "{expect}\n--- not in\n{}", run.stderr);
    let heard = String::from_utf8_lossy(&proxy.heard()).into_owned();
    // In clear, and as AUTHENTICATE PLAIN sends it.
    for secret in [Dovecot::PASSWORD, "AGRlc2sAc2VjcmV0", "LOGIN", "AUTHENTICATE"] {
        assert!(!heard.contains(secret), "{secret} was sent:\n{heard}");
    }
    proxy.behave();
    scene.run_once()?.success()?;
    scene.assert_each_exactly_once(&mut [("desk".to_owned(), mailbox)])
}

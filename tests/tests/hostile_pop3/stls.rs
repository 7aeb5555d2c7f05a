//! A connection that is to become secure, and what is done to keep it from that.

use crate::{BY_COMMAND, Scene, refuse, strip};
use anyhow::Result;
use mailmill_tests::{Dovecot, Meddling, Said, Speaker};

/// A session with STLS fails, with `expect` in its error and without the password on the wire in any form; one that is
/// left alone works.
fn check_stls(
    server: &str,
    source: &str,
    expect: &str,
    meddler: impl FnMut(&Said<'_>) -> Meddling + Send + 'static,
) -> Result<()> {
    let mut scene = Scene::configured(server)?;
    let proxy = scene.proxy(meddler)?;
    scene.add_job(&proxy, source)?;
    let run = scene.run_once()?;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains(expect), "{expect}\n--- not in\n{}", run.stderr);
    let heard = String::from_utf8_lossy(&proxy.heard()).into_owned();
    assert!(heard.contains("CAPA"), "nothing was heard:\n{heard}");
    // In clear, and as AUTH PLAIN sends it.
    for secret in [Dovecot::PASSWORD, "AGRlc2sAc2VjcmV0", "USER", "PASS", "AUTH", "APOP"] {
        assert!(!heard.contains(secret), "{secret} was sent:\n{heard}");
    }
    proxy.behave();
    scene.add_job(&proxy, "security = \"starttls\"")?;
    scene.run_once()?.success()?;
    scene.assert_each_exactly_once(0)
}

const STARTTLS: &str = "security = \"starttls\"";
const NO_STARTTLS: &str = "127.0.0.1 cannot begin TLS, which security = \"starttls\" demands: ";

#[test]
fn stls_is_taken_out_on_the_way() -> Result<()> {
    check_stls("", STARTTLS, &format!("{NO_STARTTLS}it does not offer STLS"), |said| strip(said, "STLS"))
}

#[test]
fn stls_is_taken_out_on_the_way_and_could_be_done_without() -> Result<()> {
    let source = "security = \"starttls-if-available\"";
    let expect = "it offers only logins in clear text (PLAIN, the login command) and the connection is not encrypted";
    check_stls(BY_COMMAND, source, expect, |said| strip(said, "STLS"))
}

#[test]
fn stls_is_refused() -> Result<()> {
    check_stls("", STARTTLS, &format!("{NO_STARTTLS}it refuses STLS (not today)"), refuse("STLS", "-ERR not today"))
}

#[test]
fn stls_is_answered_with_garbage() -> Result<()> {
    check_stls("", STARTTLS, "the answer of 127.0.0.1 to STLS makes no sense", |said| {
        if said.is_command("STLS") { Meddling::Answer(b"* what?\r\n".to_vec()) } else { Meddling::Pass }
    })?;
    check_stls("", STARTTLS, "127.0.0.1", |said| {
        if said.is_command("STLS") {
            Meddling::Answer([&b"+OK begin\r\n"[..], &[b'x'; 4096]].concat())
        } else {
            Meddling::Pass
        }
    })
}

#[test]
fn an_answer_is_slipped_in_behind_stls() -> Result<()> {
    let expect = "127.0.0.1 sent more in plain text after it had agreed to begin TLS";
    check_stls("", STARTTLS, expect, |said| {
        if said.is_end_of("STLS") {
            Meddling::Instead([said.text, b"+OK\r\nUSER\r\n.\r\n"].concat())
        } else {
            Meddling::Pass
        }
    })
}

#[test]
fn what_is_offered_before_tls_is_gone_after_it() -> Result<()> {
    let source = "security = \"starttls\"\nauthentication = \"ntlm\"";
    let expect = "it takes no NTLM login; it offers PLAIN";
    check_stls(BY_COMMAND, source, expect, |said| {
        if said.by == Speaker::Server && said.command == "CAPA" && said.text.starts_with(b"SASL") {
            return Meddling::Instead(b"SASL NTLM\r\n".to_vec());
        }
        Meddling::Pass
    })
}

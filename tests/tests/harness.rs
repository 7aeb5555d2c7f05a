//! The harness itself: each server starts, lets in whom it should in every mode, and leaves nothing behind.

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mailmill_tests::servers::{Courier, Cyrus, Dovecot, Endpoint, PASSWORD, Protocol, Server, Tls};
use mailmill_tests::{Client, Message, Request, TokenServer, messages};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

/// Courier waits five seconds on purpose; the others answer at once.
const REFUSAL_MAX: Duration = Duration::from_secs(7);

/// What a server offers.
struct Offer {
    protocol: Protocol,
    /// At least these, where it lets users in.
    mechanisms: &'static [&'static str],
    /// Just these, before TLS where TLS is required.
    before_tls: &'static [&'static str],
}

/// Connects as the mode wants it: with TLS wherever there is any.
fn connect(server: &impl Server, protocol: Protocol, tls: Tls) -> Result<Client> {
    let endpoint = server.endpoint(protocol, tls);
    if tls == Tls::Implicit {
        return Client::connect_tls(protocol, endpoint, server.authority());
    }
    let mut client = Client::connect(protocol, endpoint)?;
    if matches!(tls, Tls::Offered | Tls::Required) {
        client.start_tls(server.authority())?;
    }
    Ok(client)
}

fn assert_logins(server: &impl Server, protocol: Protocol) -> Result<()> {
    server.add_user("ann")?;
    for tls in Tls::ALL {
        let case = format!("{protocol:?} {tls:?}");
        let mut client = connect(server, protocol, tls).with_context(|| case.clone())?;
        client.log_in("ann", PASSWORD).with_context(|| case.clone())?;
    }
    let mut plain = Client::connect(protocol, server.endpoint(protocol, Tls::Offered))?;
    plain.log_in("ann", PASSWORD).context("where TLS is offered, and not used")?;
    let mut required = Client::connect(protocol, server.endpoint(protocol, Tls::Required))?;
    ensure!(required.log_in("ann", PASSWORD).is_err(), "{protocol:?}: a login before TLS, where TLS is required");
    let mut absent = Client::connect(protocol, server.endpoint(protocol, Tls::Absent))?;
    ensure!(absent.start_tls(server.authority()).is_err(), "{protocol:?}: STARTTLS, where there is no TLS");
    let start = Instant::now();
    let mut wrong = connect(server, protocol, Tls::Implicit)?;
    ensure!(wrong.log_in("ann", "wrong").is_err(), "{protocol:?}: a wrong password");
    ensure!(start.elapsed() < REFUSAL_MAX, "{protocol:?}: a wrong password took {:?}", start.elapsed());
    Ok(())
}

fn assert_offers(server: &impl Server, offer: &Offer) -> Result<()> {
    let Offer { protocol, mechanisms, before_tls } = *offer;
    for tls in Tls::ALL {
        let offered = connect(server, protocol, tls)?.mechanisms()?;
        for mechanism in mechanisms {
            ensure!(offered.iter().any(|it| it == mechanism), "{protocol:?} {tls:?}: no {mechanism} in {offered:?}");
        }
    }
    let mut offered = Client::connect(protocol, server.endpoint(protocol, Tls::Required))?.mechanisms()?;
    offered.sort_unstable();
    assert_eq!(offered, before_tls, "{protocol:?}, TLS required, before it");
    Ok(())
}

fn assert_mailbox(server: &impl Server) -> Result<()> {
    server.add_user("bob")?;
    let mut mailbox = server.mailbox("bob")?;
    mailbox.deliver(&messages::request(1, "a@client.example"))?;
    mailbox.deliver(&messages::request(2, "a@client.example"))?;
    mailbox.command("SELECT INBOX")?;
    mailbox.command("UID STORE 2 +FLAGS.SILENT (\\Seen)")?;
    let message = |uid: u32, number, flags: &[&str]| Message {
        uid,
        flags: flags.iter().map(ToString::to_string).collect(),
        message_id: messages::message_id(number, "a@client.example"),
    };
    assert_eq!(mailbox.messages("INBOX")?, [message(1, 1, &[]), message(2, 2, &["\\Seen"])]);
    Ok(())
}

fn assert_server(server: &(impl Server + Sync), offers: [Offer; 2]) -> Result<()> {
    assert_mailbox(server)?;
    std::thread::scope(|scope| {
        // Side by side, for the sake of those that answer slowly.
        let checks = offers.map(|offer| {
            scope.spawn(move || assert_logins(server, offer.protocol).and_then(|()| assert_offers(server, &offer)))
        });
        checks.into_iter().try_for_each(|check| check.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// The message of XOAUTH2, in base64.
fn xoauth2(user: &str, token: &str) -> String {
    BASE64_STANDARD.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01"))
}

fn gone(endpoint: Endpoint) -> Result<()> {
    match TcpStream::connect((endpoint.host, endpoint.port)) {
        Ok(_) => bail!("something still listens at {endpoint:?}"),
        Err(_) => Ok(()),
    }
}

#[test]
fn dovecot_is_what_the_tests_rely_on() -> Result<()> {
    let server = Dovecot::start()?;
    let mechanisms = &["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "NTLM", "XOAUTH2", "OAUTHBEARER"];
    assert_server(&server, Protocol::ALL.map(|protocol| Offer { protocol, mechanisms, before_tls: &[] }))?;
    for protocol in Protocol::ALL {
        let mut client = connect(&server, protocol, Tls::Implicit)?;
        client.authenticate("XOAUTH2", &xoauth2("ann", Dovecot::TOKEN)).context("the token")?;
        let mut client = connect(&server, protocol, Tls::Implicit)?;
        ensure!(client.authenticate("XOAUTH2", &xoauth2("ann", "bad")).is_err(), "{protocol:?}: another token");
    }
    for (user, separator) in [("ann", '.'), ("ann@slash", '/')] {
        let list = server.mailbox(user)?.command("LIST \"\" \"\"")?;
        assert_eq!(list, [format!("* LIST (\\Noselect) \"{separator}\" \"\"")], "{user}");
    }
    let endpoint = server.endpoint(Protocol::Pop3, Tls::Offered);
    drop(server);
    gone(endpoint)
}

#[test]
fn dovecot_asks_the_token_server() -> Result<()> {
    let tokens = TokenServer::start("ann")?;
    let server = Dovecot::start_trusting(&tokens)?;
    let log_in = |user: &str, token: &str| -> Result<()> {
        connect(&server, Protocol::Imap, Tls::Implicit)?.authenticate("XOAUTH2", &xoauth2(user, token))
    };
    let good = tokens.issue("ann");
    log_in("ann", &good)?;
    ensure!(log_in("bob", &good).is_err(), "the token of another user");
    ensure!(log_in("ann", "bad").is_err(), "an unknown token");
    tokens.set_lifetime(Duration::ZERO);
    ensure!(log_in("ann", &tokens.issue("ann")).is_err(), "an expired token");
    assert_eq!(tokens.count(Request::Introspection), 4);
    Ok(())
}

#[test]
fn cyrus_is_what_the_tests_rely_on() -> Result<()> {
    let server = Cyrus::start()?;
    let mechanisms = &["PLAIN", "LOGIN", "CRAM-MD5", "NTLM", "SCRAM-SHA-256"];
    let before_tls = &["CRAM-MD5", "DIGEST-MD5", "NTLM", "SCRAM-SHA-1", "SCRAM-SHA-256"];
    assert_server(&server, Protocol::ALL.map(|protocol| Offer { protocol, mechanisms, before_tls }))?;
    let endpoint = server.endpoint(Protocol::Pop3, Tls::Offered);
    drop(server);
    gone(endpoint)
}

#[test]
fn courier_is_what_the_tests_rely_on() -> Result<()> {
    let server = Courier::start()?;
    assert_server(
        &server,
        [
            Offer { protocol: Protocol::Imap, mechanisms: &["PLAIN", "CRAM-MD5"], before_tls: &["CRAM-MD5", "PLAIN"] },
            Offer {
                protocol: Protocol::Pop3,
                mechanisms: &["PLAIN", "LOGIN", "CRAM-MD5"],
                before_tls: &["CRAM-MD5", "LOGIN", "PLAIN"],
            },
        ],
    )?;
    let endpoint = server.endpoint(Protocol::Pop3, Tls::Offered);
    drop(server);
    gone(endpoint)
}

#[test]
fn a_server_takes_mail_and_shows_its_flags() -> Result<()> {
    let mut server = Dovecot::start()?;
    let mut mailbox = server.mailbox("alice")?;
    mailbox.deliver(&messages::request(1, "a@client.example"))?;
    mailbox.deliver(&messages::request(2, "a@client.example"))?;
    assert_eq!(mailbox.flags()?.len(), 2);
    assert_eq!(mailbox.seen()?, 0);

    mailbox.command("SELECT INBOX")?;
    mailbox.command("UID STORE 1 +FLAGS.SILENT (\\Seen)")?;
    assert_eq!(mailbox.seen()?, 1);
    assert_eq!(server.mailbox("bob")?.flags()?.len(), 0);

    server.start_again()?;
    assert_eq!(server.mailbox("alice")?.seen()?, 1);

    let port = server.imap;
    drop(server);
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    Ok(())
}

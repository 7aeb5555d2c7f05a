//! The harness itself: a server starts, takes mail, shows flags, survives a restart and leaves nothing behind.

use anyhow::Result;
use mailmill_tests::{Dovecot, messages};
use std::net::{Ipv4Addr, TcpStream};

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

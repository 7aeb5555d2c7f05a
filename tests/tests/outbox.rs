//! What leaves the system: through a real mail server into real mailboxes, and to a program that checks signatures.

use anyhow::{Context, Result};
use mailmill_tests::records::{Sending, comments, outbox, quarantine, receipts, tickets, withheld};
use mailmill_tests::servers::{Exim, Manners};
use mailmill_tests::{Daemon, Dovecot, Installation, messages, wait_until};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Long enough for anything that is going to happen by itself.
const A_WHILE: Duration = Duration::from_secs(6);
/// Answers whatever comes: no rule of these looks at what the message is.
const ANSWER_ALL: &str = "
[[statement]]
name = \"answer all\"
then = [
    { if = 'ticket is not blank', then = [{ do = \"comment\" }], else = [{ do = \"create-ticket\", class = \"incident\" }] },
    { do = \"notify\", text = \"We have it as {ticket}.\" },
]
stop = true
";

/// An installation whose job reads the mailbox of `desk`, and which writes as `desk@desk.example`.
fn desk(desk: &str, mailboxes: &Dovecot, server: &Exim, settings: &str) -> Result<Installation> {
    let installation = Installation::new()?;
    person(mailboxes, desk)?;
    installation.add_imap_job("desk", mailboxes, desk)?;
    installation.write("rules/statements/10-default.toml", ANSWER_ALL)?;
    set(&installation, desk, server, "security = \"none\"", settings)?;
    Ok(installation)
}

fn set(installation: &Installation, desk: &str, server: &Exim, security: &str, settings: &str) -> Result<()> {
    let port = if security.contains("\"tls\"") { server.smtps } else { server.smtp };
    let text = format!(
        "[store]\npath = \"mailmill.db\"\n\n[smtp]\nserver = \"127.0.0.1\"\nport = {port}\n{security}\n\
         from = \"The Desk <{desk}@{desk}.example>\"\ntimeout = \"10s\"\n\n{settings}\n"
    );
    installation.write("mailmill.toml", &text)
}

/// Somebody who can be written to: a mailbox is made when it is first looked at.
fn person(mailboxes: &Dovecot, name: &str) -> Result<()> {
    mailboxes.mailbox(name)?.command("EXAMINE INBOX").map(drop)
}

fn start(installation: &Installation) -> Result<Daemon> {
    let mut daemon = Daemon::start(installation, &[])?;
    daemon.wait_for("the start", 0, |line| line.contains("mailmill is running"))?;
    Ok(daemon)
}

fn wait_for_sending(installation: &Installation, what: &str, is_it: impl Fn(&Sending) -> bool) -> Result<Sending> {
    let mut last = Vec::new();
    let found = wait_until(what, || {
        last = outbox(installation)?;
        Ok(last.iter().find(|sending| is_it(sending)).cloned())
    });
    found.with_context(|| format!("{last:#?}"))
}

fn header<'m>(message: &'m str, name: &str) -> Option<&'m str> {
    let (head, _) = message.split_once("\n\n").or_else(|| message.split_once("\r\n\r\n"))?;
    let mut lines = head.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[test]
fn two_desks_that_answer_each_other_stop_after_one_exchange() -> Result<()> {
    let mailboxes = Dovecot::start()?;
    let server = Exim::start(&mailboxes, Manners::default())?;
    let ours = desk("ours", &mailboxes, &server, "")?;
    let theirs = desk("theirs", &mailboxes, &server, "")?;
    let (mut our_daemon, mut their_daemon) = (start(&ours)?, start(&theirs)?);
    // As a person at the other desk would write.
    mailboxes.mailbox("ours")?.deliver(&messages::request(1, "theirs@theirs.example"))?;
    their_daemon.wait_for("the answer", 0, |line| line.contains("message handled"))?;
    std::thread::sleep(A_WHILE);

    assert_eq!((receipts(&ours)?.len(), receipts(&theirs)?.len()), (1, 1), "{}", server.log());
    let sent = outbox(&ours)?;
    assert_eq!(sent.len(), 1, "{sent:#?}");
    assert_eq!((sent[0].state.as_str(), sent[0].target.as_str()), ("sent", "theirs@theirs.example"));
    assert_eq!(outbox(&theirs)?, [], "{}", server.log());
    let reasons = withheld(&theirs)?;
    assert!(reasons.len() == 1 && reasons[0].contains("automatic mail is never answered"), "{reasons:?}");

    let answers = mailboxes.raw_messages("theirs")?;
    assert_eq!(answers.len(), 1, "{answers:#?}");
    let field = |name| header(&answers[0], name);
    assert_eq!(field("Auto-Submitted"), Some("auto-replied"), "{}", answers[0]);
    assert_eq!(field("Return-path"), Some("<>"), "{}", answers[0]);
    assert_eq!(field("Subject"), Some("Re: Request 1 MessageID:T00001#"));
    assert_eq!(field("In-Reply-To"), Some(messages::message_id(1, "theirs@theirs.example").as_str()));
    assert_eq!(field("References"), Some(messages::message_id(1, "theirs@theirs.example").as_str()));
    assert_eq!(field("Message-ID"), Some(format!("<{}>", sent[0].message_id).as_str()));
    assert!(answers[0].contains("We have it as T00001."), "{}", answers[0]);
    for daemon in [&mut our_daemon, &mut their_daemon] {
        assert!(daemon.terminate()?.success(), "{}", daemon.log());
    }
    Ok(())
}

#[test]
fn two_desks_whose_mail_loses_all_signs_are_stopped_by_the_limit() -> Result<()> {
    let mailboxes = Dovecot::start()?;
    let server = Exim::start(&mailboxes, Manners { loses: "Auto-Submitted", hides_return_path: true })?;
    let limit = "[outbox]\nanswers_per_sender_max = 3";
    let ours = desk("ours", &mailboxes, &server, limit)?;
    let theirs = desk("theirs", &mailboxes, &server, limit)?;
    let (our_daemon, their_daemon) = (start(&ours)?, start(&theirs)?);
    mailboxes.mailbox("ours")?.deliver(&messages::request(1, "theirs@theirs.example"))?;
    wait_until("the limit", || Ok((withheld(&ours)?.len() + withheld(&theirs)?.len() > 0).then_some(())))?;
    std::thread::sleep(A_WHILE);
    assert_eq!((outbox(&ours)?.len(), outbox(&theirs)?.len()), (3, 3), "{}", server.log());
    let reasons = [withheld(&ours)?, withheld(&theirs)?].concat();
    assert!(reasons.len() == 1 && reasons[0].contains("answers_per_sender_max"), "{reasons:?}");
    let log = [our_daemon.log(), their_daemon.log()].concat();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("not all that the rules send is sent")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("WARN"), "{warnings:?}");
    assert!(warnings[0].contains("mailmill log --message"), "{warnings:?}");
    Ok(())
}

#[test]
fn mail_waits_for_its_server_over_a_killed_daemon() -> Result<()> {
    let mailboxes = Dovecot::start()?;
    person(&mailboxes, "ann")?;
    let mut server = Exim::start(&mailboxes, Manners::default())?;
    let ours = desk("ours", &mailboxes, &server, "[outbox]\nretry_first = \"4s\"\nretry_max = \"4s\"")?;
    server.stop()?;
    mailboxes.mailbox("ours")?.deliver(&messages::request(1, "ann@client.example"))?;
    let mut daemon = start(&ours)?;
    let waiting = wait_for_sending(&ours, "a failed attempt", |it| !it.last_error.is_empty())?;
    daemon.kill()?;
    assert_eq!((waiting.state.as_str(), tickets(&ours)?.len()), ("waiting", 1));
    assert!(waiting.last_error.contains("the mail server 127.0.0.1:"), "{waiting:?}");

    server.start_again()?;
    let mut daemon = start(&ours)?;
    let sent = wait_for_sending(&ours, "the mail to be sent", |it| it.state == "sent")?;
    assert_eq!((&sent.key, &sent.message_id), (&waiting.key, &waiting.message_id));
    assert!(sent.attempts >= 2, "{sent:?}");
    assert!(daemon.terminate()?.success());
    let arrived = wait_until("the mail to arrive", || {
        let arrived = mailboxes.raw_messages("ann")?;
        Ok((!arrived.is_empty()).then_some(arrived))
    })?;
    assert_eq!(arrived.len(), 1, "{arrived:#?}");
    assert_eq!(header(&arrived[0], "Message-ID"), Some(format!("<{}>", waiting.message_id).as_str()));
    Ok(())
}

#[test]
fn mail_that_went_out_and_was_not_noted_goes_out_again_under_its_name() -> Result<()> {
    let mailboxes = Dovecot::start()?;
    person(&mailboxes, "ann")?;
    let server = Exim::start(&mailboxes, Manners::default())?;
    let ours = desk("ours", &mailboxes, &server, "[outbox]\nretry_first = \"1s\"\nretry_max = \"1s\"")?;
    mailboxes.mailbox("ours")?.deliver(&messages::request(1, "ann@client.example"))?;
    let mut killed = ours.command()?;
    let killed = killed.env("MAILMILL_FAULT", "outbox.sent:1").args(["run", "--once"]).output()?;
    assert_eq!(killed.status.signal(), Some(9), "{}", String::from_utf8_lossy(&killed.stderr));
    let begun = wait_for_sending(&ours, "an attempt", |it| it.attempts == 1)?;
    assert_eq!(begun.state, "waiting", "{begun:?}");

    let mut daemon = start(&ours)?;
    let sent = wait_for_sending(&ours, "the mail to be sent", |it| it.state == "sent")?;
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    assert_eq!((&sent.key, &sent.message_id, sent.attempts), (&begun.key, &begun.message_id, 2));
    let arrived = wait_until("both to arrive", || {
        let arrived = mailboxes.raw_messages("ann")?;
        Ok((arrived.len() == 2).then_some(arrived))
    })?;
    let id = format!("<{}>", begun.message_id);
    for mail in &arrived {
        assert_eq!(header(mail, "Message-ID"), Some(id.as_str()), "who files mail by its name has it once");
    }
    assert_eq!(tickets(&ours)?.len(), 1);
    Ok(())
}

#[test]
fn what_is_refused_for_good_is_given_up_until_somebody_asks_again() -> Result<()> {
    let mailboxes = Dovecot::start()?;
    let server = Exim::start(&mailboxes, Manners::default())?;
    let ours = desk("ours", &mailboxes, &server, "")?;
    let mut mailbox = mailboxes.mailbox("ours")?;
    for (number, sender) in [(1, "gone@client.example"), (2, "busy@client.example"), (3, "lost@client.example")] {
        mailbox.deliver(&messages::request(number, sender))?;
    }
    let log = ours.mailmill(&["run", "--once"])?.success()?.stderr;
    assert!(log.contains("given up: the server says 550 (an address) no such mailbox"), "{log}");
    assert!(!log.contains("client.example"), "{log}");
    let state_of = |target: &str| -> Result<Sending> {
        let all = outbox(&ours)?;
        let found = all.iter().find(|it| it.target == target).cloned();
        found.with_context(|| format!("{target}: {all:#?}"))
    };
    let [gone, busy, lost] =
        ["gone", "busy", "lost"].map(|name| state_of(&format!("{name}@client.example")).expect("it is listed"));
    assert_eq!((gone.state.as_str(), gone.attempts), ("dead", 1), "{gone:?}");
    assert!(gone.last_error.contains("550 <gone@client.example>: no such mailbox"), "{gone:?}");
    assert_eq!((busy.state.as_str(), busy.attempts), ("waiting", 1), "{busy:?}");
    assert!(busy.last_error.contains("451"), "{busy:?}");
    assert_eq!(lost.state, "dead", "{lost:?}");
    let list = ours.mailmill(&["outbox", "list", "--state", "dead"])?.success()?.stdout;
    assert!(list.contains("gone@client.example") && !list.contains("busy@client.example"), "{list}");

    person(&mailboxes, "gone")?;
    ours.mailmill(&["outbox", "drop", &busy.id, &lost.id, "--json"])?.success()?;
    for expect in [format!("retried: {}\n", gone.id), "retried: nothing\n".to_owned()] {
        assert_eq!(ours.mailmill(&["outbox", "retry", "--state", "dead"])?.success()?.stdout, expect);
    }
    let said = ours.mailmill(&["outbox", "retry", &gone.id])?.success()?.stdout;
    assert_eq!(said, format!("retried: {}\n", gone.id));
    ours.mailmill(&["run", "--once"])?.success()?;
    let left = outbox(&ours)?;
    assert_eq!(left.len(), 1, "{left:#?}");
    assert_eq!((left[0].id.as_str(), left[0].state.as_str(), left[0].attempts), (gone.id.as_str(), "sent", 1));
    for verb in ["retry", "drop"] {
        let refused = ours.mailmill(&["outbox", verb, &gone.id])?;
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains("was sent: nothing can be done"), "{}", refused.stderr);
    }
    let unknown = ours.mailmill(&["outbox", "retry", "999"])?;
    assert!(unknown.stderr.contains("nothing in the outbox has the number 999"), "{}", unknown.stderr);
    Ok(())
}

#[test]
fn the_server_is_spoken_to_as_the_settings_say() -> Result<()> {
    let mailboxes = Dovecot::start()?;
    person(&mailboxes, "ann")?;
    let server = Exim::start(&mailboxes, Manners::default())?;
    let ours = desk("ours", &mailboxes, &server, "")?;
    ours.write("wrong", "not the secret")?;
    let ca = format!("ca_file = '{}'", server.certificates.authority.display());
    let login = |password: &str| format!("user = \"desk\"\npassword = {{ file = \"{password}\" }}");
    let mut mailbox = mailboxes.mailbox("ours")?;
    let mut check = |number: usize, settings: &str, fault: Option<&str>| -> Result<()> {
        set(&ours, "ours", &server, settings, "")?;
        mailbox.deliver(&messages::request(number, "ann@client.example"))?;
        ours.mailmill(&["run", "--once"])?.success()?;
        let all = outbox(&ours)?;
        let last = all.last().context("nothing")?;
        assert_eq!(last.state, if fault.is_some() { "waiting" } else { "sent" }, "{settings}: {last:?}");
        assert!(last.last_error.contains(fault.unwrap_or_default()), "{settings}: {last:?}");
        ours.mailmill(&["outbox", "drop", &last.id])?;
        Ok(())
    };
    check(1, &format!("security = \"tls\"\n{ca}\n{}", login("password")), None)?;
    check(2, &format!("security = \"starttls\"\n{ca}\n{}", login("password")), None)?;
    check(3, &format!("security = \"starttls-if-available\"\n{ca}"), None)?;
    check(4, "security = \"tls\"\nreject_invalid_certificates = false", None)?;
    check(5, "security = \"tls\"", Some("certificate"))?;
    check(6, &format!("security = \"tls\"\n{ca}\n{}", login("wrong")), Some("the login of \"desk\" failed"))?;
    Ok(())
}

#[test]
fn an_answer_to_our_mail_finds_its_ticket_and_a_guess_does_not() -> Result<()> {
    let mailboxes = Dovecot::start()?;
    person(&mailboxes, "ann")?;
    let server = Exim::start(&mailboxes, Manners::default())?;
    let ours = desk("ours", &mailboxes, &server, "")?;
    let mut mailbox = mailboxes.mailbox("ours")?;
    mailbox.deliver(&messages::request(1, "ann@client.example"))?;
    ours.mailmill(&["run", "--once"])?.success()?;
    let id = outbox(&ours)?.first().context("no answer")?.message_id.clone();
    let reply = |number: usize, id: &str| {
        format!(
            "From: Ann <ann@client.example>\nTo: ours@ours.example\nSubject: Thank you\nMessage-ID: <r{number}@client.example>\n\
             In-Reply-To: <{id}>\nReferences: <{id}>\n\nReply {number}.\n"
        )
    };
    mailbox.deliver(&reply(1, &id))?;
    let (head, domain) = id.split_once('@').context("no domain")?;
    let guess = format!("{}{}@{domain}", &head[..head.len() - 4], "0000");
    mailbox.deliver(&reply(2, &guess))?;
    ours.mailmill(&["run", "--once"])?.success()?;
    assert_eq!(comments(&ours, "T00001")?, ["Reply 1."]);
    assert_eq!(tickets(&ours)?.len(), 2);
    ours.write("guess.eml", &reply(3, &guess))?;
    let tried = ours.mailmill(&["try", "guess.eml"])?.success()?.stdout;
    assert!(tried.contains("looks like a mail of this desk but is none: that leads to no ticket"), "{tried}");

    // Our mail comes back, without its other signs: its Message-ID shows it.
    let back = |id: &str| {
        format!(
            "From: Ann <ann@client.example>\nTo: ours@ours.example\nSubject: Re: Request 1\nMessage-ID: <{id}>\n\nWe have it.\n"
        )
    };
    mailbox.deliver(&back(&id))?;
    mailbox.deliver(&back(&guess))?;
    ours.mailmill(&["run", "--once"])?.success()?;
    let held = quarantine(&ours)?;
    assert_eq!(held.len(), 1, "{held:#?}");
    assert_eq!(held[0].cause, "it goes round in circles: its Message-ID is one of our own mail");
    assert_eq!(tickets(&ours)?.len(), 3, "one that only looks like it is mail like any other");
    Ok(())
}

/// A mail server that falls silent at the recipient of the first mail, and never says a word again on that connection; later
/// ones take their mail, which is handed on.
fn silent_at_first() -> Result<(u16, Receiver<String>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let (sender, mails) = channel();
    std::thread::spawn(move || -> Result<()> {
        let mut kept = Vec::new();
        for is_first in std::iter::once(true).chain(std::iter::repeat(false)) {
            let (mut stream, _) = listener.accept()?;
            stream.write_all(b"220 mx.example.net\r\n")?;
            let mut reader = BufReader::new(stream.try_clone()?);
            let (mut line, mut mail, mut is_text) = (String::new(), String::new(), false);
            while reader.read_line(&mut line)? > 0 {
                let answer = match line.trim_end() {
                    "." => {
                        is_text = false;
                        sender.send(std::mem::take(&mut mail))?;
                        "250 taken"
                    }
                    text if is_text => {
                        mail.push_str(text);
                        mail.push('\n');
                        ""
                    }
                    "DATA" => {
                        is_text = true;
                        "354 go on"
                    }
                    "QUIT" => "221 bye",
                    command if is_first && command.starts_with("RCPT") => break,
                    _ => "250 mx.example.net",
                };
                if !answer.is_empty() {
                    stream.write_all(format!("{answer}\r\n").as_bytes())?;
                }
                line.clear();
            }
            kept.push(stream);
        }
        Ok(())
    });
    Ok((port, mails))
}

#[test]
fn a_mail_server_that_falls_silent_stops_no_mail() -> Result<()> {
    let (port, mails) = silent_at_first()?;
    let installation = Installation::new()?;
    installation.add_folder_job("desk")?;
    installation.write(
        "mailmill.toml",
        &format!(
            "[store]\npath = \"mailmill.db\"\n\n[smtp]\nserver = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"\n\
             from = \"desk@desk.example\"\ntimeout = \"1s\"\n\n[outbox]\nretry_first = \"1s\"\nretry_max = \"1s\"\n"
        ),
    )?;
    installation.write("rules/statements/10-default.toml", ANSWER_ALL)?;
    installation.write("mail/1.eml", &messages::request(1, "ann@client.example"))?;
    let mut daemon = start(&installation)?;
    let mail = mails.recv_timeout(mailmill_tests::PATIENCE).context(daemon.log())?;
    assert_eq!(header(&mail, "X-Loop"), Some("desk@desk.example"), "{mail}");
    let sent = wait_for_sending(&installation, "the mail to be sent", |it| it.state == "sent")?;
    assert_eq!(sent.attempts, 2, "{sent:?}");
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    Ok(())
}

/// A program that takes calls; each is answered with the next of these statuses.
fn receiver(statuses: &'static [&'static str]) -> Result<(u16, Receiver<Call>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let (sender, calls) = channel();
    std::thread::spawn(move || -> Result<()> {
        for status in statuses {
            let (mut stream, _) = listener.accept()?;
            let mut reader = BufReader::new(stream.try_clone()?);
            let (mut call, mut length) = (Call::default(), 0);
            let mut line = String::new();
            while reader.read_line(&mut line)? > 2 {
                let (name, value) = line.trim_end().split_once(':').unwrap_or(("", ""));
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.trim().parse()?,
                    "webhook-id" => call.id = value.trim().to_owned(),
                    "webhook-timestamp" => call.timestamp = value.trim().to_owned(),
                    "webhook-signature" => call.signature = value.trim().to_owned(),
                    _ => {}
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            call.body = String::from_utf8(body)?;
            stream
                .write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes())?;
            sender.send(call)?;
        }
        Ok(())
    });
    Ok((port, calls))
}

#[derive(Debug, Default)]
struct Call {
    id: String,
    timestamp: String,
    signature: String,
    body: String,
}

/// What OpenSSL makes of it.
fn signature(secret: &str, call: &Call) -> Result<String> {
    let script = format!("openssl dgst -sha256 -hmac '{secret}' -binary | base64");
    let mut process = Command::new("sh").arg("-c").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let signed = format!("{}.{}.{}", call.id, call.timestamp, call.body);
    process.stdin.take().context("no input")?.write_all(signed.as_bytes())?;
    let output = process.wait_with_output()?;
    Ok(format!("v1,{}", String::from_utf8(output.stdout)?.trim()))
}

#[test]
fn a_webhook_is_called_until_it_answers_and_can_check_who_calls() -> Result<()> {
    let (port, calls) = receiver(&["503 Busy", "204 No Content"])?;
    let installation = Installation::new()?;
    installation.add_folder_job("desk")?;
    installation.write("hook-secret", "a secret that only the hook knows\n")?;
    installation.write(
        "mailmill.toml",
        &format!(
            "[outbox]\nretry_first = \"1s\"\n\n[webhook.billing]\nurl = \"http://127.0.0.1:{port}/hook\"\n\
             secret = {{ file = \"hook-secret\" }}\n"
        ),
    )?;
    let statement = "[[statement]]\nname = \"tell\"\nthen = [{ do = \"create-ticket\", class = \"incident\" }, \
                     { do = \"webhook\", name = \"billing\", event = \"ticket.created\" }]\nstop = true\n";
    installation.write("rules/statements/10-default.toml", statement)?;
    installation.write("mail/1.eml", &messages::request(1, "ann@client.example"))?;
    let mut daemon = start(&installation)?;
    let first = calls.recv_timeout(mailmill_tests::PATIENCE).context(daemon.log())?;
    let second = calls.recv_timeout(mailmill_tests::PATIENCE).context(daemon.log())?;
    let sent = wait_for_sending(&installation, "the call", |it| it.state == "sent")?;
    assert_eq!((sent.target.as_str(), sent.attempts, sent.ticket.as_str()), ("billing", 2, "T00001"));
    assert_eq!((&first.id, &first.body), (&second.id, &second.body), "an attempt is like another");
    assert_eq!(first.id, format!("msg_{}", sent.key));
    for call in [&first, &second] {
        assert_eq!(call.signature, signature("a secret that only the hook knows", call)?);
    }
    let body: serde_json::Value = serde_json::from_str(&first.body)?;
    assert_eq!(body["type"], "ticket.created");
    assert_eq!(body["data"]["ticket"]["number"], "T00001");
    assert_eq!(body["data"]["ticket"]["requester"]["email"], "ann@client.example");
    assert_eq!(body["data"]["message"]["subject"], "Request 1");
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    Ok(())
}

#[test]
fn a_message_is_forwarded_as_it_came_and_stored_once() -> Result<()> {
    let mailboxes = Dovecot::start()?;
    person(&mailboxes, "team")?;
    let server = Exim::start(&mailboxes, Manners::default())?;
    let ours = desk("ours", &mailboxes, &server, "[maildir]\narchive = \"archive\"")?;
    let statement = "[[statement]]\nname = \"pass on\"\nthen = [{ do = \"forward\", to = \"Team <team@client.example>\" }, \
                     { do = \"store-maildir\", folder = \"archive\" }, { do = \"store-maildir\", folder = \"archive\" }, \
                     { do = \"forward\", to = \"ours@ours.example\" }, { do = \"store-maildir\", folder = \"other\" }]\n\
                     stop = true\n";
    ours.write("rules/statements/10-default.toml", statement)?;
    let message = messages::request(1, "ann@client.example");
    mailboxes.mailbox("ours")?.deliver(&message)?;
    ours.mailmill(&["run", "--once"])?.success()?;
    let states: Vec<String> = outbox(&ours)?.into_iter().map(|it| it.state).collect();
    assert_eq!(states, ["sent", "sent", "sent"], "{:#?}", outbox(&ours)?);
    let reasons = withheld(&ours)?;
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(
        reasons[0].contains("never writes to itself") && reasons[1].contains("no Maildir \"other\""),
        "{reasons:?}"
    );

    let arrived = wait_until("the mail to arrive", || Ok(mailboxes.raw_messages("team")?.pop()))?;
    assert!(arrived.contains("message/rfc822") && arrived.contains("This is request 1."), "{arrived}");
    assert_eq!(header(&arrived, "Auto-Submitted"), Some("auto-generated"));
    assert_eq!(header(&arrived, "Subject"), Some("Fwd: Request 1"));
    let stored: Vec<_> = std::fs::read_dir(ours.path("archive/new"))?.collect::<Result<_, _>>()?;
    assert_eq!(stored.len(), 1);
    assert_eq!(std::fs::read_to_string(stored[0].path())?.replace("\r\n", "\n"), message);
    assert_eq!(std::fs::read_dir(ours.path("archive/tmp"))?.count(), 0);
    Ok(())
}

/// What a desk agent reads of mail that is not sent.
#[test]
fn what_is_not_sent_is_told_with_the_reason() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("desk")?;
    installation.write(
        "mailmill.toml",
        "[smtp]\nserver = \"smtp.example.org\"\nfrom = \"Desk <desk@desk.example>\"\n\n[outbox]\nanswers_per_sender_max = 1\n",
    )?;
    installation.write("rules/statements/10-default.toml", ANSWER_ALL)?;
    let check = |name: &str, headers: &str| -> Result<()> {
        installation
            .write("message.eml", &format!("{headers}\nSubject: Lamp\nMessage-ID: <1@x.example>\n\nIt is dark.\n"))?;
        let story = installation.mailmill(&["try", "message.eml"])?.success()?.stdout;
        let plan: Vec<&str> = story
            .lines()
            .skip_while(|line| !line.starts_with("7 plan"))
            .take_while(|line| !line.starts_with("9 mark"))
            .collect();
        insta::assert_snapshot!(name, plan.join("\n"));
        Ok(())
    };
    check("not-sent-nothing-speaks-against-it", "From: ann@x.example")?;
    check("not-sent-absence-notice", "From: ann@x.example\nAuto-Submitted: auto-replied")?;
    check("not-sent-report-of-undelivered-mail", "From: MAILER-DAEMON@x.example\nReturn-Path: <>")?;
    check("not-sent-list", "From: ann@x.example\nList-Id: <l.x.example>")?;
    check("not-sent-null-return-path", "From: ann@x.example\nReturn-Path: <>")?;
    check("not-sent-own-address", "From: Desk@Desk.example")?;
    check("not-sent-no-sender", "To: desk@desk.example")
}

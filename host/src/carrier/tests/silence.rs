//! Mail servers that fall silent, and such that are only slow. Each speaks over a real connection.

use super::mail;
use crate::carrier::smtp::Smtp;
use crate::config::Config;
use crate::outgoing::Mail;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// How long the server may be silent.
const TIMEOUT: Duration = Duration::from_secs(1);

/// What a server does at a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Greeting,
    Rcpt,
    Never,
}

/// A server that waits so long before each answer, and falls silent there.
async fn server(pause: Duration, silent: At) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        if silent == At::Greeting {
            return std::future::pending::<()>().await;
        }
        let mut answer = "220 mx.example.net";
        let mut is_text = false;
        loop {
            if !answer.is_empty() {
                tokio::time::sleep(pause).await;
                writer.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
            }
            let Some(line) = lines.next_line().await.unwrap() else { return };
            answer = match line.as_str() {
                "." => {
                    is_text = false;
                    "250 taken"
                }
                _ if is_text => "",
                "DATA" => {
                    is_text = true;
                    "354 go on"
                }
                command if silent == At::Rcpt && command.starts_with("RCPT") => {
                    return std::future::pending().await;
                }
                _ => "250 mx.example.net",
            };
        }
    });
    port
}

/// What becomes of a mail, and how long that takes.
async fn sent(port: u16, mail: &Mail) -> (Result<(), String>, Duration) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mailmill.toml");
    let settings = format!(
        "[smtp]\nserver = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"\nfrom = \"desk@desk.example\"\n\
         timeout = \"{}s\"\n",
        TIMEOUT.as_secs()
    );
    std::fs::write(&file, settings).unwrap();
    let smtp = Smtp::new(&Config::load(&file).unwrap().smtp).unwrap();
    let begun = Instant::now();
    let outcome = match smtp.connect().await {
        Ok(mut connection) => connection.send(mail, None).await,
        Err(failure) => Err(failure),
    };
    (outcome.map_err(|failure| failure.reason), begun.elapsed())
}

async fn check(silent: At, expect: &str) {
    let port = server(Duration::ZERO, silent).await;
    let (outcome, took) = sent(port, &mail("Ann", "Hello", "x")).await;
    let reason = outcome.expect_err("nobody answers");
    assert!(reason.contains(expect), "{silent:?}: {reason}");
    assert!((TIMEOUT..TIMEOUT * 60).contains(&took), "{silent:?}: {took:?}");
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left() {
    check(At::Greeting, "does not answer within 1 s").await;
    check(At::Rcpt, "the mail server has been silent for 1 s").await;
}

#[tokio::test]
async fn a_server_that_is_only_slow_is_waited_for() {
    // The greeting and the login have one time for both; each command has its own.
    let port = server(TIMEOUT / 3, At::Never).await;
    let (outcome, took) = sent(port, &mail("Ann", "Hello", "x")).await;
    assert_eq!(outcome, Ok(()));
    assert!(took > TIMEOUT * 2, "{took:?}");
}

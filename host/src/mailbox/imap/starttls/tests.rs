//! What a server, or someone on the way to it, may answer to STARTTLS.

use crate::mailbox::connection::testing::{Authority, Identity};
use crate::mailbox::{Account, Authentication, ImapAccount, Limits, LoginMemory, Security, Seen, Stage, Step, Trust};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const MODES: [Security; 2] = [Security::Starttls, Security::StarttlsIfAvailable];
const OFFER: &str = "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN AUTH=FALSE] ready\r\n";

/// What a server does in plain text: the greeting, and what it says when a line has begun so. `#` stands for the tag.
type Script<'a> = &'a [(&'a str, &'a str)];

/// What follows in plain text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Handshake,
    Close,
    Silence,
    Garbage,
}

/// What came of it: the steps, the error, and what the server heard in plain text.
struct Outcome {
    steps: Vec<Step>,
    error: Option<String>,
    heard: String,
}

impl Outcome {
    fn warnings(&self) -> Vec<String> {
        let seen = self.steps.iter().filter_map(|step| step.outcome.as_ref().ok());
        seen.filter_map(Seen::warning).map(|warning| warning.to_string()).collect()
    }

    fn stages(&self) -> String {
        self.steps.iter().map(|step| step.stage.to_string()).collect::<Vec<_>>().join(" ")
    }
}

async fn play<S: AsyncRead + AsyncWrite + Unpin>(stream: S, script: Script<'_>, heard: &Mutex<String>) -> S {
    let mut stream = BufReader::new(stream);
    for (expected, reply) in script {
        let mut line = String::new();
        if !expected.is_empty() {
            stream.read_line(&mut line).await.unwrap();
            heard.lock().unwrap().push_str(&line);
            assert!(line.contains(expected), "{line:?} is not {expected:?}");
        }
        let tag = line.split(' ').next().unwrap_or_default();
        stream.write_all(reply.replace('#', tag).as_bytes()).await.unwrap();
    }
    stream.into_inner()
}

async fn connect(security: Security, greeting: &str, script: Script<'_>, then: Then, secured: Script<'_>) -> Outcome {
    let authority = Authority::new();
    let acceptor = Identity::acceptor(&authority.issue(|_| ()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let account = account(listener.local_addr().unwrap().port(), security, authority.trust());
    let heard = Arc::new(Mutex::new(String::new()));
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        let plain = [&[("", greeting)], script].concat();
        let mut stream = play(stream, &plain, &heard).await;
        match then {
            Then::Handshake => {
                let stream = acceptor.accept(stream).await.unwrap();
                play(stream, secured, &Mutex::default()).await;
            }
            Then::Close => drop(stream),
            Then::Garbage => {
                stream.readable().await.unwrap();
                stream.write_all(b"this is no TLS at all\r\n").await.unwrap();
                wait_for_the_end(stream).await;
            }
            Then::Silence => wait_for_the_end(stream).await,
        }
    };
    let mut steps = Vec::new();
    let test = async { Account::Imap(account).test(|step| steps.push(step)).await };
    let (result, ()) = tokio::join!(test, serve);
    let heard = heard.lock().unwrap().clone();
    Outcome { steps, error: result.err().map(|error| error.to_string()), heard }
}

async fn wait_for_the_end(mut stream: TcpStream) {
    while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {}
}

fn account(port: u16, security: Security, trust: Trust) -> ImapAccount {
    ImapAccount {
        host: "localhost".into(),
        port,
        security,
        trust,
        user: "me".into(),
        authentication: Authentication::Password("secret".to_owned().into()),
        memory: LoginMemory::default(),
        mailboxes: vec!["INBOX".into()],
        targets: Vec::new(),
        purge: false,
        timeout: Duration::from_millis(500),
        limits: Limits::default(),
        spool: crate::content::Spool::new(&std::env::temp_dir()),
    }
}

#[tokio::test]
async fn a_server_that_does_not_begin_is_refused_or_warned_of() {
    async fn check(greeting: &str, script: Script<'_>, cause: &str) {
        let strict = connect(Security::Starttls, greeting, script, Then::Close, &[]).await;
        let refused = format!(
            "localhost cannot begin TLS, which security = \"starttls\" demands: {cause}; either it is switched off there, \
             or someone on the way has removed it, so no password was sent"
        );
        assert_eq!(strict.error, Some(refused));
        assert_eq!(strict.steps.last().unwrap().stage, Stage::Tls);
        assert!(!strict.heard.contains("LOGIN") && !strict.heard.contains("AUTH"), "{}", strict.heard);

        let tolerant = connect(Security::StarttlsIfAvailable, greeting, script, Then::Close, &[]).await;
        let warning = format!(
            "the connection to localhost stays in plain text, so the mail can be read on the way: {cause}; set \
             security = \"starttls\" or \"tls\" to refuse that"
        );
        assert_eq!(tolerant.warnings(), [warning]);
        assert!(tolerant.stages().starts_with("resolve connect greeting tls capabilities"), "{}", tolerant.stages());
    }
    let absent = "it does not offer STARTTLS";
    check("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n", &[], absent).await;
    check("* OK ready\r\n", &[("CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n# OK\r\n")], absent).await;
    check(OFFER, &[("STARTTLS", "# NO not now\r\n")], "it offers STARTTLS and then refuses it (not now)").await;
    check(OFFER, &[("STARTTLS", "# BAD what?\r\n")], "it offers STARTTLS and then refuses it (what?)").await;
    let late = "it says that we are logged in already, and then it is too late";
    check("* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome\r\n", &[], late).await;
}

#[tokio::test]
async fn what_goes_wrong_after_the_server_has_begun_is_an_error_in_either_mode() {
    async fn check(reply: &str, then: Then, expect: &str) {
        for mode in MODES {
            let outcome = connect(mode, OFFER, &[("STARTTLS", reply)], then, &[]).await;
            assert_eq!(outcome.error.as_deref(), Some(expect), "{mode}");
            assert!(!outcome.heard.contains("LOGIN") && !outcome.heard.contains("AUTH"), "{}", outcome.heard);
        }
    }
    let injected = "localhost sent more in plain text after it had agreed to begin TLS: someone on the way may have put \
                    it there, so nothing of it is used";
    check("# OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", Then::Silence, injected).await;
    check("# OK go\r\n* 1 EXI", Then::Silence, injected).await;
    check("# OK go\r\n\x16", Then::Silence, injected).await;
    check(
        "# OK go\r\n",
        Then::Garbage,
        "cannot secure the connection to localhost: it has agreed to begin TLS, but what it then sends is not TLS; \
         someone may have put it there",
    )
    .await;
    check(
        "# OK go\r\n",
        Then::Close,
        "cannot secure the connection to localhost: the server closes the connection in the handshake; check port and \
         security mode",
    )
    .await;
    check(
        "# OK go\r\n",
        Then::Silence,
        "cannot secure the connection to localhost: the server does not answer; check port and security mode",
    )
    .await;
    check("", Then::Silence, "localhost did not answer STARTTLS within 500 ms").await;
    check("", Then::Close, "localhost closed the connection during STARTTLS: it gave no reason").await;
    check("* BYE no\r\n", Then::Close, "localhost closed the connection during STARTTLS: no").await;
    let garbage = "the answer of localhost to STARTTLS makes no sense: a response that is not IMAP";
    check("%$!\r\n", Then::Silence, garbage).await;
    let foreign = "the answer of localhost to STARTTLS makes no sense: it completes a command that was not sent";
    check("X1 OK go\r\n", Then::Silence, foreign).await;
}

#[tokio::test]
async fn what_was_said_before_is_forgotten() {
    let plain = [("STARTTLS", "* CAPABILITY IMAP4rev1 AUTH=FALSE\r\n# OK [CAPABILITY IMAP4rev1 AUTH=FALSE] go\r\n")];
    let secured = [("CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n# OK\r\n")];
    for mode in MODES {
        let outcome = connect(mode, OFFER, &plain, Then::Handshake, &secured).await;
        assert!(outcome.stages().starts_with("resolve connect greeting tls capabilities"), "{}", outcome.stages());
        let capabilities = outcome.steps.iter().find(|step| step.stage == Stage::Capabilities).unwrap();
        let expect = Seen::Capabilities { capabilities: vec!["IMAP4rev1".into(), "AUTH=PLAIN".into()] };
        assert_eq!(capabilities.outcome.as_ref().unwrap(), &expect);
        assert_eq!(outcome.warnings(), [""; 0]);
        assert_eq!(outcome.heard.lines().count(), 1, "{}", outcome.heard);
    }
}

//! A server on this machine that answers each line with the next piece of an input, and then hangs up.

use mailmill::content::Spool;
use mailmill::mailbox::{
    Account, Authentication, Disposition, ImapAccount, Limits, LoginMemory, MessageKey, Pop3Account, Security, Trust,
};
use std::cell::OnceCell;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// Between two answers.
const SEPARATOR: u8 = 0xFF;
/// Stands for the tag of the command that is answered.
const TAG: u8 = b'#';
/// The largest message that is taken in.
const MESSAGE_BYTES_MAX: u64 = 1 << 20;

thread_local! {
    static HERE: OnceCell<(Runtime, TcpListener, u16)> = const { OnceCell::new() };
}

/// A whole session with an IMAP server that says this.
pub fn imap(answers: &[u8]) {
    talk(answers, |port| {
        Account::Imap(ImapAccount {
            host: "127.0.0.1".into(),
            port,
            security: Security::None,
            trust: Trust::default(),
            user: "me".into(),
            authentication: Authentication::Password("secret".to_owned().into()),
            memory: LoginMemory::default(),
            mailboxes: vec!["INBOX".into(), "Other".into()],
            targets: vec!["Done".into()],
            purge: true,
            timeout: Duration::from_millis(500),
            limits: Limits { literal_bytes_max: MESSAGE_BYTES_MAX, ..Limits::default() },
            spool: Spool::new(&std::env::temp_dir()),
        })
    });
}

/// A whole session with a POP3 server that says this.
pub fn pop3(answers: &[u8]) {
    talk(answers, |port| {
        Account::Pop3(Pop3Account {
            host: "127.0.0.1".into(),
            port,
            security: Security::None,
            trust: Trust::default(),
            user: "me".into(),
            authentication: Authentication::Password("secret".to_owned().into()),
            memory: LoginMemory::default(),
            timeout: Duration::from_millis(500),
            message_bytes_max: MESSAGE_BYTES_MAX,
            spool: Spool::new(&std::env::temp_dir()),
        })
    });
}

fn talk(answers: &[u8], account: impl FnOnce(u16) -> Account) {
    HERE.with(|here| {
        let (runtime, listener, port) = here.get_or_init(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
            let port = listener.local_addr().expect("an address").port();
            (runtime, listener, port)
        });
        let account = account(*port);
        runtime.block_on(async {
            let client = session(account);
            let server = async {
                loop {
                    let Ok((stream, _)) = listener.accept().await else { return };
                    say(stream, answers).await;
                }
            };
            tokio::select! {
                () = client => {}
                () = server => {}
            }
        });
    });
}

/// All that a job does, whatever the server says to it.
async fn session(account: Account) {
    let Ok(mut session) = account.open().await else { return };
    let Ok(listed) = session.list().await else { return };
    let keys: Vec<MessageKey> = listed.into_iter().map(|listed| listed.key).take(20).collect();
    let (sink, mut messages) = mpsc::channel(64);
    let fetched = async {
        let fetched = session.fetch(&keys, &sink).await;
        drop(sink);
        fetched
    };
    let drained = async { while messages.recv().await.is_some() {} };
    if tokio::join!(fetched, drained).0.is_err() {
        return;
    }
    let done = Disposition { seen: true, moved: Some("Done".into()), ..Disposition::default() };
    let marks: Vec<_> = keys.into_iter().map(|key| (key, done.clone())).collect();
    if session.mark(&marks).await.is_err() || session.settle().await.is_err() {
        return;
    }
    let _ = session.close().await;
}

async fn say(stream: TcpStream, answers: &[u8]) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    for answer in answers.split(|byte| *byte == SEPARATOR) {
        let tag = line.split(|byte: &u8| *byte == b' ').next().unwrap_or_default().to_vec();
        let mut text = Vec::with_capacity(answer.len());
        for byte in answer {
            if *byte == TAG { text.extend_from_slice(&tag) } else { text.push(*byte) }
        }
        if stream.write_all(&text).await.is_err() {
            return;
        }
        line.clear();
        if !stream.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            return;
        }
    }
}

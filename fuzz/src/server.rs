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
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Between two answers: a byte that stands in none of the protocols' words.
pub(super) const NEXT: u8 = 0x01;
/// Stands for the tag of the command that is answered (RFC 9051 section 2.2.1).
pub(super) const TAG: u8 = 0x02;
/// The largest message that is taken in, in bytes.
const MESSAGE_BYTES_MAX: u64 = 1 << 20;
/// How many messages of a listing are fetched.
const FETCHED_MAX: usize = 20;
/// How often the client is given the chance to say something before it gets the next piece.
const TURNS: u32 = 10;
/// How long a server may say nothing. It never does: it goes on, or hangs up.
const TIMEOUT: Duration = Duration::from_millis(500);

thread_local! {
    static HERE: OnceCell<(Runtime, TcpListener, u16)> = const { OnceCell::new() };
}

/// Whatever a server says: a session over IMAP ends, with an error or without.
pub fn imap(input: &[u8]) {
    talk(input, b"* OK ready\r\n", |port| {
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
            timeout: TIMEOUT,
            limits: Limits { literal_bytes_max: MESSAGE_BYTES_MAX, ..Limits::default() },
            spool: Spool::new(&std::env::temp_dir()),
        })
    });
}

/// Whatever a server says: a session over POP3 ends, with an error or without.
pub fn pop3(input: &[u8]) {
    talk(input, b"+OK ready\r\n", |port| {
        Account::Pop3(Pop3Account {
            host: "127.0.0.1".into(),
            port,
            security: Security::None,
            trust: Trust::default(),
            user: "me".into(),
            authentication: Authentication::Password("secret".to_owned().into()),
            memory: LoginMemory::default(),
            timeout: TIMEOUT,
            message_bytes_max: MESSAGE_BYTES_MAX,
            spool: Spool::new(&std::env::temp_dir()),
        })
    });
}

/// Has a client talk to a server that greets with the input's first piece, or as it should if that is no greeting: whether a
/// server that greets wrongly waits for TLS is asked with a second connection, which takes longer than all the rest.
fn talk(input: &[u8], greeting: &[u8], account: impl FnOnce(u16) -> Account) {
    let greets = input.get(..4) == greeting.get(..4);
    HERE.with(|here| {
        let (runtime, listener, port) = here.get_or_init(|| {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            // Whenever it is someone's turn, it is known what has arrived.
            let runtime = builder.enable_all().event_interval(1).build().expect("a runtime");
            let listener = runtime.block_on(async {
                // A program of a fuzzer does not ignore this signal, as others do; one that is caught ends nothing.
                drop(signal(SignalKind::pipe()).expect("a signal"));
                TcpListener::bind("127.0.0.1:0").await.expect("a port")
            });
            let port = listener.local_addr().expect("an address").port();
            (runtime, listener, port)
        });
        let account = account(*port);
        let server = async {
            while let Ok((stream, _)) = listener.accept().await {
                say(stream, if greets { b"" } else { greeting }, input).await;
            }
        };
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = session(account) => {}
                () = server => {}
            }
        });
    });
}

/// All that a job does, whatever the server says to it.
async fn session(account: Account) {
    let Ok(mut session) = account.open().await else { return };
    let Ok(listed) = session.list().await else { return };
    let keys: Vec<MessageKey> = listed.into_iter().map(|listed| listed.key).take(FETCHED_MAX).collect();
    let (sink, mut messages) = mpsc::channel(FETCHED_MAX);
    let fetched = async {
        let fetched = session.fetch(&keys, &sink).await;
        drop(sink);
        fetched
    };
    let drained = async { while messages.recv().await.is_some() {} };
    if tokio::join!(fetched, drained).0.is_err() {
        return;
    }
    if let Some(key) = keys.first()
        && session.fetch_header(key).await.is_err()
    {
        return;
    }
    let done = Disposition { seen: true, move_to: Some("Done".into()), ..Disposition::default() };
    let marks: Vec<_> = keys.into_iter().map(|key| (key, done.clone())).collect();
    if session.mark(&marks).await.is_err() || session.settle().await.is_err() {
        return;
    }
    drop(session.close().await);
}

async fn say(stream: TcpStream, greeting: &[u8], input: &[u8]) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    if !greeting.is_empty() && (stream.write_all(greeting).await.is_err() || !heard(&mut stream, &mut line).await) {
        return;
    }
    for answer in input.split(|byte| *byte == NEXT) {
        let tag = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        let mut text = Vec::with_capacity(answer.len());
        for byte in answer {
            if *byte == TAG { text.extend_from_slice(tag) } else { text.push(*byte) }
        }
        if stream.write_all(&text).await.is_err() || !heard(&mut stream, &mut line).await {
            return;
        }
    }
}

/// Reads the next line, and says whether the client is still there. A client that says nothing waits for more, which it gets at
/// once: nothing here waits for a time to be up.
async fn heard(stream: &mut BufReader<TcpStream>, line: &mut Vec<u8>) -> bool {
    line.clear();
    let patience = async {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        read = stream.read_until(b'\n', line) => read.is_ok_and(|read| read > 0),
        () = patience => true,
    }
}

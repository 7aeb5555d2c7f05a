//! A program that takes calls of a webhook, and remembers how often each came.

use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// The bodies of the calls, by their `webhook-id`.
pub(crate) type Calls = BTreeMap<String, Vec<String>>;

pub(crate) struct Receiver {
    pub(crate) port: u16,
    calls: Arc<Mutex<Calls>>,
}

impl Receiver {
    /// It listens for as long as the test runs.
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let calls = Arc::new(Mutex::new(Calls::new()));
        let noted = calls.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A caller that is killed breaks off: that is no call.
                if let Ok((id, body)) = take(&stream) {
                    noted.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default().push(body);
                    // It may be gone by now: the call was taken all the same.
                    let _ = (&stream).write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
                }
            }
        });
        Ok(Self { port, calls })
    }

    pub(crate) fn calls(&self) -> Calls {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn take(stream: &TcpStream) -> Result<(String, String)> {
    stream.set_read_timeout(Some(mailmill_tests::PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let (mut id, mut length, mut line) = (String::new(), 0, String::new());
    while reader.read_line(&mut line)? > 2 {
        let (name, value) = line.trim_end().split_once(':').unwrap_or(("", ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse()?,
            "webhook-id" => id = value.trim().to_owned(),
            _ => {}
        }
        line.clear();
    }
    if length == 0 {
        bail!("no call");
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((id, String::from_utf8(body)?))
}

//! As much of an HTTP server as a token server needs: forms in, one answer, and the connection ends.

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Listens until it is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
}

/// The fields of a form. Client credentials in the `Authorization` header count as fields too.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Form(BTreeMap<String, String>);

/// What a request is answered with.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    headers: String,
    body: String,
}

impl Listener {
    pub(super) fn start(answer: impl Fn(&str, &Form) -> Answer + Send + 'static) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, ended) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let end = Arc::clone(&ended);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                // Who breaks off in the middle of a request has no use for an answer.
                let _ = serve(stream, &answer);
            }
        });
        Ok(Self { address, ended })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Only a connection wakes the thread; without it, the thread waits until the process ends.
        let _ = TcpStream::connect(self.address);
    }
}

impl Form {
    pub(super) fn parse(body: &str) -> Self {
        let fields = body.split('&').filter_map(|field| field.split_once('='));
        Self(fields.map(|(name, value)| (decoded(name), decoded(value))).collect())
    }

    /// The value of a field, empty if there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Adds the client of `Basic bmFtZTpzZWNyZXQ=`. RFC 6749 section 2.3.1: both parts are encoded as in a form.
    fn add_client(&mut self, authorization: &str) -> Option<()> {
        let text = String::from_utf8(BASE64_STANDARD.decode(authorization.strip_prefix("Basic ")?).ok()?).ok()?;
        let (id, secret) = text.split_once(':')?;
        self.0.insert("client_id".into(), decoded(id));
        self.0.insert("client_secret".into(), decoded(secret));
        Some(())
    }
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        let headers = "Content-Type: application/json\r\nCache-Control: no-store\r\n".to_owned();
        Self { status, headers, body: body.to_string() }
    }

    pub(super) fn text(status: u16, body: &str) -> Self {
        Self { status, headers: "Content-Type: text/plain\r\n".to_owned(), body: body.to_owned() }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    fn bytes(&self) -> String {
        let Self { status, headers, body } = self;
        format!("HTTP/1.1 {status} -\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    }
}

fn serve(mut stream: TcpStream, answer: &impl Fn(&str, &Form) -> Answer) -> Result<()> {
    stream.set_read_timeout(Some(crate::PATIENCE))?;
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let target = line.split_whitespace().nth(1).context("no request line")?;
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let (mut length, mut authorization) = (0, String::new());
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse()?,
            "authorization" => value.trim().clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = String::new();
    reader.take(length).read_to_string(&mut body)?;
    let mut form = Form::parse(&body);
    // Without a client in the header, it is in the form, or nowhere.
    let _ = form.add_client(&authorization);
    stream.write_all(answer(&path, &form).bytes().as_bytes())?;
    Ok(())
}

/// Takes back what `application/x-www-form-urlencoded` did to a text.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            (byte, _) => {
                bytes.push(if *byte == b'+' { b' ' } else { *byte });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read() {
        let check = |body: &str, name: &str, expect: &str| assert_eq!(Form::parse(body).get(name), expect, "{body}");
        check("a=1&b=2", "b", "2");
        check("a=1", "b", "");
        check("scope=https%3A%2F%2Fmail.example%2F+x", "scope", "https://mail.example/ x");
        check("a=100%", "a", "100%");
        check("a=%zz", "a", "%zz");
        check("a=%C3%A9", "a", "é");
    }

    #[test]
    fn a_client_in_the_header_is_a_field() {
        let mut form = Form::default();
        assert_eq!(form.add_client("Basic bmFtZTpzZWNyZXQ="), Some(()));
        assert_eq!((form.get("client_id"), form.get("client_secret")), ("name", "secret"));
        assert_eq!(form.add_client(""), None);
    }
}

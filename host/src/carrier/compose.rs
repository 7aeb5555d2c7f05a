//! Our own mail as bytes (RFC 5322, RFC 2045).

use super::Failure;
use crate::message::{self, MessageId};
use crate::outgoing::{Mail, one_line};
use lettre::message::header::{self, ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Message, MultiPart, SinglePart};
use lettre::{Address, address::Envelope};
use std::time::{Duration, UNIX_EPOCH};

/// The longest line that mail can have, without its end (RFC 5322 section 2.1.1).
const LINE_BYTES_MAX: usize = 998;

/// The same for all mail.
#[derive(Debug, Clone)]
pub(super) struct Form {
    /// Who it is from.
    pub(super) from: message::Address,
    /// Whether answers have an empty return path.
    pub(super) empty_return_path: bool,
}

/// A mail as it is sent: from whom and to whom, and its bytes.
#[derive(Debug)]
pub(super) struct Composed {
    pub(super) envelope: Envelope,
    pub(super) bytes: Vec<u8>,
}

/// Makes the bytes of a mail, with the message that goes along. They are ASCII where the server does not take others.
pub(super) fn compose(
    form: &Form,
    mail: &Mail,
    original: Option<Vec<u8>>,
    eight_bit: bool,
) -> Result<Composed, Failure> {
    let from = mailbox(&form.from)?;
    let to = mailbox(&mail.to)?;
    // RFC 3834 section 3.3, RFC 5321 section 4.5.5: nothing may answer an answer.
    let is_silent = mail.is_answer && form.empty_return_path;
    let return_path = if is_silent { None } else { Some(from.email.clone()) };
    let envelope =
        Envelope::new(return_path, vec![to.email.clone()]).map_err(|error| Failure::lasting(error.to_string()))?;
    let written = UNIX_EPOCH + Duration::from_secs(u64::try_from(mail.written_at).unwrap_or_default());
    // RFC 3834 section 5.
    let submitted = if mail.is_answer { "auto-replied" } else { "auto-generated" };
    let mut builder = Message::builder()
        .from(from)
        .to(to)
        .date(written)
        .subject(one_line(&mail.subject))
        .header(header::MessageId::from(bracketed([&mail.message_id])))
        .header(AutoSubmitted(submitted))
        .header(XLoop(form.from.email.clone()))
        .envelope(envelope.clone());
    if let Some(id) = &mail.in_reply_to {
        builder = builder.header(header::InReplyTo::from(bracketed([id])));
    }
    if !mail.references.is_empty() {
        builder = builder.header(header::References::from(bracketed(&mail.references)));
    }
    let text = SinglePart::plain(mail.text.clone());
    let built = match original {
        None => builder.singlepart(text),
        Some(original) => {
            builder.multipart(MultiPart::mixed().singlepart(text).singlepart(attached(original, eight_bit)))
        }
    };
    let bytes = built.map_err(|error| Failure::lasting(format!("the mail cannot be written: {error}")))?.formatted();
    Ok(Composed { envelope, bytes })
}

fn mailbox(address: &message::Address) -> Result<Mailbox, Failure> {
    let email: Address = address
        .email
        .parse()
        .map_err(|error| Failure::lasting(format!("\"{}\" is no address: {error}", address.email)))?;
    let name = one_line(&address.name);
    Ok(Mailbox::new((!name.is_empty()).then_some(name), email))
}

/// `<a@b> <c@d>`: one to a line where they are many (RFC 5322 section 2.2.3).
fn bracketed<'i>(ids: impl IntoIterator<Item = &'i MessageId>) -> String {
    ids.into_iter().map(|id| format!("<{}>", id.0)).collect::<Vec<_>>().join(" ")
}

/// The message that goes along. RFC 2046 section 5.2.1 lets it be encoded in no way; what cannot stand in mail without, is
/// attached as a file.
fn attached(original: Vec<u8>, eight_bit: bool) -> SinglePart {
    let original = with_crlf(&original);
    let lines_fit = original.split(|byte| *byte == b'\n').all(|line| line.len() <= LINE_BYTES_MAX + 1);
    // A CR alone ends a line for some servers, so that what follows it could be a dot of its own (RFC 5321 section 2.3.8).
    let has_bare_cr = original
        .iter()
        .zip(original.iter().skip(1).chain([&0]))
        .any(|pair| matches!(pair, (b'\r', next) if *next != b'\n'));
    let fits = lines_fit && !has_bare_cr && !original.contains(&0) && (original.is_ascii() || eight_bit);
    if fits {
        let encoding =
            if original.is_ascii() { ContentTransferEncoding::SevenBit } else { ContentTransferEncoding::EightBit };
        return SinglePart::builder()
            .header(ContentType::parse("message/rfc822").unwrap_or(ContentType::TEXT_PLAIN))
            .header(header::ContentDisposition::attachment("message.eml"))
            .body(Body::dangerous_pre_encoded(original, encoding));
    }
    SinglePart::builder()
        .header(ContentType::parse("application/octet-stream").unwrap_or(ContentType::TEXT_PLAIN))
        .header(header::ContentDisposition::attachment("message.eml"))
        .header(ContentTransferEncoding::Base64)
        .body(original)
}

/// The same with CRLF at the end of each line.
fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    let mut before = 0;
    for byte in bytes {
        if *byte == b'\n' && before != b'\r' {
            out.push(b'\r');
        }
        out.push(*byte);
        before = *byte;
    }
    out
}

/// RFC 3834 section 5.
#[derive(Debug, Clone, Copy)]
struct AutoSubmitted(&'static str);

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Err("it is only written".into())
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.to_owned())
    }
}

/// What whoever forwards by a program writes, so that it knows its own mail when that comes back.
#[derive(Debug, Clone)]
struct XLoop(String);

impl Header for XLoop {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Loop")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Err("it is only written".into())
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

//! OAUTHBEARER (RFC 7628) and XOAUTH2, its predecessor: an access token instead of a password.

use super::scram::escaped;
use super::{Credentials, Fault, Message, Steps};
use secrecy::zeroize::Zeroizing;
use serde_json::Value;

/// The longest cause that is repeated, in characters.
const CAUSE_CHARS_MAX: usize = 200;

#[derive(Debug)]
pub(super) struct OAuth {
    credentials: Credentials,
    dialect: Dialect,
    sent: bool,
    cause: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Dialect {
    Bearer,
    XOAuth2,
}

impl OAuth {
    pub(super) fn bearer(credentials: &Credentials) -> Result<Self, Fault> {
        Self::new(credentials, Dialect::Bearer)
    }

    pub(super) fn xoauth2(credentials: &Credentials) -> Result<Self, Fault> {
        Self::new(credentials, Dialect::XOAuth2)
    }

    fn new(credentials: &Credentials, dialect: Dialect) -> Result<Self, Fault> {
        // RFC 6750 section 2.1. Whatever else is in it would end the field it stands in.
        let token = credentials.exposed();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Fault::Unfit("the access token holds characters that no token has"));
        }
        if credentials.user.contains('\u{1}') {
            return Err(Fault::Unfit("the user name holds a control character"));
        }
        Ok(Self { credentials: credentials.clone(), dialect, sent: false, cause: None })
    }
}

impl Steps for OAuth {
    fn initial(&mut self) -> Option<Message> {
        self.sent = true;
        let Credentials { user, host, port, .. } = &self.credentials;
        let token = self.credentials.exposed();
        Some(Zeroizing::new(match self.dialect {
            Dialect::Bearer => {
                let user = escaped(user);
                format!("n,a={user},\u{1}host={host}\u{1}port={port}\u{1}auth=Bearer {token}\u{1}\u{1}").into_bytes()
            }
            Dialect::XOAuth2 => format!("user={user}\u{1}auth=Bearer {token}\u{1}\u{1}").into_bytes(),
        }))
    }

    /// A challenge tells why the token is refused; the refusal itself comes once it is answered.
    fn respond(&mut self, challenge: &[u8]) -> Result<Message, Fault> {
        if self.cause.is_some() {
            let mechanism = match self.dialect {
                Dialect::Bearer => "OAUTHBEARER",
                Dialect::XOAuth2 => "XOAUTH2",
            };
            return Err(Fault::Nonsense { mechanism, what: "it asks again" });
        }
        self.cause = Some(cause(challenge));
        Ok(Zeroizing::new(match self.dialect {
            // RFC 7628 section 3.2.3.
            Dialect::Bearer => vec![1],
            Dialect::XOAuth2 => Vec::new(),
        }))
    }

    fn has_proved(&self) -> bool {
        self.sent
    }

    fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }
}

/// What a challenge in JSON says: `status 401, scope "mail"`. A server that does not write JSON says nothing.
fn cause(challenge: &[u8]) -> String {
    let told = serde_json::from_slice::<Value>(challenge).unwrap_or_default();
    let words = ["status", "scope"].into_iter().filter_map(|key| match told.get(key)? {
        Value::String(text) if !text.is_empty() => Some(format!("{key} {text}")),
        Value::Number(number) => Some(format!("{key} {number}")),
        _ => None,
    });
    let cause = words.collect::<Vec<_>>().join(", ");
    cause.chars().map(|c| if c.is_control() { ' ' } else { c }).take(CAUSE_CHARS_MAX).collect()
}

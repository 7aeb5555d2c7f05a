//! The mechanisms that send the password as it is.

use super::{Credentials, Fault, Message, Steps};
use secrecy::zeroize::Zeroizing;

/// PLAIN (RFC 4616).
#[derive(Debug)]
pub(super) struct Plain {
    credentials: Credentials,
    sent: bool,
}

impl Plain {
    pub(super) fn new(credentials: &Credentials) -> Self {
        Self { credentials: credentials.clone(), sent: false }
    }
}

impl Steps for Plain {
    fn initial(&mut self) -> Option<Message> {
        self.sent = true;
        Some(Zeroizing::new(
            [b"\0", self.credentials.user.as_bytes(), b"\0", self.credentials.exposed().as_bytes()].concat(),
        ))
    }

    fn respond(&mut self, _: &[u8]) -> Result<Message, Fault> {
        Err(Fault::Nonsense { mechanism: "PLAIN", what: "it asks again" })
    }

    fn has_proved(&self) -> bool {
        self.sent
    }
}

/// LOGIN (draft-murchison-sasl-login): the server asks for the name, then for the password. The words with which it
/// asks differ, and must be ignored.
#[derive(Debug)]
pub(super) struct Login {
    credentials: Credentials,
    answered: usize,
}

impl Login {
    pub(super) fn new(credentials: &Credentials) -> Self {
        Self { credentials: credentials.clone(), answered: 0 }
    }
}

impl Steps for Login {
    fn initial(&mut self) -> Option<Message> {
        None
    }

    fn respond(&mut self, _: &[u8]) -> Result<Message, Fault> {
        let answer = match self.answered {
            0 => self.credentials.user.as_str(),
            1 => self.credentials.exposed(),
            _ => return Err(Fault::Nonsense { mechanism: "LOGIN", what: "it asks a third time" }),
        };
        self.answered += 1;
        Ok(Zeroizing::new(answer.as_bytes().to_vec()))
    }

    fn has_proved(&self) -> bool {
        self.answered == 2
    }
}

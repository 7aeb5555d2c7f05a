//! Calls of programs elsewhere, signed as Standard Webhooks says: <https://www.standardwebhooks.com>.

use super::{Failure, Remedy};
use crate::config;
use crate::http;
use crate::secret::SecretRef;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use std::time::Duration;
use tokio::sync::OnceCell;

/// What a secret in base64 begins with.
const SECRET_MARK: &str = "whsec_";
/// The shortest key that calls are signed with, in bytes (Standard Webhooks, "Signature scheme").
const KEY_BYTES_MIN: usize = 24;
/// The most characters of an answer that are shown.
const ANSWER_CHARS_MAX: usize = 200;

/// A program that is called.
#[derive(Debug)]
pub struct Webhook {
    url: String,
    secret: SecretRef,
    timeout: Duration,
    client: OnceCell<reqwest::Client>,
}

impl Webhook {
    /// The one of these settings.
    #[must_use]
    pub fn new(settings: &config::Webhook) -> Self {
        Self {
            url: settings.url.clone(),
            secret: settings.secret.clone(),
            timeout: settings.timeout.duration(),
            client: OnceCell::new(),
        }
    }

    /// Calls it. `id` is the same for all attempts.
    ///
    /// # Errors
    /// If it does not answer with success: for good (410, Gone), or for now.
    pub async fn call(&self, id: &str, body: &str) -> Result<(), Failure> {
        let secret = self.secret.resolve().map_err(|error| Failure::passing(format!("the secret: {error}")))?.secret;
        let at = Timestamp::now().as_second();
        let signature = signature(&secret, id, at, body).map_err(Failure::passing)?;
        let client = self.client.get_or_try_init(|| http::client(self.timeout)).await.map_err(Failure::passing)?;
        let request = request(client.post(&self.url), id, at, &signature, body);
        let mut answer = request.send().await.map_err(|error| Failure::passing(http::cause(error, self.timeout)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let wait = http::retry_after(answer.headers());
        // The first piece says it; the rest may have no end.
        let said = answer.chunk().await.ok().flatten().unwrap_or_default();
        let said: String = String::from_utf8_lossy(&said).chars().take(ANSWER_CHARS_MAX).collect();
        let reason = format!("it answers {status}: {}", said.trim());
        // 410: the receiver wants no more calls.
        let remedy = if status.as_u16() == 410 { Remedy::Nothing } else { Remedy::Retry(wait) };
        Err(Failure { reason: reason.trim_end_matches([':', ' ']).to_owned(), remedy })
    }
}

/// The call, with its header fields.
fn request(call: RequestBuilder, id: &str, at: i64, signature: &str, body: &str) -> RequestBuilder {
    call.header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", signature)
        .body(body.to_owned())
}

/// `v1,` and the MAC of identifier, time (in seconds since 1970) and body.
fn signature(secret: &SecretString, id: &str, at: i64, body: &str) -> Result<String, String> {
    let secret = secret.expose_secret();
    let key = match secret.strip_prefix(SECRET_MARK) {
        Some(encoded) => STANDARD
            .decode(encoded)
            .map_err(|_| format!("the secret begins with {SECRET_MARK}, but no base64 follows"))?,
        None => secret.as_bytes().to_vec(),
    };
    if key.len() < KEY_BYTES_MIN {
        return Err(format!(
            "the secret has {} bytes, and one of fewer than {KEY_BYTES_MIN} can be guessed",
            key.len()
        ));
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|error| error.to_string())?;
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_call_has_these_headers_and_no_others(id in ".*|[a-z]{0,3}\r\n[a-z]{0,3}: .*", body in ".*\r\n.*") {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let client = runtime.block_on(http::client(Duration::from_secs(1))).unwrap();
            let built = request(client.post("http://hook.example/"), &id, 7, "v1,c2lnbmVk", &body).build();
            // What cannot be written is refused.
            let Ok(call) = built else { return Ok(()) };
            let names: Vec<&str> = call.headers().keys().map(|name| name.as_str()).collect();
            prop_assert_eq!(names, ["content-type", "webhook-id", "webhook-timestamp", "webhook-signature"]);
            prop_assert!(!id.contains(['\r', '\n']), "{id:?}");
            prop_assert_eq!(call.headers()["webhook-id"].as_bytes(), id.as_bytes());
            prop_assert_eq!(call.body().and_then(|body| body.as_bytes()), Some(body.as_bytes()));
        }
    }

    #[test]
    fn calls_are_signed_as_the_standard_says() {
        // Worked out with OpenSSL: printf 'ID.TIME.BODY' | openssl dgst -sha256 -mac HMAC -macopt key:…
        let check = |secret: &str, expect: &str| {
            let signed = signature(&secret.to_owned().into(), "msg_1", 1_700_000_000, "{\"a\":1}").unwrap();
            assert_eq!(signed, expect);
        };
        check("whsec_YSBzZWNyZXQgb2YgYSBob29rLCBsb25nIGVub3VnaA==", SIGNED);
        check("a secret of a hook, long enough", SIGNED);
        assert!(signature(&"whsec_?".to_owned().into(), "", 0, "").is_err());
        let refused = |secret: &str| signature(&secret.to_owned().into(), "", 0, "").is_err();
        assert_eq!([&"x".repeat(23), &"x".repeat(24)].map(|secret| refused(secret)), [true, false]);
        assert!(refused("") && refused("whsec_") && refused("whsec_c2VjcmV0"));
    }

    const SIGNED: &str = "v1,KmdLOAY3B9zRNJ12J7WpblQoQmy6Jh5k5qI6cQmkOns=";
}

//! Logging in with the browser of this machine (RFC 8252, RFC 7636): the provider sends it back to a port here.

use super::flow::{Issued, Prompt, host_of, not_a_url, refused};
use super::http::Http;
use super::{App, Error};
use crate::tame::tame;
use oauth2::{AuthUrl, AuthorizationCode, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// How long someone has for logging in.
const LOGIN_MAX: Duration = Duration::from_secs(15 * 60);
/// The longest head of a request that is read.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long a browser may take to send it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn log_in(http: &Http, app: &App, mut prompt: impl FnMut(Prompt)) -> Result<Issued, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| listening(&error))?;
    let port = listener.local_addr().map_err(|error| listening(&error))?.port();
    let url = app.endpoints.authorize_url.clone().unwrap_or_default();
    let authorize_url = AuthUrl::new(url.clone()).map_err(|error| not_a_url(&url, &error))?;
    let redirect = RedirectUrl::new(format!("http://127.0.0.1:{port}/")).map_err(|error| not_a_url(&url, &error))?;
    let client = app.client()?.set_auth_uri(authorize_url).set_redirect_uri(redirect);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (page, state) = client
        .authorize_url(CsrfToken::new_random)
        .add_scopes(app.endpoints.scopes.iter().cloned().map(Scope::new))
        // Google issues what lasts only if it is asked in its own way; the others ignore it.
        .add_extra_param("access_type", "offline")
        .add_extra_param("prompt", "consent")
        .set_pkce_challenge(challenge)
        .url();
    prompt(Prompt::Open { url: page.to_string() });
    let code = timeout(LOGIN_MAX, wait_for_code(&listener, state.secret())).await.map_err(|_| Error::TooLate)??;
    let code = AuthorizationCode::new(code);
    let answer = client.exchange_code(code).set_pkce_verifier(verifier).request_async(http).await;
    answer.map(Issued::from).map_err(|error| refused(&app.endpoints.token_url, error))
}

fn listening(error: &std::io::Error) -> Error {
    Error::Unreachable { host: host_of("http://127.0.0.1"), cause: error.to_string() }
}

/// What a request of the browser means.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Code(String),
    Denied(String),
    /// Not the one that is waited for, such as one for an icon.
    Other,
}

async fn wait_for_code(listener: &TcpListener, state: &str) -> Result<String, Error> {
    loop {
        let Ok((mut browser, _)) = listener.accept().await else { continue };
        let Some(target) = timeout(HEAD_TIMEOUT, read_target(&mut browser)).await.ok().flatten() else { continue };
        let answer = answer(&target, state);
        let (status, text) = match &answer {
            Answer::Code(_) => ("200 OK", "mailmill has got what it needs. You can close this page."),
            Answer::Denied(_) => ("200 OK", "The right was not granted. You can close this page."),
            Answer::Other => ("404 Not Found", "Nothing is here."),
        };
        let page = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{text}",
            text.len()
        );
        // The code counts, not whether the browser reads our thanks.
        let _ = browser.write_all(page.as_bytes()).await;
        let _ = browser.shutdown().await;
        match answer {
            Answer::Code(code) => return Ok(code),
            Answer::Denied(said) => return Err(Error::Denied { said }),
            Answer::Other => {}
        }
    }
}

/// The target of a GET request: its path and query.
async fn read_target(browser: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = browser.read(&mut buffer).await.ok()?;
        head.extend_from_slice(buffer.get(..count)?);
        if count == 0 || head.len() > HEAD_BYTES_MAX {
            return None;
        }
    }
    let text = String::from_utf8(head).ok()?;
    let target = text.strip_prefix("GET ")?.split(' ').next()?;
    Some(target.to_owned())
}

/// RFC 6749 sections 4.1.2 and 4.1.2.1. An answer with another state is not to our question.
fn answer(target: &str, state: &str) -> Answer {
    let Ok(url) = reqwest::Url::parse("http://127.0.0.1/").and_then(|base| base.join(target)) else {
        return Answer::Other;
    };
    let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    if value("state").as_deref() != Some(state) {
        return Answer::Other;
    }
    match (value("code"), value("error")) {
        (Some(code), _) => Answer::Code(code),
        (None, Some(error)) => {
            let description = value("error_description").map(|text| format!(": {text}")).unwrap_or_default();
            Answer::Denied(tame(&format!("{error}{description}")))
        }
        (None, None) => Answer::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_to_our_question_counts() {
        let check = |target: &str, expect: Answer| assert_eq!(answer(target, "s1"), expect, "{target}");
        check("/?code=a%2Fb&state=s1", Answer::Code("a/b".into()));
        check("/?code=ab&state=s2", Answer::Other);
        check("/?code=ab", Answer::Other);
        check("/favicon.ico", Answer::Other);
        check(
            "/?state=s1&error=access_denied&error_description=no%20way",
            Answer::Denied("access_denied: no way".into()),
        );
        check("//evil.example/?code=ab&state=s1", Answer::Code("ab".into()));
        check("", Answer::Other);
    }
}

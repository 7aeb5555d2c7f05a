//! How a login looks on the wire, each by a scripted server.

use super::*;
use crate::mailbox::TokenSource;
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::SecretString;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;

const IN: &str = "M1 OK [CAPABILITY IMAP4rev1] in\r\n";
const WRONG: &str = "M1 NO [AUTHENTICATIONFAILED] wrong\r\n";

fn password(text: &str) -> Authentication {
    Authentication::Password(text.to_owned().into())
}

/// The report's word on the login, or the error.
async fn outcome(account: ImapAccount) -> Result<String, Error> {
    let mut how = String::new();
    let result = Account::Imap(account)
        .test(|step| {
            if let (Stage::Authentication, Ok(seen)) = (step.stage, &step.outcome) {
                how = seen.to_string();
            }
        })
        .await;
    if how.is_empty() { Err(result.unwrap_err()) } else { Ok(how) }
}

async fn check_as(
    authentication: Authentication,
    offered: &str,
    lines: &[(&'static str, &str)],
    expect: Result<&str, &str>,
) {
    let greeting = format!("* OK [CAPABILITY IMAP4rev1 {offered}] ready\r\n");
    let script = lines.iter().map(|(line, reply)| (*line, (*reply).to_owned())).collect();
    let account = ImapAccount { authentication, ..account(&greeting, script).await };
    let result = outcome(account).await.map_err(|error| error.to_string());
    assert_eq!(result.as_deref().map_err(String::as_str), expect, "{offered}");
}

async fn check(offered: &str, lines: &[(&'static str, &str)], expect: Result<&str, &str>) {
    check_as(password("secret"), offered, lines, expect).await;
}

#[tokio::test]
async fn clear_text_in_each_of_its_forms() {
    let plain = Ok("logged in with PLAIN");
    check("SASL-IR AUTH=PLAIN", &[("AUTHENTICATE PLAIN AG1lAHNlY3JldA==\r\n", IN)], plain).await;
    check("AUTH=PLAIN", &[("AUTHENTICATE PLAIN\r\n", "+\r\n"), ("AG1lAHNlY3JldA==\r\n", IN)], plain).await;
    check("AUTH=PLAIN", &[("AUTHENTICATE PLAIN\r\n", "+ Go ahead!\r\n"), ("AG1lAHNlY3JldA==\r\n", IN)], plain).await;
    let asked = [("AUTHENTICATE LOGIN\r\n", "+ VXNlciBOYW1lAA==\r\n"), ("bWU=\r\n", "+ \r\n"), ("c2VjcmV0\r\n", IN)];
    check("auth=login LOGINDISABLED", &asked, Ok("logged in with LOGIN")).await;
    check("AUTH=GSSAPI", &[("LOGIN \"me\" \"secret\"\r\n", IN)], Ok("logged in with LOGIN")).await;
    check_as(password("a\"b\\c"), "IDLE", &[("LOGIN \"me\" \"a\\\"b\\\\c\"\r\n", IN)], Ok("logged in with LOGIN"))
        .await;
    let ascii = "127.0.0.1 cannot log in user \"me\": the server takes only ASCII characters in user name and password";
    check_as(password("é"), "IDLE", &[], Err(ascii)).await;
    let line_end = "127.0.0.1 cannot log in user \"me\": \
                    the user name or the password holds a line end; check where it comes from";
    check_as(password("a\r\nM9 DELETE INBOX"), "AUTH=PLAIN", &[], Err(line_end)).await;
}

#[tokio::test]
async fn challenges_are_answered_and_news_is_passed_over() {
    // The example of RFC 2195, with another user.
    let cram = [
        (
            "AUTHENTICATE CRAM-MD5\r\n",
            "* OK Waiting for authentication process to respond..\r\n* 3 EXISTS\r\n\
             + PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n",
        ),
        ("bWUgYjkxM2E2MDJjN2VkYTdhNDk1YjRlNmU3MzM0ZDM4OTA=\r\n", IN),
    ];
    let user = password("tanstaaftanstaaf");
    check_as(user, "SASL-IR AUTH=PLAIN AUTH=CRAM-MD5", &cram, Ok("logged in with CRAM-MD5")).await;
}

#[tokio::test]
async fn what_cannot_be_answered_is_cancelled() {
    let nonsense = "127.0.0.1 cannot log in user \"me\": its CRAM-MD5 challenge makes no sense: it is not base64";
    let begun = ("AUTHENTICATE CRAM-MD5\r\n", "+ what?\r\n");
    check("AUTH=CRAM-MD5 AUTH=PLAIN", &[begun, ("*\r\n", "M1 BAD cancelled\r\n")], Err(nonsense)).await;
    check("AUTH=CRAM-MD5 AUTH=PLAIN", &[begun, ("*\r\n", SILENCE)], Err(nonsense)).await;
    let long = format!("+ {}\r\n", "A".repeat(30_000));
    let long = [("AUTHENTICATE CRAM-MD5\r\n", long.as_str()), ("*\r\n", "M1 BAD cancelled\r\n")];
    let told = "127.0.0.1 cannot log in user \"me\": its challenge is longer than 16384 bytes";
    check("AUTH=CRAM-MD5", &long, Err(told)).await;
}

#[tokio::test]
async fn ntlm_is_three_messages() {
    // Messages 1 and 3 begin with their signature and number; message 2 is the example of MS-NLMP 4.2.4.3.
    let challenge = "+ TlRMTVNTUAACAAAADAAMADgAAAAzgoriASNFZ4mrze8AAAAAAAAAACQAJABEAAAABgBwFwAAAA9TAGUAcgB2AGUAcgACAAwARABv\
                     AG0AYQBpAG4AAQAMAFMAZQByAHYAZQByAAAAAAA=\r\n";
    let ntlm = || Authentication::Ntlm("secret".to_owned().into());
    let third = ("TlRMTVNTUAADAAAA", IN);
    let done = Ok("logged in with NTLM");
    check_as(ntlm(), "AUTH=NTLM", &[("AUTHENTICATE NTLM\r\n", "+ \r\n"), ("TlRMTVNTUAABAAAA", challenge), third], done)
        .await;
    check_as(ntlm(), "SASL-IR AUTH=NTLM", &[("AUTHENTICATE NTLM TlRMTVNTUAABAAAA", challenge), third], done).await;
    let none = "127.0.0.1 cannot log in user \"me\": \
                it takes no NTLM login; it offers PLAIN, the login command; change `authentication`";
    check_as(ntlm(), "AUTH=PLAIN", &[], Err(none)).await;
}

#[derive(Debug)]
struct Token;

impl TokenSource for Token {
    fn token<'a>(
        &'a self,
        _: Option<&'a SecretString>,
    ) -> Pin<Box<dyn Future<Output = Result<SecretString, Error>> + Send + 'a>> {
        Box::pin(std::future::ready(Ok("secret".to_owned().into())))
    }
}

#[tokio::test]
async fn a_refused_token_is_told_with_its_cause() {
    let token = || Authentication::OAuth2(Arc::new(Token));
    let first = "AUTHENTICATE XOAUTH2 dXNlcj1tZQFhdXRoPUJlYXJlciBzZWNyZXQBAQ==\r\n";
    check_as(token(), "SASL-IR AUTH=XOAUTH2", &[(first, IN)], Ok("logged in with XOAUTH2")).await;
    let refused = |said| {
        format!(
            "127.0.0.1 refuses the access token of user \"me\": {said}; \
             check that it is for this mailbox and that its scope allows this protocol"
        )
    };
    // {"status":"400","scope":"mail"}
    let cause = [(first, "+ eyJzdGF0dXMiOiI0MDAiLCJzY29wZSI6Im1haWwifQ==\r\n"), ("\r\n", "M1 NO failed\r\n")];
    let told = refused("failed (status 400, scope mail)");
    check_as(token(), "SASL-IR AUTH=XOAUTH2", &cause, Err(&told)).await;
    let bearer = [
        ("AUTHENTICATE OAUTHBEARER\r\n", "+ \r\n"),
        ("bixhPW1lLAFob3N0PTEyNy4wLjAuMQFwb3J0P", "+ eyJzdGF0dXMiOiI0MDAiLCJzY29wZSI6Im1haWwifQ==\r\n"),
        ("AQ==\r\n", "M1 NO failed\r\n"),
    ];
    check_as(token(), "AUTH=OAUTHBEARER AUTH=XOAUTH2", &bearer, Err(&told)).await;
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_words_and_by_its_code() {
    async fn check(reply: &str, class: Class, is_login_refused: bool, expect: &str) {
        let script = vec![("AUTHENTICATE PLAIN", reply.to_owned())];
        let greeting = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=LOGIN] ready\r\n";
        let error = outcome(account(greeting, script).await).await.unwrap_err();
        assert_eq!((error.class(), error.is_login_refused()), (class, is_login_refused), "{reply}");
        assert_eq!(error.to_string(), format!("127.0.0.1 {expect}"));
        for secret in ["secret", "AG1lAHNlY3JldA=="] {
            assert!(!format!("{error:?} {error}").contains(secret), "{error}");
        }
    }
    let (passing, lasting) = (Class::Transient, Class::Permanent);
    check(WRONG, lasting, true, "refuses user \"me\" and its password: [AUTHENTICATIONFAILED] wrong; check both").await;
    let expired = "refuses user \"me\" and its password: [EXPIRED] set a new one; check both";
    check("M1 NO [EXPIRED] set a new one\r\n", lasting, true, expired).await;
    check("M1 NO [UNAVAILABLE] later\r\n", passing, false, "refuses PLAIN: [UNAVAILABLE] later").await;
    check("M1 NO [INUSE] later\r\n", passing, false, "refuses PLAIN: [INUSE] later").await;
    let private = "cannot log in user \"me\": it wants an encrypted connection for that: [PRIVACYREQUIRED] no; \
                   use `security = \"tls\"` or \"starttls\"";
    check("M1 NO [PRIVACYREQUIRED] no\r\n", lasting, true, private).await;
    check("M1 BAD what?\r\n", lasting, true, "refuses user \"me\" and its password: what?; check both").await;
    check(CLOSE, passing, false, "closed the connection during AUTHENTICATE: it gave no reason").await;
    check("* BYE enough\r\n", passing, false, "closed the connection during AUTHENTICATE: enough").await;
    check(SILENCE, passing, false, "did not answer AUTHENTICATE within 300 ms").await;
}

/// A server that does SCRAM-SHA-256 in earnest, and knows this password; whatever comes after the login is refused.
async fn scram_server(mut stream: BufReader<TcpStream>, known: &'static str) {
    async fn line(stream: &mut BufReader<TcpStream>) -> String {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }
    async fn say(stream: &mut BufReader<TcpStream>, text: &str) {
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
    let decode = |line: &str| String::from_utf8(BASE64.decode(line).unwrap()).unwrap();
    say(&mut stream, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256 AUTH=PLAIN] ready\r\n").await;
    let begun = line(&mut stream).await;
    let (tag, initial) = begun.split_once(" AUTHENTICATE SCRAM-SHA-256 ").unwrap();
    let first = decode(initial).strip_prefix("n,,").unwrap().to_owned();
    let nonce = first.strip_prefix("n=me,r=").unwrap();
    let salted = format!("r={nonce}server,s=c2FsdA==,i=4096");
    say(&mut stream, &format!("+ {}\r\n", BASE64.encode(&salted))).await;
    let last = decode(&line(&mut stream).await);
    let (bare, proof) = last.split_once(",p=").unwrap();

    let mut key = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, NonZeroU32::new(4096).unwrap(), b"salt", known.as_bytes(), &mut key);
    let sign = |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    let covered = format!("{first},{salted},{bare}");
    let client_key = sign(&key, "Client Key");
    let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
    let mask = sign(stored_key.as_ref(), &covered);
    let expected: Vec<u8> = client_key.as_ref().iter().zip(mask.as_ref()).map(|(key, mask)| key ^ mask).collect();
    if BASE64.decode(proof).unwrap() != expected {
        // It tries to get the client in all the same.
        say(&mut stream, &format!("+ {}\r\n", BASE64.encode("v=AAAA"))).await;
        assert_eq!(line(&mut stream).await, "*");
        return say(&mut stream, &format!("{tag} BAD cancelled\r\n")).await;
    }
    let signature = sign(sign(&key, "Server Key").as_ref(), &covered);
    let signature = format!("v={}", BASE64.encode(signature));
    say(&mut stream, &format!("+ {}\r\n", BASE64.encode(signature))).await;
    assert_eq!(line(&mut stream).await, "");
    say(&mut stream, &format!("{tag} OK [CAPABILITY IMAP4rev1] in\r\n")).await;
    let next = line(&mut stream).await;
    say(&mut stream, &format!("{} NO that is all\r\n", next.split(' ').next().unwrap())).await;
}

#[tokio::test]
async fn scram_lets_in_only_a_server_that_knows_the_password() {
    async fn check(known: &'static str, expect: Result<&str, &str>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            scram_server(BufReader::new(stream), known).await;
        });
        let account = ImapAccount { port, timeout: Duration::from_secs(10), ..account("", vec![]).await };
        let result = outcome(account).await.map_err(|error| error.to_string());
        assert_eq!(result.as_deref().map_err(String::as_str), expect);
        server.await.unwrap();
    }
    check("secret", Ok("logged in with SCRAM-SHA-256")).await;
    let impostor = "127.0.0.1 cannot log in user \"me\": \
                    it does not prove that it knows the password: it may be another server than it says";
    check("another", Err(impostor)).await;
}

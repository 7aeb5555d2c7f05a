//! From the greeting to the login.

use super::*;

#[tokio::test]
async fn opening_says_what_is_wrong() {
    async fn check(greeting: &str, script: Script<'_>, class: Class, expect: &str) {
        let (account, heard) = account(greeting, script).await;
        let error = Account::Pop3(account).open().await.unwrap_err();
        assert_eq!(error.to_string(), expect);
        assert_eq!(error.class(), class, "{expect}");
        assert!(!error.to_string().contains("secret"), "a password in {error}");
        assert!(!heard.lock().unwrap().contains("QUIT"));
    }
    async fn at_password(reply: &str, class: Class, expect: &str) {
        let script = vec![("CAPA", CAPA), ("USER me", "+OK\r\n"), ("PASS secret", reply)];
        check(GREETING, script, class, expect).await;
    }
    let (passing, lasting) = (Class::Transient, Class::Permanent);
    check("-ERR too busy\r\n", vec![], passing, "127.0.0.1 refuses the connection: too busy").await;
    let not_pop3 =
        "127.0.0.1 does not greet as a mail server does: what it says is not POP3; check port and security mode";
    check("* OK IMAP ready\r\n", vec![], passing, not_pop3).await;
    check("220 smtp ready\r\n", vec![], passing, not_pop3).await;
    check(FLOOD, vec![], passing, not_pop3).await;
    let no_greeting = "127.0.0.1 does not greet as a mail server does: it says nothing; check port and security mode";
    check(SILENCE, vec![], passing, no_greeting).await;
    let closed = "127.0.0.1 closed the connection during its greeting: it gave no reason";
    check(CLOSE, vec![], passing, closed).await;
    let refused = "127.0.0.1 refuses user \"me\" and its password: wrong; check both";
    at_password("-ERR wrong\r\n", lasting, refused).await;
    let refused = "127.0.0.1 refuses user \"me\" and its password: [AUTH] wrong; check both";
    at_password("-ERR [AUTH] wrong.\r\n", lasting, refused).await;
    for code in ["[IN-USE]", "[LOGIN-DELAY]", "[SYS/TEMP]"] {
        let expect = format!("127.0.0.1 refuses USER and PASS: {code} later");
        at_password(&format!("-ERR {code} later\r\n"), passing, &expect).await;
    }
    let script = vec![("CAPA", CAPA), ("USER me", "-ERR [IN-USE] locked\r\n")];
    check(GREETING, script, passing, "127.0.0.1 refuses USER and PASS: [IN-USE] locked").await;
    let script = opened(CAPA, &[]).into_iter().take(3).chain([("STAT", "-ERR [SYS/TEMP] disk\r\n")]).collect();
    check(GREETING, script, passing, "127.0.0.1 refuses STAT: [SYS/TEMP] disk").await;
    let script = opened(CAPA, &[]).into_iter().take(3).chain([("STAT", "+OK -3 20\r\n")]).collect();
    let no_count = "the answer of 127.0.0.1 to STAT makes no sense: it does not say how many messages it has";
    check(GREETING, script, lasting, no_count).await;
}

#[tokio::test]
async fn a_password_goes_the_way_that_the_server_offers() {
    async fn check(greeting: &str, script: Script<'_>) {
        let script = script.into_iter().chain([("STAT", "+OK 3 9\r\n")]).collect();
        let session = Account::Pop3(account(greeting, script).await.0).open().await;
        assert_eq!(session.unwrap().waiting(), 3);
    }
    let sasl = "+OK\r\nUSER\r\nSASL PLAIN X-OWN LOGIN\r\n.\r\n";
    check(GREETING, vec![("CAPA", "-ERR what?\r\n"), ("USER me\r\n", "+OK\r\n"), ("PASS secret\r\n", "+OK\r\n")]).await;
    check("+OK <1@b>\r\n", vec![("CAPA", CAPA), ("APOP me 330882fa14f039f1e3bd538481bd3d76\r\n", "+OK\r\n")]).await;
    check(GREETING, vec![("CAPA", sasl), ("AUTH PLAIN AG1lAHNlY3JldA==\r\n", "+OK\r\n")]).await;
    let login = "+OK\r\nSASL LOGIN\r\n.\r\n";
    let dialogue = vec![("CAPA", login), ("AUTH LOGIN", "+ VXNlcjo=\r\n"), ("bWU=", "+\r\n"), ("c2VjcmV0", "+OK\r\n")];
    check(GREETING, dialogue).await;
}

#[tokio::test]
async fn a_long_first_message_goes_on_a_line_of_its_own() {
    let sasl = "+OK\r\nSASL PLAIN\r\n.\r\n";
    let script = vec![("CAPA", sasl), ("AUTH PLAIN\r\n", "+ \r\n"), ("AG1lAHh4", "+OK\r\n"), ("STAT", "+OK 0 0\r\n")];
    let (mut account, _) = account(GREETING, script).await;
    account.authentication = Authentication::Password("x".repeat(200).into());
    Account::Pop3(account).open().await.unwrap();
}

#[tokio::test]
async fn nothing_secret_is_said_before_the_connection_is_secured() {
    async fn check(security: Security, script: Script<'_>, expect: &str) {
        let (mut account, heard) = account("+OK ready\r\n", script).await;
        account.security = security;
        let error = Account::Pop3(account).open().await.unwrap_err();
        assert_eq!(error.to_string(), expect);
        let heard = heard.lock().unwrap();
        for secret in ["secret", "USER", "AUTH", "AG1lAHNlY3JldA=="] {
            assert!(!heard.contains(secret), "{secret} in {heard}");
        }
    }
    let offered = "+OK\r\nUSER\r\nSASL PLAIN\r\nSTLS\r\n.\r\n";
    let stripped = "+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n";
    let (must, may) = (Security::Starttls, Security::StarttlsIfAvailable);
    let no_tls = |cause: &str| {
        format!(
            "127.0.0.1 cannot begin TLS, which security = \"starttls\" demands: {cause}; either it is switched off there, or \
             someone on the way has removed it, so no password was sent"
        )
    };
    let clear = "127.0.0.1 cannot log in user \"me\": it offers only logins in clear text (PLAIN, the login command) and the \
         connection is not encrypted; use `security = \"tls\"` or \"starttls\", or `security = \"none\"` if anybody on the \
         way may know the password";
    check(must, vec![("CAPA", stripped)], &no_tls("it does not offer STLS")).await;
    check(must, vec![("CAPA", "-ERR\r\n"), ("STLS", "-ERR what?\r\n")], &no_tls("it refuses STLS (what?)")).await;
    check(
        must,
        vec![("CAPA", offered), ("STLS", "-ERR [SYS/TEMP] later\r\n")],
        &no_tls("it refuses STLS ([SYS/TEMP] later)"),
    )
    .await;
    check(may, vec![("CAPA", stripped), ("CAPA", stripped)], clear).await;
    let injected = "127.0.0.1 sent more in plain text after it had agreed to begin TLS: someone on the way may have put it there, so \
         nothing of it is used";
    let goes_on = "the answer of 127.0.0.1 to STLS makes no sense: it asks to go on";
    check(must, vec![("CAPA", offered), ("STLS", "+OK\r\n+OK\r\n")], injected).await;
    check(may, vec![("CAPA", offered), ("STLS", "+OK\r\n+")], injected).await;
    check(may, vec![("CAPA", offered), ("STLS", "+ go on\r\n")], goes_on).await;
    check(
        may,
        vec![("CAPA", offered), ("STLS", CLOSE)],
        "127.0.0.1 closed the connection during STLS: it gave no reason",
    )
    .await;
}

use super::*;
use std::io::{Read, Write};
use std::net::TcpStream;

const CLIENT: &str = "client_id=mailmill-tests&client_secret=client-secret";

/// Posts a form as any client would; gives the status and the body.
fn post(url: &str, form: &str) -> (u16, Value) {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "POST /{path} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{form}", form.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn token(server: &TokenServer, form: &str) -> (u16, Value) {
    post(&server.token_url(), &format!("{CLIENT}&{form}"))
}

/// The error of an answer, empty if it has a token.
fn error_of(answer: &(u16, Value)) -> &str {
    assert_eq!(answer.1["access_token"].is_string(), answer.0 == 200, "{answer:?}");
    answer.1["error"].as_str().unwrap_or_default()
}

fn is_active(server: &TokenServer, token: &str) -> bool {
    let (status, body) = post(&server.introspection_url(), &format!("{CLIENT}&token={token}"));
    assert_eq!(status, 200);
    assert!(body["active"] == false || body["username"] == "ann", "{body}");
    body["active"] == true
}

#[test]
fn a_token_is_good_until_it_expires_or_is_revoked() {
    let server = TokenServer::start("ann").unwrap();
    let (_, answer) = token(&server, "grant_type=client_credentials&scope=mail");
    assert_eq!(answer["expires_in"], 3600);
    assert!(is_active(&server, answer["access_token"].as_str().unwrap()));
    assert!(!is_active(&server, "another"));

    server.revoke_access();
    assert!(!is_active(&server, answer["access_token"].as_str().unwrap()));
    server.set_lifetime(Duration::ZERO);
    assert!(!is_active(&server, &server.issue("ann")));
    assert_eq!((server.count(Request::ClientCredentials), server.count(Request::Introspection)), (1, 4));
    assert_eq!(server.scopes(), ["mail"]);
}

#[test]
fn a_rotated_refresh_token_is_good_once() {
    let server = TokenServer::start("ann").unwrap();
    let form = format!("grant_type=refresh_token&refresh_token={}", server.issue_refresh());
    assert_eq!(error_of(&token(&server, &form)), "");
    server.set_rotation(true);
    let next = token(&server, &form).1["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(error_of(&token(&server, &form)), "invalid_grant");
    assert_eq!(error_of(&token(&server, &format!("grant_type=refresh_token&refresh_token={next}"))), "");
    server.revoke_refresh();
    assert_eq!(error_of(&token(&server, &format!("grant_type=refresh_token&refresh_token={next}"))), "invalid_grant");
}

#[test]
fn a_device_is_told_what_the_script_says() {
    use DeviceAnswer::{Denied, Expired, Pending, SlowDown};
    let server = TokenServer::start("ann").unwrap();
    let check = |script: &[DeviceAnswer], expect: &[&str]| {
        server.script_device(2, script);
        let (status, device) = post(&server.device_url(), "client_id=mailmill-tests&scope=mail");
        assert_eq!((status, &device["interval"]), (200, &json!(2)));
        let form = format!("grant_type={DEVICE_GRANT}&device_code={}", device["device_code"].as_str().unwrap());
        let answers: Vec<_> = expect.iter().map(|_| token(&server, &form)).collect();
        assert_eq!(answers.iter().map(error_of).collect::<Vec<_>>(), expect);
    };
    check(&[], &["", "invalid_grant"]);
    check(&[Pending, SlowDown, Pending], &["authorization_pending", "slow_down", "authorization_pending", ""]);
    check(&[Denied], &["access_denied"]);
    check(&[Expired], &["expired_token"]);
}

#[test]
fn failures_come_as_often_as_ordered() {
    let server = TokenServer::start("ann").unwrap();
    server.fail(Request::ClientCredentials, &[Failure::Broken, Failure::Unavailable, Failure::InvalidClient]);
    let statuses = [(); 4].map(|()| token(&server, "grant_type=client_credentials").0);
    assert_eq!(statuses, [500, 503, 401, 200]);
    assert_eq!(post(&server.token_url(), "grant_type=client_credentials").0, 401);
    assert_eq!(error_of(&token(&server, "grant_type=password")), "unsupported_grant_type");
}

//! The standards' own examples, and what a hostile server makes of them.

use super::*;
use proptest::prelude::*;

const TIMED: Seed = Seed { random: [0xaa; 24], time: 0 };

fn credentials(user: &str, secret: &str) -> Credentials {
    Credentials {
        user: user.into(),
        secret: Secret::Password(secret.to_owned().into()),
        host: "server.example.com".into(),
        port: 143,
    }
}

fn token(user: &str, secret: &str) -> Credentials {
    Credentials { secret: Secret::Token(secret.to_owned().into()), ..credentials(user, "") }
}

/// Plays a dialogue: what we send first, each challenge with its expected response, and how it ends.
fn play(exchange: Exchange, initial: Option<&str>, dialogue: &[(&str, &str)], end: Result<(), Fault>) {
    let mut exchange = exchange;
    let text = |message: Message| String::from_utf8(message.to_vec()).unwrap();
    assert_eq!(exchange.initial().map(text).as_deref(), initial);
    for (challenge, response) in dialogue {
        assert_eq!(exchange.respond(challenge.as_bytes()).map(text).as_deref(), Ok(*response), "{challenge}");
    }
    assert_eq!(exchange.finish(), end);
}

fn new(mechanism: Mechanism, credentials: &Credentials) -> Exchange {
    Exchange::seeded(mechanism, credentials, &TIMED).unwrap()
}

fn scram(family: &'static scram::Family, nonce: &str, credentials: &Credentials) -> Exchange {
    let steps = Box::new(scram::Scram::with_nonce(family, credentials, nonce.into()));
    Exchange { mechanism: Mechanism::ScramSha256, steps, begun: false }
}

/// The example of RFC 7677 section 3.
const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SALTED: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const PROOF: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                     p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SIGNATURE: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn rfc7677() -> Exchange {
    scram(&scram::SHA_256, "rOprNGfwEbeRWgbNEkqO", &credentials("user", "pencil"))
}

#[test]
fn scram_sha_256_as_in_rfc_7677() {
    play(rfc7677(), Some(FIRST), &[(SALTED, PROOF), (SIGNATURE, "")], Ok(()));
}

#[test]
fn scram_sha_1_as_in_rfc_5802() {
    let exchange = scram(&scram::SHA_1, "fyko+d2lbbFgONRv9qkxdawL", &credentials("user", "pencil"));
    play(
        exchange,
        Some("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"),
        &[
            (
                "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            ),
            ("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", ""),
        ],
        Ok(()),
    );
}

#[test]
fn a_server_that_does_not_know_the_password_is_refused() {
    play(rfc7677(), Some(FIRST), &[], Err(Fault::Impostor));
    play(rfc7677(), Some(FIRST), &[(SALTED, PROOF)], Err(Fault::Impostor));
    play(rfc7677(), Some(FIRST), &[(SALTED, PROOF), ("e=invalid-proof", "")], Err(Fault::Impostor));
    for signature in ["v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=", "v=", "v", "", "v=!", "v=AAAA", SALTED] {
        let mut exchange = rfc7677();
        exchange.initial();
        exchange.respond(SALTED.as_bytes()).unwrap();
        assert_eq!(exchange.respond(signature.as_bytes()).unwrap_err(), Fault::Impostor, "{signature}");
    }
}

#[test]
fn the_cause_of_a_refusal_is_told() {
    let mut exchange = rfc7677();
    exchange.initial();
    assert!(!exchange.has_proved());
    exchange.respond(SALTED.as_bytes()).unwrap();
    assert!(exchange.has_proved());
    exchange.respond(b"e=invalid-proof").unwrap();
    assert_eq!(exchange.cause(), Some("invalid-proof"));
}

#[test]
fn bad_salts_nonces_and_rounds_are_refused() {
    fn check(challenge: &str, what: &str) {
        let mut exchange = rfc7677();
        exchange.initial();
        let fault = exchange.respond(challenge.as_bytes()).unwrap_err();
        assert_eq!(fault.to_string(), format!("its SCRAM-SHA-256 challenge makes no sense: {what}"), "{challenge}");
        assert!(!exchange.has_proved());
    }
    const NONCE: &str = "its nonce does not continue ours";
    check("", "it does not begin with a nonce");
    check("m=must,r=rOprNGfwEbeRWgbNEkqO2,s=W22Z,i=4096", "it does not begin with a nonce");
    check("r=rOprNGfwEbeRWgbNEkqO2", "it has no salt");
    check("r=rOprNGfwEbeRWgbNEkqO2,s=W22Z", "it does not say how many rounds");
    check("r=rOprNGfwEbeRWgbNEkqO,s=W22Z,i=4096", NONCE);
    check("r=sOprNGfwEbeRWgbNEkqO2,s=W22Z,i=4096", NONCE);
    check("r=rOprNGfwEbeRWgbNEkqO 2,s=W22Z,i=4096", NONCE);
    check(&format!("r=rOprNGfwEbeRWgbNEkqO{},s=W22Z,i=4096", "x".repeat(1005)), NONCE);
    check("r=rOprNGfwEbeRWgbNEkqO2,s=,i=4096", "its salt is not base64");
    check("r=rOprNGfwEbeRWgbNEkqO2,s=W22,i=4096", "its salt is not base64");
    check("r=rOprNGfwEbeRWgbNEkqO2,s=W22Z,i=many", "its rounds are not a number");
    check("r=rOprNGfwEbeRWgbNEkqO2,s=W22Z,i=-1", "its rounds are not a number");
}

#[test]
fn too_few_rounds_and_too_many_are_refused_before_any_work() {
    let check = |rounds: u64, expect: Result<(), Fault>| {
        let mut exchange = rfc7677();
        exchange.initial();
        let challenge = format!("r=rOprNGfwEbeRWgbNEkqO2,s=W22Z,i={rounds}");
        assert_eq!(exchange.respond(challenge.as_bytes()).map(|_| ()), expect);
    };
    check(0, Err(Fault::Rounds(0)));
    check(4095, Err(Fault::Rounds(4095)));
    check(4096, Ok(()));
    check(1_000_000, Ok(()));
    check(1_000_001, Err(Fault::Rounds(1_000_001)));
    check(u64::from(u32::MAX) + 4097, Err(Fault::Rounds(4_294_971_392)));
    let told = "it asks for 4095 rounds of SCRAM, where 4096 to 1000000 are accepted";
    assert_eq!(Fault::Rounds(4095).to_string(), told);
}

#[test]
fn names_and_passwords_are_prepared_for_scram() {
    let first = |user: &str| {
        let message = scram(&scram::SHA_256, "N", &credentials(user, "p")).initial().unwrap();
        String::from_utf8(message.to_vec()).unwrap()
    };
    assert_eq!(first("a=b,c"), "n,,n=a=3Db=2Cc,r=N");
    // The examples of RFC 4013 section 3; the last one is forbidden there, and goes as it is.
    assert_eq!(first("I\u{ad}X"), "n,,n=IX,r=N");
    assert_eq!(first("\u{aa}"), "n,,n=a,r=N");
    assert_eq!(first("\u{2168}"), "n,,n=IX,r=N");
    assert_eq!(first("\u{7}"), "n,,n=\u{7},r=N");
    let proof = |password: &str| {
        let mut exchange = scram(&scram::SHA_256, "N", &credentials("user", password));
        exchange.initial();
        exchange.respond(b"r=N2,s=W22Z,i=4096").unwrap()
    };
    assert_eq!(proof("I\u{ad}X"), proof("IX"));
    assert_ne!(proof("IX"), proof("ix"));
}

#[test]
fn each_login_has_a_nonce_of_its_own() {
    let first = || Exchange::new(Mechanism::ScramSha256, &credentials("user", "pencil")).unwrap().initial().unwrap();
    assert_ne!(first(), first());
}

#[test]
fn cram_md5_as_in_rfc_2195() {
    let exchange = || new(Mechanism::CramMd5, &credentials("tim", "tanstaaftanstaaf"));
    let challenge = "<1896.697170952@postoffice.reston.mci.net>";
    play(exchange(), None, &[(challenge, "tim b913a602c7eda7a495b4e6e7334d3890")], Ok(()));
    play(exchange(), None, &[], Err(Fault::Premature));
    let mut again = exchange();
    again.respond(challenge.as_bytes()).unwrap();
    assert!(again.respond(challenge.as_bytes()).is_err());
    assert!(exchange().respond(b"").is_err());
}

/// RFC 2202 section 2, test cases 1 and 6: a short key, and one that is longer than a block.
#[test]
fn keyed_hashes_of_any_key_as_in_rfc_2202() {
    let check = |key: &[u8], text: &str, expect: &str| {
        assert_eq!(*cram::hex(&cram::hmac_md5(key, &[text.as_bytes()])), expect);
    };
    check(&[0x0b; 16], "Hi There", "9294727a3638bb1c13f48ef8158bfc9d");
    check(&[0xaa; 80], "Test Using Larger Than Block-Size Key - Hash Key First", "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
}

#[test]
fn passwords_in_clear_text() {
    let anyone = credentials("tim", "tanstaaf é");
    play(new(Mechanism::Plain, &anyone), Some("\0tim\0tanstaaf é"), &[], Ok(()));
    play(new(Mechanism::Login, &anyone), None, &[("Username:", "tim"), ("whatever", "tanstaaf é")], Ok(()));
    play(new(Mechanism::Login, &anyone), None, &[("Username:", "tim")], Err(Fault::Premature));
    let mut plain = new(Mechanism::Plain, &anyone);
    assert!(plain.respond(b"please").is_ok(), "asked to begin");
    assert!(plain.respond(b"again").is_err());
    for secret in ["a\rb", "a\nb", "a\0b"] {
        let fault = Exchange::new(Mechanism::Plain, &credentials("tim", secret)).unwrap_err();
        assert_eq!(fault.to_string(), "the user name or the password holds a line end; check where it comes from");
    }
}

#[test]
fn access_tokens_as_in_rfc_7628() {
    let user = token("user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
    let bearer = "n,a=user@example.com,\u{1}host=server.example.com\u{1}port=143\u{1}\
                  auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\u{1}\u{1}";
    let xoauth2 = "user=user@example.com\u{1}auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\u{1}\u{1}";
    play(new(Mechanism::OAuthBearer, &user), Some(bearer), &[], Ok(()));
    play(new(Mechanism::XOAuth2, &user), Some(xoauth2), &[], Ok(()));
    let told = "{\"status\":\"invalid_token\",\"scope\":\"mail\",\"openid-configuration\":\"https://x\"}";
    play(new(Mechanism::OAuthBearer, &user), Some(bearer), &[(told, "\u{1}")], Ok(()));
    play(new(Mechanism::XOAuth2, &user), Some(xoauth2), &[(told, "")], Ok(()));
    for bad in ["", "a b", "a\u{1}b", "é"] {
        assert!(Exchange::new(Mechanism::XOAuth2, &token("user", bad)).is_err(), "{bad:?}");
    }
    assert!(Exchange::new(Mechanism::XOAuth2, &token("a\u{1}auth=Bearer x", "good")).is_err());
}

#[test]
fn the_cause_of_a_refused_token_is_told() {
    let check = |told: &str, expect: &str| {
        let mut exchange = new(Mechanism::XOAuth2, &token("user", "good"));
        exchange.initial();
        exchange.respond(told.as_bytes()).unwrap();
        assert_eq!(exchange.cause(), Some(expect), "{told}");
        assert!(exchange.respond(told.as_bytes()).is_err(), "asked twice");
    };
    check("{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"https://mail\"}", "status 401, scope https://mail");
    check("{\"status\":400}", "status 400");
    check("{\"scope\":\"a\\nb\"}", "scope a b");
    check("[]", "");
    check("not JSON", "");
    check(&format!("{{\"status\":\"{}\"}}", "9".repeat(500)), &format!("status {}", "9".repeat(193)));
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The CHALLENGE_MESSAGE of MS-NLMP 4.2.4.3.
const CHALLENGE: &str = "4e544c4d53535000 02000000 0c000c0038000000 33828ae2 0123456789abcdef 0000000000000000
    2400240044000000 060070170000000f 530065007200760065007200
    02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000";

/// Which bytes a field of a message points to.
fn pointed_to(message: &[u8], at: usize) -> &[u8] {
    let len = usize::from(u16::from_le_bytes([message[at], message[at + 1]]));
    let offset = u32::from_le_bytes(message[at + 4..at + 8].try_into().unwrap()) as usize;
    &message[offset..offset + len]
}

fn ntlm(user: &str, challenge: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut exchange = new(Mechanism::Ntlm, &credentials(user, "Password"));
    assert!(exchange.initial().unwrap().starts_with(b"NTLMSSP\0\x01\0\0\0"));
    exchange.respond(challenge).map(|message| message.to_vec())
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn ntlm_as_in_ms_nlmp() {
    let message = ntlm("Domain\\User", &bytes(CHALLENGE)).unwrap();
    // 4.2.4.2.1 and 4.2.4.2.2.
    assert_eq!(pointed_to(&message, 12), bytes("86c35097ac9cec102554764a57cccc19 aaaaaaaaaaaaaaaa"));
    let (proof, blob) = pointed_to(&message, 20).split_at(16);
    assert_eq!(proof, bytes("68cd0ab851e51c96aabc927bebef6a1c"));
    assert_eq!(blob[..8], [1, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(pointed_to(&message, 28), wide("Domain"));
    assert_eq!(pointed_to(&message, 36), wide("User"));
    assert_eq!(message[72..88], [0; 16], "no time from the server, no integrity code");
    assert_eq!(pointed_to(&message, 52), [0_u8; 0], "no session key");
}

#[test]
fn an_ntlm_user_has_a_domain_of_his_own_or_the_servers() {
    let check = |user: &str, domain: &str, name: &str| {
        let message = ntlm(user, &bytes(CHALLENGE)).unwrap();
        assert_eq!(
            (pointed_to(&message, 28), pointed_to(&message, 36)),
            (&wide(domain)[..], &wide(name)[..]),
            "{user}"
        );
    };
    check("OTHER\\me", "OTHER", "me");
    check("me", "Server", "me");
    check("me@example.org", "", "me@example.org");
    check("OTHER\\me@x", "OTHER", "me@x");
}

#[test]
fn a_server_that_tells_nothing_of_itself_is_answered() {
    let mut challenge = bytes(CHALLENGE);
    challenge[22] &= 0x7f;
    challenge.truncate(0x44);
    let message = ntlm("Domain\\User", &challenge).unwrap();
    assert_eq!(pointed_to(&message, 20)[16 + 28..], [0; 8]);
    let mut short = bytes("4e544c4d53535000 02000000 0000000000000000 01020000 0123456789abcdef");
    assert!(ntlm("me", &short).is_ok(), "of the time before there was such information");
    short.pop();
    assert!(ntlm("me", &short).is_err());
}

/// A challenge whose target information has a time, a flag, and a pair that is not known here.
fn timed_challenge() -> Vec<u8> {
    let mut challenge = bytes(CHALLENGE);
    let info = bytes("0700 0800 0011223344556677  0600 0400 01000000  6300 0100 ff  0000 0000");
    let length = (info.len() as u16).to_le_bytes();
    challenge.truncate(0x44);
    challenge[40..44].copy_from_slice(&[length, length].concat());
    challenge.extend(info);
    challenge
}

#[test]
fn ntlm_messages_are_protected_where_the_server_gives_its_time() {
    let challenge = timed_challenge();
    let message = ntlm("Domain\\User", &challenge).unwrap();
    assert_eq!(pointed_to(&message, 12), [0; 24]);
    let (proof, blob) = pointed_to(&message, 20).split_at(16);
    assert_eq!(blob[8..16], bytes("0011223344556677"));
    let answer = "0700 0800 0011223344556677 6300 0100 ff 0600 0400 03000000 00000000 00000000";
    assert_eq!(blob[28..], bytes(answer));

    // NTOWFv2 of 4.2.4.1.1; the code is over all three messages, with zeros where it stands itself.
    let key = cram::hmac_md5(&bytes("0c868a403bfd7a93a3001ef22ef02e3f"), &[proof]);
    let mut blank = message.clone();
    blank[72..88].fill(0);
    let negotiate = new(Mechanism::Ntlm, &credentials("x", "y")).initial().unwrap();
    assert_eq!(message[72..88], cram::hmac_md5(&key, &[&negotiate, &challenge, &blank]));
}

#[test]
fn bad_ntlm_challenges_are_refused() {
    let whole = bytes(CHALLENGE);
    for length in 0..whole.len() {
        assert!(ntlm("me", &whole[..length]).is_err(), "cut to {length}");
    }
    let check = |at: usize, value: &[u8], what: &str| {
        let mut challenge = whole.clone();
        challenge[at..at + value.len()].copy_from_slice(value);
        let expect = format!("its NTLM challenge makes no sense: {what}");
        assert_eq!(ntlm("me", &challenge).unwrap_err().to_string(), expect);
    };
    check(0, b"X", "it is none of NTLM");
    check(8, &[3], "it is none of NTLM");
    check(20, &[2], "it speaks no Unicode");
    check(12, &[0xff, 0xff], "it is cut short");
    check(16, &[0xff; 4], "it is cut short");
    check(40, &[0, 0], "its target information has no end");
    check(44, &[0xff; 4], "it is cut short");
    check(0x44 + 2, &[0xff], "its target information is cut short");
    let mut twice = new(Mechanism::Ntlm, &credentials("me", "x"));
    twice.initial();
    twice.respond(&whole).unwrap();
    assert!(twice.respond(&whole).is_err());
}

#[test]
fn lines_are_base64_of_bearable_length() {
    let cram = || new(Mechanism::CramMd5, &credentials("tim", "x"));
    assert!(cram().respond_line("PHg+").is_ok());
    let nonsense = cram().respond_line("not base64").unwrap_err();
    assert_eq!(nonsense.to_string(), "its CRAM-MD5 challenge makes no sense: it is not base64");
    assert!(cram().respond(&[b'x'; CHALLENGE_BYTES_MAX]).is_ok());
    assert_eq!(cram().respond(&[b'x'; CHALLENGE_BYTES_MAX + 1]).unwrap_err(), Fault::TooLong);
    assert!(cram().respond_line(&BASE64.encode([b'x'; CHALLENGE_BYTES_MAX])).is_ok());
    assert_eq!(cram().respond_line(&BASE64.encode([b'x'; CHALLENGE_BYTES_MAX + 1])).unwrap_err(), Fault::TooLong);
    // Where we speak first, what the server says before does not matter.
    assert_eq!(*new(Mechanism::Plain, &credentials("a", "b")).respond_line("go ahead").unwrap(), "AGEAYg==");
}

#[test]
fn mechanisms_are_known_by_their_names() {
    for mechanism in Mechanism::ALL {
        assert_eq!(Mechanism::named(&mechanism.name().to_lowercase()), Some(mechanism));
    }
    assert_eq!(Mechanism::named("SCRAM-SHA-256-PLUS"), None);
    assert_eq!(Mechanism::named("DIGEST-MD5"), None);
}

#[test]
fn nothing_shows_a_secret() {
    for mechanism in Mechanism::ALL {
        let mut exchange = new(mechanism, &credentials("me", "hunter2"));
        exchange.initial();
        let _ = exchange.respond(b"x");
        assert!(!format!("{exchange:?}").contains("hunter2"), "{mechanism:?}");
    }
}

proptest! {
    /// Whatever a server sends, we neither panic nor say that a login is complete which is not.
    #[test]
    fn no_challenge_does_harm(
        which in 0..Mechanism::ALL.len(),
        challenges in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..4),
    ) {
        let mut exchange = new(Mechanism::ALL[which], &credentials("me", "secret"));
        exchange.initial();
        for challenge in &challenges {
            if exchange.respond(challenge).is_err() {
                break;
            }
        }
        if matches!(Mechanism::ALL[which], Mechanism::ScramSha256 | Mechanism::ScramSha1) {
            prop_assert_eq!(exchange.finish(), Err(Fault::Impostor));
        }
    }

    /// The same for what begins well.
    #[test]
    fn no_damaged_challenge_does_harm(at in 0usize..200, with in any::<u8>(), cut in 0usize..200) {
        for (mechanism, whole) in [(Mechanism::Ntlm, timed_challenge()), (Mechanism::ScramSha256, SALTED.into())] {
            let mut challenge = whole;
            if let Some(byte) = challenge.get_mut(at) {
                *byte = with;
            }
            challenge.truncate(cut);
            let mut exchange = new(mechanism, &credentials("me", "secret"));
            exchange.initial();
            let _ = exchange.respond(&challenge);
        }
        let mut damaged = SALTED.to_owned().into_bytes();
        if let Some(byte) = damaged.get_mut(at) {
            *byte = with;
        }
        let mut exchange = rfc7677();
        exchange.initial();
        let _ = exchange.respond(&damaged);
    }
}

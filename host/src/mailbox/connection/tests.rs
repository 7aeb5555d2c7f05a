//! Each fault of a certificate and of a handshake, against each way to trust.

use super::testing::{Authority, Identity, authority, file, localhost, server};
use super::*;
use crate::mailbox::report::{Step, Warning};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SerialNumber, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What a connection came to: the warnings, or the error.
type Outcome = Result<Vec<String>, String>;

const GREETING: &str = "* OK hello\r\n";

/// A TLS server that greets everyone.
async fn serve(identity: &Identity) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = identity.acceptor();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.write_all(GREETING.as_bytes()).await;
                    let _ = stream.read(&mut [0; 100]).await;
                }
            });
        }
    });
    port
}

/// Connects, and reads the greeting, so that it is certain that the connection works.
async fn connect(server: &Server<'_>) -> (Result<Stream, Error>, Vec<Step>, Vec<Warning>) {
    let mut seen = Vec::new();
    let mut note = |step| seen.push(step);
    let mut steps = Steps::new(&mut note);
    let mut stream = server.connect(&mut steps).await;
    if let Ok(stream) = &mut stream {
        let mut greeting = vec![0; GREETING.len()];
        stream.read_exact(&mut greeting).await.unwrap();
        assert_eq!(greeting, GREETING.as_bytes());
    }
    let warnings = steps.into_warnings();
    (stream, seen, warnings)
}

async fn outcome(port: u16, trust: &Trust) -> Outcome {
    let (stream, _, warnings) = connect(&server(port, Security::Tls, trust)).await;
    stream.map(|_| warnings.iter().map(ToString::to_string).collect()).map_err(|error| error.to_string())
}

/// What is wrong, and what to do about it, with each way to trust.
async fn check(identity: &Identity, trust: &Trust, facts: &str, advice: &str) {
    let port = serve(identity).await;
    let refused = format!("the certificate of localhost is refused: {facts}; {advice}");
    assert_eq!(outcome(port, trust).await, Err(refused), "rejecting");

    let accepted = format!(
        "the certificate of localhost is accepted although {facts}, because reject_invalid_certificates is off: anyone \
         on the way can read password and mail; name its `fingerprint` or its authority's `ca_file` instead"
    );
    let tolerant = Trust { reject_invalid_certificates: false, ..trust.clone() };
    assert_eq!(outcome(port, &tolerant).await, Ok(vec![accepted.clone()]), "tolerant");
    assert_eq!(outcome(port, &tolerant).await, Ok(vec![accepted]), "tolerant, with a session to resume");

    for reject_invalid_certificates in [true, false] {
        let fingerprint = Some(identity.fingerprint());
        let pinned = Trust { reject_invalid_certificates, fingerprint, ..Trust::default() };
        assert_eq!(outcome(port, &pinned).await, Ok(vec![]), "pinned");
    }
}

#[tokio::test]
async fn each_fault_is_named_and_can_be_accepted_or_pinned() {
    let ours = Authority::new();
    let trust = ours.trust();
    check(
        &ours.issue(|params| params.not_after = date_time_ymd(2020, 2, 1)),
        &trust,
        "it expired on 2020-02-01 00:00 UTC",
        "renew it on the server, or correct this machine's clock",
    )
    .await;
    check(
        &ours.issue(|params| params.not_before = date_time_ymd(2090, 1, 2)),
        &trust,
        "it is not valid before 2090-01-02 00:00 UTC",
        "correct this machine's clock, or wait",
    )
    .await;
    let elsewhere = ["mail.example.org".to_owned(), "*.example.com".into(), "192.0.2.1".into()];
    check(
        &ours.issue(|params| params.subject_alt_names = CertificateParams::new(elsewhere).unwrap().subject_alt_names),
        &trust,
        "it is for mail.example.org, *.example.com, 192.0.2.1, not for localhost",
        "use one of its names as host",
    )
    .await;
    check(
        &ours.issue(|params| params.subject_alt_names.clear()),
        &trust,
        "it names no host (\"localhost\" is in a place that no longer counts), so it is not for localhost",
        "have it issued anew with the host among its names",
    )
    .await;
    check(
        &ours.issue(|params| params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth)),
        &trust,
        "it is not meant for servers",
        "have it issued anew for servers",
    )
    .await;
    check(
        &ours.issue(|params| params.is_ca = authority("").is_ca),
        &trust,
        "it is an authority's certificate, not a server's",
        "give the server a certificate of its own, or name this one's `fingerprint`",
    )
    .await;
}

#[tokio::test]
async fn each_fault_of_the_issuer_is_named() {
    let (ours, other) = (Authority::new(), Authority::new());
    let known = "if it is your own authority, name its certificate in `ca_file`";
    let unknown = "its issuer, CN=a test authority, is not known here";
    check(&other.issue(|_| ()), &Trust::default(), unknown, known).await;

    let own = "if it is your own server, name the certificate in `ca_file`, or its `fingerprint`";
    let self_signed = "it is self-signed: nobody but itself says that it is genuine";
    for is_ca in [localhost().is_ca, authority("").is_ca] {
        let (identity, pem) = self_signed_as(is_ca);
        check(&identity, &ours.trust(), self_signed, own).await;
        // It is trusted where it is named.
        let file = file(&pem);
        let trust = Trust { ca_file: Some(file.path().to_owned()), ..Trust::default() };
        assert_eq!(outcome(serve(&identity).await, &trust).await, Ok(vec![]));
    }

    let between_key = KeyPair::generate().unwrap();
    let mut between = authority("between");
    between.not_after = date_time_ymd(2021, 3, 4);
    let between_written = between.signed_by(&between_key, &ours.issuer).unwrap().der().clone();
    let key = KeyPair::generate().unwrap();
    let leaf = localhost().signed_by(&key, &Issuer::new(between, between_key)).unwrap().der().clone();
    check(
        &Identity::new(vec![leaf, between_written], &key),
        &ours.trust(),
        "a certificate above it expired on 2021-03-04 00:00 UTC",
        "renew the chain of certificates on the server, or correct this machine's clock",
    )
    .await;
}

fn self_signed_as(is_ca: rcgen::IsCa) -> (Identity, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = localhost();
    params.is_ca = is_ca;
    params.serial_number = Some(SerialNumber::from(7));
    let certificate = params.self_signed(&key).unwrap();
    (Identity::new(vec![certificate.der().clone()], &key), certificate.pem())
}

#[tokio::test]
async fn all_faults_are_named_at_once() {
    let ours = Authority::new();
    let identity = ours.issue(|params| {
        params.not_after = date_time_ymd(2020, 2, 1);
        params.subject_alt_names = CertificateParams::new(["mail.example.org".to_owned()]).unwrap().subject_alt_names;
    });
    check(
        &identity,
        &Trust::default(),
        "it expired on 2020-02-01 00:00 UTC, and its issuer, CN=a test authority, is not known here, and it is for \
         mail.example.org, not for localhost",
        "renew it on the server, or correct this machine's clock; if it is your own authority, name its certificate in \
         `ca_file`; use one of its names as host",
    )
    .await;
}

/// What today's libraries do not make any more.
fn fixture(certificate: &str, key: &str) -> Identity {
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    Identity { chain, key: PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap() }
}

fn fixture_trust() -> (tempfile::NamedTempFile, Trust) {
    let file = file(include_str!("fixtures/ca.pem"));
    let trust = Trust { ca_file: Some(file.path().to_owned()), ..Trust::default() };
    (file, trust)
}

#[tokio::test]
async fn what_is_too_weak_is_named() {
    let (_file, trust) = fixture_trust();
    check(
        &fixture(include_str!("fixtures/sha1.pem"), include_str!("fixtures/sha1.key")),
        &trust,
        "it is signed with SHA-1, which is too weak",
        "have it signed anew, with SHA-256",
    )
    .await;
    check(
        &fixture(include_str!("fixtures/version1.pem"), include_str!("fixtures/version1.key")),
        &trust,
        "it is of an old version that names no hosts",
        "have it issued anew with the host among its names",
    )
    .await;
}

/// OpenSSL still signs with short keys.
#[tokio::test]
async fn a_short_key_is_accepted_only_where_the_account_says_so() {
    let (_file, trust) = fixture_trust();
    let identity = fixture(include_str!("fixtures/rsa1024.pem"), include_str!("fixtures/rsa1024.key"));
    let refused = "the certificate of localhost is refused: its RSA key of 1024 bits is too weak";
    for (version, provable) in [("-tls1_2", true), ("-tls1_3", false)] {
        let (port, _process) = openssl(version).await;
        let connect = async |trust: &Trust| {
            let mut note = |_| ();
            let mut steps = Steps::new(&mut note);
            let stream = server(port, Security::Tls, trust).connect(&mut steps).await;
            stream.map(|_| steps.into_warnings().len()).map_err(|error| error.to_string())
        };
        let advice = "renew it with a key of 2048 bits or more";
        assert_eq!(connect(&trust).await, Err(format!("{refused}; {advice}")), "{version}");
        let tolerant = Trust { reject_invalid_certificates: false, ..trust.clone() };
        assert_eq!(connect(&tolerant).await, Ok(1), "{version}");
        let pinned = Trust { fingerprint: Some(identity.fingerprint()), ..Trust::default() };
        let unprovable = format!("{refused} to prove with TLS 1.3 that it is the server's; {advice}");
        assert_eq!(connect(&pinned).await, if provable { Ok(0) } else { Err(unprovable) }, "{version}");
    }
}

async fn openssl(version: &str) -> (u16, tokio::process::Child) {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let fixture = |name: &str| format!("{}/src/mailbox/connection/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let process = tokio::process::Command::new("openssl")
        .args([
            "s_server",
            "-quiet",
            version,
            "-cipher",
            "DEFAULT:@SECLEVEL=0",
            "-accept",
            &format!("127.0.0.1:{port}"),
        ])
        .args(["-cert", &fixture("rsa1024.pem"), "-key", &fixture("rsa1024.key")])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("no openssl: run `cargo xtask test`, which sets it up");
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (port, process)
}

#[tokio::test]
async fn a_certificate_in_order_needs_nothing_and_is_described() {
    let ours = Authority::new();
    let identity = ours.issue(|_| ());
    let port = serve(&identity).await;
    let trust = ours.trust();
    let (stream, steps, warnings) = connect(&server(port, Security::Tls, &trust)).await;
    assert!(stream.unwrap().encrypted());
    assert_eq!(warnings, []);
    let Ok(Seen::Secured(secured)) = &steps.last().unwrap().outcome else { panic!("{steps:?}") };
    let certificate = secured.certificate.as_ref().unwrap();
    assert_eq!(certificate.names, ["localhost", "127.0.0.1"]);
    assert_eq!(certificate.fingerprint, identity.fingerprint());
    assert_eq!(
        secured.to_string(),
        format!(
            "TLS 1.3, {}; certificate for localhost, 127.0.0.1, issued by CN=a test authority, valid until 4096-01-01 \
             00:00 UTC, SHA-256 {}",
            secured.cipher,
            identity.fingerprint()
        )
    );
    let fields = serde_json::to_value(secured).unwrap();
    assert_eq!(fields["certificate"]["subject"], "CN=localhost");
    assert_eq!(fields["certificate"]["valid_until"], "4096-01-01T00:00:00Z");
}

#[tokio::test]
async fn another_certificate_than_the_pinned_one_is_refused_however_good() {
    let ours = Authority::new();
    let (identity, other) = (ours.issue(|_| ()), ours.issue(|_| ()));
    let port = serve(&identity).await;
    for reject_invalid_certificates in [true, false] {
        let trust = Trust { reject_invalid_certificates, fingerprint: Some(other.fingerprint()), ..ours.trust() };
        assert_eq!(
            outcome(port, &trust).await,
            Err(format!(
                "the certificate of localhost is refused: its SHA-256 is {}, and `fingerprint` names {}; if the server \
                 has a new one, correct the setting",
                identity.fingerprint(),
                other.fingerprint()
            ))
        );
    }
}

#[tokio::test]
async fn a_stolen_certificate_without_its_key_is_refused_however_lenient() {
    let ours = Authority::new();
    let (identity, thief) = (ours.issue(|_| ()), ours.issue(|_| ()));
    let port = serve(&Identity { chain: identity.chain.clone(), key: thief.key.clone_key() }).await;
    let expect = "the certificate of localhost is refused: the server cannot prove that it is its own; check certificate \
                  and key on the server";
    let tolerant = Trust { reject_invalid_certificates: false, ..Trust::default() };
    let pinned = Trust { fingerprint: Some(identity.fingerprint()), ..Trust::default() };
    for trust in [ours.trust(), tolerant, pinned] {
        assert_eq!(outcome(port, &trust).await, Err(expect.to_owned()), "{trust:?}");
    }
}

#[tokio::test]
async fn certificates_to_trust_must_be_there() {
    async fn check(text: &str, expect: &str) {
        let file = file(text);
        let trust = Trust { ca_file: Some(file.path().to_owned()), ..Trust::default() };
        let port = serve(&Authority::new().issue(|_| ())).await;
        let expect = format!("cannot use the certificates in {}: {expect}", file.path().display());
        assert_eq!(outcome(port, &trust).await, Err(expect));
    }
    check("", "the file holds no certificate in PEM form").await;
    let damaged = "a certificate in it is damaged";
    check("-----BEGIN CERTIFICATE-----\nMIIB\n", damaged).await;
    check("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", damaged).await;
    let port = serve(&Authority::new().issue(|_| ())).await;
    let trust = Trust { ca_file: Some("no/such/file".into()), ..Trust::default() };
    let expect = "cannot use the certificates in no/such/file: No such file or directory (os error 2)";
    assert_eq!(outcome(port, &trust).await, Err(expect.to_owned()));
}

#[tokio::test]
async fn what_connections_share_is_made_once() {
    let ours = Authority::new();
    let port = serve(&ours.issue(|_| ())).await;
    let trust = ours.trust();
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let (stream, ..) = connect(&server(port, Security::Tls, &trust)).await;
        let Ok(Stream::Secured(stream)) = stream else { panic!("{stream:?}") };
        kinds.push(format!("{:?}", stream.get_ref().1.handshake_kind().unwrap()));
    }
    assert_eq!(kinds, ["Full", "Resumed"]);
    let pinned = |byte: &str| Trust { fingerprint: Some(byte.repeat(32).parse().unwrap()), ..Trust::default() };
    for other in [Trust::default(), Trust { reject_invalid_certificates: false, ..trust.clone() }, pinned("01")] {
        assert!(!tls::is_shared(&trust, &other).await, "{other:?}");
    }
    assert!(tls::is_shared(&trust, &trust.clone()).await);
    assert!(tls::is_shared(&pinned("01"), &pinned("01")).await);
    assert!(!tls::is_shared(&pinned("01"), &pinned("02")).await);
}

/// A server that says something, whatever it is told, and closes the connection or stays.
async fn scripted(reply: &'static [u8], stays: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 2000]).await;
                let _ = stream.write_all(reply).await;
                while stays && stream.read(&mut [0; 2000]).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    port
}

#[tokio::test]
async fn a_failed_handshake_says_why() {
    async fn check(reply: &'static [u8], stays: bool, expect: &str) {
        let port = scripted(reply, stays).await;
        let expect = expect.replace("PORT", &port.to_string());
        for reject_invalid_certificates in [true, false] {
            let trust = Trust { reject_invalid_certificates, ..Trust::default() };
            assert_eq!(outcome(port, &trust).await, Err(expect.clone()), "{reply:?}");
        }
    }
    let old = "cannot secure the connection to localhost: the server is too old for TLS 1.2, and what came before is no \
               longer safe; update it";
    check(b"\x15\x03\x01\x00\x02\x02\x46", true, old).await;
    check(OLD_HELLO, true, old).await;
    check(
        b"\x15\x03\x03\x00\x02\x02\x28",
        true,
        "cannot secure the connection to localhost: the server knows no encryption that is still safe; update it, or \
         correct its TLS settings",
    )
    .await;
    check(
        b"\x15\x03\x03\x00\x02\x02\x70",
        true,
        "cannot secure the connection to localhost: the server does not know itself by this name; check the host",
    )
    .await;
    check(
        b"\x15\x03\x03\x00\x02\x02\x50",
        true,
        "cannot secure the connection to localhost: the server ends the handshake (InternalError); look into its log",
    )
    .await;
    check(
        b"* OK IMAP ready\r\n",
        true,
        "port PORT of localhost does not speak TLS from the first byte: set security = \"starttls\", or port = 993",
    )
    .await;
    check(
        b"",
        false,
        "cannot secure the connection to localhost: the server closes the connection in the handshake; check port and \
         security mode",
    )
    .await;
    check(
        b"",
        true,
        "cannot secure the connection to localhost: the server does not answer; check port and security mode",
    )
    .await;
}

/// The ServerHello of a server that knows TLS 1.0 at most.
const OLD_HELLO: &[u8] = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01\
    0123456789abcdef0123456789abcdef\x00\xc0\x13\x00";

#[tokio::test]
async fn a_server_that_waits_for_tls_is_told_from_a_silent_one() {
    async fn check(port: u16, expect: &str) {
        let trust = Trust::default();
        let server = server(port, Security::None, &trust);
        let mut note = |_| ();
        let mut stream = server.connect(&mut Steps::new(&mut note)).await.unwrap();
        let greeting = async {
            let silent = || Error::NoGreeting { host: "localhost".into(), cause: "it says nothing".into() };
            timeout(Duration::from_millis(100), stream.read_u8()).await.map_err(|_| silent())?.map_err(|_| silent())
        };
        let error = server.greeted(greeting).await.unwrap_err();
        assert_eq!(error.to_string(), expect.replace("PORT", &port.to_string()));
    }
    let tls_only = "port PORT of localhost speaks TLS from the first byte: set security = \"tls\"";
    check(serve(&Authority::new().issue(|_| ())).await, tls_only).await;
    check(scripted(b"\x15\x03\x01\x00\x02\x02\x46", true).await, tls_only).await;
    let silent = "localhost does not greet as a mail server does: it says nothing; check port and security mode";
    check(scripted(b"", true).await, silent).await;
    check(scripted(b"", false).await, silent).await;
}

#[test]
fn ports_follow_protocol_and_security() {
    let check = |protocol, expect: [u16; 4]| {
        let modes = [Security::None, Security::StarttlsIfAvailable, Security::Starttls, Security::Tls];
        assert_eq!(modes.map(|mode| mode.port(protocol)), expect);
    };
    check(Protocol::Imap, [143, 143, 143, 993]);
    check(Protocol::Pop3, [110, 110, 110, 995]);
}

#[test]
fn fingerprints_are_read_in_every_spelling() {
    let pairs: Vec<String> = (0..32_u8).map(|byte| format!("{:02x}", byte.wrapping_mul(9))).collect();
    let shown = pairs.join(":").to_uppercase();
    let check = |text: &str, ok: bool| {
        let read = text.parse::<Fingerprint>().map(|read| read.to_string());
        assert_eq!(read, if ok { Ok(shown.clone()) } else { Err(NoFingerprint) }, "{text}");
    };
    check(&pairs.join(":"), true);
    check(&shown, true);
    check(&format!(" {} ", pairs.concat()), true);
    check(&pairs.concat().to_uppercase(), true);
    check(&pairs[1..].join(":"), false);
    check(&format!("{}:00", shown), false);
    check(&shown.replace("00", "0g"), false);
    check(&shown.replace("00:", "+1:"), false);
    check(&pairs.concat().replace("00", "é"), false);
    check(&pairs.concat()[1..], false);
    check("", false);
}

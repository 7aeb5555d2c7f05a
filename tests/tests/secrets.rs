//! Twelve secrets in one installation, jobs and servers that refuse them, everything logged that can be, and two passwords, a session and
//! a token in the web admin of a daemon: then whatever was written or answered anywhere is searched for them, as they are and in the
//! forms in which they travel.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use mailmill_tests::servers::{Endpoint, Exim, Manners, Protocol, Server, Tls};
use mailmill_tests::web::{Answer, Web};
use mailmill_tests::{Daemon, Dovecot, Installation, TokenServer, messages};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const IMAP: &str = "Zq7-good-imap-password";
const IMAP_WRONG: &str = "Zq7-wrong-imap-password";
const POP3: &str = "Zq7-good-pop3-password";
const POP3_WRONG: &str = "Zq7-wrong-pop3-password";
const CLIENT: &str = "Zq7-client-secret-of-an-app";
const HOOK: &str = "Zq7-secret-of-a-hook-long-enough";
const HOOK_USER: &str = "Zq7-password-in-an-address";
const HOOK_TOKEN: &str = "Zq7-token-in-an-address";
const SMTP: &str = "Zq7-wrong-smtp-password";
/// Written where it must not be: in the settings of a job themselves.
const INLINE: &str = "Zq7-password-in-a-job-file";
const ADMIN: &str = "Zq7-password-of-the-admin";
const ADMIN_WRONG: &str = "Zq7-wrong-password-of-the-admin";
/// What every access and refresh token of the token server contains: those are the other two.
const TOKENS: [&str; 2] = ["access-token-nobody-may-see", "refresh-token-nobody-may-see"];

/// Files in which the test itself has put secrets: a password of an address is in the settings.
fn is_place_of_secrets(path: &Path) -> bool {
    path.components().any(|part| ["secrets", "credentials"].iter().any(|name| part.as_os_str() == *name))
        || path.ends_with("mailmill.toml")
}

struct Scene {
    installation: Installation,
    imap: Endpoint,
    pop3: Endpoint,
    authority: PathBuf,
}

impl Scene {
    fn job(&self, name: &str, protocol: &str, login: &str) -> Result<()> {
        let Endpoint { host, port } = if protocol == "imap" { self.imap } else { self.pop3 };
        let text = format!(
            "[source]\ntype = \"{protocol}\"\nhost = \"{host}\"\nport = {port}\nsecurity = \"tls\"\nca_file = '{}'\n\
             user = \"{name}\"\nexisting_mail = \"handle\"\n{login}\n\n[preprocess]\napply_to = \"all\"\n",
            self.authority.display()
        );
        self.installation.write(&format!("jobs/{name}.toml"), &text)
    }

    /// Everything that a call of the program writes on its two outputs, at the most talkative level that there is.
    fn call(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.installation.command()?;
        command.args(arguments).env("POP3_GOOD", POP3).env("POP3_WRONG", POP3_WRONG).env("MAILMILL_LOG", "trace");
        command.env("CREDENTIALS_DIRECTORY", self.installation.path("credentials")).stdin(Stdio::null());
        let output = command.output()?;
        Ok(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    }
}

/// The forms of a secret: plain, percent-encoded, hexadecimal, and what is the same of its base64 whatever stands around it.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut forms = vec![secret.into(), hex.to_uppercase().into(), hex.into(), percent.into()];
    for shift in 0..3 {
        let encoded = BASE64_STANDARD_NO_PAD.encode([vec![0; shift], secret.into()].concat());
        // The first characters depend on what stands before, the last one on what follows.
        let core = encoded.get(shift * 8 / 6 + usize::from(shift > 0)..encoded.len() - 1).unwrap_or_default();
        forms.push(core.into());
    }
    forms
}

/// All that was written, by where it is.
fn written(folder: &Path, into: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            written(&path, into)?;
        } else if path.is_file() && !is_place_of_secrets(&path) {
            into.insert(path.display().to_string(), std::fs::read(&path)?);
        }
    }
    Ok(())
}

fn write_settings(scene: &Scene, exim: &Exim) -> Result<()> {
    let installation = &scene.installation;
    for (name, secret) in [("imap", IMAP), ("client", CLIENT), ("hook", HOOK), ("smtp", SMTP)] {
        installation.write(&format!("secrets/{name}"), secret)?;
    }
    installation.write("credentials/imap-wrong", IMAP_WRONG)?;
    let settings = format!(
        "[store]\npath = \"mailmill.db\"\n\n[web]\nlisten = \"127.0.0.1:0\"\n\n[plugins_cache]\ndir = \"cache\"\n\n[log]\nlevel = \"trace\"\n\n\
         [smtp]\nserver = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nfrom = \"desk@desk.example\"\nuser = \"desk\"\n\
         password = {{ file = \"secrets/smtp\" }}\n\n\
         [webhook.hook]\nurl = \"http://hook:{HOOK_USER}@127.0.0.1:9/call?token={HOOK_TOKEN}\"\n\
         secret = {{ file = \"secrets/hook\" }}\n",
        exim.smtp
    );
    installation.write("mailmill.toml", &settings)?;
    let statements = "[[statement]]\nname = \"all\"\nthen = [{ do = \"create-ticket\", class = \"incident\" }, \
                      { do = \"notify\", text = \"We have it.\" }, { do = \"webhook\", name = \"hook\" }]\nstop = true\n";
    installation.write("rules/statements/10-default.toml", statements)
}

/// All that was planted.
const PLANTED: [&str; 14] = [
    IMAP,
    IMAP_WRONG,
    POP3,
    POP3_WRONG,
    CLIENT,
    HOOK,
    HOOK_USER,
    HOOK_TOKEN,
    SMTP,
    INLINE,
    ADMIN,
    ADMIN_WRONG,
    TOKENS[0],
    TOKENS[1],
];

/// Where which secret was written, in which form.
fn search(told: &BTreeMap<String, Vec<u8>>, secrets: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for secret in secrets {
        for form in forms(secret) {
            let holds = |text: &&Vec<u8>| text.windows(form.len()).any(|piece| piece == form.as_slice());
            let places = told.iter().filter(|(_, text)| holds(text)).map(|(place, _)| place);
            found.extend(places.map(|place| format!("{secret} as {} in {place}", String::from_utf8_lossy(&form))));
        }
    }
    found
}

/// Jobs that are let in, and jobs whose secrets are refused.
fn write_jobs(scene: &Scene, tokens: &TokenServer) -> Result<()> {
    let client = |id: &str, more: &str| {
        let url = tokens.token_url();
        format!("authentication = \"oauth2\"\n[source.oauth]\nclient_id = \"{id}\"\ntoken_url = \"{url}\"\n{more}")
    };
    scene.job("good", "imap", "password = { file = \"../secrets/imap\" }")?;
    scene.job("wrong", "imap", "password = { credential = \"imap-wrong\" }")?;
    scene.job("pop", "pop3", "password = { env = \"POP3_GOOD\" }")?;
    scene.job("pop-wrong", "pop3", "password = { env = \"POP3_WRONG\" }")?;
    scene.job("app", "imap", &client("app", "client_secret = { file = \"../secrets/client\" }"))?;
    let device = format!("device_url = \"{}\"\nscopes = [\"mail\"]", tokens.device_url());
    scene.job("granted", "imap", &client(TokenServer::CLIENT_ID, &device))
}

/// The pages that links of this one lead to.
fn links(page: &str) -> impl Iterator<Item = String> {
    let targets = page.split("href=\"/").skip(1).filter_map(|rest| rest.split(['"', '#']).next());
    targets.map(|target| format!("/{}", target.replace("&amp;", "&")))
}

/// A daemon and its web admin: the first password is set, somebody fails to log in, the admin does and makes a token, looks at every page
/// that a link leads to, and asks the API for what it has. All of it is in `told` afterwards, but for the two answers that are to have a
/// secret: the session and the token, which are returned.
async fn through_the_web(scene: &Scene, told: &mut BTreeMap<String, Vec<u8>>) -> Result<[String; 2]> {
    const PAGES_MAX: usize = 300;
    let credentials = scene.installation.path("credentials").display().to_string();
    let variables = [
        ("POP3_GOOD", POP3),
        ("POP3_WRONG", POP3_WRONG),
        ("MAILMILL_LOG", "trace"),
        ("CREDENTIALS_DIRECTORY", &*credentials),
    ];
    let mut daemon = Daemon::start_in(&scene.installation, &["--debug"], &variables)?;
    let line = daemon.wait_for("the link", 0, |line| line.contains("/setup?token="))?;
    let link = line.split_whitespace().find(|word| word.contains("/setup?token=")).context("a link")?;
    let (address, setup) = link.split_once("/setup?token=").context("an address")?;
    let stranger = Web::new(address);
    stranger.post("/setup", &[("token", setup), ("password", ADMIN), ("again", ADMIN)]).await?;
    let mut note = |what: &str, answer: &Answer| {
        let text = format!("{:?}\n{}", answer.headers, answer.text).into_bytes();
        told.insert(format!("the answer to {what}"), text);
    };
    let refused = stranger.post("/login", &[("name", "admin"), ("password", ADMIN_WRONG)]).await?;
    ensure!(refused.status.is_client_error(), "{refused:?}");
    note("a wrong password", &refused);
    let entered = stranger.post("/login", &[("name", "admin"), ("password", ADMIN)]).await?;
    let admin = stranger.with_cookie_of(&entered)?;
    let session = entered.headers.get("set-cookie").context("a cookie")?.to_str()?;
    let session = session.split([';', '=']).nth(1).context("a value")?.to_owned();
    let made = admin.submit("/settings", "/settings/tokens", &[("name", "a script"), ("role", "admin")]).await?;
    let token = made.text.split("<pre>").nth(1).and_then(|rest| rest.split("</pre>").next()).context("a token")?;
    let token = token.trim().to_owned();

    let (mut waiting, mut seen) = (vec!["/".to_owned()], BTreeSet::new());
    while let Some(path) = waiting.pop() {
        if seen.len() < PAGES_MAX && seen.insert(path.clone()) {
            let page = admin.get(&path).await?;
            waiting.extend(
                links(&page.text).chain(page.headers.get("location").and_then(|it| Some(it.to_str().ok()?.to_owned()))),
            );
            note(&path, &page);
        }
    }
    ensure!(seen.len() > 40 && seen.contains("/settings") && seen.contains("/jobs/wrong"), "{seen:?}");
    let script = stranger.with_token(&token);
    for what in [
        "jobs",
        "sessions",
        "outbox",
        "plugins",
        "rules/files",
        "revisions",
        "people",
        "tokens",
        "audit",
        "openapi.json",
    ] {
        let answer = script.get(&format!("/api/v1/{what}")).await?;
        ensure!(answer.status == 200, "{what}: {answer:?}");
        note(&format!("GET {what}"), &answer);
    }
    for path in ["/metrics", "/healthz", "/readyz"] {
        note(path, &stranger.get(path).await?);
    }
    ensure!(daemon.terminate()?.success(), "{}", daemon.log());
    told.insert("the log of the daemon".to_owned(), daemon.log().into_bytes());
    Ok([session, token])
}

#[test]
fn no_secret_is_written_anywhere() -> Result<()> {
    let passwords =
        [IMAP, POP3].map(|password| format!("passdb {{\n driver = static\n args = password={password}\n}}\n"));
    // With the other mechanisms the server would look at the first password only.
    let server =
        Dovecot::start_configured(&("auth_mechanisms = plain login xoauth2\n".to_owned() + &passwords.concat()))?;
    let exim = Exim::start(&server, Manners::default())?;
    let tokens = TokenServer::start("granted")?;
    let scene = Scene {
        installation: Installation::new()?,
        imap: server.endpoint(Protocol::Imap, Tls::Implicit),
        pop3: server.endpoint(Protocol::Pop3, Tls::Implicit),
        authority: server.authority().to_owned(),
    };
    write_settings(&scene, &exim)?;
    write_jobs(&scene, &tokens)?;
    for user in ["good", "pop"] {
        server.mailbox(user)?.deliver(&messages::request(1, "ann@client.example"))?;
    }

    let mut told = BTreeMap::new();
    let mut call = |arguments: &[&str]| -> Result<String> {
        let text = scene.call(arguments)?;
        told.insert(format!("mailmill {}", arguments.join(" ")), text.clone().into_bytes());
        Ok(text)
    };
    tokens.script_device(1, &[]);
    let authorised = call(&["authorize", "granted"])?;
    ensure!(authorised.contains("is authorised"), "{authorised}");
    let log = call(&["run", "--once", "--debug"])?;
    assert_eq!(log.matches("message handled").count(), 2, "{log}");
    assert_eq!(log.matches("the session failed").count(), 4, "each wrong secret is refused: {log}");
    let outbox = call(&["outbox", "list", "--json"])?;
    ensure!(outbox.contains("535") || outbox.contains("authentic"), "the mail server refuses the login: {outbox}");
    for job in ["good", "wrong", "pop", "pop-wrong", "app", "granted"] {
        call(&["test-connection", job])?;
        call(&["test-connection", job, "--json"])?;
    }
    call(&["run", "--once", "--log-format", "json"])?;
    for arguments in [
        &["check"][..],
        &["check", "--json"],
        &["config", "example"],
        &["log", "--json"],
        &["log", "--message", "1", "--json"],
        &["outbox", "list"],
        &["job", "list", "--json"],
        &["ticket", "list", "--json"],
        &["plugin", "list", "--json"],
    ] {
        call(arguments)?;
    }
    scene.job("inline", "imap", &format!("password = \"{INLINE}\""))?;
    let refused = call(&["check"])?;
    ensure!(refused.contains("must not stand in the file itself"), "{refused}");
    call(&["check", "--json"])?;
    call(&["run", "--once"])?;
    std::fs::remove_file(scene.installation.path("jobs/inline.toml"))?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let made = runtime.block_on(through_the_web(&scene, &mut told))?;
    written(&scene.installation.path("."), &mut told)?;
    let vault: Vec<String> = told.keys().filter(|path| path.ends_with("granted.json")).cloned().collect();
    let [vault] = vault.as_slice() else { panic!("one file of what was granted: {vault:?}") };
    let kept = told.remove(vault).context("the file of what was granted")?;
    ensure!(String::from_utf8_lossy(&kept).contains(TOKENS[1]), "the search finds what is there");
    let secrets: Vec<&str> = PLANTED.into_iter().chain(made.iter().map(String::as_str)).collect();
    let found = search(&told, &secrets);
    assert_eq!(found, [""; 0]);
    ensure!(told.len() > 30, "{:?}", told.keys());
    assert_private(&scene.installation.path("."))
}

/// What mailmill has made, nobody else may read.
fn assert_private(folder: &Path) -> Result<()> {
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("mailmill.db") || ["cache", "tokens"].contains(&name.as_str()) {
            check_modes(&path, &mut seen)?;
        }
    }
    ensure!(seen.len() >= 4, "{seen:?}");
    Ok(())
}

fn check_modes(path: &Path, seen: &mut Vec<PathBuf>) -> Result<()> {
    let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
    let expect = if path.is_dir() { 0o700 } else { 0o600 };
    ensure!(mode == expect, "{} has the mode {mode:o}, and not {expect:o}", path.display());
    seen.push(path.to_owned());
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            check_modes(&entry?.path(), seen)?;
        }
    }
    Ok(())
}

#[test]
fn the_search_knows_the_forms() {
    let holds = |text: &str| forms(SMTP).iter().any(|form| text.as_bytes().windows(form.len()).any(|it| it == form));
    for before in ["", "\0", "\0desk\0", "user:", "ab"] {
        let encoded = BASE64_STANDARD_NO_PAD.encode(format!("{before}{SMTP}"));
        assert!(holds(&encoded), "{before:?}: {encoded}");
        assert!(holds(&BASE64_STANDARD_NO_PAD.encode(format!("{before}{SMTP}and more"))), "{before:?}");
    }
    assert!(!holds("Zq7-wrong-smtp") && !holds(&BASE64_STANDARD_NO_PAD.encode("Zq7-wrong-smtp")));
}

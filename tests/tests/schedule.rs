//! When jobs run: their schedule, people's wishes, servers that are in no mood, and jobs that must not disturb each other.

use anyhow::{Context, Result};
use mailmill_tests::records::receipts;
use mailmill_tests::{Daemon, Installation, messages, wait_until};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Long enough for anything that is going to happen by itself within a second or two.
const A_WHILE: Duration = Duration::from_millis(3500);
/// A schedule whose next run is far away.
const RARELY: &str = "cron = \"0 0 29 2 *\"";

/// Adds a job that reads the `.eml` files of a folder of its own name.
fn add_job(installation: &Installation, name: &str, schedule: &str) -> Result<()> {
    let mail = installation.path(name);
    std::fs::create_dir_all(&mail)?;
    let source = format!("[source]\ntype = \"folder\"\npath = '{}'\nsettle_ms = 0\n", mail.display());
    installation.write(&format!("jobs/{name}.toml"), &format!("{source}\n[schedule]\n{schedule}\n"))
}

fn send(installation: &Installation, job: &str, number: usize) -> Result<()> {
    installation.write(&format!("{job}/{number}.eml"), &messages::request(number, "ann@client.example"))
}

fn handled(installation: &Installation) -> Result<usize> {
    Ok(receipts(installation)?.len())
}

/// What `job list` says of a job, once it is so.
fn job_where(installation: &Installation, name: &str, what: &str, is_it: impl Fn(&Value) -> bool) -> Result<Value> {
    let mut last = Value::Null;
    let found = wait_until(what, || {
        let jobs: Vec<Value> =
            serde_json::from_str(&installation.mailmill(&["job", "list", "--json"])?.success()?.stdout)?;
        last = jobs.into_iter().find(|job| job["name"] == name).context("the job is not listed")?;
        Ok(is_it(&last).then(|| last.clone()))
    });
    found.with_context(|| last.to_string())
}

fn job_in(installation: &Installation, name: &str, state: &str) -> Result<Value> {
    job_where(installation, name, state, |job| job["state"] == state)
}

fn say(installation: &Installation, arguments: &[&str], expect: &str) -> Result<()> {
    let said = installation.mailmill(arguments)?.success()?.stdout;
    assert!(said.contains(expect), "{arguments:?}: {said}");
    Ok(())
}

fn start(installation: &Installation) -> Result<Daemon> {
    let mut daemon = Daemon::start(installation, &[])?;
    daemon.wait_for("the start", 0, |line| line.contains("mailmill is running"))?;
    Ok(daemon)
}

#[test]
fn a_paused_job_leaves_its_mailbox_alone_over_restarts_too() -> Result<()> {
    let installation = Installation::new()?;
    add_job(&installation, "desk", "every = \"1s\"")?;
    let mut daemon = start(&installation)?;
    send(&installation, "desk", 1)?;
    daemon.wait_for("the first message", 0, |line| line.contains("message handled"))?;

    say(&installation, &["job", "pause", "desk"], "job \"desk\" is paused")?;
    say(&installation, &["job", "pause", "desk"], "job \"desk\" is already paused")?;
    daemon.wait_for("the pause", 0, |line| line.contains("the job is paused"))?;
    job_in(&installation, "desk", "paused")?;
    send(&installation, "desk", 2)?;
    assert!(daemon.terminate()?.success(), "{}", daemon.log());

    let mut daemon = start(&installation)?;
    std::thread::sleep(A_WHILE);
    assert_eq!(handled(&installation)?, 1, "{}", daemon.log());
    // Who names it, means it.
    say(&installation, &["job", "run", "desk"], "job \"desk\" runs now")?;
    daemon.wait_for("the second message", 0, |line| line.contains("message handled"))?;
    send(&installation, "desk", 3)?;
    std::thread::sleep(A_WHILE);
    assert_eq!(handled(&installation)?, 2, "{}", daemon.log());
    say(&installation, &["job", "resume", "desk"], "job \"desk\" is resumed")?;
    wait_until("the third message", || Ok((handled(&installation)? == 3).then_some(())))?;
    say(&installation, &["job", "resume", "desk"], "job \"desk\" was not paused")?;
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    Ok(())
}

#[test]
fn a_job_runs_when_its_schedule_says_or_somebody_asks() -> Result<()> {
    let installation = Installation::new()?;
    add_job(&installation, "cron", RARELY)?;
    add_job(&installation, "later", "every = \"1s\"\nfrom = 2999-01-01")?;
    add_job(&installation, "over", "every = \"1s\"\nuntil = 2020-01-01")?;
    add_job(&installation, "poll", "every = \"1s\"\npush = false")?;
    let jobs = ["cron", "later", "over", "poll"];
    jobs.into_iter().try_for_each(|job| send(&installation, job, 1))?;
    let mut daemon = start(&installation)?;
    std::thread::sleep(A_WHILE);
    assert_eq!(handled(&installation)?, 1, "{}", daemon.log());
    let next = job_in(&installation, "later", "waiting")?;
    assert!(
        next["next_run_at"]
            .as_str()
            .is_some_and(|next| next.starts_with("2999-01-01") || next.starts_with("2998-12-31"))
    );
    job_in(&installation, "over", "finished")?;
    let polled = job_where(&installation, "poll", "a session", |job| job["last"]["received"] == 0)?;
    assert_eq!(polled["last"]["error"], Value::Null);

    for (index, job) in ["cron", "later", "over"].into_iter().enumerate() {
        say(&installation, &["job", "run", job], "runs now")?;
        wait_until(job, || Ok((handled(&installation)? == index + 2).then_some(())))?;
    }
    job_where(&installation, "cron", "nothing asked for", |job| job["run_requested_at"] == Value::Null)?;
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    Ok(())
}

#[test]
fn job_commands_without_a_daemon() -> Result<()> {
    let installation = Installation::new()?;
    add_job(&installation, "desk", RARELY)?;
    add_job(&installation, "paused", RARELY)?;
    let run = installation.mailmill(&["job", "run", "dsk"])?;
    assert_eq!(run.code, Some(1));
    assert_eq!(run.stderr, "error: there is no job \"dsk\" in the folder [DIR]/jobs; did you mean `desk`?\n");
    let run = installation.mailmill(&["run", "--once", "dsk"])?;
    assert!(run.code == Some(1) && run.stderr.ends_with("did you mean `desk`?\n"), "{}", run.stderr);
    say(&installation, &["job", "list"], "not running")?;

    send(&installation, "desk", 1)?;
    send(&installation, "paused", 1)?;
    installation.mailmill(&["run", "--once", "desk"])?.success()?;
    assert_eq!(handled(&installation)?, 1, "only the job that was named");
    say(&installation, &["job", "pause", "paused"], "job \"paused\" is paused")?;
    let run = installation.mailmill(&["run", "--once"])?.success()?;
    assert!(run.stderr.contains("the job is paused, so it does not run"), "{}", run.stderr);
    assert_eq!(handled(&installation)?, 1);
    installation.mailmill(&["run", "--once", "paused"])?.success()?;
    assert_eq!(handled(&installation)?, 2);

    send(&installation, "desk", 2)?;
    let expect =
        "the daemon is not running: job \"desk\" runs when it is started; to run it now: mailmill run --once desk";
    say(&installation, &["job", "run", "desk"], expect)?;
    let mut daemon = start(&installation)?;
    wait_until("the session asked for", || Ok((handled(&installation)? == 3).then_some(())))?;
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    say(&installation, &["job", "list"], "not running")
}

#[test]
fn help_of_the_job_commands() -> Result<()> {
    let installation = Installation::new()?;
    for command in ["list", "run", "pause", "resume", "next"] {
        let run = installation.mailmill(&["job", command, "--help"])?.success()?;
        insta::assert_snapshot!(format!("help-job-{command}"), run.stdout);
    }
    Ok(())
}

#[test]
fn the_next_runs_are_shown() -> Result<()> {
    let installation = Installation::new()?;
    add_job(&installation, "desk", "cron = \"0 0 29 2 *\"\ntime_zone = \"Europe/Berlin\"\nuntil = 2029-01-01")?;
    let shown = installation.mailmill(&["job", "next", "desk"])?.success()?.stdout;
    let expect = "cron 0 0 29 2 *, until 2029-01-01 (Europe/Berlin)\nTue 2028-02-29 00:00:00 +01:00\nno further run\n";
    assert_eq!(shown, expect);
    let shown = installation.mailmill(&["job", "next", "desk", "--count", "1", "--json"])?.success()?.stdout;
    assert_eq!(serde_json::from_str::<Value>(&shown)?["runs"], serde_json::json!(["2028-02-28T23:00:00Z"]));
    Ok(())
}

/// A server that greets, takes a login, and answers when it is told to.
struct Server {
    port: u16,
    /// Each login arrives here.
    logins: Receiver<Sender<String>>,
}

impl Server {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let (sender, logins) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                std::thread::spawn(move || serve(stream, &sender));
            }
        });
        Ok(Self { port, logins })
    }

    fn add_job(&self, installation: &Installation, name: &str) -> Result<()> {
        installation.write("password", "secret")?;
        installation.write(
            &format!("jobs/{name}.toml"),
            &format!(
                "[source]\ntype = \"imap\"\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nuser = \"me\"\n\
                 password = {{ file = '{}' }}\n\n[schedule]\nevery = \"1s\"\n",
                self.port,
                installation.path("password").display()
            ),
        )
    }

    /// The next login; the answer is still to be given.
    fn login(&self) -> Result<Sender<String>> {
        self.logins.recv_timeout(mailmill_tests::PATIENCE).context("nobody logs in")
    }

    fn assert_left_alone(&self) {
        assert!(self.logins.recv_timeout(A_WHILE).is_err(), "another login");
    }
}

fn serve(mut stream: TcpStream, logins: &Sender<Sender<String>>) {
    let _ = stream.write_all(b"* OK [CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN] ready\r\n");
    let mut line = String::new();
    let Ok(reader) = stream.try_clone() else { return };
    if BufReader::new(reader).read_line(&mut line).is_ok_and(|read| read > 0) {
        let tag = line.split(' ').next().unwrap_or_default();
        let (answer, answered) = channel();
        if logins.send(answer).is_ok()
            && let Ok(answer) = answered.recv()
        {
            let _ = stream.write_all(format!("{tag} {answer}\r\n").as_bytes());
        }
    }
}

#[test]
fn a_job_is_never_in_two_sessions_and_a_refused_login_is_not_repeated() -> Result<()> {
    let installation = Installation::new()?;
    let server = Server::start()?;
    server.add_job(&installation, "desk")?;
    let mut daemon = start(&installation)?;
    let first = server.login()?;
    job_in(&installation, "desk", "running")?;
    for _ in 0..2 {
        say(&installation, &["job", "run", "desk"], "job \"desk\" is in a session: another one follows it")?;
    }
    server.assert_left_alone();
    first.send("NO [AUTHENTICATIONFAILED] wrong".to_owned())?;
    // The one that was asked for, at once.
    let second = server.login()?;
    second.send("NO [AUTHENTICATIONFAILED] wrong".to_owned())?;
    // It is to run every second, but accounts get locked.
    server.assert_left_alone();
    let job = job_in(&installation, "desk", "retrying")?;
    assert!(job["last"]["error"].as_str().is_some_and(|error| error.contains("refuses user \"me\"")), "{job}");
    daemon.wait_for("the pause", 0, |line| {
        let pause = line.split("retry_in_s=").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
        line.contains("the session failed") && pause.is_some_and(|pause| pause >= 299)
    })?;
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    Ok(())
}

#[test]
fn a_server_that_asks_for_patience_gets_it() -> Result<()> {
    let installation = Installation::new()?;
    let server = Server::start()?;
    server.add_job(&installation, "desk")?;
    let mut daemon = start(&installation)?;
    server.login()?.send("NO [UNAVAILABLE] overloaded, try again in 2 minutes".to_owned())?;
    server.assert_left_alone();
    daemon.wait_for("the pause", 0, |line| line.contains("hint_s=120"))?;
    job_in(&installation, "desk", "retrying")?;
    assert!(daemon.terminate()?.success(), "{}", daemon.log());
    Ok(())
}

#[test]
fn a_job_that_hangs_delays_no_other_one() -> Result<()> {
    let installation = Installation::new()?;
    let server = Server::start()?;
    // Both before and after the other one in the order of their names.
    server.add_job(&installation, "a-hangs")?;
    add_job(&installation, "desk", "every = \"1s\"")?;
    server.add_job(&installation, "z-hangs")?;
    for (number, arguments) in [&[][..], &["--once"]].into_iter().enumerate() {
        send(&installation, "desk", number)?;
        let mut daemon = Daemon::start(&installation, arguments)?;
        let held = [server.login()?, server.login()?];
        daemon.wait_for("the message", 0, |line| line.contains("message handled") && line.contains("desk"))?;
        daemon.kill()?;
        drop(held);
    }
    Ok(())
}

#[test]
fn a_terminal_shows_how_far_each_job_is() -> Result<()> {
    let installation = Installation::new()?;
    add_job(&installation, "desk", RARELY)?;
    (1..=50).try_for_each(|number| send(&installation, "desk", number))?;
    let command = installation.command()?;
    let words = command.get_args().map(|word| format!("'{}'", word.display())).collect::<Vec<_>>().join(" ");
    let line = format!("'{}' {words} run --once", command.get_program().display());
    let mut on_terminal = std::process::Command::new("script");
    on_terminal.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").stdin(std::process::Stdio::null());
    let shown = on_terminal.output().context("script(1) is missing: install util-linux")?;
    let shown = String::from_utf8(shown.stdout)?;
    assert!(shown.contains("of 50 messages"), "{shown}");
    assert_eq!(shown.matches("message handled").count(), 50, "{shown}");
    assert_eq!(handled(&installation)?, 50);

    send(&installation, "desk", 51)?;
    let run = installation.mailmill(&["run", "--once"])?.success()?;
    assert!(!run.stderr.contains("of 1 messages"), "{}", run.stderr);
    Ok(())
}

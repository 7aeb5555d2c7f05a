//! The daemon seen from outside: what it tells systemd and whoever asks over HTTP, what it logs, and what becomes of all that
//! when one job hangs.

use anyhow::{Context, Result};
use mailmill_tests::records::receipts;
use mailmill_tests::{Daemon, Installation, messages, target, wait_until};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

/// What systemd would wait for between two signs of life.
const WATCHDOG: Duration = Duration::from_millis(400);
/// In the messages below, and in nothing else.
const SENDER: &str = "ann.private@client.example";
const BODY: &str = "This is request";
const SETTINGS: &str =
    "\n[observe]\nlisten = \"127.0.0.1:0\"\nstall_ms = 1500\n\n[log]\nformat = \"json\"\nlevel = \"info\"\n";

const STEP: &str = "\n[[step]]\nname = \"hostile\"\nhop = \"preprocess\"\nplugin = \"misbehave\"\nrules = \"hostile.toml\"\n\
                    recommended = false\n";
/// Every message is a ticket, and a call.
const CALL: &str = "[[statement]]\nname = \"all\"\nthen = [{ do = \"create-ticket\", class = \"incident\" }, \
                    { do = \"webhook\", name = \"hook\" }]\nstop = true\n";

/// A daemon that can be asked over HTTP.
struct Seen {
    daemon: Daemon,
    address: String,
}

impl Seen {
    /// Starts it on an installation, with further variables in its environment.
    fn start(installation: &Installation, variables: &[(&str, &str)]) -> Result<Self> {
        let mut daemon = Daemon::start_in(installation, &[], variables)?;
        let line = daemon.wait_for("the address", 0, |line| line.contains("/healthz, /readyz and /metrics"))?;
        let address = json(&line)?.get("at").and_then(Value::as_str).context("no address")?.to_owned();
        Ok(Self { daemon, address })
    }

    /// The status and the content of an answer.
    fn get(&self, path: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, content) = answer.split_once("\r\n\r\n").context("half an answer")?;
        let status = head.split(' ').nth(1).context("no status")?.parse()?;
        Ok((status, content.to_owned()))
    }

    /// Waits until the numbers are as they should be, and gives all of them.
    fn wait_for(&self, what: &str, are_they: impl Fn(&str) -> bool) -> Result<String> {
        let mut last = String::new();
        let found = wait_until(what, || {
            let (status, metrics) = self.get("/metrics")?;
            last.clone_from(&metrics);
            Ok((status == 200 && are_they(&metrics)).then_some(metrics))
        });
        found.with_context(|| format!("{last}\n{}", self.daemon.log()))
    }
}

struct Scene {
    installation: Installation,
    systemd: UnixDatagram,
    seen: Seen,
}

impl Scene {
    /// A daemon with two jobs. At the third message that the rules have decided on, it hangs.
    fn start() -> Result<Self> {
        let installation = Installation::new()?;
        installation.write("mailmill.toml", &(installation.read("mailmill.toml")? + SETTINGS))?;
        for job in ["first", "second"] {
            installation.write(&format!("mail-{job}/.keep"), "")?;
            let path = installation.path(&format!("mail-{job}"));
            let source = format!("[source]\ntype = \"folder\"\npath = '{}'\nsettle_ms = 100\n", path.display());
            installation.write(&format!("jobs/{job}.toml"), &(source + "[schedule]\nevery = \"1s\"\n"))?;
        }
        let socket = installation.path("notify");
        let systemd = UnixDatagram::bind(&socket)?;
        systemd.set_read_timeout(Some(Duration::from_millis(100)))?;
        let usec = WATCHDOG.as_micros().to_string();
        let variables = [
            ("NOTIFY_SOCKET", socket.to_str().context("a path that is no text")?),
            ("WATCHDOG_USEC", &usec),
            ("MAILMILL_FAULT", "rules.after:3:hang"),
        ];
        let seen = Seen::start(&installation, &variables)?;
        Ok(Self { installation, systemd, seen })
    }

    fn send(&self, job: &str, number: usize) -> Result<()> {
        self.installation.write(&format!("mail-{job}/{number}.eml"), &messages::request(number, SENDER))
    }

    fn wait_for_message(&mut self, skip: usize, job: &str) -> Result<Value> {
        let handled = |line: &str| line.contains("message handled") && line.contains(job);
        json(&self.seen.daemon.wait_for("a message", skip, handled)?)
    }

    /// What systemd is told until a time has passed.
    fn told_within(&self, time: Duration) -> Vec<String> {
        let until = Instant::now() + time;
        let mut told = Vec::new();
        let mut buffer = [0; 256];
        while Instant::now() < until {
            if let Ok(length) = self.systemd.recv(&mut buffer) {
                let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
                told.extend(text.lines().map(str::to_owned));
            }
        }
        told
    }
}

fn json(line: &str) -> Result<Value> {
    serde_json::from_str(line).with_context(|| format!("a line of the log is no JSON: {line}"))
}

/// The sum of a number over all its labels.
fn sum(metrics: &str, name: &str) -> f64 {
    let is_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    let values = metrics.lines().filter(is_it).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    values.sum()
}

#[test]
fn a_daemon_is_well_until_one_job_hangs() -> Result<()> {
    let mut scene = Scene::start()?;
    let told = wait_until("systemd to be told", || {
        let told = scene.told_within(WATCHDOG);
        Ok(told.iter().any(|line| line == "READY=1").then_some(told))
    })?;
    assert!(told.iter().any(|line| line == "WATCHDOG=1") || !scene.told_within(WATCHDOG).is_empty(), "{told:?}");
    scene.send("first", 1)?;
    scene.send("second", 2)?;
    for job in ["first", "second"] {
        let line = scene.wait_for_message(0, job)?;
        assert_eq!(line["span"]["name"], "message", "one span for each message: {line}");
        assert_eq!((&line["span"]["job"], &line["outcome"]), (&job.into(), &"accepted".into()), "{line}");
    }
    assert_eq!(scene.seen.get("/healthz")?, (200, "ok\n".to_owned()));
    assert_eq!(scene.seen.get("/readyz")?, (200, "ready\n".to_owned()));
    assert_eq!(scene.seen.get("/")?.0, 404);
    let metrics = scene.seen.wait_for("the sessions to be counted", |metrics| {
        let ended = sum(metrics, "mailmill_sessions_total") >= 2.0;
        // The states of the jobs are told to the store once a second.
        let settled = sum(metrics, "mailmill_messages_in_hand") == 0.0 && sum(metrics, "mailmill_job_state") >= 2.0;
        ended && settled
    })?;
    assert_figures(&metrics);
    let signs = scene.told_within(WATCHDOG * 5);
    assert!(signs.iter().filter(|line| *line == "WATCHDOG=1").count() >= 3, "{signs:?}");

    // From here on one job hangs, and the other one goes on.
    let skip = scene.seen.daemon.log_length();
    scene.send("first", 3)?;
    let well = |scene: &Scene| scene.seen.get("/healthz");
    let told = wait_until("the job to be missed", || Ok(Some(well(&scene)?).filter(|(status, _)| *status == 503)))?;
    assert_eq!(told.1, "jobs that do not get on: first\n");
    scene
        .seen
        .daemon
        .wait_for("the alarm", skip, |line| line.contains("ERROR") && line.contains("\"jobs\":\"first\""))?;
    scene.told_within(WATCHDOG);
    let signs = scene.told_within(WATCHDOG * 4);
    assert_eq!(signs, [""; 0], "a job that hangs leaves systemd without a sign of life");
    assert_eq!(sum(&scene.seen.get("/metrics")?.1, "mailmill_job_overdue"), 1.0);
    let skip = scene.seen.daemon.log_length();
    scene.send("second", 4)?;
    scene.wait_for_message(skip, "second")?;

    let log = scene.seen.daemon.log();
    for line in log.lines() {
        json(line)?;
    }
    for private in [SENDER, "Sender 1", BODY, "Request 1"] {
        assert!(!log.contains(private), "{private:?} is in the log:\n{log}");
    }
    Ok(())
}

/// Two messages went through two jobs.
fn assert_figures(metrics: &str) {
    let at_least = [
        ("mailmill_job_last_success_timestamp_seconds", 1.7e9),
        ("mailmill_sessions_total", 2.0),
        ("mailmill_step_seconds_total", 0.000_001),
        ("mailmill_hop_seconds_sum", 0.000_001),
        ("mailmill_job_state", 2.0),
    ];
    for (name, least) in at_least {
        assert!(sum(metrics, name) >= least, "{name} is {} in\n{metrics}", sum(metrics, name));
    }
    let exactly = [
        ("mailmill_messages_total", 2.0),
        ("mailmill_step_faults_total", 0.0),
        ("mailmill_store_up", 1.0),
        ("mailmill_rules_refused", 0.0),
        ("mailmill_outbox_entries", 0.0),
        ("mailmill_outbox_oldest_age_seconds", 0.0),
        ("mailmill_queue_depth", 0.0),
        ("mailmill_step_suspended", 0.0),
        ("mailmill_quarantined_messages", 0.0),
        ("mailmill_unmarked_messages", 0.0),
        ("mailmill_build_info", 1.0),
    ];
    for (name, expect) in exactly {
        assert!(metrics.contains(&format!("\n{name}")), "no {name} in\n{metrics}");
        assert_eq!(sum(metrics, name), expect, "{name} in\n{metrics}");
    }
    for hop in ["parse", "thread", "rules", "commit"] {
        let line = format!("mailmill_hop_seconds_count{{hop=\"{hop}\"}} 2");
        assert!(metrics.contains(&line), "{line} in\n{metrics}");
    }
    assert!(!metrics.contains("client.example"), "nothing of a message: {metrics}");
}

/// An installation that can be asked over HTTP, with further settings and with so many messages in the folder of its job.
fn with_mail(settings: &str, messages: usize) -> Result<Installation> {
    let installation = Installation::new()?;
    installation.write("mailmill.toml", &(installation.read("mailmill.toml")? + SETTINGS + settings))?;
    installation.add_folder_job("folder")?;
    for number in 1..=messages {
        installation.write(&format!("mail/{number}.eml"), &messages::request(number, SENDER))?;
    }
    Ok(installation)
}

/// Its messages go through a plugin that never comes to an end.
fn add_hostile_step(installation: &Installation) -> Result<()> {
    std::fs::copy(target().join("test-plugins/misbehave.wasm"), installation.path("plugins/misbehave.wasm"))
        .context("run `cargo xtask plugins`")?;
    installation.write("rules/pipeline.toml", &(installation.read("rules/pipeline.toml")? + STEP))?;
    installation.write("rules/hostile.toml", "does = \"loop\"\n")?;
    installation.edit("jobs/folder.toml", "\"recommended\"", "[\"hostile\"]")
}

#[test]
fn what_fails_and_what_is_stuck_is_counted() -> Result<()> {
    const MESSAGES: usize = 3;
    // Nobody listens at that port: what is to be sent waits.
    let settings = format!(
        "\n[plugin_limits]\nfaults_max = {MESSAGES}\ndeadline_ms = 250\n\n[outbox]\nretry_first = \"1h\"\n\n\
         [webhook.hook]\nurl = \"http://127.0.0.1:1/\"\nsecret = {{ file = \"hook-secret\" }}\n"
    );
    let installation = with_mail(&settings, MESSAGES)?;
    installation.write("hook-secret", "a secret that only the hook knows\n")?;
    installation.write("rules/statements/10-default.toml", CALL)?;
    add_hostile_step(&installation)?;
    let seen = Seen::start(&installation, &[])?;
    let metrics = seen.wait_for("the suspension", |metrics| {
        let suspended = "mailmill_step_suspended{step=\"hostile\"} 1.0";
        let waiting = "mailmill_outbox_entries{state=\"waiting\"} 3.0";
        [suspended, waiting].iter().all(|wanted| metrics.lines().any(|line| line == *wanted))
            && sum(metrics, "mailmill_outbox_oldest_age_seconds") > 0.0
    })?;
    assert_eq!(sum(&metrics, "mailmill_step_suspended"), 1.0, "only the one that is hostile: {metrics}");
    let of_hostile = |name: &str| format!("\n{name}{{step=\"hostile\",plugin=\"misbehave ");
    assert!(metrics.contains(&of_hostile("mailmill_step_faults_total")), "{metrics}");
    assert_eq!(sum(&metrics, "mailmill_step_faults_total"), MESSAGES as f64, "{metrics}");
    let age = |metrics: &str| sum(metrics, "mailmill_outbox_oldest_age_seconds");
    seen.wait_for("the age to grow", |later| age(later) > age(&metrics))?;
    assert_eq!(seen.get("/readyz")?, (200, "ready\n".to_owned()), "mail is taken in all the same");

    // The database is gone under it: a file of zeros.
    let database = std::fs::File::options().write(true).open(installation.path("mailmill.db"))?;
    let size = database.metadata()?.len();
    database.set_len(0)?;
    database.set_len(size)?;
    let told = wait_until("it to say so", || Ok(Some(seen.get("/readyz")?).filter(|(status, _)| *status == 503)))?;
    assert!(told.1.contains("mailmill.db: "), "{told:?}");
    let metrics = seen.wait_for("the store to be missed", |metrics| metrics.contains("\nmailmill_store_up 0.0\n"))?;
    assert!(!metrics.contains("\nmailmill_outbox_"), "what is not known is left out: {metrics}");
    assert!(metrics.contains("\nmailmill_messages_total"), "what is known without it is not: {metrics}");
    Ok(())
}

#[test]
fn what_waits_is_counted_and_who_stops_is_not_ready() -> Result<()> {
    const MESSAGES: usize = 4;
    // Each queue behind something that does not come to an end, and how many messages wait in it at least.
    for (queue, fault, least) in [("workers", "", MESSAGES - 1), ("committer", "commit.before:1:hang", MESSAGES)] {
        let limits = "\n[plugin_limits]\ndeadline_ms = 60000\n\n[limits]\nworkers = 1\n";
        let installation = with_mail(limits, MESSAGES)?;
        if fault.is_empty() {
            add_hostile_step(&installation)?;
        }
        let variables = [("MAILMILL_FAULT", fault)];
        let mut seen = Seen::start(&installation, if fault.is_empty() { &[] } else { &variables })?;
        seen.wait_for(queue, |metrics| {
            let value =
                |line: &str| line.strip_prefix(&format!("mailmill_queue_depth{{queue=\"{queue}\"}} "))?.parse().ok();
            metrics.lines().find_map(value).is_some_and(|depth: f64| depth >= least as f64)
        })?;
        assert_eq!(seen.get("/readyz")?, (200, "ready\n".to_owned()));

        seen.daemon.signal("TERM")?;
        seen.daemon.wait_for("the stop", 0, |line| line.contains("stopping: messages in hand"))?;
        let told = wait_until("it to say so", || Ok(Some(seen.get("/readyz")?).filter(|(status, _)| *status == 503)))?;
        assert_eq!(told.1, "stopping\n");
        assert_eq!(seen.get("/metrics")?.0, 200, "how far it is can be seen");
        seen.daemon.signal("TERM")?;
        assert_eq!(seen.daemon.wait()?.code(), Some(1), "{}", seen.daemon.log());
    }
    Ok(())
}

#[test]
fn a_log_that_cannot_be_written_stops_nobody() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("folder")?;
    installation.write("mail/1.eml", &messages::request(1, "ann@client.example"))?;
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full");
    let once = installation.command()?.args(["run", "--once", "--debug"]).stderr(full()?).status()?;
    assert_eq!(once.code(), Some(0));
    installation.write("mail/2.eml", &messages::request(2, "bob@client.example"))?;
    let mut daemon = installation.command()?.args(["run", "--debug"]).stderr(full()?).spawn()?;
    wait_until("the second message", || Ok((receipts(&installation)?.len() == 2).then_some(())))?;
    let told = Command::new("kill").arg(daemon.id().to_string()).status()?;
    assert!(told.success());
    let ended = wait_until("the daemon to end", || Ok(daemon.try_wait()?))?;
    assert_eq!(ended.code(), Some(0));
    Ok(())
}

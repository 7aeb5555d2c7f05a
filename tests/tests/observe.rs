//! The daemon seen from outside: what it tells systemd and whoever asks over HTTP, what it logs, and what becomes of all that
//! when one job hangs.

use anyhow::{Context, Result};
use mailmill_tests::{Daemon, Installation, messages, wait_until};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

/// What systemd would wait for between two signs of life.
const WATCHDOG: Duration = Duration::from_millis(400);
/// In the messages below, and in nothing else.
const SENDER: &str = "ann.private@client.example";
const BODY: &str = "This is request";
const SETTINGS: &str =
    "\n[observe]\nlisten = \"127.0.0.1:0\"\nstall_ms = 1500\n\n[log]\nformat = \"json\"\nlevel = \"info\"\n";

struct Scene {
    installation: Installation,
    systemd: UnixDatagram,
    daemon: Daemon,
    address: String,
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
        let mut daemon = Daemon::start_in(&installation, &[], &variables)?;
        let line = daemon.wait_for("the address", 0, |line| line.contains("/healthz, /readyz and /metrics"))?;
        let address = json(&line)?.get("at").and_then(serde_json::Value::as_str).context("no address")?.to_owned();
        Ok(Self { installation, systemd, daemon, address })
    }

    fn send(&self, job: &str, number: usize) -> Result<()> {
        self.installation.write(&format!("mail-{job}/{number}.eml"), &messages::request(number, SENDER))
    }

    fn wait_for_message(&mut self, skip: usize, job: &str) -> Result<Value> {
        let handled = |line: &str| line.contains("message handled") && line.contains(job);
        json(&self.daemon.wait_for("a message", skip, handled)?)
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
    assert_eq!(scene.get("/healthz")?, (200, "ok\n".to_owned()));
    assert_eq!(scene.get("/readyz")?, (200, "ready\n".to_owned()));
    assert_eq!(scene.get("/")?.0, 404);
    let metrics = wait_until("the sessions to be counted", || {
        let (status, metrics) = scene.get("/metrics")?;
        let ended = sum(&metrics, "mailmill_sessions_total") >= 2.0 && status == 200;
        // The states of the jobs are told to the store once a second.
        let settled = sum(&metrics, "mailmill_messages_in_hand") == 0.0 && sum(&metrics, "mailmill_job_state") >= 2.0;
        Ok((ended && settled).then_some(metrics))
    })?;
    assert_figures(&metrics);
    let signs = scene.told_within(WATCHDOG * 5);
    assert!(signs.iter().filter(|line| *line == "WATCHDOG=1").count() >= 3, "{signs:?}");

    // From here on one job hangs, and the other one goes on.
    let skip = scene.daemon.log_length();
    scene.send("first", 3)?;
    let well = |scene: &Scene| scene.get("/healthz");
    let told = wait_until("the job to be missed", || Ok(Some(well(&scene)?).filter(|(status, _)| *status == 503)))?;
    assert_eq!(told.1, "jobs that do not get on: first\n");
    scene.daemon.wait_for("the alarm", skip, |line| line.contains("ERROR") && line.contains("\"jobs\":\"first\""))?;
    scene.told_within(WATCHDOG);
    let signs = scene.told_within(WATCHDOG * 4);
    assert_eq!(signs, [""; 0], "a job that hangs leaves systemd without a sign of life");
    assert_eq!(sum(&scene.get("/metrics")?.1, "mailmill_job_overdue"), 1.0);
    let skip = scene.daemon.log_length();
    scene.send("second", 4)?;
    scene.wait_for_message(skip, "second")?;

    let log = scene.daemon.log();
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

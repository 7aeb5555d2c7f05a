//! How fast the web admin answers with a long log: 100,000 messages in 20,000 sessions of 200 jobs. `cargo xtask bench pages` builds
//! and runs it.
#![allow(clippy::print_stdout, reason = "a program for developers")]

use anyhow::{Context, Result, bail, ensure};
use mailmill_tests::web::Web;
use mailmill_tests::{Daemon, Installation, messages};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

const JOBS: u32 = 200;
const SESSIONS: u32 = 20_000;
const MESSAGES: u32 = 100_000;
/// How often each page is asked for; the median counts.
const ROUNDS: usize = 25;
/// The longest that the first byte may take.
const FIRST_BYTE_MAX: Duration = Duration::from_millis(20);
/// The largest that a page may be, in bytes.
const PAGE_BYTES_MAX: usize = 100 * 1024;
const PASSWORD: &str = "three blind mice, see how";
const PAGES: [&str; 8] = [
    "/jobs",
    "/jobs/job-100",
    "/log",
    "/log?outcome=quarantined",
    "/log/10000",
    "/messages/50000",
    "/tickets",
    "/jobs/job-100/steps",
];

fn main() -> Result<ExitCode> {
    let check = std::env::args().any(|argument| argument == "--check");
    let installation = Installation::new()?;
    let settings = installation.read("mailmill.toml")?;
    installation.write("mailmill.toml", &format!("{settings}\n[web]\nlisten = \"127.0.0.1:0\"\n"))?;
    installation.add_folder_job("job-1")?;
    installation.write("mail/1.eml", &messages::reply(1, "ann@client.example"))?;
    installation.mailmill(&["run", "--once"])?.success()?;
    fill(&installation)?;
    let mut daemon = Daemon::start(&installation, &[])?;
    let line = daemon.wait_for("the link", 0, |line| line.contains("/setup?token="))?;
    let link = line.split_whitespace().find(|word| word.starts_with("http://")).context("a link")?.to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let is_met = runtime.block_on(measure(&link))?;
    daemon.terminate()?;
    Ok(if check && !is_met { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Makes a long log out of the one message that was handled.
fn fill(installation: &Installation) -> Result<()> {
    for job in 2..=JOBS {
        let text = "[source]\ntype = \"folder\"\npath = '../empty'\n\n[schedule]\nevery = \"12h\"\n";
        installation.write(&format!("jobs/job-{job}.toml"), text)?;
    }
    std::fs::create_dir_all(installation.path("empty"))?;
    let sql = format!(
        "BEGIN;
         WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i <= {SESSIONS})
         INSERT INTO sessions (id, job, started_at, finished_at, waiting, received, created, updated, rejected, ignored, quarantined, errors, passed_over)
         SELECT i, 'job-' || (i % {JOBS} + 1), started_at - ({SESSIONS} - i) * 30000, finished_at - ({SESSIONS} - i) * 30000, 5, 5, 5, 0, 0, 0, i % 50 = 0, 0, 0
         FROM n, sessions WHERE sessions.id = 1;
         WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i <= {MESSAGES})
         INSERT INTO receipts (id, job, mailbox, uid_validity, uid, sha256, message_id, session, revision, outcome, reason, class, report_json, received_at, received_offset, committed_at, sender)
         SELECT i, 'job-' || (i / 5 % {JOBS} + 1), 'INBOX', 1, i, sha256, message_id, i / 5 + 1, revision, outcome, reason, class, report_json, received_at, 0, committed_at, sender
         FROM n, receipts WHERE receipts.id = 1;
         COMMIT; ANALYZE;"
    );
    let output = Command::new("sqlite3").arg(installation.path("mailmill.db")).arg(sql).output().context("sqlite3")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

async fn measure(link: &str) -> Result<bool> {
    let (address, token) = link.split_once("/setup?token=").context("the link of the first password")?;
    let web = Web::new(address);
    let answer = web.post("/setup", &[("token", token), ("password", PASSWORD), ("again", PASSWORD)]).await?;
    let web = web.with_cookie_of(&answer)?;
    let mut is_met = true;
    println!("| page | first byte | size | |\n|---|---|---|---|");
    for page in PAGES {
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let answer = web.get(page).await?;
            // The whole answer: its first byte comes no later.
            times.push(start.elapsed());
            bytes = answer.text.len();
            if answer.status != 200 {
                bail!("{page}: {answer:?}");
            }
        }
        times.sort();
        let median = times.get(ROUNDS / 2).copied().unwrap_or_default();
        let fits = median <= FIRST_BYTE_MAX && bytes <= PAGE_BYTES_MAX;
        is_met &= fits;
        let verdict = if fits { "met" } else { "**missed**" };
        println!("| `{page}` | {:.1} ms | {} KB | {verdict} |", median.as_secs_f64() * 1000.0, bytes.div_ceil(1024));
    }
    Ok(is_met)
}

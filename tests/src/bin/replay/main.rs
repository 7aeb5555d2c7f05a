//! `cargo xtask bench replay`: how long a rule change takes to be tried on 10,000 stored messages, and how much memory.

use anyhow::{Context, Result, bail, ensure};
use mailmill_tests::{Installation, messages, sample};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How many messages there are, unless it is said.
const MESSAGES: usize = 10_000;
/// What ten thousand may take.
const SECONDS_MAX: f64 = 10.0;
/// The most memory that the program may have at a time, in MiB.
const MEMORY_MIB_MAX: f64 = 256.0;
/// Every so many-th message is an invoice, which the candidate ignores.
const INVOICE_EVERY: usize = 8;
/// How often it is measured; the median counts.
const ROUNDS: usize = 3;
/// Samples of the demo that every so many-th message is made of: replies with quotes and HTML, as a desk gets them.
const SAMPLES: [&str; 4] =
    ["01-outlook-desktop-en.eml", "02-outlook-desktop-reply-en.eml", "03-gmail-de.eml", "04-gmail-reply-de.eml"];

const STATEMENT: &str = "
[[statement]]
name = \"invoices\"
if = 'subject starts with \"Invoice\"'
stop = true
then = [{ do = \"ignore\", reason = \"invoices are handled elsewhere\" }]
";

/// What the command line asks for.
struct Options {
    messages: usize,
    json: bool,
    check: bool,
}

fn main() -> Result<()> {
    let options = options()?;
    let desk = desk(options.messages)?;
    let (mut times, mut peak, mut changed) = (Vec::new(), 0, Value::Null);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let (run, kib) = desk.mailmill_measured(&["replay", "--rules", "next", "--json", "--limit", "100"])?;
        times.push(began.elapsed());
        peak = peak.max(kib);
        let summary: Value = serde_json::from_str(&run.success()?.stdout)?;
        ensure!(summary.get("messages") == Some(&json!(options.messages)), "{summary}");
        changed = summary.get("changed").cloned().unwrap_or_default();
    }
    times.sort_unstable();
    let median = times.get(ROUNDS / 2).copied().unwrap_or_default();
    report(&options, median, peak, &changed)
}

fn options() -> Result<Options> {
    let mut options = Options { messages: MESSAGES, json: false, check: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => options.json = true,
            "--check" => options.check = true,
            "--messages" => options.messages = words.next().unwrap_or_default().parse()?,
            other => bail!("unknown option {other}; there are --messages N, --json and --check"),
        }
    }
    Ok(options)
}

/// A desk that has handled so many messages, with a candidate that ignores invoices.
fn desk(count: usize) -> Result<Installation> {
    let desk = Installation::new()?;
    desk.add_folder_job("desk")?;
    let samples: Vec<String> = SAMPLES.iter().map(|name| text(name)).collect::<Result<_>>()?;
    for number in 0..count {
        let invoice = number % INVOICE_EVERY == 0;
        let sampled = samples.get(number % (2 * SAMPLES.len())).filter(|_| !invoice);
        let message = match sampled {
            // Each is a message of its own, and a conversation of its own.
            Some(text) => text.replace("Message-ID: <", &format!("Message-ID: <{number}.")),
            None if invoice => {
                messages::request(number, "ann@client.example").replace("Subject: Request", "Subject: Invoice")
            }
            None => messages::request(number, "ann@client.example"),
        };
        std::fs::write(desk.path(&format!("mail/{number:06}.eml")), message)?;
    }
    // No sender is too many.
    let job = desk.read("jobs/desk.toml")?;
    desk.write("jobs/desk.toml", &format!("{job}\n[brake]\nsender_messages_max = 0\nthread_messages_max = 0\n"))?;
    // A file that was just written may still grow: it is let settle.
    std::thread::sleep(Duration::from_secs(1));
    desk.mailmill(&["run", "--once"])?.success()?;
    desk.shell("cp -r rules next")?.success()?;
    desk.write("next/statements/05-invoices.toml", STATEMENT)?;
    Ok(desk)
}

fn text(name: &str) -> Result<String> {
    let path = sample(name);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

#[expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "its report is its purpose; figures for people")]
fn report(options: &Options, median: Duration, peak_kib: u64, changed: &Value) -> Result<()> {
    let (seconds, mib) = (median.as_secs_f64(), peak_kib as f64 / 1024.0);
    let allowed = SECONDS_MAX * options.messages as f64 / MESSAGES as f64;
    let met = [seconds <= allowed, mib <= MEMORY_MIB_MAX];
    if options.json {
        let figures = json!({
            "messages": options.messages, "changed": changed, "seconds": seconds, "seconds_max": allowed,
            "memory_mib": mib, "memory_mib_max": MEMORY_MIB_MAX, "met": met == [true, true],
        });
        println!("{figures}");
    } else {
        let verdict = |met: bool| if met { "met" } else { "MISSED" };
        println!("replay of {} messages, {changed} changed; median of {ROUNDS}", options.messages);
        println!("time    {seconds:7.2} s    at most {allowed:.1}: {}", verdict(met[0]));
        println!("memory  {mib:7.1} MiB  at most {MEMORY_MIB_MAX:.0}: {}", verdict(met[1]));
    }
    ensure!(!options.check || met == [true, true], "a target is missed");
    Ok(())
}

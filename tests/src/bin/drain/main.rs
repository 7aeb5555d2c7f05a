//! `cargo xtask bench drain`: how fast a full mailbox is drained, compared with programs that only copy mail.
//!
//! All take turns on the same mailbox of a private Dovecot, over TLS on the loopback interface.

mod contender;
mod mail;

use anyhow::{Result, bail};
use contender::{Contender, USER};
use mailmill_tests::Dovecot;
use serde_json::json;
use std::time::Duration;

/// What the command line asks for.
struct Options {
    rounds: usize,
    json: bool,
    check: bool,
    only_mailmill: bool,
}

fn main() -> Result<()> {
    let options = options()?;
    let server = Dovecot::start()?;
    let mut mailbox = server.mailbox(USER)?;
    let messages = mail::messages();
    let bytes: usize = messages.iter().map(String::len).sum();
    for message in &messages {
        mailbox.deliver(message)?;
    }
    let about = format!("{} messages, {} MB", messages.len(), bytes / 1_000_000);
    drop(messages);
    // Compiles the plugins into the cache, and brings the mail into the system's.
    Contender::Mailmill.run(&server)?;
    let contenders: Vec<Contender> =
        Contender::ALL.into_iter().filter(|one| !options.only_mailmill || one.target().is_none()).collect();
    let mut times = vec![Vec::new(); contenders.len()];
    for _ in 0..options.rounds {
        for (contender, times) in contenders.iter().zip(&mut times) {
            times.push(contender.run(&server)?);
        }
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    report(&about, &contenders.into_iter().zip(times).collect::<Vec<_>>(), &options)
}

fn options() -> Result<Options> {
    let mut options = Options { rounds: 3, json: false, check: false, only_mailmill: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => options.json = true,
            "--check" => options.check = true,
            "--only-mailmill" => options.only_mailmill = true,
            "--rounds" => options.rounds = words.next().unwrap_or_default().parse()?,
            other => bail!("unknown option {other}; there are --rounds N, --json, --check and --only-mailmill"),
        }
    }
    Ok(options)
}

/// The median of sorted times.
fn median(times: &[Duration]) -> Duration {
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "its report is its purpose")]
fn report(about: &str, times: &[(Contender, Vec<Duration>)], options: &Options) -> Result<()> {
    let own = times.iter().find(|(contender, _)| *contender == Contender::Mailmill);
    let own = own.map_or(0.0, |(_, times)| median(times).as_secs_f64());
    let (mut rows, mut missed) = (Vec::new(), 0);
    if !options.json {
        println!("{about}; medians of {} rounds", options.rounds);
    }
    for (contender, times) in times {
        let (name, seconds) = (contender.name(), median(times).as_secs_f64());
        let [fastest, slowest] = [times.first(), times.last()].map(|time| time.map_or(0.0, Duration::as_secs_f64));
        let ratio = own / seconds;
        let met = contender.target().map(|target| ratio <= target);
        missed += usize::from(met == Some(false));
        rows.push(
            json!({ "name": name, "seconds": seconds, "fastest": fastest, "slowest": slowest, "ratio": ratio, "target": contender.target(), "met": met }),
        );
        if options.json {
            continue;
        }
        match contender.target() {
            None => println!("{name:24} {seconds:7.2} s ({fastest:.2}–{slowest:.2})"),
            Some(target) => {
                let verdict = if ratio <= target { "met" } else { "MISSED" };
                println!(
                    "{name:24} {seconds:7.2} s ({fastest:.2}–{slowest:.2})   mailmill takes {ratio:.3} of its time, at most {target:.3}: {verdict}"
                );
            }
        }
    }
    if options.json {
        println!("{}", json!({ "mail": about, "rounds": options.rounds, "medians": rows }));
    }
    if options.check && missed > 0 {
        bail!("{missed} targets are missed");
    }
    Ok(())
}

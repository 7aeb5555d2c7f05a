//! `cargo xtask soak --minutes 60`: mail comes in all the time, rules change all the time, and all the time nothing is lost, nothing
//! comes twice, nothing waits and nothing grows.
//!
//! Two daemons with many jobs each read mail from one real Dovecot. One is killed (SIGKILL) once a minute. The other one runs
//! from beginning to end: its memory shows what a restart would hide.

mod figures;
mod site;

use anyhow::{Result, bail};
use figures::{Figures, Verdicts};
use mailmill_tests::Dovecot;
use site::Site;
use std::time::{Duration, Instant};

/// How many jobs each daemon has.
const JOBS: usize = 20;
/// Between two messages for one daemon: 200 in a minute.
const MESSAGE_EVERY: Duration = Duration::from_millis(300);
const CHANGE_EVERY: Duration = Duration::from_secs(10);
const KILL_EVERY: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_secs(1);
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What the command line asks for.
struct Options {
    time: Duration,
    json: bool,
    check: bool,
}

/// Something that is done again and again, however long it takes.
struct Every {
    period: Duration,
    next: Instant,
}

impl Every {
    /// For the first time after one period.
    fn new(begun: Instant, period: Duration) -> Self {
        Self { period, next: begun + period }
    }

    /// Whether it is time. What was missed is made up for.
    fn is_due(&mut self) -> bool {
        let is_due = Instant::now() >= self.next;
        if is_due {
            self.next += self.period;
        }
        is_due
    }
}

fn main() -> Result<()> {
    let options = options()?;
    let server = Dovecot::start()?;
    let mut sites = [Site::start(&server, "killed", JOBS)?, Site::start(&server, "steady", JOBS)?];
    let kills = run(&mut sites, options.time)?;
    tell("waiting until everything is handled, and looking at what became of it");
    let outcomes = sites.iter_mut().map(Site::finish).collect::<Result<Vec<_>>>()?;
    let figures = Figures::new(options.time, kills, &outcomes);
    if options.json {
        figures.print_json()
    } else {
        figures.print()
    }
    let Verdicts { exactly_once, memory, lag } = figures.verdicts();
    if !exactly_once || (options.check && !(memory && lag)) {
        bail!("not as it should be");
    }
    Ok(())
}

/// Sends mail, changes rules and kills for as long as this; how often it killed.
fn run(sites: &mut [Site; 2], time: Duration) -> Result<usize> {
    let begun = Instant::now();
    let mut kills = 0;
    let mut message = Every::new(begun, MESSAGE_EVERY);
    let mut change = Every::new(begun, CHANGE_EVERY);
    // In the middle of each minute, so that a short run has a kill as well.
    let mut kill = Every { period: KILL_EVERY, next: begun + KILL_EVERY / 2 };
    let mut look = Every::new(begun, LOOK_EVERY);
    let mut news = Every::new(begun, TELL_EVERY);
    while begun.elapsed() < time {
        if message.is_due() {
            sites.iter_mut().try_for_each(Site::deliver)?;
        }
        if change.is_due() {
            sites.iter_mut().try_for_each(Site::change_rules)?;
        }
        if kill.is_due() {
            let [killed, _] = sites;
            killed.kill()?;
            kills += 1;
        }
        if look.is_due() {
            let progress = begun.elapsed().as_secs_f64() / time.as_secs_f64();
            sites.iter_mut().try_for_each(|site| site.look(progress))?;
        }
        if news.is_due() {
            let minutes = begun.elapsed().as_secs() / 60;
            tell(&format!("{minutes} min, {kills} kills; {}; {}", sites[0].news(), sites[1].news()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(kills)
}

fn options() -> Result<Options> {
    let mut options = Options { time: Duration::from_secs(3600), json: false, check: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => options.json = true,
            "--check" => options.check = true,
            "--minutes" => {
                let minutes: f64 = words.next().unwrap_or_default().parse()?;
                options.time = Duration::try_from_secs_f64(minutes * 60.0)?;
            }
            other => bail!("unknown option {other}; there are --minutes N, --json and --check"),
        }
    }
    Ok(options)
}

/// What happens meanwhile, for who waits.
#[expect(clippy::print_stderr, reason = "a run takes an hour")]
fn tell(news: &str) {
    eprintln!("soak: {news}");
}

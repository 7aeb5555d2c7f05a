//! `[schedule]` of a job: the keys, and the schedule that they make together.

use super::reader::{Section, Setting};
use super::schema;
use super::settings::{Described, Settings, settings};
use crate::diagnostic::{Diagnostics, Source, suggestion};
use crate::schedule::{self, Cron, Day, Days, Interval, Jitter, Runs, Times, Window, time_of_day};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use std::fmt::Display;
use toml::Spanned;
use toml::de::DeValue;

settings! {
    /// When a job runs, as its file says.
    pub struct Keys {
        /// The time between two runs: a number with `s`, `m` or `h`. Not set: "5m", unless `at` or `cron` is set.
        every: Option<Interval> => unset("\"5m\""),
        /// With `every`: only in this part of the day; "22:00-06:00" goes on after midnight. There is no push outside of it.
        window: Option<Window> => unset("\"08:00-18:00\""),
        /// Instead of `every`: run at these times of the day.
        at: Option<TimesOfDay> => unset("[\"08:00\", \"17:30\"]"),
        /// Only on these days: of the week ("mon", "weekdays", "weekends"), of the month (15, "last", "first mon",
        /// "last fri"), of the year ("12-24", month and day). Not set: daily.
        days: Option<Days> => unset("[\"mon\", \"fri\"]"),
        /// Instead of all of these: a line of a cron table (minute, hour, day of the month, month, day of the week).
        cron: Option<Cron> => unset("\"*/10 8-18 * * mon-fri\""),
        /// The first date on which the job runs.
        from: Option<Date> => unset("2026-01-01"),
        /// The last one.
        until: Option<Date> => unset("2026-12-31"),
        /// Which clock these times are read on. Not set: the system's. What it skips when it is put forward happens once,
        /// right after; what it shows twice when it is put back happens once.
        time_zone: Option<TimeZone> => unset("\"Europe/Berlin\""),
        /// By how much a run may be late, so that many jobs do not call a server in the same second. Not set: a tenth of
        /// the time to the next run, at most 30 seconds.
        jitter: Option<Jitter> => unset("\"30s\""),
        /// With `every`: between two runs, let the server tell of new messages at once, where it can (IMAP IDLE).
        push: bool => default(true),
    }
}

/// When a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The times.
    pub runs: schedule::Schedule,
    /// By how much a run may be late, if the job says.
    pub jitter: Option<Jitter>,
    /// Whether the server may tell of new messages between two runs.
    pub push: bool,
}

/// Times of the day, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimesOfDay(Vec<Time>);

/// Keys that do not go with another, and why.
const CONFLICTS: [(&str, &[&str], &str); 2] = [
    ("cron", &["every", "at", "window", "days"], "the cron line says it already"),
    ("at", &["every", "window"], "the job runs at these times only"),
];

impl Setting for Schedule {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        let mut section = Section::of(source, name, value, out)?;
        let keys = Keys::read_section(&mut section, out);
        let is_set = |key: &str| value.get_ref().as_table().is_some_and(|table| table.contains_key(key));
        let mut sound = true;
        for (key, others, why) in CONFLICTS {
            for other in others.iter().filter(|other| is_set(key) && is_set(other)) {
                out.push(section.error(other, format!("`{other}` does not go with `{key}`: {why}")));
                sound = false;
            }
        }
        if let Some(Keys { from: Some(from), until: Some(until), .. }) = &keys
            && until < from
        {
            out.push(section.error("until", format!("`until` is before `from`, {from}: the job would never run")));
            sound = false;
        }
        section.finish(out);
        keys.filter(|_| sound).map(Self::from)
    }

    fn schema() -> serde_json::Value {
        Keys::schema()
    }
}

impl Schedule {
    /// Its keys, for the example file.
    pub(super) fn describe() -> Vec<Described> {
        Keys::describe()
    }
}

impl From<Keys> for Schedule {
    fn from(keys: Keys) -> Self {
        let runs = match (keys.cron, keys.at) {
            (Some(cron), _) => Runs::Cron(cron),
            (None, Some(TimesOfDay(times))) => Runs::On(keys.days.unwrap_or_default(), Times::At(times)),
            (None, None) => {
                let every = keys.every.unwrap_or(Interval::DEFAULT);
                Runs::On(keys.days.unwrap_or_default(), Times::Every(every, keys.window))
            }
        };
        let time_zone = keys.time_zone.unwrap_or_else(TimeZone::system);
        let runs = schedule::Schedule { runs, from: keys.from, until: keys.until, time_zone };
        Self { runs, jitter: keys.jitter, push: keys.push }
    }
}

/// Reads a text; what is wrong with it is said in the words of `parse`.
fn read_text<T, E: Display>(
    source: &Source,
    name: &str,
    value: &Spanned<DeValue<'_>>,
    out: &mut Diagnostics,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    let text = String::read(source, name, value, out)?;
    parse(&text).map_err(|error| out.push(source.error(value.span(), format!("`{name}`: {error}")))).ok()
}

/// Reads a list, or a single item without brackets; every item that is wrong is reported.
fn read_list<'v, 'i, T>(
    value: &'v Spanned<DeValue<'i>>,
    mut read: impl FnMut(&'v Spanned<DeValue<'i>>) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(items) = value.get_ref().as_array() else { return read(value).map(|item| vec![item]) };
    let read: Vec<Option<T>> = items.iter().map(&mut read).collect();
    read.into_iter().collect()
}

impl Setting for Window {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        read_text(source, name, value, out, Self::parse)
    }

    fn schema() -> serde_json::Value {
        schema::text()
    }
}

impl Setting for Cron {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        read_text(source, name, value, out, Self::parse)
    }

    fn schema() -> serde_json::Value {
        schema::text()
    }
}

impl Setting for Jitter {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        read_text(source, name, value, out, Self::parse)
    }

    fn schema() -> serde_json::Value {
        schema::text()
    }
}

impl Setting for TimesOfDay {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        let times = read_list(value, |item| read_text(source, name, item, out, time_of_day))?;
        if times.is_empty() {
            out.push(source.error(value.span(), format!("`{name}` has no time: write it like [\"08:00\"]")));
        }
        (!times.is_empty()).then_some(Self(times))
    }

    fn schema() -> serde_json::Value {
        schema::any_of(&[schema::text(), schema::list(&schema::text())])
    }
}

impl Setting for Days {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        let days = read_list(value, |item| match item.get_ref().as_integer() {
            Some(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_err(|_| schedule::NotADay(number.as_str().to_owned()))
                .and_then(Day::of_month)
                .map(|day| Self::from_iter([day]))
                .map_err(|error| out.push(source.error(item.span(), format!("`{name}`: {error}"))))
                .ok(),
            None => read_text(source, name, item, out, Self::parse),
        })?;
        if days.is_empty() {
            out.push(source.error(value.span(), format!("`{name}` has no day: leave it away for all days")));
            return None;
        }
        Some(days.into_iter().fold(Self::default(), Self::and))
    }

    fn schema() -> serde_json::Value {
        let day = schema::any_of(&[schema::text(), schema::whole(1, Some(31))]);
        schema::any_of(&[day.clone(), schema::list(&day)])
    }
}

impl Setting for Date {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        let written = match value.get_ref() {
            DeValue::Datetime(date) => date.to_string(),
            _ => String::read(source, name, value, out)?,
        };
        let date = written.parse().ok().filter(|_| written.len() == "2026-01-01".len());
        if date.is_none() {
            out.push(source.error(value.span(), format!("`{name}` must be a date such as 2026-12-31, not {written}")));
        }
        date
    }

    fn schema() -> serde_json::Value {
        schema::text()
    }
}

impl Setting for TimeZone {
    fn read(source: &Source, name: &str, value: &Spanned<DeValue<'_>>, out: &mut Diagnostics) -> Option<Self> {
        let wanted = String::read(source, name, value, out)?;
        let found = Self::get(&wanted).ok();
        if found.is_none() {
            let known: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
            let help = suggestion(&wanted, known.iter().map(String::as_str));
            let help = help.unwrap_or_else(|| "write a name such as \"Europe/Berlin\" or \"UTC\"".to_owned());
            out.push(source.error(value.span(), format!("unknown time zone \"{wanted}\" in `{name}`")).help(help));
        }
        found
    }

    fn schema() -> serde_json::Value {
        schema::text()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Job, job_example};

    /// What a schedule in a job's file comes to: in short, or each fault with its place.
    fn loaded(schedule: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("job.toml");
        let source = "source = { type = \"folder\", path = \"mail\" }";
        std::fs::write(&path, format!("{source}\n[schedule]\n{schedule}\n")).unwrap();
        let at = format!("{}:", path.display());
        match Job::load(&path) {
            Ok(job) => job.schedule.runs.to_string(),
            Err(all) => all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n").replace(&at, ""),
        }
    }

    #[test]
    fn schedules_of_jobs() {
        let check = |schedule: &str, expect: &str| assert_eq!(loaded(schedule), expect, "{schedule}");
        check("", "every 5m");
        check("every = '30s'\nwindow = '22:00-06:00'\ndays = 'fri'", "every 30s, 22:00-06:00, fri");
        check("at = '08:00'", "daily at 08:00");
        let days = "days = ['Monday', 15, 'last', 'first tue', '12-24']";
        check(&format!("at = ['08:00', '17:30']\n{days}"), "mon, 15, last, first tue, 12-24 at 08:00, 17:30");
        check("from = 2026-01-01\nuntil = '2026-12-31'", "every 5m, from 2026-01-01, until 2026-12-31");
        check("cron = '*/10 8-18 * * mon-fri'\ntime_zone = 'Europe/Berlin'", "cron */10 8-18 * * mon-fri");
    }

    #[test]
    fn the_alternatives_of_the_example_are_sound() {
        let example = job_example();
        let line =
            |key: &str| example.lines().find_map(|line| line.strip_prefix("# ").filter(|line| line.starts_with(key)));
        assert_eq!(loaded(line("at = ").unwrap()), "daily at 08:00, 17:30");
        assert_eq!(loaded(line("cron = ").unwrap()), "cron */10 8-18 * * mon-fri");
    }

    #[test]
    fn the_examples_of_the_documentation_are_sound() {
        let page = include_str!("../../../docs/schedule.md");
        let examples: Vec<&str> =
            page.split("```toml\n[schedule]\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert_eq!(examples.len(), page.matches("```toml").count());
        let expect = [
            "every 10m, 08:00-18:00, mon",
            "1, 15, last at 06:00",
            "every 1h, 22:00-06:00, fri, 12-24, from",
            "cron */10",
        ];
        assert_eq!(examples.len(), expect.len());
        for (example, expect) in examples.into_iter().zip(expect) {
            let shown = loaded(example);
            assert!(shown.starts_with(expect), "{example}\n{shown}");
        }
    }

    #[test]
    fn schedules_that_are_wrong() {
        let check = |schedule: &str, expect: &[&str]| {
            let faults = loaded(schedule);
            assert_eq!(faults.lines().count(), expect.len(), "{faults}");
            for (fault, expect) in faults.lines().zip(expect) {
                assert!(fault.starts_with(expect), "{fault}\n{expect}");
            }
        };
        check(
            "cron = '* * * * *'\ndays = 'mon'\nevery = '5m'",
            &[
                "4:8: `days` does not go with `cron`: the cron line says it already",
                "5:9: `every` does not go with `cron`: the cron line says it already",
            ],
        );
        check(
            "at = []\nwindow = '08:00-18:00'",
            &[
                "3:6: `at` has no time: write it like [\"08:00\"]",
                "4:10: `window` does not go with `at`: the job runs at these times only",
            ],
        );
        check("cron = '* 24 * * *'", &["3:8: `cron`: \"24\" is no hour: write 0 to 23"]);
        check(
            "days = ['mon', 'tues', 32, true]",
            &[
                "3:16: `days`: \"tues\" is no day",
                "3:24: `days`: 32 is no day",
                "3:28: `days` must be a string, not true",
            ],
        );
        check("days = []", &["3:8: `days` has no day: leave it away for all days"]);
        check("at = ['8am']", &["3:7: `at`: \"8am\" is no time of day: write it like \"08:00\""]);
        check("window = '08:00-08:00'", &["3:10: `window`: \"08:00-08:00\" ends when it begins"]);
        check("jitter = '2h'", &["3:10: `jitter`: \"2h\" is no delay"]);
        check("from = 2026-02-01\nuntil = 2026-01-01", &["4:9: `until` is before `from`, 2026-02-01"]);
        check("from = 2026-02-01T08:00:00", &["3:8: `from` must be a date such as 2026-12-31"]);
        check(
            "time_zone = 'Europe/Berln'",
            &["3:13: unknown time zone \"Europe/Berln\" in `time_zone` (did you mean `Europe/Berlin`?)"],
        );
    }
}

use super::*;
use proptest::prelude::*;

const BERLIN: &str = "Europe/Berlin";
const NEW_YORK: &str = "America/New_York";

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// `2026-03-29 01:55` in a zone; `2026-10-25 02:30 +01:00` where the clock shows a time twice.
fn at(text: &str, zone: &TimeZone) -> Timestamp {
    let (local, offset) = text.split_at(16);
    if offset.is_empty() {
        return local.parse::<jiff::civil::DateTime>().unwrap().to_zoned(zone.clone()).unwrap().timestamp();
    }
    format!("{}:00{}", local.replace(' ', "T"), offset.trim()).parse().unwrap()
}

/// A schedule of days (comma-separated), times ("5m", "5m 08:00-18:00" or "08:00,17:30") and a zone.
fn schedule(days: &str, times: &str, zone_name: &str) -> Schedule {
    let days = days.split(',').filter(|day| !day.is_empty()).map(|day| match day.trim().parse() {
        Ok(number) => Day::of_month(number).map(|day| Days::from_iter([day])),
        Err(_) => Days::parse(day),
    });
    let days = days.fold(Days::default(), |all, more| all.and(more.unwrap()));
    let (every, window) = times.split_once(' ').map_or((times, None), |(every, window)| (every, Some(window)));
    let times = match Interval::parse(every) {
        Ok(every) => Times::Every(every, window.map(|window| Window::parse(window).unwrap())),
        Err(_) => Times::At(times.split(',').map(|time| time_of_day(time).unwrap()).collect()),
    };
    Schedule { runs: Runs::On(days, times), from: None, until: None, time_zone: zone(zone_name) }
}

fn cron(text: &str, zone_name: &str) -> Schedule {
    Schedule { runs: Runs::Cron(Cron::parse(text).unwrap()), from: None, until: None, time_zone: zone(zone_name) }
}

/// Asserts the runs after a time, each as the local clock shows it, with the offset where that matters.
fn check(schedule: &Schedule, after: &str, expect: &[&str]) {
    let found: Vec<String> = schedule
        .runs_after(at(after, &schedule.time_zone))
        .take(expect.len())
        .zip(expect)
        .map(|(run, expect)| {
            let format = if expect.len() > 16 { "%Y-%m-%d %H:%M %:z" } else { "%Y-%m-%d %H:%M" };
            run.to_zoned(schedule.time_zone.clone()).strftime(format).to_string()
        })
        .collect();
    assert_eq!(found, expect, "{schedule} after {after}");
}

#[test]
fn intervals() {
    check(&schedule("", "5m", "UTC"), "2026-01-01 00:01", &["2026-01-01 00:05", "2026-01-01 00:10"]);
    check(&schedule("", "5m", "UTC"), "2026-01-01 00:05", &["2026-01-01 00:10"]);
    check(&schedule("daily", "5m", "UTC"), "2026-01-01 00:05", &["2026-01-01 00:10"]);
    let days = ["2026-01-02 17:00", "2026-01-05 00:00", "2026-01-05 07:00", "2026-01-05 14:00"];
    check(&schedule("weekdays", "7h", "UTC"), "2026-01-02 15:00", &["2026-01-02 21:00", days[1], days[2], days[3]]);
    check(&schedule("sat", "24h", "UTC"), "2026-01-03 00:00", &["2026-01-10 00:00", "2026-01-17 00:00"]);
    check(&schedule("sat", "48h", "UTC"), "2026-01-03 00:00", &["2026-01-10 00:00"]);
}

#[test]
fn windows() {
    let office = schedule("mon,fri", "4h 08:00-18:00", "UTC");
    let friday = ["2026-01-02 08:00", "2026-01-02 12:00", "2026-01-02 16:00", "2026-01-05 08:00"];
    check(&office, "2026-01-01 10:00", &friday);
    check(&schedule("", "5h 08:00-18:00", "UTC"), "2026-01-01 13:00", &["2026-01-01 18:00", "2026-01-02 08:00"]);
    // Over midnight: the window of Friday night goes on into Saturday.
    let night = ["2026-01-02 22:00", "2026-01-03 00:00", "2026-01-03 02:00", "2026-01-09 22:00"];
    check(&schedule("fri", "2h 22:00-03:00", "UTC"), "2026-01-02 21:00", &night);
    check(&schedule("fri", "2h 22:00-03:00", "UTC"), "2026-01-03 01:00", &["2026-01-03 02:00"]);
    check(&schedule("", "12h 12:00-24:00", "UTC"), "2026-01-01 12:00", &["2026-01-02 00:00", "2026-01-02 12:00"]);
}

#[test]
fn times_of_day() {
    let twice = schedule("", "17:30,08:00", "UTC");
    check(&twice, "2026-01-01 08:00", &["2026-01-01 17:30", "2026-01-02 08:00"]);
}

#[test]
fn days_of_month_and_year() {
    let check_days = |days: &str, after: &str, expect: &[&str]| {
        let expect: Vec<String> = expect.iter().map(|date| format!("{date} 08:00")).collect();
        check(
            &schedule(days, "08:00", "UTC"),
            &format!("{after} 12:00"),
            &expect.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    };
    check_days("1,15", "2026-01-01", &["2026-01-15", "2026-02-01", "2026-02-15"]);
    check_days("31", "2026-01-31", &["2026-03-31", "2026-05-31"]);
    check_days("last", "2026-01-30", &["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]);
    check_days("last", "2028-02-01", &["2028-02-29"]);
    check_days("12-24", "2026-12-24", &["2027-12-24", "2028-12-24"]);
    check_days("02-29", "2026-01-01", &["2028-02-29", "2032-02-29"]);
    check_days("02-29", "2097-01-01", &["2104-02-29"]);
    check_days("first mon", "2026-01-01", &["2026-01-05", "2026-02-02", "2026-03-02"]);
    check_days("last friday", "2026-01-01", &["2026-01-30", "2026-02-27"]);
    check_days("mon,15", "2026-01-12", &["2026-01-15", "2026-01-19"]);
    check_days("weekends", "2026-01-01", &["2026-01-03", "2026-01-04", "2026-01-10"]);
}

#[test]
fn dates_from_and_until() {
    let limited = |schedule: Schedule| Schedule {
        from: Some("2026-02-01".parse().unwrap()),
        until: Some("2026-02-02".parse().unwrap()),
        ..schedule
    };
    for daily in [limited(schedule("", "08:00", BERLIN)), limited(cron("0 8 * * *", BERLIN))] {
        check(&daily, "2025-12-31 00:00", &["2026-02-01 08:00", "2026-02-02 08:00"]);
        assert_eq!(daily.runs_after(at("2025-12-31 00:00", &zone(BERLIN))).count(), 2);
        assert_eq!(daily.next_after(at("2026-02-02 08:00", &zone(BERLIN))), None);
    }
    let every = limited(schedule("", "6h", BERLIN));
    assert_eq!(every.runs_after(at("2026-01-01 00:00", &zone(BERLIN))).count(), 8);
    let midnight = limited(cron("0 0 * * *", BERLIN));
    check(&midnight, "2026-01-01 00:00", &["2026-02-01 00:00", "2026-02-02 00:00"]);
    // The night before the first date does not reach into it.
    let night = limited(schedule("", "1h 22:00-02:00", BERLIN));
    check(&night, "2026-01-31 12:00", &["2026-02-01 22:00"]);
    assert_eq!(night.open_until(at("2026-02-01 00:30", &zone(BERLIN))), None);
    assert_eq!(every.open_until(at("2026-02-03 00:00", &zone(BERLIN))), None);
    assert_eq!(every.open_until(at("2026-02-02 23:00", &zone(BERLIN))), Some(at("2026-02-03 00:00", &zone(BERLIN))));
}

#[test]
fn a_clock_that_is_put_forward() {
    for runs in [schedule("", "02:30", BERLIN), cron("30 2 * * *", BERLIN)] {
        check(&runs, "2026-03-28 12:00", &["2026-03-29 03:00", "2026-03-30 02:30"]);
    }
    check(&schedule("", "02:00,02:30,03:00", NEW_YORK), "2026-03-07 12:00", &["2026-03-08 03:00", "2026-03-09 02:00"]);
    let hours = ["2026-03-29 01:00 +01:00", "2026-03-29 03:00 +02:00", "2026-03-29 04:00 +02:00"];
    check(&schedule("", "1h 01:00-04:00", BERLIN), "2026-03-28 12:00", &hours);
    check(&schedule("", "1h", BERLIN), "2026-03-29 00:30", &hours);
    check(&schedule("sun", "1h", BERLIN), "2026-03-29 00:30", &hours);
    // The whole window is skipped: one run when the gap is over.
    let skipped = ["2026-03-29 03:00", "2026-03-30 02:10", "2026-03-30 02:20"];
    check(&schedule("", "10m 02:10-02:40", BERLIN), "2026-03-29 00:30", &skipped);
}

#[test]
fn a_clock_that_is_put_back() {
    for runs in [schedule("", "02:30", BERLIN), cron("30 2 * * *", BERLIN)] {
        check(&runs, "2026-10-24 12:00", &["2026-10-25 02:30 +02:00", "2026-10-26 02:30 +01:00"]);
    }
    let once = schedule("", "01:30", NEW_YORK);
    check(&once, "2026-10-31 12:00", &["2026-11-01 01:30 -04:00", "2026-11-02 01:30 -05:00"]);
    check(&once, "2026-11-01 01:30 -05:00", &["2026-11-02 01:30 -05:00"]);
    let hours = ["2026-10-25 02:00 +02:00", "2026-10-25 02:00 +01:00", "2026-10-25 03:00 +01:00"];
    check(&schedule("", "1h 01:00-04:00", BERLIN), "2026-10-25 01:00", &hours);
    check(&schedule("", "1h", BERLIN), "2026-10-25 01:00", &hours);
    check(&cron("0 * * * *", BERLIN), "2026-10-25 01:00", &hours);
}

#[test]
fn cron_tables() {
    let office = cron("*/10 8-18 * * mon-fri", BERLIN);
    check(&office, "2026-01-02 18:45", &["2026-01-02 18:50", "2026-01-05 08:00", "2026-01-05 08:10"]);
    check(&cron("@monthly", BERLIN), "2026-01-01 00:00", &["2026-02-01 00:00"]);
    check(&cron("0 0 L * *", BERLIN), "2026-02-01 00:00", &["2026-02-28 00:00"]);
    check(&cron("0 0 29 2 *", BERLIN), "2026-02-01 00:00", &["2028-02-29 00:00"]);
}

#[test]
fn cron_tables_that_are_wrong() {
    let check = |text: &str, expect: &str| {
        let error = Cron::parse(text).expect_err(text).to_string();
        assert!(error.contains(expect), "{text}: {error}");
    };
    check("* * * *", "has 4 fields and needs five");
    check("0 * * * * *", "has 6 fields and needs five");
    check("", "has 0 fields");
    check("60 * * * *", "\"60\" is no minute: write 0 to 59");
    check("* 24 * * *", "\"24\" is no hour");
    check("* mon * * *", "\"mon\" is no hour");
    check("* * 32 * *", "\"32\" is no day of the month");
    check("* * * mon *", "\"mon\" is no month");
    check("* * * * jan", "\"jan\" is no day of the week");
    check("* * * * foo", "\"foo\" is no day of the week");
    check("*/0 * * * *", "\"*/0\" is no minute");
    check("5-1 * * * *", "\"5-1\" is no minute");
    check("0 0 30 2 *", "never comes");
    check("@often", "is none of @hourly, @daily");
}

#[test]
fn words_that_are_no_days_or_times() {
    let no_day = |word: &str| assert!(Days::parse(word).is_err(), "{word}");
    ["mo", "", "everyday", "13-01", "02-30", "0-1", "sixth mon", "last last", "first", "31", "1-"]
        .into_iter()
        .for_each(no_day);
    assert!(Day::of_month(0).is_err() && Day::of_month(32).is_err());
    let no_time = |text: &str| assert!(time_of_day(text).is_err(), "{text}");
    ["", "8", "24:00", "08:60", "8:5", "+8:00", "08:00:00", "8 pm"].into_iter().for_each(no_time);
    let no_window = |text: &str| assert!(Window::parse(text).is_err(), "{text}");
    ["", "08:00", "08:00-", "08:00-08:00", "00:00-24:00", "24:00-08:00", "08:00-25:00"].into_iter().for_each(no_window);
}

#[test]
fn open_hours() {
    let check = |schedule: &Schedule, now: &str, expect: Option<&str>| {
        let zone = &schedule.time_zone;
        assert_eq!(schedule.open_until(at(now, zone)), expect.map(|end| at(end, zone)), "{schedule} at {now}");
    };
    let office = schedule("weekdays", "5m 08:00-18:00", BERLIN);
    check(&office, "2026-01-02 07:59", None);
    check(&office, "2026-01-02 08:00", Some("2026-01-02 18:00"));
    check(&office, "2026-01-02 18:00", None);
    check(&office, "2026-01-03 12:00", None);
    let night = schedule("fri", "5m 22:00-06:00", BERLIN);
    check(&night, "2026-01-03 05:59", Some("2026-01-03 06:00"));
    check(&night, "2026-01-04 05:59", None);
    check(&schedule("sat", "5m", BERLIN), "2026-01-03 12:00", Some("2026-01-04 00:00"));
    check(&schedule("", "08:00", BERLIN), "2026-01-03 08:00", None);
    check(&cron("* * * * *", BERLIN), "2026-01-03 08:00", None);
    assert_eq!(schedule("", "5m", BERLIN).open_until(Timestamp::UNIX_EPOCH), Some(Timestamp::MAX));
}

#[test]
fn schedules_are_shown_in_short() {
    let check = |schedule: Schedule, expect: &str| assert_eq!(schedule.to_string(), expect);
    check(Schedule::default(), "every 5m");
    check(
        schedule("mon,last,first tue,12-24,15", "5m 08:00-18:00", "UTC"),
        "every 5m, 08:00-18:00, mon, last, first tue, 12-24, 15",
    );
    check(schedule("", "08:00,17:30", "UTC"), "daily at 08:00, 17:30");
    check(
        Schedule { until: Some("2026-12-31".parse().unwrap()), ..cron("@daily", "UTC") },
        "cron @daily, until 2026-12-31",
    );
}

/// Whether a run is where the schedule says, told by the local clock alone.
fn is_allowed(run: Timestamp, days: &Days, start_min: i64, end_min: i64, zone: &TimeZone) -> bool {
    let local = run.to_zoned(zone.clone());
    let minute = i64::from(local.hour()) * 60 + i64::from(local.minute());
    let belongs = |date: Date, minute: i64| days.has(date) && (start_min..=end_min).contains(&minute);
    let end_crosses = belongs(local.date().yesterday().unwrap(), minute + 24 * 60);
    // When the gap is over, the clock shows up to an hour more than it should.
    let after_gap = (0..=60).any(|skipped| belongs(local.date(), minute - skipped))
        && zone
            .preceding(run + SignedDuration::from_secs(1))
            .next()
            .is_some_and(|change| run.duration_since(change.timestamp()).as_hours() < 24);
    belongs(local.date(), minute) || end_crosses || after_gap
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn runs_follow_each_other_and_are_where_they_should_be(
        now in 1_500_000_000_i64..2_500_000_000,
        every in 60_u64..40_000,
        start in 0_i64..1440,
        length in 1_i64..1440,
        weekday in 0_usize..8,
        zone_name in prop::sample::select(vec![BERLIN, NEW_YORK, "Australia/Lord_Howe", "Asia/Kolkata"]),
    ) {
        let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun", "last"];
        let days = names[weekday];
        let end = (start + length) % 1440;
        let window = format!("{:02}:{:02}-{:02}:{:02}", start / 60, start % 60, end / 60, end % 60);
        let schedule = schedule(days, &format!("{every}s {window}"), zone_name);
        let now = Timestamp::from_second(now).unwrap();
        let mut before = now;
        for run in schedule.runs_after(now).take(40) {
            prop_assert!(run > before);
            let days = Days::parse(days).unwrap();
            prop_assert!(is_allowed(run, &days, start, start + length, &schedule.time_zone), "{schedule}: {run}");
            // Whatever time one asks from in between, it is the same run.
            let middle = before + SignedDuration::from_secs(run.duration_since(before).as_secs() / 2);
            prop_assert_eq!(schedule.next_after(middle), Some(run));
            before = run;
        }
        prop_assert!(before > now);
    }

    #[test]
    fn cron_runs_follow_each_other(now in 1_500_000_000_i64..2_500_000_000, minute in 0..60, hour in 0..24) {
        let schedule = cron(&format!("{minute} {hour} * * *"), BERLIN);
        let daily = schedule_at(hour, minute);
        let now = Timestamp::from_second(now).unwrap();
        let runs: Vec<_> = schedule.runs_after(now).take(400).collect();
        prop_assert!(runs.is_sorted_by(|a, b| a < b));
        prop_assert_eq!(runs, daily.runs_after(now).take(400).collect::<Vec<_>>());
    }
}

fn schedule_at(hour: i32, minute: i32) -> Schedule {
    schedule("", &format!("{hour:02}:{minute:02}"), BERLIN)
}

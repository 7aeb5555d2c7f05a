//! When a server wants to be asked again, read out of its own words.

use std::time::Duration;

/// The longest time that a server can make us wait.
const HINT_MAX: Duration = Duration::from_secs(60 * 60);

/// Response codes that say how a state may pass, and after which time it is worth asking again where the server does not
/// say: RFC 5530 (IMAP), RFC 2449 and 3206 (POP3), and Gmail's own.
const CODES: [(&str, u64); 10] = [
    ("[INUSE]", 30),
    ("[IN-USE]", 30),
    ("[UNAVAILABLE]", 60),
    ("[SYS/TEMP]", 60),
    ("[SERVERBUG]", 60),
    ("[LIMIT]", 5 * 60),
    ("[OVERQUOTA]", 5 * 60),
    ("[THROTTLED]", 5 * 60),
    ("[LOGIN-DELAY]", 10 * 60),
    ("[SYS/PERM]", 15 * 60),
];

/// Words of servers that give no code.
const PHRASES: [(&str, u64); 5] = [
    ("too many", 60),
    ("bandwidth limit", 10 * 60),
    ("rate limit", 5 * 60),
    ("throttl", 5 * 60),
    ("temporarily locked", 15 * 60),
];

/// Only a time in such company is one to wait: "idle for 30 minutes" tells of the past.
const CUES: [&str; 9] = ["again", "retry", "wait", "later", "delay", "locked", "blocked", "throttl", "backoff"];

/// The time that a server's text asks us to stay away, at most [`HINT_MAX`].
pub(super) fn retry_hint(said: &str) -> Option<Duration> {
    let lower = said.to_lowercase();
    let named = CUES.iter().any(|cue| lower.contains(cue)).then(|| spoken(&lower)).flatten();
    let coded = || CODES.iter().find(|(code, _)| lower.contains(&code.to_lowercase()));
    let phrased = || PHRASES.iter().find(|(phrase, _)| lower.contains(phrase));
    let usual = || coded().or_else(phrased).map(|(_, seconds)| Duration::from_secs(*seconds));
    named.or_else(usual).map(|hint| hint.min(HINT_MAX))
}

/// A number with a unit of time, as in "in 5 minutes" or "after 300s".
fn spoken(text: &str) -> Option<Duration> {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || ",.;:()[]".contains(c)).filter(|w| !w.is_empty()).collect();
    let next = words.iter().skip(1).copied().chain([""]);
    words.iter().zip(next).find_map(|(word, next)| {
        let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = word.split_at(digits);
        let ms_per_unit = milliseconds(if unit.is_empty() { next } else { unit })?;
        Some(Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(ms_per_unit)?))
    })
}

fn milliseconds(unit: &str) -> Option<u64> {
    match unit {
        "ms" | "msec" | "millisecond" | "milliseconds" => Some(1),
        "s" | "sec" | "secs" | "second" | "seconds" => Some(1000),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(60 * 1000),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some(60 * 60 * 1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_say_when_to_come_again() {
        let check = |said: &str, expect_s: Option<u64>| {
            assert_eq!(retry_hint(said), expect_s.map(Duration::from_secs), "{said}");
        };
        check("[AUTHENTICATIONFAILED] Authentication failed", None);
        check("[UNAVAILABLE] Temporary authentication failure", Some(60));
        check("[INUSE] mailbox is locked", Some(30));
        check("[IN-USE] Do you have another POP session running?", Some(30));
        check("[SYS/TEMP] cannot open mailbox", Some(60));
        check("[LOGIN-DELAY] minimum time between mail checks violation", Some(600));
        check("[LOGIN-DELAY] wait 900 seconds", Some(900));
        check("[LIMIT] Too many connections, retry in 2 minutes.", Some(120));
        check("[ALERT] Too many simultaneous connections. (Failure)", Some(60));
        check("Account exceeded command or bandwidth limits. (Failure)", Some(600));
        check("Request is throttled. Suggested Backoff Time: 299000 milliseconds", Some(299));
        check("try again in 30s", Some(30));
        check("Try again after 90 sec, please", Some(90));
        check("locked for 3 hours", Some(3600));
        check("disconnected for inactivity after 30 minutes", None);
        check("try again later", None);
        check("retry after 99999999999999999999 hours", None);
        check("retry after 99999999999999999 hours", None);
        check("", None);
    }
}

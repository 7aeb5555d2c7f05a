//! Texts made alike from run to run, so that a golden can hold all of what a user sees.

/// Fields of a log line whose values are hashes or durations.
const CHANGING: [&str; 3] = ["revision=", "before=", "retry_in_s="];
/// A time in a log line is as long as this, or longer: `2026-01-12T09:00:00Z`.
const TIME_LENGTH_MIN: usize = 20;
/// A SHA-256 in pairs of digits with colons between them.
const FINGERPRINT_LENGTH: usize = 32 * 3 - 1;

/// Replaces times, durations, revisions, fingerprints and the given ports.
#[must_use]
pub fn steady(text: &str, ports: &[u16]) -> String {
    let mut lines: Vec<String> = text.lines().map(steady_line).collect();
    lines.push(String::new());
    ports.iter().fold(lines.join("\n"), |text, port| text.replace(&port.to_string(), "[PORT]"))
}

/// Keeps the line's own spacing: carets of diagnostics stand where they stood.
fn steady_line(line: &str) -> String {
    let line = line.split(' ').map(steady_word).collect::<Vec<_>>().join(" ");
    without_duration(line.trim_end())
}

/// A duration is aligned to the right: the spaces before it change with it.
fn without_duration(line: &str) -> String {
    let Some((before, after)) = line.split_once(" ms ") else { return line.to_owned() };
    let Some((name, number)) = before.rsplit_once(' ') else { return line.to_owned() };
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return line.to_owned();
    }
    format!("{} [N] ms {after}", name.trim_end())
}

fn steady_word(word: &str) -> String {
    let is_time = word.len() >= TIME_LENGTH_MIN && word.ends_with('Z') && word.starts_with("20");
    if is_time {
        return "[TIME]".to_owned();
    }
    if word.len() == FINGERPRINT_LENGTH && word.split(':').all(|pair| u8::from_str_radix(pair, 16).is_ok()) {
        return "[FINGERPRINT]".to_owned();
    }
    let changing = CHANGING.iter().find(|name| word.starts_with(**name));
    changing.map_or_else(|| word.to_owned(), |name| format!("{name}[…]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_hidden_and_the_rest_stays() {
        let check = |text: &str, expect: &str| assert_eq!(steady(text, &[41_234]), expect, "{text}");
        check(
            "2026-01-12T09:00:00.123456Z  INFO ready revision=abc jobs=1",
            "[TIME]  INFO ready revision=[…] jobs=1\n",
        );
        check("cannot reach localhost:41234", "cannot reach localhost:[PORT]\n");
        check("ok  connect        12 ms  connected", "ok  connect [N] ms  connected\n");
        check(&format!("SHA-256 {}", ["0A"; 32].join(":")), "SHA-256 [FINGERPRINT]\n");
        check("  |     ^^^ here  ", "  |     ^^^ here\n");
    }
}

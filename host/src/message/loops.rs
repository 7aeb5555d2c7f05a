//! Messages that go round in circles: a forwarding rule that leads back, or two programs that answer each other.

use super::{AddressPattern, Message};
use std::collections::HashMap;

/// How often the same address, or the same mark, may stand in a message before it is a circle. Once is a delivery, and
/// twice happens where two programs of one server both note it.
const REPEATS_MAX: usize = 2;

/// What shows that a message has been here before, as a clause; none if nothing does. `own` are the desk's addresses,
/// `received_max` is how many servers a message may have passed (RFC 5321 section 6.3).
#[must_use]
pub fn loop_sign(message: &Message, own: &[AddressPattern], received_max: u64) -> Option<String> {
    let hops = fields(message, "Received").count();
    if u64::try_from(hops).is_ok_and(|hops| hops > received_max) {
        return Some(format!("it has passed {hops} mail servers (Received), more than {received_max}"));
    }
    // RFC 5321 does not know X-Loop, but whoever forwards by a program writes it, and looks for it.
    let is_own = |value: &&str| own.iter().any(|own| own.matches(value.trim_matches(['<', '>', ' '])));
    if let Some(mark) = fields(message, "X-Loop").find(is_own) {
        return Some(format!("it bears our own mark (X-Loop: {mark})"));
    }
    if let Some(mark) = repeated(fields(message, "X-Loop")) {
        return Some(format!("the same mark is on it several times (X-Loop: {mark})"));
    }
    // Each round passes a server: two notes without one in between are of the same delivery.
    repeated(deliveries(message)).map(|address| format!("it was delivered to {address} several times (Delivered-To)"))
}

fn fields<'m>(message: &'m Message, name: &'static str) -> impl Iterator<Item = &'m str> {
    let fields = message.headers.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
    fields.map(|field| field.value.trim())
}

/// The addresses of Delivered-To, without those that repeat the one before on the same server.
fn deliveries(message: &Message) -> impl Iterator<Item = &str> {
    let mut before = None;
    message.headers.iter().filter_map(move |field| {
        if field.name.eq_ignore_ascii_case("Received") {
            before = None;
        }
        if !field.name.eq_ignore_ascii_case("Delivered-To") {
            return None;
        }
        let address = field.value.trim();
        (before.replace(address) != Some(address)).then_some(address)
    })
}

fn repeated<'v>(values: impl Iterator<Item = &'v str>) -> Option<&'v str> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    values.filter(|value| !value.is_empty()).find(|value| {
        let count = counts.entry(value.to_ascii_lowercase()).or_default();
        *count += 1;
        *count > REPEATS_MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::parse;

    fn check(header: &str, expect: Option<&str>) {
        let own = ["desk@example.org", "*@desk.example"].map(|own| AddressPattern::parse(own).expect("is a pattern"));
        let message = parse(format!("{header}\r\nSubject: x\r\n\r\nbody\r\n").as_bytes(), None);
        assert_eq!(loop_sign(&message, &own, 5).as_deref(), expect, "{header}");
    }

    #[test]
    fn circles_show_in_the_header() {
        let received = "Received: from a.example by b.example; Mon, 2 Mar 2026 10:00:00 +0100\r\n";
        check("From: a@b.example", None);
        check(received.repeat(5).trim_end(), None);
        let passed = "it has passed 6 mail servers (Received), more than 5";
        check(received.repeat(6).trim_end(), Some(passed));
        check("X-Loop: other@example.com", None);
        check("X-Loop: Desk@Example.org", Some("it bears our own mark (X-Loop: Desk@Example.org)"));
        check("X-Loop: <any@desk.example>", Some("it bears our own mark (X-Loop: <any@desk.example>)"));
        check("X-Loop: a\r\nX-Loop: b\r\nX-Loop: a", None);
        let marks = "the same mark is on it several times (X-Loop: a)";
        check("X-Loop: a\r\nX-Loop: A\r\nX-Loop: a", Some(marks));
        let delivered = "Delivered-To: desk@example.org\r\n";
        check(delivered.repeat(3).trim_end(), None);
        check(format!("{delivered}{received}").repeat(2).trim_end(), None);
        let delivered = format!("{delivered}{received}").repeat(3);
        let circle = "it was delivered to desk@example.org several times (Delivered-To)";
        check(delivered.trim_end(), Some(circle));
        let others = ["a", "b", "c"].map(|name| format!("Delivered-To: {name}@example.org\r\n{received}")).concat();
        check(others.trim_end(), None);
    }
}

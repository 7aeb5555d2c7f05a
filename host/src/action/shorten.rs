//! Texts that a message makes too long: they are cut, with a remark in their place. Whoever wrote the message cannot mend
//! the rules, and the whole of it stays in the message.

use super::Action;
use super::verb::{LINE_CHARS_MAX, PROSE_BYTES_MAX, verbs};
use crate::field::Value;

/// Cuts what is too long of arguments that can be cut, and says of each what was done.
pub fn shorten(actions: &mut [Action]) -> Vec<String> {
    let mut remarks = Vec::new();
    for Action { verb, arguments, statement } in actions {
        let Some(row_of) = verbs().iter().find(|known| known.name == *verb) else { continue };
        for entry in arguments {
            let row = row_of.arguments.iter().find(|row| row.name == entry.name && row.shortened);
            let (Some(row), Value::Text(text)) = (row, &mut entry.value) else { continue };
            let done = if row.one_line { shorten_line(text) } else { shorten_prose(text) };
            remarks.extend(done.map(|done| {
                format!("statement \"{statement}\": {verb}: `{}` {done}; the whole text is in the message", row.name)
            }));
        }
    }
    remarks
}

fn shorten_line(text: &mut String) -> Option<String> {
    let length = text.chars().count();
    if length <= LINE_CHARS_MAX {
        return None;
    }
    *text = text.chars().take(LINE_CHARS_MAX - 1).chain(['…']).collect();
    Some(format!("is {length} characters long and was cut to {LINE_CHARS_MAX}"))
}

fn shorten_prose(text: &mut String) -> Option<String> {
    let length = text.len();
    if length <= PROSE_BYTES_MAX {
        return None;
    }
    let remark =
        format!("\n[cut here: the whole text is {length} bytes long, and at most {PROSE_BYTES_MAX} are taken]");
    text.truncate(text.floor_char_boundary(PROSE_BYTES_MAX - remark.len()));
    text.push_str(&remark);
    Some(format!("is {length} bytes long and was cut to {PROSE_BYTES_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Entry;

    /// What becomes of a text, and what is said of it.
    fn shortened(verb: &str, argument: &str, text: String) -> (String, Vec<String>) {
        let arguments = vec![Entry { name: argument.to_owned(), value: Value::Text(text) }];
        let mut actions = [Action { verb: verb.to_owned(), arguments, statement: "s".to_owned() }];
        let remarks = shorten(&mut actions);
        let [Action { arguments, .. }] = actions;
        (arguments[0].value.to_string(), remarks)
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        for (verb, argument, text) in [
            ("notify", "text", "ä".repeat(PROSE_BYTES_MAX / 2)),
            ("comment", "text", String::new()),
            ("notify", "subject", "ä".repeat(LINE_CHARS_MAX)),
            // These mean something as a whole only.
            ("create-ticket", "requester", "x".repeat(LINE_CHARS_MAX + 1)),
            ("add-participants", "participants", "x".repeat(PROSE_BYTES_MAX + 1)),
            ("no-verb", "text", "x".repeat(PROSE_BYTES_MAX + 1)),
        ] {
            assert_eq!(shortened(verb, argument, text.clone()), (text, Vec::new()), "{verb} {argument}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_with_a_remark() {
        for (verb, argument) in [
            ("notify", "text"),
            ("forward", "text"),
            ("webhook", "text"),
            ("comment", "text"),
            ("create-ticket", "description"),
            ("set-field", "text"),
        ] {
            let (text, remarks) = shortened(verb, argument, "ä".repeat(PROSE_BYTES_MAX / 2) + "x");
            assert!(text.starts_with("ää") && text.ends_with("bytes long, and at most 524288 are taken]"), "{verb}");
            assert!((PROSE_BYTES_MAX - 1..=PROSE_BYTES_MAX).contains(&text.len()), "{verb}: {}", text.len());
            let expect = format!(
                "statement \"s\": {verb}: `{argument}` is 524289 bytes long and was cut to 524288; the whole text is in the message"
            );
            assert_eq!(remarks, [expect]);
        }
        for (verb, argument) in [
            ("notify", "subject"),
            ("forward", "subject"),
            ("create-ticket", "subject"),
            ("update-ticket", "subject"),
            ("reject", "reason"),
            ("ignore", "reason"),
        ] {
            let (text, remarks) = shortened(verb, argument, "ä".repeat(LINE_CHARS_MAX + 1));
            assert_eq!(text, "ä".repeat(LINE_CHARS_MAX - 1) + "…", "{verb}");
            assert_eq!(remarks.len(), 1, "{verb}");
        }
    }
}

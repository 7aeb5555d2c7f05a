//! Which attachments go to a ticket. The others stay in the message.

use super::Attachment;

/// What an installation takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentLimits {
    /// The most attachments of one message.
    pub count_max: usize,
    /// The largest one, in bytes.
    pub bytes_max: u64,
    /// All of one message together, in bytes.
    pub total_bytes_max: u64,
    /// Media types that are refused, in lower case; `*` stands for anything. The content counts, and what it is said to
    /// be.
    pub refuse_types: Vec<String>,
}

impl AttachmentLimits {
    /// Everything is taken.
    pub const NONE: Self =
        Self { count_max: usize::MAX, bytes_max: u64::MAX, total_bytes_max: u64::MAX, refuse_types: Vec::new() };

    /// Says of each attachment why it is refused, if it is.
    pub fn apply(&self, attachments: &mut [Attachment]) {
        let (mut count, mut total) = (0, 0_u64);
        for attachment in attachments {
            let size = attachment.enclosure.size;
            let refused = self.refused_type(attachment).or_else(|| {
                if size > self.bytes_max {
                    Some(format!("it is {size} bytes long, and at most {} are taken", self.bytes_max))
                } else if count >= self.count_max {
                    Some(format!("at most {} attachments of a message are taken", self.count_max))
                } else if total.saturating_add(size) > self.total_bytes_max {
                    Some(format!("at most {} bytes of attachments of a message are taken", self.total_bytes_max))
                } else {
                    None
                }
            });
            if refused.is_none() {
                count += 1;
                total = total.saturating_add(size);
            }
            attachment.refused = refused;
        }
    }

    fn refused_type(&self, attachment: &Attachment) -> Option<String> {
        let is_refused = |media_type: &str| self.refuse_types.iter().any(|pattern| matches(pattern, media_type));
        match &attachment.seen {
            Some(seen) if is_refused(seen) => Some(format!("its content is {seen}, which is not taken")),
            _ if is_refused(&attachment.media_type) => {
                Some(format!("it is {}, which is not taken", attachment.media_type))
            }
            _ => None,
        }
    }
}

/// Whether a media type is meant; `*` stands for anything.
fn matches(pattern: &str, media_type: &str) -> bool {
    let Some((first, others)) = pattern.split_once('*') else { return pattern == media_type };
    let (between, last) = others.rsplit_once('*').unwrap_or(("", others));
    // What stands last is at the end, whatever else would fit before it.
    let Some(mut rest) = media_type.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    for piece in between.split('*') {
        let Some(at) = rest.find(piece) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    true
}

/// Whether an entry of `refuse_types` can mean a media type at all.
pub(crate) fn can_match(pattern: &str) -> bool {
    pattern == "*"
        || pattern.split_once('/').is_some_and(|(kind, subtype)| {
            let is_plain =
                |c: char| c.is_ascii_graphic() && !c.is_ascii_uppercase() && !r#"()<>@,;:\"/[]?="#.contains(c);
            let is_token = |text: &str| !text.is_empty() && text.chars().all(is_plain);
            is_token(kind) && is_token(subtype)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Enclosure;
    use crate::message::enclosure::TransferEncoding;

    fn attachment(media_type: &str, seen: Option<&str>, size: u64) -> Attachment {
        Attachment {
            name: String::new(),
            media_type: media_type.to_owned(),
            seen: seen.map(str::to_owned),
            content_id: String::new(),
            inline: false,
            description: None,
            packed_in: None,
            refused: None,
            enclosure: Enclosure {
                range: 0..size,
                encoding: TransferEncoding::Identity,
                within: None,
                size,
                sha256: [0; 32],
            },
        }
    }

    fn check(limits: &AttachmentLimits, attachments: &[(&str, Option<&str>, u64)], expect: &[Option<&str>]) {
        let of = |(media_type, seen, size): &(&str, Option<&str>, u64)| attachment(media_type, *seen, *size);
        let mut all: Vec<_> = attachments.iter().map(of).collect();
        limits.apply(&mut all);
        let found: Vec<_> = all.iter().map(|attachment| attachment.refused.as_deref()).collect();
        assert_eq!(found, expect, "{attachments:?}");
    }

    #[test]
    fn limits_hold_and_one_past_them_is_refused() {
        let limits = AttachmentLimits { count_max: 2, bytes_max: 10, total_bytes_max: 15, ..AttachmentLimits::NONE };
        let text = |size| ("text/plain", None, size);
        check(
            &limits,
            &[text(10), text(5), text(0)],
            &[None, None, Some("at most 2 attachments of a message are taken")],
        );
        check(&limits, &[text(11), text(10)], &[Some("it is 11 bytes long, and at most 10 are taken"), None]);
        let total = "at most 15 bytes of attachments of a message are taken";
        check(&limits, &[text(10), text(6), text(5)], &[None, Some(total), None]);
        check(&AttachmentLimits::NONE, &[text(u64::MAX), text(u64::MAX)], &[None, None]);
    }

    #[test]
    fn the_content_counts_and_not_only_what_it_is_said_to_be() {
        let refuse_types = vec!["application/vnd.microsoft.portable-executable".to_owned(), "video/*".to_owned()];
        let limits = AttachmentLimits { refuse_types, ..AttachmentLimits::NONE };
        check(
            &limits,
            &[
                ("application/pdf", Some("application/vnd.microsoft.portable-executable"), 1),
                ("video/mp4", None, 1),
                ("image/png", Some("image/png"), 1),
            ],
            &[
                Some("its content is application/vnd.microsoft.portable-executable, which is not taken"),
                Some("it is video/mp4, which is not taken"),
                None,
            ],
        );
    }

    #[test]
    fn a_star_stands_for_anything() {
        let check = |pattern: &str, media_type: &str, expect: bool| {
            assert_eq!(matches(pattern, media_type), expect, "{pattern} {media_type}");
        };
        check("image/*", "image/png", true);
        check("image/*", "imagen/png", false);
        check("*", "image/png", true);
        check("*/png", "image/png", true);
        check("*/png", "image/png2", false);
        check("application/*+xml", "application/x+xml+xml", true);
        check("image/png", "image/png", true);
        check("image/png", "image/pngx", false);
        check("", "image/png", false);
        check("application/*zip", "application/zip-zip", true);
        check("application/*zip", "application/gzip", true);
        check("application/zip*zip", "application/zip", false);
        check("a*/b*c*d", "ax/bccd", true);
        check("a*/b*c*d", "ax/bdd", false);
        check("**", "image/png", true);
    }

    #[test]
    fn an_entry_that_means_nothing_is_known() {
        for sound in ["image/*", "*/*", "*", "application/*+xml", "application/vnd.ms-excel"] {
            assert!(can_match(sound), "{sound}");
        }
        for odd in ["exe", ".exe", "image", "image/", "/png", "a/b/c", "Image/png", "image /png", "", "a*"] {
            assert!(!can_match(odd), "{odd}");
        }
    }
}

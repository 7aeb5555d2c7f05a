//! The mail that is drained: the same in every run, and of the kind that a service desk gets.

use std::fmt::Write as _;

/// How many messages there are.
pub(crate) const MESSAGES: usize = 2_000;
/// How long they are, together and about.
const BYTES: usize = 140_000_000;
/// Every so many-th message has an attachment; the attachments share what the texts leave.
const ATTACHMENT_EVERY: usize = 10;

const WORDS: [&str; 40] = [
    "printer",
    "the",
    "does",
    "not",
    "answer",
    "since",
    "this",
    "morning",
    "please",
    "look",
    "at",
    "it",
    "again",
    "invoice",
    "number",
    "we",
    "have",
    "restarted",
    "server",
    "and",
    "now",
    "error",
    "message",
    "says",
    "that",
    "connection",
    "was",
    "refused",
    "by",
    "remote",
    "host",
    "thank",
    "you",
    "for",
    "your",
    "help",
    "in",
    "office",
    "network",
    "cable",
];

/// A generator of numbers that look random and are the same in every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap_or(u64::MAX)).unwrap_or_default()
    }
}

/// All messages, with LF line ends.
pub(crate) fn messages() -> Vec<String> {
    let mut numbers = Numbers(2_000);
    let texts: Vec<Text> = (0..MESSAGES).map(|number| Text::new(number, &mut numbers)).collect();
    let left = BYTES.saturating_sub(texts.iter().map(|text| text.body.len()).sum());
    let mean = left / (MESSAGES / ATTACHMENT_EVERY);
    let message = |(number, text): (usize, &Text)| {
        // From a tenth of the mean to nearly twice of it.
        let attachment = (number % ATTACHMENT_EVERY == 0).then(|| mean / 10 + numbers.below(mean * 18 / 10));
        text.message(number, attachment.map(|length| base64(length, &mut numbers)))
    };
    texts.iter().enumerate().map(message).collect()
}

/// The body of a message: something new above what was written before.
struct Text {
    html: bool,
    body: String,
}

impl Text {
    fn new(number: usize, numbers: &mut Numbers) -> Self {
        let html = number.is_multiple_of(2);
        // Most are short: the square of an even distribution, from 4 to 60 KB.
        let share = numbers.below(1_000) * numbers.below(1_000) / 1_000;
        let bytes = 4_000 + share * 56;
        let fresh = paragraphs(bytes / 5, numbers);
        let quoted = paragraphs(bytes - bytes / 5, numbers);
        let body = match number % 4 {
            0 => outlook(&fresh, &quoted),
            1 => plain(&fresh, &quoted),
            2 => gmail(&fresh, &quoted),
            _ => thunderbird(&fresh, &quoted),
        };
        Self { html, body }
    }

    fn message(&self, number: usize, attachment: Option<String>) -> String {
        let mut head = format!(
            "Received: from mail.example.com (mail.example.com [192.0.2.{}])\n\tby mx.desk.example with ESMTPS id \
             {number:08x}\n\tfor <support@desk.example>; Mon, 12 Jan 2026 09:00:00 +0000\n\
             From: Sender {} <sender{}@example.com>\nTo: Service Desk <support@desk.example>\nSubject: Re: request {}\n\
             Date: Mon, 12 Jan 2026 09:{:02}:{:02} +0000\nMessage-ID: <bench-{number}@example.com>\nMIME-Version: 1.0\n",
            number % 250,
            // All of a conversation is of one sender, and none sends so much that the brake holds it.
            number / 3 % 997,
            number / 3 % 997,
            number / 3,
            number / 60 % 60,
            number % 60,
        );
        if !number.is_multiple_of(3) {
            let _ = writeln!(head, "In-Reply-To: <bench-{}@example.com>", number - number % 3);
        }
        let kind = format!("Content-Type: text/{}; charset=utf-8\n\n", if self.html { "html" } else { "plain" });
        match attachment {
            None => format!("{head}{kind}{}", self.body),
            Some(content) => format!(
                "{head}Content-Type: multipart/mixed; boundary=\"=_bench\"\n\n--=_bench\n{kind}{}\n--=_bench\n\
                 Content-Type: application/pdf; name=\"scan-{number}.pdf\"\nContent-Disposition: attachment; \
                 filename=\"scan-{number}.pdf\"\nContent-Transfer-Encoding: base64\n\n{content}\n--=_bench--\n",
                self.body
            ),
        }
    }
}

fn paragraphs(bytes: usize, numbers: &mut Numbers) -> Vec<String> {
    let (mut paragraphs, mut written) = (Vec::new(), 0);
    while written < bytes {
        let mut paragraph = String::new();
        for _ in 0..20 + numbers.below(60) {
            let word = WORDS.get(numbers.below(WORDS.len())).unwrap_or(&"it");
            paragraph.push_str(word);
            paragraph.push(' ');
        }
        let _ = write!(paragraph, "{}.", numbers.below(100_000));
        written += paragraph.len();
        paragraphs.push(paragraph);
    }
    paragraphs
}

/// The lines of paragraphs, wrapped as for a terminal.
fn wrapped(paragraphs: &[String], mark: &str) -> String {
    let mut text = String::new();
    for paragraph in paragraphs {
        let mut column = 0;
        for word in paragraph.split(' ') {
            if column == 0 || column + word.len() > 70 {
                let _ = write!(text, "{}{mark}", if column == 0 { "" } else { "\n" });
                column = 0;
            }
            let _ = write!(text, "{}{word}", if column == 0 { "" } else { " " });
            column += word.len() + 1;
        }
        let _ = write!(text, "\n{}\n", mark.trim_end());
    }
    text
}

fn elements(paragraphs: &[String], class: &str) -> String {
    paragraphs.iter().map(|paragraph| format!("<p class=\"{class}\">{paragraph}</p>\n")).collect()
}

fn outlook(fresh: &[String], quoted: &[String]) -> String {
    format!(
        "<html><head><style>p.MsoNormal {{margin:0cm; font-size:11.0pt}}</style></head><body><div class=\"WordSection1\">\n\
         {}<div style=\"border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm\">\n<p class=\"MsoNormal\">\
         <b>From:</b> Service Desk &lt;support@desk.example&gt;<br><b>Sent:</b> Monday, January 12, 2026 8:00 AM<br>\
         <b>To:</b> Sender<br><b>Subject:</b> request</p></div>\n{}</div></body></html>\n",
        elements(fresh, "MsoNormal"),
        elements(quoted, "MsoNormal")
    )
}

fn gmail(fresh: &[String], quoted: &[String]) -> String {
    format!(
        "<div dir=\"ltr\">\n{}</div><br><div class=\"gmail_quote\"><div dir=\"ltr\" class=\"gmail_attr\">On Mon, Jan 12, \
         2026 at 8:00 AM Service Desk &lt;support@desk.example&gt; wrote:<br></div><blockquote class=\"gmail_quote\" \
         style=\"margin:0px 0px 0px 0.8ex\">\n{}</blockquote></div>\n",
        elements(fresh, "a"),
        elements(quoted, "b")
    )
}

fn plain(fresh: &[String], quoted: &[String]) -> String {
    format!(
        "{}\n-----Original Message-----\nFrom: Service Desk <support@desk.example>\nSent: Monday, January 12, 2026 8:00 AM\n\
         To: Sender\nSubject: request\n\n{}",
        wrapped(fresh, ""),
        wrapped(quoted, "")
    )
}

fn thunderbird(fresh: &[String], quoted: &[String]) -> String {
    format!(
        "{}\nOn 12.01.26 08:00, Service Desk wrote:\n{}\n-- \nSender\nExample Inc.\n",
        wrapped(fresh, ""),
        wrapped(quoted, "> ")
    )
}

/// Lines of base64 of about so many characters.
fn base64(characters: usize, numbers: &mut Numbers) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(characters + characters / 76);
    for _ in 0..characters / 76 {
        let mut column = 0;
        while column < 76 {
            let mut bits = numbers.next();
            for _ in 0..10.min(76 - column) {
                let digit = usize::try_from(bits & 63).unwrap_or_default();
                text.push(char::from(*ALPHABET.get(digit).unwrap_or(&b'A')));
                bits >>= 6;
                column += 1;
            }
        }
        text.push('\n');
    }
    text
}

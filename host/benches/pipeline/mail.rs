//! The messages: replies as Outlook writes them, below each other the new text, a signature and the earlier messages.
//!
//! Outlook's quotes are found late in the line: the plugins before see the whole text.

use mailmill::message::{Message, parse};
use std::fmt::Write;

/// How much of the text is new, in percent.
const NEW_PERCENT: usize = 25;
/// The size of each earlier message, in bytes.
const EARLIER_BYTES: usize = 2_500;
/// How many sentences make a paragraph.
const PARAGRAPH_SENTENCES: usize = 4;

const SENTENCES: [&str; 9] = [
    "Thank you for your quick answer, it helped us a good deal.",
    "The printer on the second floor still stops after about 20 pages, and then shows code 13-B.",
    "On Monday we tried another cable; that made no difference at all.",
    "Könnten Sie uns bitte sagen, wann der Techniker kommt?",
    "From what I can see in the log, it started on 3 May at about 9:15.",
    "Bob wrote that he had seen the same fault at the office in Zürich.",
    "We can wait until Friday, but not longer: the invoices for order 4711023 have to go out.",
    "Please call me before you come, the building is closed between 12:00 and 13:30.",
    "I have attached a photo of the display and of the label on its back.",
];

/// A reply with about that much text.
pub(crate) fn reply(bytes: usize, html: bool) -> Message {
    let (kind, body) = if html { ("html", in_html(bytes)) } else { ("plain", in_plain(bytes)) };
    let raw = format!(
        "From: Ann Lee <ann@example.org>\r\nTo: Help <help@example.com>\r\nSubject: Re: Printer, order no. 4711023\r\n\
         Message-ID: <reply@example.org>\r\nDate: Tue, 5 May 2026 10:00:00 +0200\r\nX-Priority: 2 (High)\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}"
    );
    parse(raw.as_bytes(), None)
}

/// Paragraphs that add up to about that many bytes.
fn paragraphs(bytes: usize, first: usize) -> Vec<String> {
    let mut sentences = SENTENCES.iter().cycle().skip(first % SENTENCES.len());
    let (mut all, mut length) = (Vec::new(), 0);
    while length < bytes {
        let words: Vec<&str> = sentences.by_ref().take(PARAGRAPH_SENTENCES).copied().collect();
        let paragraph = words.join(" ");
        length += paragraph.len();
        all.push(paragraph);
    }
    all
}

/// The sizes of the earlier messages.
fn earlier(bytes: usize) -> impl Iterator<Item = (usize, usize)> {
    let rest = bytes * (100 - NEW_PERCENT) / 100;
    let sizes = (0..rest).step_by(EARLIER_BYTES).map(move |start| (rest - start).min(EARLIER_BYTES));
    sizes.enumerate()
}

fn in_plain(bytes: usize) -> String {
    let wrapped = |text: &str| text.split(". ").collect::<Vec<_>>().join(".\n");
    let new = paragraphs(bytes * NEW_PERCENT / 100, 0);
    let mut body = format!("Hello,\n\n{}\n\nBest regards\nAnn Lee\nTel.: +49 30 1234567\n", wrapped(&new.join("\n\n")));
    for (at, size) in earlier(bytes) {
        let text = wrapped(&paragraphs(size, at).join("\n\n"));
        // Writing to a string cannot fail.
        let _ = write!(
            body,
            "\n________________________________\nFrom: Help <help@example.com>\nSent: Monday, 4 May 2026 09:{:02}\n\
             To: Ann Lee <ann@example.org>\nSubject: Printer\n\n{text}\n",
            at % 60
        );
    }
    body.replace('\n', "\r\n")
}

fn in_html(bytes: usize) -> String {
    let marked = |text: Vec<String>| {
        text.iter().fold(String::new(), |all, text| format!("{all}<p class=\"MsoNormal\">{text}</p>\n"))
    };
    let new = marked(paragraphs(bytes * NEW_PERCENT / 100, 0));
    let mut body = format!(
        "<html><body><div dir=\"ltr\">\n<p>Hello,</p>\n{new}<p>Best regards<br>Ann Lee<br>Tel.: +49 30 1234567</p></div>\n"
    );
    for (at, size) in earlier(bytes) {
        let text = marked(paragraphs(size, at));
        // Writing to a string cannot fail.
        let _ = write!(
            body,
            "<hr><div id=\"divRplyFwdMsg\" dir=\"ltr\"><font face=\"Calibri\"><b>From:</b> Help &lt;help@example.com&gt;<br>\n\
             <b>Sent:</b> Monday, 4 May 2026 09:{:02}<br>\n<b>To:</b> Ann Lee &lt;ann@example.org&gt;<br>\n\
             <b>Subject:</b> Printer</font></div>\n<div>{text}</div>\n",
            at % 60
        );
    }
    body + "</body></html>\n"
}

//! The report: the account of what one message went through. `mailmill try`, the log, the store and the goldens all
//! show this one structure.

use crate::action::{Action, Change, Plan};
use crate::class::Class;
use crate::field::{DateTime, Entry};
use crate::message::document::{BodyKind, Cut, CutKinds};
use crate::message::{Address, ClientGuess, Defect, Message, Origin};
use crate::plugin::Decision;
use crate::rules::{FieldSource, StepReport};
use crate::thread::{Conversation, Finding, Threading};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What one message went through, hop by hop.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The revision of the rule set that it ran on, start to end.
    pub revision: String,
    /// What was received (hop 2).
    pub message: Facts,
    /// The conversation it belongs to (hop 3).
    pub conversation: Conversation,
    /// What was made of each ticket that it refers to (hop 3).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thread: Vec<Finding>,
    /// The body and what was cut of it (hop 4).
    pub body: Body,
    /// The fields taken out of it (hop 5).
    pub fields: Vec<Entry>,
    /// Where the fields come from (hop 5).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<FieldSource>,
    /// The conditions that were looked at (hop 6).
    pub decisions: Vec<Decision>,
    /// What the statements asked for (hop 6).
    pub actions: Vec<Action>,
    /// What is allowed of it (hop 7); none if the message is quarantined.
    pub plan: Option<Plan>,
    /// Why the message is quarantined, if it is.
    pub quarantine: Option<Cause>,
    /// Each step of the pipeline that looked at it, in order (hops 4 to 6).
    pub steps: Vec<StepReport>,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// How long the hops took. Measured, and therefore no part of what two runs have in common.
    #[serde(default)]
    pub micros: HopMicros,
}

/// How long the hops up to the plan took, in microseconds, without any wait for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HopMicros {
    /// Hop 2.
    pub parse: u64,
    /// Hop 3, with its questions to the database.
    pub thread: u64,
    /// Hop 4.
    pub preprocess: u64,
    /// Hop 5.
    pub extract: u64,
    /// Hop 6.
    pub statements: u64,
    /// Hop 7.
    pub plan: u64,
}

impl HopMicros {
    /// Each hop with its time, in order.
    #[must_use]
    pub fn each(&self) -> [(&'static str, u64); 6] {
        let Self { parse, thread, preprocess, extract, statements, plan } = *self;
        [
            ("parse", parse),
            ("thread", thread),
            ("preprocess", preprocess),
            ("extract", extract),
            ("statements", statements),
            ("plan", plan),
        ]
    }
}

/// A duration in whole microseconds.
#[must_use]
pub fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// What is known of a message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// The Message-ID; empty if it has none.
    pub message_id: String,
    /// The subject.
    pub subject: String,
    /// The author.
    pub sender: Option<Address>,
    /// To and Cc.
    pub recipients: Vec<Address>,
    /// When it was received.
    pub received: DateTime,
    /// Its size in bytes.
    pub bytes: u64,
    /// Who or what wrote it.
    pub origin: Origin,
    /// The mail client that it looks like, and why.
    pub client: ClientGuess,
    /// What was wrong with it.
    pub defects: Vec<Defect>,
    /// What was made of it that is nothing wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// Its attachments.
    pub attachments: Vec<AttachmentFacts>,
}

/// What is known of an attachment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AttachmentFacts {
    /// The file name; may be empty.
    pub name: String,
    /// The media type.
    pub media_type: String,
    /// Bytes, decoded.
    pub bytes: u64,
    /// Whether it belongs into the body.
    pub inline: bool,
    /// The media type that its content shows, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// What a message or a calendar in it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The file that it was packed in, such as `winmail.dat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed_in: Option<String>,
    /// Why it does not go to a ticket, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// The body, with its cuts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Body {
    /// What it was made from.
    pub kind: BodyKind,
    /// Every cut that a rule proposed, in the order of proposal. Spans are byte offsets of the whole text.
    pub cuts: Vec<Cut>,
    /// The kinds that are really cut.
    pub applied: CutKinds,
    /// Why no rule looked at it, if none was to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// How many steps were not called, because the message has nothing that they look for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub idle: usize,
    /// The whole text. Only in reports that are shown, not in those that are stored: there it can be made again from
    /// the raw message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<String>,
    /// The text that is left. As `whole`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
    /// Whether the texts in the plan that are empty here are the text that is left. Only in reports that are stored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_in_plan: bool,
}

/// Why a message is quarantined.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cause {
    /// The hop that gave up, such as `extract`.
    pub hop: String,
    /// The step of the pipeline, if one is to blame.
    pub step: Option<String>,
    /// What happened, as one sentence.
    pub reason: String,
    /// How it is to be answered.
    pub class: Class,
}

impl Report {
    /// The report of a message of which nothing but the bytes is known yet.
    #[must_use]
    pub fn begin(revision: &str, message: &Message, bytes: u64, threading: &Threading) -> Self {
        Self {
            revision: revision.to_owned(),
            message: Facts::of(message, bytes),
            conversation: threading.conversation.clone(),
            thread: threading.findings.clone(),
            body: Body {
                kind: message.document.kind(),
                cuts: Vec::new(),
                applied: CutKinds::NONE,
                skipped: None,
                idle: 0,
                whole: None,
                left: None,
                left_in_plan: false,
            },
            fields: Vec::new(),
            sources: Vec::new(),
            decisions: Vec::new(),
            actions: Vec::new(),
            plan: None,
            quarantine: None,
            steps: Vec::new(),
            warnings: Vec::new(),
            micros: HopMicros { thread: micros(threading.took), ..HopMicros::default() },
        }
    }

    /// The same report with the texts, to be shown.
    #[must_use]
    pub fn with_texts(mut self, message: &Message) -> Self {
        let document = &message.document;
        let left = document.view(&self.body.cuts, self.body.applied).text().to_owned();
        if std::mem::take(&mut self.body.left_in_plan) {
            let texts = self.plan.iter_mut().flat_map(|plan| &mut plan.changes).filter_map(Change::text_mut);
            texts.filter(|text| text.is_empty()).for_each(|text| left.trim().clone_into(text));
        }
        self.body.whole = Some(document.text().to_owned());
        self.body.left = Some(left);
        self
    }

    /// The same report without the texts, to be stored: they are in the raw message, and most plans repeat what is left
    /// of it, which is also in the ticket.
    #[must_use]
    pub fn without_texts(mut self, message: &Message) -> Self {
        self.body.whole = None;
        let left = self.body.left.take();
        let mut texts: Vec<&mut String> =
            self.plan.iter_mut().flat_map(|plan| &mut plan.changes).filter_map(Change::text_mut).collect();
        // An empty text of its own could not be told from one that was taken out.
        if texts.iter().all(|text| !text.is_empty()) && !texts.is_empty() {
            let left =
                left.unwrap_or_else(|| message.document.view(&self.body.cuts, self.body.applied).text().to_owned());
            for text in texts.iter_mut().filter(|text| text.as_str() == left.trim()) {
                text.clear();
                self.body.left_in_plan = true;
            }
        }
        self
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Facts {
    fn of(message: &Message, bytes: u64) -> Self {
        let attachments = message.attachments.iter().map(|attachment| AttachmentFacts {
            name: attachment.name.clone(),
            media_type: attachment.media_type.clone(),
            bytes: attachment.enclosure.size,
            inline: attachment.inline,
            seen: attachment.seen.clone().filter(|seen| *seen != attachment.media_type),
            description: attachment.description.clone(),
            packed_in: attachment.packed_in.clone(),
            refused: attachment.refused.clone(),
        });
        Self {
            message_id: message.message_id.as_ref().map(ToString::to_string).unwrap_or_default(),
            subject: message.subject.clone(),
            sender: message.sender.clone(),
            recipients: message.recipients.clone(),
            received: message.received,
            bytes,
            origin: message.origin,
            client: message.client.clone(),
            defects: message.defects.clone(),
            remarks: message.remarks.clone(),
            attachments: attachments.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Outcome;
    use crate::message::parse;
    use crate::ticket::{TicketNumber, Visibility};

    /// A report of a message of this text whose plan says these texts is stored with those.
    fn check(body: &str, texts: &[&str], stored: &[&str]) {
        let message = parse(format!("From: a@example.org\r\n\r\n{body}").as_bytes(), None);
        let comment = |text: &&str| Change::AddComment {
            ticket: Some(TicketNumber::new(1)),
            author: Address::default(),
            text: (*text).to_owned(),
            visibility: Visibility::Public,
        };
        let changes = texts.iter().map(comment).collect();
        let mut report = Report::begin("r", &message, 0, &Threading::default());
        report.plan = Some(Plan { outcome: Outcome::Accepted, changes });
        let shown = serde_json::to_value(report.clone().with_texts(&message)).unwrap();
        let lean = report.with_texts(&message).without_texts(&message);
        let said = |report: &Report| -> Vec<String> {
            let mut plan = report.plan.clone().unwrap();
            plan.changes.iter_mut().map(|change| change.text_mut().unwrap().clone()).collect()
        };
        assert_eq!(said(&lean), stored, "{body:?}");
        assert!(lean.body.whole.is_none() && lean.body.left.is_none());
        let read: Report = serde_json::from_str(&serde_json::to_string(&lean).unwrap()).unwrap();
        assert_eq!(serde_json::to_value(read.with_texts(&message)).unwrap(), shown, "{body:?}");
    }

    #[test]
    fn a_stored_report_does_not_repeat_the_message() {
        check("hello\r\n", &["hello"], &[""]);
        check("hello\r\n", &["hello", "another text", "hello"], &["", "another text", ""]);
        check("hello\r\n", &["hello", ""], &["hello", ""]);
        check("", &["(no text)"], &["(no text)"]);
        check("hello", &[], &[]);
    }
}

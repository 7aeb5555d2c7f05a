//! The report: the account of what one message went through. `mailmill try`, the log, the store and the goldens all
//! show this one structure.

use crate::action::{Action, Plan};
use crate::class::Class;
use crate::field::{DateTime, Entry};
use crate::message::document::{BodyKind, Cut, CutKinds};
use crate::message::{Address, ClientGuess, Defect, Message, Origin};
use crate::plugin::Decision;
use crate::rules::StepReport;
use crate::thread::Conversation;
use serde::{Deserialize, Serialize};

/// What one message went through, hop by hop.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The revision of the rule set that it ran on, start to end.
    pub revision: String,
    /// What was received (hop 2).
    pub message: Facts,
    /// The conversation it belongs to (hop 3).
    pub conversation: Conversation,
    /// The body and what was cut of it (hop 4).
    pub body: Body,
    /// The fields taken out of it (hop 5).
    pub fields: Vec<Entry>,
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
    pub fn begin(revision: &str, message: &Message, bytes: u64, conversation: &Conversation) -> Self {
        Self {
            revision: revision.to_owned(),
            message: Facts::of(message, bytes),
            conversation: conversation.clone(),
            body: Body {
                kind: message.document.kind(),
                cuts: Vec::new(),
                applied: CutKinds::NONE,
                skipped: None,
                idle: 0,
                whole: None,
                left: None,
            },
            fields: Vec::new(),
            decisions: Vec::new(),
            actions: Vec::new(),
            plan: None,
            quarantine: None,
            steps: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The same report with the texts, to be shown.
    #[must_use]
    pub fn with_texts(mut self, message: &Message) -> Self {
        let document = &message.document;
        self.body.whole = Some(document.text().to_owned());
        self.body.left = Some(document.view(&self.body.cuts, self.body.applied).text().to_owned());
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
            bytes: attachment.content.len(),
            inline: attachment.inline,
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
            attachments: attachments.collect(),
        }
    }
}

//! Tickets: what mail becomes.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A ticket's number: `T` and at least five digits, such as `T00001`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TicketNumber(u64);

impl TicketNumber {
    /// The number of the `sequence`-th ticket, counted from 1.
    #[must_use]
    pub fn new(sequence: u64) -> Self {
        Self(sequence)
    }

    /// Reads a number, any case, surrounding white space ignored: ` t00001 ` is `T00001`.
    /// None if it is no ticket number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix(['T', 't'])?;
        let wide_enough = (5..=18).contains(&digits.len());
        let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        if wide_enough && all_digits { digits.parse().ok().map(Self) } else { None }
    }

    /// The position in the sequence of tickets, counted from 1.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.0
    }
}

impl fmt::Display for TicketNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T{:05}", self.0)
    }
}

impl From<TicketNumber> for String {
    fn from(number: TicketNumber) -> Self {
        number.to_string()
    }
}

impl TryFrom<String> for TicketNumber {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| format!("\"{text}\" is no ticket number: expected T and five digits or more"))
    }
}

/// A kind of ticket, with the life it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TicketClass {
    /// Something does not work.
    Incident,
    /// Something is to be changed.
    ChangeRequest,
    /// The cause behind incidents.
    Problem,
    /// A task for a technician.
    WorkOrder,
    /// A request for a standard service.
    ServiceRequest,
    /// An order to a supplier.
    PurchaseOrder,
    /// A question that someone has to answer with yes or no.
    ApprovalRequest,
}

impl TicketClass {
    /// All classes, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Incident,
        Self::ChangeRequest,
        Self::Problem,
        Self::WorkOrder,
        Self::ServiceRequest,
        Self::PurchaseOrder,
        Self::ApprovalRequest,
    ];

    /// The name used in rule files, such as `change-request`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::ChangeRequest => "change-request",
            Self::Problem => "problem",
            Self::WorkOrder => "work-order",
            Self::ServiceRequest => "service-request",
            Self::PurchaseOrder => "purchase-order",
            Self::ApprovalRequest => "approval-request",
        }
    }

    /// The names of all classes, in the same order.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        Self::ALL.into_iter().map(Self::name).collect()
    }

    /// The class of that name; none if there is none.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

/// Where a ticket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Nobody has looked at it yet.
    New,
    /// Someone works on it.
    Open,
    /// It waits for someone else.
    Pending,
    /// The work is done; the requester may still object.
    Resolved,
    /// It is over.
    Closed,
}

impl Status {
    /// All states, in the order of a ticket's life.
    pub const ALL: [Self; 5] = [Self::New, Self::Open, Self::Pending, Self::Resolved, Self::Closed];

    /// The name used in rule files, such as `pending`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Open => "open",
            Self::Pending => "pending",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }

    /// The names of all states, in the same order.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        Self::ALL.into_iter().map(Self::name).collect()
    }

    /// The status of that name; none if there is none.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether the ticket's life is over: a follow-up does not update it any more.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Closed)
    }
}

/// Who can read a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visibility {
    /// The requester too.
    Public,
    /// The desk only.
    Internal,
}

impl Visibility {
    /// Both, the one for more readers first.
    pub const ALL: [Self; 2] = [Self::Public, Self::Internal];

    /// The name used in rule files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
        }
    }

    /// The names of both, in the same order.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        Self::ALL.into_iter().map(Self::name).collect()
    }

    /// The visibility of that name; none if there is none.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|visibility| visibility.name() == name)
    }
}

/// What threading and rules know of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketSummary {
    /// Its number.
    pub number: TicketNumber,
    /// Its class.
    pub class: TicketClass,
    /// Its status.
    pub status: Status,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticket_numbers_are_read_and_written() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(TicketNumber::parse(text).map(|n| n.to_string()).as_deref(), expect, "{text:?}");
        };
        check("T00001", Some("T00001"));
        check(" t01234 ", Some("T01234"));
        check("T123456", Some("T123456"));
        check("T0001", None);
        check("T0000x", None);
        check("00001", None);
        check("T+0001", None);
        check("T9999999999999999999", None);
    }
}

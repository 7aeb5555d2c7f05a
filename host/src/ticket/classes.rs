//! The classes of tickets that an installation has, and the life that each leads.

use super::{Series, Status, TicketClass};

/// A class of tickets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassSpec {
    /// Its name.
    pub class: TicketClass,
    /// The series of its numbers; several classes may share one.
    pub series: Series,
    /// The statuses of its tickets, in the order of their life.
    pub statuses: Vec<Status>,
    /// The status of a new ticket.
    pub initial: Status,
    /// The status of a ticket that is reopened.
    pub reopened: Status,
    /// The status of a ticket that is closed: the first of those in which its life is over.
    pub closed: Status,
    /// The statuses in which its life is over: a follow-up does not update it any more.
    pub terminal: Vec<Status>,
}

impl ClassSpec {
    /// The status of that name; none if tickets of this class have none.
    #[must_use]
    pub fn status(&self, name: &str) -> Option<&Status> {
        self.statuses.iter().find(|status| status.name() == name)
    }
}

/// All classes of an installation, in the order in which they are shown; their names and series were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes(Vec<ClassSpec>);

impl Classes {
    /// These classes. No two of them have one name, and no two different series one prefix.
    #[must_use]
    pub(crate) fn new(classes: Vec<ClassSpec>) -> Self {
        Self(classes)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &ClassSpec> {
        self.0.iter()
    }

    /// The class of that name; none if there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ClassSpec> {
        self.iter().find(|spec| spec.class.name() == name)
    }

    /// The names of all classes.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.iter().map(|spec| spec.class.name()).collect()
    }

    /// The names of the statuses of all classes, each once.
    #[must_use]
    pub fn statuses(&self) -> Vec<&str> {
        names(self.iter().flat_map(|spec| &spec.statuses))
    }

    /// The names of those in which the life of a ticket of some class is over, each once.
    #[must_use]
    pub fn terminal_statuses(&self) -> Vec<&str> {
        names(self.iter().flat_map(|spec| &spec.terminal))
    }

    /// Whether the life of such a ticket is over. That of a ticket whose class there is no more is, and that of one whose
    /// class does not have its status any more: nobody looks for it there, and what is added to it would be lost to the
    /// desk, whereas a new ticket is seen.
    #[must_use]
    pub fn is_over(&self, class: &TicketClass, status: &Status) -> bool {
        let is_over = |spec: &ClassSpec| spec.terminal.contains(status) || spec.status(status.name()).is_none();
        self.get(class.name()).is_none_or(is_over)
    }
}

fn names<'s>(statuses: impl Iterator<Item = &'s Status>) -> Vec<&'s str> {
    let mut names = Vec::new();
    for status in statuses {
        if !names.contains(&status.name()) {
            names.push(status.name());
        }
    }
    names
}

impl Default for Classes {
    /// The classes of `rules/classes.toml` as it is shipped, for rules without that file.
    fn default() -> Self {
        const USUAL: [&str; 5] = ["new", "open", "pending", "resolved", "closed"];
        const APPROVAL: [&str; 5] = ["new", "open", "approved", "declined", "closed"];
        let class = |name: &str| {
            let is_approval = name == "approval-request";
            let statuses = if is_approval { APPROVAL } else { USUAL };
            let terminal: &[&str] = if is_approval { &["closed", "approved", "declined"] } else { &["closed"] };
            let all = |names: &[&str]| names.iter().copied().map(Status::new).collect();
            ClassSpec {
                class: TicketClass::new(name),
                series: Series::default(),
                statuses: all(&statuses),
                initial: Status::new("new"),
                reopened: Status::new("open"),
                closed: Status::new("closed"),
                terminal: all(terminal),
            }
        };
        let names = [
            "incident",
            "change-request",
            "problem",
            "work-order",
            "service-request",
            "purchase-order",
            "approval-request",
        ];
        Self(names.into_iter().map(class).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_say_what_is_over() {
        let classes = Classes::default();
        let is_over = |class: &str, status: &str| classes.is_over(&TicketClass::new(class), &Status::new(status));
        assert!(is_over("incident", "closed") && is_over("approval-request", "declined") && is_over("gone", "open"));
        assert!(!is_over("incident", "resolved") && is_over("incident", "gone"));
        assert_eq!(classes.statuses(), ["new", "open", "pending", "resolved", "closed", "approved", "declined"]);
    }
}

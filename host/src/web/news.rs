//! What somebody has just done, told on the page that comes next.

/// The part of an address that says it.
const KEY: &str = "done";

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    JobCreated,
    JobSaved,
    JobDeleted,
    RunWanted,
    Paused,
    Resumed,
    StepsSaved,
    RuleMade,
    RulesSaved,
    RulesWritten,
    RolledBack,
    Suspended,
    StepResumed,
    Recorded,
    Released,
    Rejected,
    SentAgain,
    NotSent,
    SessionsCleared,
    SessionDeleted,
    RetentionSaved,
    PersonSet,
    PersonRemoved,
    TokenRevoked,
}

/// Each with its word in addresses and its sentence.
const ALL: [(News, &str, &str); 24] = [
    (News::JobCreated, "job-created", "The job is made, and runs by its schedule from now on."),
    (News::JobSaved, "job-saved", "Saved. It applies from the next session on."),
    (News::JobDeleted, "job-deleted", "The job is deleted."),
    (News::RunWanted, "run-wanted", "It is told to run now: the session begins within a second or two."),
    (News::Paused, "paused", "It is paused. A session that is under way is ended first."),
    (News::Resumed, "resumed", "It goes on by its schedule."),
    (News::StepsSaved, "steps-saved", "Saved. It applies from the next session on."),
    (
        News::RuleMade,
        "rule-made",
        "The rule is made. No job uses it yet: switch it on under a job's preprocessing rules.",
    ),
    (News::RulesSaved, "rules-saved", "Saved. These rules are in force."),
    (News::RulesWritten, "rules-written", "Saved. They come into force within a few seconds."),
    (News::RolledBack, "rolled-back", "The files are put back, and come into force at once."),
    (News::Suspended, "suspended", "The step is left out, for all jobs, until somebody resumes it."),
    (News::StepResumed, "step-resumed", "The step is called again."),
    (News::Recorded, "recorded", "Recorded."),
    (News::Released, "released", "Released: this is what has become of it."),
    (News::Rejected, "rejected", "Dropped: it is recorded as rejected, and its source is kept."),
    (News::SentAgain, "sent-again", "It is tried again at once."),
    (News::NotSent, "not-sent", "It is dropped, and will not be sent."),
    (
        News::SessionsCleared,
        "sessions-cleared",
        "The log is cleared. Tickets, receipts and the quarantine have stayed.",
    ),
    (News::SessionDeleted, "session-deleted", "The session is deleted. Tickets and receipts have stayed."),
    (News::RetentionSaved, "retention-saved", "Saved. Older sessions are removed now."),
    (News::PersonSet, "person-set", "Saved."),
    (News::PersonRemoved, "person-removed", "Removed, and logged out everywhere."),
    (News::TokenRevoked, "token-revoked", "Revoked: nobody can use it any more."),
];

impl News {
    /// What an address says, if it says anything.
    pub(super) fn of(query: &str) -> Option<Self> {
        let (_, word) = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == KEY)?;
        ALL.iter().find(|(_, own, _)| *own == word).map(|(news, ..)| *news)
    }

    /// The address of a page that is to tell it.
    pub(super) fn told_at(self, page: &str) -> String {
        let word = ALL.iter().find(|(news, ..)| *news == self).map_or("", |(_, word, _)| word);
        let (page, fragment) =
            page.split_once('#').map_or((page, String::new()), |(page, rest)| (page, format!("#{rest}")));
        let joint = if page.contains('?') { '&' } else { '?' };
        format!("{page}{joint}{KEY}={word}{fragment}")
    }

    /// It, in a sentence.
    pub(super) fn sentence(self) -> &'static str {
        ALL.iter().find(|(news, ..)| *news == self).map_or("", |(.., sentence)| sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_on_the_page_that_comes_next() {
        for (news, word, sentence) in ALL {
            assert_eq!(news.told_at("/jobs"), format!("/jobs?done={word}"));
            assert_eq!(News::of(&format!("job=a&done={word}")), Some(news));
            assert_eq!(news.sentence(), sentence);
        }
        assert_eq!(News::Paused.told_at("/jobs/a?x=1#step-b"), "/jobs/a?x=1&done=paused#step-b");
        assert_eq!(News::of("done=<script>"), None);
    }
}

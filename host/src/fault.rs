//! Fault points: places at which a test has the process killed, to see that nothing is lost and nothing done twice.
//!
//! They are in development builds, and in release builds with the feature `faults`; otherwise [`pass`] does nothing at all. The
//! variable `MAILMILL_FAULT=POINT:N` in the environment of `mailmill run` names the point, and at which passing, counted from 1,
//! the process kills itself with SIGKILL: no destructor, no handler, nothing flushed. With `POINT:N:hang` whoever passes there
//! hangs instead, for ever, as if a library below never came back. With `POINT:N:fill:FILE` the process fills the disk of FILE, as
//! others do, and goes on.

/// A place between two hops, or inside one. Declared in the order of the hops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// The schema is brought up to date, and not committed.
    StartMigrating,
    /// The database is open, and what was interrupted is still open.
    StartOpened,
    /// A mailbox that is seen for the first time is noted.
    SightNoted,
    /// The session has its row in the log.
    SessionBegun,
    /// Hop 1: nothing is asked for yet.
    FetchBefore,
    /// Hop 1: a message has come.
    FetchMessage,
    /// Hop 2: a message is parsed.
    ParseAfter,
    /// Hop 3: its conversation is known.
    ThreadAfter,
    /// Hops 4 to 7: its plan is made.
    RulesAfter,
    /// Hop 8: a batch is complete.
    CommitBefore,
    /// Hop 8: its receipts are written.
    CommitReceipts,
    /// Hop 8: its tickets are written.
    CommitTickets,
    /// Hop 8: what it sends is written.
    CommitOutbox,
    /// Hop 8: everything is written, and not committed.
    CommitWritten,
    /// Hop 8: it is committed, and nobody knows.
    CommitAfter,
    /// Hop 8: a receipt is back at its session.
    CommitAnswered,
    /// Hop 9: nothing is marked yet.
    MarkBefore,
    /// Hop 9: one of several marks is made.
    MarkInside,
    /// Hop 9: all marks are made, and not recorded.
    MarkAfter,
    /// Hop 9: marks are to be made certain.
    SettleBefore,
    /// Hop 9: marks are certain.
    SettleAfter,
    /// Hop 9: marks are recorded.
    MarkRecorded,
    /// The session is over, and its row is open.
    SessionEnding,
    /// The session's row is closed.
    SessionEnded,
    /// Outbox: attempts are begun, and nothing is sent.
    OutboxClaimed,
    /// Outbox: something is sent, and not recorded.
    OutboxSent,
    /// Outbox: that it was sent is recorded.
    OutboxRecorded,
}

/// Kills this process if the environment says so, here and this time.
#[inline]
pub(crate) fn pass(point: Point) {
    #[cfg(any(feature = "faults", debug_assertions))]
    armed::pass(point);
    #[cfg(not(any(feature = "faults", debug_assertions)))]
    let _ = point;
}

/// Reads the environment.
///
/// # Errors
/// If it names no point; the message lists all of them.
pub(crate) fn arm() -> Result<(), String> {
    #[cfg(any(feature = "faults", debug_assertions))]
    armed::arm()?;
    Ok(())
}

#[cfg(any(feature = "faults", debug_assertions))]
mod armed {
    use super::Point;
    use std::io::Write;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    const VARIABLE: &str = "MAILMILL_FAULT";

    const NAMES: [(Point, &str); 27] = [
        (Point::StartMigrating, "start.migrating"),
        (Point::StartOpened, "start.opened"),
        (Point::SightNoted, "sight.noted"),
        (Point::SessionBegun, "session.begun"),
        (Point::FetchBefore, "fetch.before"),
        (Point::FetchMessage, "fetch.message"),
        (Point::ParseAfter, "parse.after"),
        (Point::ThreadAfter, "thread.after"),
        (Point::RulesAfter, "rules.after"),
        (Point::CommitBefore, "commit.before"),
        (Point::CommitReceipts, "commit.receipts"),
        (Point::CommitTickets, "commit.tickets"),
        (Point::CommitOutbox, "commit.outbox"),
        (Point::CommitWritten, "commit.written"),
        (Point::CommitAfter, "commit.after"),
        (Point::CommitAnswered, "commit.answered"),
        (Point::MarkBefore, "mark.before"),
        (Point::MarkInside, "mark.inside"),
        (Point::MarkAfter, "mark.after"),
        (Point::SettleBefore, "settle.before"),
        (Point::SettleAfter, "settle.after"),
        (Point::MarkRecorded, "mark.recorded"),
        (Point::SessionEnding, "session.ending"),
        (Point::SessionEnded, "session.ended"),
        (Point::OutboxClaimed, "outbox.claimed"),
        (Point::OutboxSent, "outbox.sent"),
        (Point::OutboxRecorded, "outbox.recorded"),
    ];

    /// What happens at the point.
    enum Deed {
        Kill,
        Hang,
        /// The disk of this file is filled up.
        Fill(String),
    }

    /// The point, how often it is still to be passed, and what happens then.
    static ARMED: OnceLock<(Point, AtomicU32, Deed)> = OnceLock::new();

    pub(super) fn arm() -> Result<(), String> {
        let Ok(wanted) = std::env::var(VARIABLE) else { return Ok(()) };
        let mut words = wanted.splitn(4, ':');
        let (name, count) = (words.next().unwrap_or_default(), words.next().unwrap_or("1"));
        let deed = match (words.next(), words.next()) {
            (None, None) => Some(Deed::Kill),
            (Some("hang"), None) => Some(Deed::Hang),
            (Some("fill"), Some(file)) => Some(Deed::Fill(file.to_owned())),
            _ => None,
        };
        let point = NAMES.into_iter().find(|(_, known)| *known == name).map(|(point, _)| point);
        let (Some(point), Ok(count), Some(deed)) = (point, count.parse(), deed) else {
            let names: Vec<&str> = NAMES.into_iter().map(|(_, name)| name).collect();
            return Err(format!(
                "{VARIABLE}: {wanted:?} is no POINT:N, POINT:N:hang or POINT:N:fill:FILE; the points are {}",
                names.join(" ")
            ));
        };
        ARMED.get_or_init(|| (point, AtomicU32::new(count), deed));
        Ok(())
    }

    pub(super) fn pass(point: Point) {
        if let Some((armed, left, deed)) = ARMED.get()
            && *armed == point
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            match deed {
                Deed::Kill => kill(),
                Deed::Hang => hang(),
                Deed::Fill(file) => fill(file),
            }
        }
    }

    fn hang() {
        // The runtime's other tasks go on elsewhere: it is one job that hangs, not the process.
        tokio::task::block_in_place(|| {
            loop {
                std::thread::park();
            }
        });
    }

    /// Writes until nothing more fits: pieces first, then bytes.
    fn fill(path: &str) {
        let Ok(mut file) = std::fs::File::create(path) else { return };
        for piece in [&[0; 4096][..], &[0]] {
            while file.write_all(piece).is_ok() {}
        }
    }

    #[allow(unsafe_code, reason = "the standard library sends no signals")]
    fn kill() -> ! {
        // SAFETY: neither call touches memory of this process.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        // The signal may take a moment to arrive; nothing more may happen here meanwhile.
        loop {
            std::thread::park();
        }
    }
}

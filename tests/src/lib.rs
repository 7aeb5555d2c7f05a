//! What the end-to-end tests stand on: the real binary, real mail servers, and eyes of their own.
//!
//! A test makes an [`Installation`] (settings, rules and plugins in a directory of its own), starts the servers it
//! needs ([`Dovecot`]), runs `mailmill` once ([`Installation::mailmill`]) or as a [`Daemon`], and looks at what became of
//! the mail through [`Mailbox`], a small IMAP client that shares no code with the program under test.

mod certificates;
mod daemon;
mod disk;
mod dovecot;
mod golden;
mod imap;
mod installation;
pub mod messages;
mod proxy;
pub mod records;
mod wait;

pub use certificates::Certificates;
pub use daemon::Daemon;
pub use disk::SmallDisk;
pub use dovecot::Dovecot;
pub use golden::steady;
pub use imap::Mailbox;
pub use installation::{Installation, Run, sample};
pub use proxy::{Meddling, Proxy, Said, Speaker};
pub use wait::{PATIENCE, wait_until};

//! What the end-to-end tests stand on: the real binary, real mail servers, and eyes of their own.
//!
//! A test makes an [`Installation`] (settings, rules and plugins in a directory of its own), starts the servers it
//! needs ([`Dovecot`], [`servers`], [`TokenServer`]), runs `mailmill` once ([`Installation::mailmill`]) or as a [`Daemon`], and looks at what became of
//! the mail through [`Mailbox`], a small IMAP client that shares no code with the program under test.

pub mod browser;
mod certificates;
pub mod cleaning;
mod client;
mod clock;
mod daemon;
mod disk;
mod golden;
mod imap;
mod installation;
pub mod messages;
mod oauth;
mod proxy;
pub mod records;
pub mod servers;
mod wait;
pub mod web;

pub use certificates::Certificates;
pub use client::Client;
pub use clock::Clock;
pub use daemon::Daemon;
pub use disk::{FailingDisk, SmallDisk};
pub use golden::steady;
pub use imap::{Mailbox, Message};
pub use installation::{Installation, Run, sample, target};
pub use oauth::{DeviceAnswer, Failure, Request, TokenServer};
pub use proxy::{Meddling, Proxy, Said, Speaker};
pub use servers::Dovecot;
pub use wait::{PATIENCE, wait_until};

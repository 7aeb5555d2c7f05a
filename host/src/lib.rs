//! mailmill: a rules engine for incoming mail.
//!
//! A host process fetches mail, passes each message through an ordered pipeline of sandboxed WASM plugins and records
//! what becomes of it, exactly once. `docs/architecture.md` describes the nine hops and the layers.

pub mod action;
pub mod carrier;
pub mod class;
#[cfg(feature = "daemon")]
pub mod cli;
pub mod config;
pub mod content;
#[cfg(feature = "daemon")]
pub mod daemon;
pub mod diagnostic;
mod fault;
pub mod field;
mod http;
#[cfg(feature = "daemon")]
pub mod job;
pub mod mailbox;
mod memory;
pub mod message;
pub mod metrics;
pub mod oauth;
pub mod outbox;
pub mod outgoing;
#[cfg(feature = "daemon")]
pub mod pipeline;
pub mod plugin;
#[cfg(feature = "daemon")]
pub mod project;
pub mod reading;
#[cfg(feature = "daemon")]
pub mod replay;
#[cfg(feature = "daemon")]
pub mod report;
#[cfg(feature = "daemon")]
pub mod rules;
pub mod schedule;
#[cfg(feature = "daemon")]
pub mod schema;
pub mod secret;
pub mod security;
pub mod store;
mod tame;
pub mod telemetry;
pub mod thread;
pub mod ticket;
#[cfg(feature = "daemon")]
pub mod web;

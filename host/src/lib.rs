//! mailmill: a rules engine for incoming mail.
//!
//! A host process fetches mail, passes each message through an ordered pipeline of sandboxed WASM plugins and records
//! what becomes of it, exactly once. `docs/architecture.md` describes the nine hops and the layers.

pub mod action;
pub mod carrier;
pub mod class;
pub mod cli;
mod clock;
pub mod config;
pub mod content;
pub mod daemon;
pub mod diagnostic;
mod fault;
pub mod field;
mod http;
pub mod job;
pub mod mailbox;
pub mod message;
pub mod metrics;
pub mod oauth;
pub mod outbox;
pub mod outgoing;
mod paint;
pub mod pipeline;
pub mod plugin;
pub mod project;
pub mod reading;
pub mod replay;
pub mod report;
pub mod revisions;
pub mod rules;
pub mod schedule;
pub mod schema;
pub mod secret;
pub mod security;
pub mod store;
mod story;
mod tame;
pub mod telemetry;
pub mod thread;
pub mod ticket;
pub mod web;

//! `mailmill outbox`: what waits to be sent, was sent, or was given up.

use super::table::{short, table};
use super::{Done, Global, print, print_json, rows};
use crate::paint::tame;
use crate::store::{OutboxFilter, OutboxRow, OutboxState, Store};
use clap::Subcommand;
use clap::builder::PossibleValuesParser;

/// What can be tried again.
const UNSENT: [OutboxState; 2] = [OutboxState::Waiting, OutboxState::Dead];

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what leaves the system, latest first
    List {
        /// Only what is in this state
        #[arg(long, value_parser = PossibleValuesParser::new(OutboxState::ALL.map(OutboxState::name)))]
        state: Option<String>,
        /// At most so many [default: 50; with --json, all]
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
        /// Print JSON, with what is sent
        #[arg(long)]
        json: bool,
    },
    /// Make entries that wait or were given up due now, with all their attempts before them
    Retry {
        /// Their numbers
        #[arg(required_unless_present = "state")]
        ids: Vec<i64>,
        /// All that are in this state, instead
        #[arg(long, conflicts_with = "ids", value_parser = PossibleValuesParser::new(UNSENT.map(OutboxState::name)))]
        state: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove entries that were not sent: they never will be
    Drop {
        /// Their numbers
        #[arg(required = true)]
        ids: Vec<i64>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(global: &Global, command: Command) -> Done {
    match command {
        Command::List { state, limit, json } => {
            let store = global.store_to_read().await?;
            let state = state.as_deref().and_then(OutboxState::parse);
            let found = store.outbox(&OutboxFilter { id: None, state, limit: rows(limit, json) }).await?;
            if json { print_json(&found) } else { print(&shown(&found)) }
        }
        Command::Retry { ids, state, json } => {
            let store = global.store().await?;
            if let Some(state) = state.as_deref().and_then(OutboxState::parse) {
                return done("retried", &store.outbox_retry_all(state).await?, json);
            }
            each(&store, &ids, json, "retried", async |id| store.outbox_retry(id).await).await
        }
        Command::Drop { ids, json } => {
            let store = global.store().await?;
            each(&store, &ids, json, "dropped", async |id| store.outbox_drop(id).await).await
        }
    }
}

/// Does something to each entry. If one cannot be, nothing is done to the others after it.
async fn each(
    store: &Store,
    ids: &[i64],
    json: bool,
    done: &str,
    work: impl AsyncFn(i64) -> Result<bool, crate::store::Error>,
) -> Done {
    for id in ids {
        if work(*id).await? {
            continue;
        }
        let found = store.outbox(&OutboxFilter { id: Some(*id), state: None, limit: Some(1) }).await?;
        let why = match found.first() {
            Some(row) if row.state == OutboxState::Sent => {
                format!("entry {id} was sent: nothing can be done about it any more")
            }
            Some(_) => {
                format!("entry {id} is being sent at this moment: what becomes of it, mailmill outbox list will say")
            }
            None => format!("nothing in the outbox has the number {id}; see: mailmill outbox list"),
        };
        return Err(anyhow::anyhow!(why).into());
    }
    self::done(done, ids, json)
}

fn done(what: &str, ids: &[i64], json: bool) -> Done {
    if json {
        return print_json(&serde_json::json!({ (what): ids }));
    }
    let numbers: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let numbers = if numbers.is_empty() { "nothing".to_owned() } else { numbers.join(", ") };
    print(&format!("{what}: {numbers}\n"))
}

fn shown(found: &[OutboxRow]) -> String {
    let time = |at: jiff::Timestamp| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let cells: Vec<Vec<String>> = found
        .iter()
        .map(|row| {
            vec![
                row.id.to_string(),
                time(row.created_at),
                row.state.name().to_owned(),
                row.lane.to_string(),
                short(&row.target, 40),
                row.ticket.as_ref().map(ToString::to_string).unwrap_or_default(),
                row.attempts.to_string(),
                row.next_attempt_at.map(time).unwrap_or_default(),
                tame(&short(row.last_error.as_deref().unwrap_or_default(), 100)),
            ]
        })
        .collect();
    table(&["ID", "SINCE", "STATE", "BY", "TO", "TICKET", "ATTEMPTS", "NEXT", "LAST ERROR"], &cells)
}

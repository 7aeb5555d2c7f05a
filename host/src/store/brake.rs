//! The brake: how many messages of one sender, and to one ticket, were accepted of late.

use super::rows::milliseconds;
use super::{Entry, Verdict, bulk};
use crate::action::{self, Change};
use crate::ticket::TicketNumber;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The most senders that one query asks about.
const SENDERS_PER_QUERY: usize = 100;

/// What was accepted, in the windows of the entries of a batch: by whom, and to which tickets.
#[derive(Debug, Default)]
pub(super) struct Recent {
    senders: HashMap<String, Vec<i64>>,
    tickets: HashMap<TicketNumber, Vec<i64>>,
}

impl Recent {
    /// What these entries have to be compared with.
    pub(super) async fn before(
        connection: &mut AnyConnection,
        entries: &[Entry],
        known: &HashMap<TicketNumber, i64>,
    ) -> sqlx::Result<Self> {
        let mut recent = Self::default();
        let mut senders: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        let mut tickets: BTreeMap<&TicketNumber, (i64, i64)> = BTreeMap::new();
        for entry in entries {
            let (Some(brake), true) = (&entry.brake, is_accepted(entry)) else { continue };
            let at = milliseconds(&entry.received_at);
            let widen = |(from, to): &mut (i64, i64)| (*from, *to) = ((*from).min(at - brake.window_ms), (*to).max(at));
            if let (Some(sender), Some(_)) = (&entry.sender, brake.sender_messages_max) {
                widen(senders.entry(sender).or_insert((i64::MAX, i64::MIN)));
            }
            if brake.thread_messages_max.is_some() {
                tickets_of(entry).for_each(|ticket| widen(tickets.entry(ticket).or_insert((i64::MAX, i64::MIN))));
            }
        }
        recent.load_senders(connection, &senders.into_iter().collect::<Vec<_>>()).await?;
        recent.load_tickets(connection, &tickets, known).await?;
        Ok(recent)
    }

    async fn load_senders(
        &mut self,
        connection: &mut AnyConnection,
        senders: &[(&str, (i64, i64))],
    ) -> sqlx::Result<()> {
        for senders in senders.chunks(SENDERS_PER_QUERY) {
            let term =
                |at: usize| format!("(sender = ${} AND received_at > ${} AND received_at <= ${})", at, at + 1, at + 2);
            let terms: Vec<String> = (0..senders.len()).map(|place| term(place * 3 + 1)).collect();
            let select = "SELECT sender, received_at FROM receipts WHERE outcome = 'accepted' AND";
            let select = AssertSqlSafe(format!("{select} ({})", terms.join(" OR ")));
            let query = sqlx::query(select).persistent(senders.len() == 1);
            let query =
                senders.iter().fold(query, |query, (sender, (from, to))| query.bind(*sender).bind(from).bind(to));
            for row in query.fetch_all(&mut *connection).await? {
                self.senders.entry(row.try_get("sender")?).or_default().push(row.try_get("received_at")?);
            }
        }
        Ok(())
    }

    async fn load_tickets(
        &mut self,
        connection: &mut AnyConnection,
        tickets: &BTreeMap<&TicketNumber, (i64, i64)>,
        known: &HashMap<TicketNumber, i64>,
    ) -> sqlx::Result<()> {
        let places: HashMap<i64, &TicketNumber> =
            tickets.keys().filter_map(|ticket| Some((*known.get(*ticket)?, *ticket))).collect();
        let numbers: Vec<i64> = places.keys().copied().collect();
        let from = tickets.values().map(|(from, _)| *from).min().unwrap_or_default();
        for numbers in numbers.chunks(bulk::VALUES_PER_QUERY) {
            let select = "SELECT ticket, received_at FROM receipt_tickets JOIN receipts ON receipts.id = receipt \
                          WHERE received_at > $1 AND effect = 'updated' AND ticket";
            let query = bulk::about(select, 2, numbers.len(), "").bind(from);
            let query = numbers.iter().fold(query, |query, number| query.bind(*number));
            for row in query.fetch_all(&mut *connection).await? {
                if let Some(ticket) = places.get(&row.try_get("ticket")?) {
                    self.tickets.entry((*ticket).clone()).or_default().push(row.try_get("received_at")?);
                }
            }
        }
        Ok(())
    }

    /// Why an entry is one too many; none if it is not. Then it counts from now on.
    pub(super) fn refusal(&mut self, entry: &Entry) -> Option<String> {
        let brake = entry.brake.as_ref().filter(|_| is_accepted(entry))?;
        let at = milliseconds(&entry.received_at);
        let within = |times: Option<&Vec<i64>>| {
            let within = |time: &&i64| (at - brake.window_ms + 1..=at).contains(*time);
            times.map_or(0, |times| times.iter().filter(within).count() as u64)
        };
        let window = jiff::SignedDuration::from_millis(brake.window_ms);
        if let (Some(sender), Some(max)) = (&entry.sender, brake.sender_messages_max)
            && within(self.senders.get(sender)) >= max
        {
            return Some(format!(
                "the brake: {sender} has sent {max} messages within {window:#}, which is the most that is taken \
                 (sender_messages_max)"
            ));
        }
        let tickets: Vec<&TicketNumber> = tickets_of(entry).collect();
        let full = |ticket: &&&TicketNumber| {
            brake.thread_messages_max.is_some_and(|max| within(self.tickets.get(**ticket)) >= max)
        };
        if let (Some(ticket), Some(max)) = (tickets.iter().find(full), brake.thread_messages_max) {
            return Some(format!(
                "the brake: {max} messages to ticket {ticket} within {window:#} are the most that is taken \
                 (thread_messages_max)"
            ));
        }
        self.senders.entry(entry.sender.clone().unwrap_or_default()).or_default().push(at);
        tickets.into_iter().for_each(|ticket| self.tickets.entry(ticket.clone()).or_default().push(at));
        None
    }
}

fn is_accepted(entry: &Entry) -> bool {
    matches!(&entry.verdict, Verdict::Plan(plan) if plan.outcome == action::Outcome::Accepted)
}

/// The tickets of before that an entry changes, each once.
fn tickets_of(entry: &Entry) -> impl Iterator<Item = &TicketNumber> {
    let changes = match &entry.verdict {
        Verdict::Plan(plan) => plan.changes.as_slice(),
        Verdict::Quarantine { .. } => &[],
    };
    let numbers: BTreeSet<&TicketNumber> = changes.iter().filter_map(Change::existing_ticket).collect();
    numbers.into_iter()
}

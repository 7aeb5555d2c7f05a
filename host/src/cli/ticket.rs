//! `mailmill ticket`: what mail has become.

use super::table::{short, table};
use super::{Done, Global, print, print_json};
use crate::paint::{Paint, Style, stdout_has_colour, tame};
use crate::store::{AttachmentRow, CommentRow, Store, TicketDetail, TicketFilter};
use crate::ticket::{Status, TicketClass, TicketNumber};
use anyhow::Context as _;
use clap::Subcommand;
use std::fmt::Write as _;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List tickets, the latest first
    List {
        /// Only this status, such as open
        #[arg(long)]
        status: Option<String>,
        /// Only this class, such as incident
        #[arg(long)]
        class: Option<String>,
        /// Only tickets that this job brought
        #[arg(long)]
        job: Option<String>,
        /// At most so many [default: 50; with --json, all]
        #[arg(long)]
        limit: Option<u32>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one ticket with its fields, comments and attachments
    Show {
        /// Its number, such as T00001
        #[arg(value_parser = number)]
        number: TicketNumber,
        /// Write the attachments into this folder
        #[arg(long, value_name = "DIR")]
        save: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Whether there is such a status and such a class: in the rules, or, of before, in the database. Where the classes cannot
/// be read, that is for `mailmill check` to say.
async fn check_names(global: &Global, store: &Store, filter: &TicketFilter) -> Done {
    let Ok(classes) = crate::rules::classes(&global.load_or_default()?.rules) else { return Ok(()) };
    let one = TicketFilter { limit: Some(1), ..TicketFilter::default() };
    let of_status = filter.status.clone().map(|status| TicketFilter { status: Some(status), ..one.clone() });
    let of_class = filter.class.clone().map(|class| TicketFilter { class: Some(class), ..one });
    let status = filter.status.as_ref().map(Status::name);
    let class = filter.class.as_ref().map(TicketClass::name);
    let named = [("status", status, classes.statuses(), of_status), ("class", class, classes.names(), of_class)];
    for (what, name, known, tickets) in named {
        let (Some(name), Some(tickets)) = (name.filter(|name| !known.contains(name)), tickets) else { continue };
        if store.tickets(&tickets).await?.is_empty() {
            return Err(anyhow::anyhow!("no such {what}: \"{name}\"; there are: {}", known.join(", ")).into());
        }
    }
    Ok(())
}

fn number(text: &str) -> Result<TicketNumber, String> {
    TicketNumber::try_from(text.to_owned())
}

pub(super) async fn run(global: &Global, command: Command) -> Done {
    let store = global.store_to_read().await?;
    match command {
        Command::List { status, class, job, limit, json } => {
            let filter = TicketFilter {
                status: status.as_deref().map(Status::new),
                class: class.as_deref().map(TicketClass::new),
                job,
                before: None,
                limit: super::rows(limit, json),
            };
            check_names(global, &store, &filter).await?;
            let tickets = store.tickets(&filter).await?;
            if json {
                return print_json(&tickets);
            }
            let rows: Vec<Vec<String>> = tickets
                .iter()
                .map(|ticket| {
                    vec![
                        ticket.number.to_string(),
                        ticket.class.name().to_owned(),
                        ticket.status.name().to_owned(),
                        short(&ticket.requester.to_string(), 40),
                        short(&ticket.assignment.to_string(), 30),
                        short(&ticket.subject, 60),
                    ]
                })
                .collect();
            print(&table(&["NUMBER", "CLASS", "STATUS", "REQUESTER", "ASSIGNED", "SUBJECT"], &rows))
        }
        Command::Show { number, save, json } => {
            let detail = store.ticket(&number).await?;
            let detail = detail.with_context(|| format!("there is no ticket {number}; see: mailmill ticket list"))?;
            if let Some(folder) = save {
                save_all(&store, &detail.attachments, &folder).await?;
            }
            if json { print_json(&detail) } else { print(&show(&detail, Paint::new(stdout_has_colour()))) }
        }
    }
}

/// Writes the attachments as `1-NAME`, `2-NAME`, … so that equal names do not meet. Existing files are not overwritten.
async fn save_all(store: &Store, attachments: &[AttachmentRow], folder: &std::path::Path) -> Done {
    std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    for (index, attachment) in attachments.iter().enumerate() {
        let content = store.blob(&attachment.sha256).await?;
        let safe = |character: char| {
            if character.is_control() || matches!(character, '/' | '\\' | ':') { '_' } else { character }
        };
        let name: String = attachment.name.chars().map(safe).take(120).collect();
        let path = folder.join(format!("{}-{name}", index + 1));
        let mut file =
            std::fs::File::create_new(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        std::io::copy(&mut content.reader(), &mut file)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

fn show(detail: &TicketDetail, paint: Paint) -> String {
    let ticket = &detail.ticket;
    let mut text = String::new();
    let head = format!("{} {}", ticket.number, tame(&ticket.subject));
    let _ = writeln!(text, "{}", paint.paint(Style::Heading, head));
    let _ = writeln!(text, "class      {}", ticket.class.name());
    let _ = writeln!(text, "status     {}", ticket.status.name());
    let _ = writeln!(text, "requester  {}", tame(&ticket.requester.to_string()));
    if !ticket.assignment.is_nobody() {
        let _ = writeln!(text, "assigned   {}", tame(&ticket.assignment.to_string()));
    }
    for (index, participant) in detail.participants.iter().enumerate() {
        let label = if index == 0 { "with" } else { "" };
        let _ = writeln!(text, "{label:<10} {}", tame(&participant.to_string()));
    }
    let _ = writeln!(text, "created    {} by job {}", ticket.created_at, ticket.job);
    for field in &detail.fields {
        let _ = writeln!(text, "{:<10} {}", field.name, tame(&field.value.to_string()));
    }
    let _ = writeln!(text, "\n{}", tame(detail.description.trim_end()));
    attached(&mut text, detail, None);
    for comment in &detail.comments {
        let head = format!(
            "\n{} comment by {}, {}",
            comment.visibility.name(),
            tame(&comment.author.to_string()),
            comment.created_at
        );
        let _ = writeln!(text, "{}", paint.paint(Style::Heading, head));
        let _ = writeln!(text, "{}", tame(comment.text.trim_end()));
        attached(&mut text, detail, Some(comment));
    }
    text
}

fn attached(text: &mut String, detail: &TicketDetail, comment: Option<&CommentRow>) {
    let id = comment.map(|comment| comment.id);
    for attachment in detail.attachments.iter().filter(|attachment| attachment.comment == id) {
        let name = if attachment.name.is_empty() { "without a name" } else { &attachment.name };
        let _ = writeln!(text, "attached   {} ({}, {} bytes)", tame(name), attachment.media_type, attachment.size);
    }
}

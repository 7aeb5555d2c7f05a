//! `mailmill folders`: the mailboxes of a job's account.

use super::table::table;
use super::{Done, Global, print, print_json};
use crate::config::Config;
use crate::mailbox::Folder;
use crate::oauth::Tokens;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The job, as its file is called, without .toml
    job: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, options: Options) -> Done {
    let config: Config = global.load()?;
    let job = super::find_job(&config, &options.job)?;
    let tokens = Tokens::beside(&config.store.path);
    let spool = crate::job::spool(&config);
    let account = crate::job::account(&job, config.limits.message_bytes_max.get(), &tokens, &spool)?;
    let folders = account.folders().await?;
    if options.json { print_json(&folders) } else { print(&shown(&folders)) }
}

fn shown(folders: &[Folder]) -> String {
    let rows: Vec<Vec<String>> = folders
        .iter()
        .map(|folder| {
            let note = if folder.holds_mail { folder.purpose.unwrap_or_default() } else { "holds no mail itself" };
            vec![crate::paint::tame(&folder.name), note.to_owned()]
        })
        .collect();
    table(&["MAILBOX", "NOTE"], &rows)
}

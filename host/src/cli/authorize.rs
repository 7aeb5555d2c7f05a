//! `mailmill authorize`: has someone grant a job the right to read its mail (OAuth 2.0).

use super::{Done, Failure, Global, print, print_json};
use crate::job::oauth_app;
use crate::oauth::{Prompt, Tokens};
use crate::paint::{Paint, Style, stdout_has_colour};
use anyhow::Context as _;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The job, as its file is called, without .toml
    job: String,
    /// Print what is to be done, and the outcome, as lines of JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(global: &Global, options: Options) -> Done {
    let config = global.load()?;
    let job = super::find_job(&config, &options.job)?;
    let app = oauth_app(&job).with_context(|| {
        format!("job \"{}\" does not log in with OAuth 2.0: its [source] has no authentication = \"oauth2\"", job.name)
    })?;
    let tokens = Tokens::beside(&config.store.path);
    let outcome = tokens.of(&job.name, app).authorize(|prompt| show(&prompt, options.json)).await;
    if options.json {
        let fault = outcome.as_ref().err().map(ToString::to_string);
        print_json(&serde_json::json!({ "job": job.name, "ok": fault.is_none(), "fault": fault }))?;
        return outcome.map_err(|_| Failure::Silent);
    }
    outcome?;
    let ok = Paint::new(stdout_has_colour()).paint(Style::Good, "ok");
    print(&format!("{ok}: job \"{0}\" is authorised; try it with: mailmill test-connection {0}\n", job.name))
}

/// A reader that has gone away does not end the waiting.
fn show(prompt: &Prompt, json: bool) {
    let _ = match prompt {
        Prompt::Code { url, code, .. } if json => print_json(&serde_json::json!({ "open": url, "enter": code })),
        Prompt::Open { url } if json => print_json(&serde_json::json!({ "open": url })),
        Prompt::Code { url, code, lasts } => print(&format!(
            "On any device, open      {url}\nand enter the code       {code}\n\
             Log in as the mailbox's user. Waiting for up to {} minutes …\n",
            lasts.as_secs().div_ceil(60)
        )),
        Prompt::Open { url } => print(&format!(
            "With a browser on this machine, open\n\n{url}\n\nand log in as the mailbox's user. Waiting …\n"
        )),
    };
}

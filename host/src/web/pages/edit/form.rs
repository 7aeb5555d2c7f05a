//! What a job's form looks like: the fields in the order in which people know them from other programs.

use super::parts::Parts;
use super::values::Written;
use crate::config::Authentication;
use crate::mailbox::Security;
use crate::web::form::Fields;
use maud::{Markup, html};

/// What people call a way to log in.
pub(in crate::web::pages) fn authentication(authentication: Authentication) -> &'static str {
    match authentication {
        Authentication::Password => "password",
        Authentication::Ntlm => "Secure Password Authentication (NTLM)",
        Authentication::OAuth2 => "OAuth 2.0",
    }
}

/// What people call a way to secure a connection.
pub(in crate::web::pages) fn security(security: Security) -> &'static str {
    match security {
        Security::None => "none",
        Security::StarttlsIfAvailable => "STARTTLS, if available",
        Security::Starttls => "STARTTLS",
        Security::Tls => "SSL/TLS",
    }
}

/// Ways to log in: as they are sent, and in words.
const AUTHENTICATIONS: [(&str, &str); 3] = [
    ("password", "Password, in the strongest way that the server offers"),
    ("ntlm", "Require Secure Password Authentication (SPA, NTLM)"),
    ("oauth2", "OAuth 2.0 (Microsoft 365, Gmail and others)"),
];
/// Ways to secure a connection.
const SECURITIES: [(&str, &str); 4] = [
    ("none", "None"),
    ("starttls-if-available", "STARTTLS, if available"),
    ("starttls", "STARTTLS"),
    ("tls", "SSL/TLS"),
];
/// Who issues tokens.
const PROVIDERS: [(&str, &str); 4] = [
    ("microsoft365", "Microsoft 365, Exchange Online, Outlook.com"),
    ("gmail", "Gmail, Google Workspace"),
    ("other", "Another one: its addresses are written below"),
    ("token", "None: another program keeps a token fresh, which stands where the password would"),
];
/// How the right to read the mail is got.
const GRANTS: [(&str, &str); 4] = [
    ("", "What suits the provider"),
    ("client-credentials", "The application has it itself: nobody logs in"),
    ("device", "Somebody enters a code in any browser, once"),
    ("browser", "Somebody logs in with a browser of the machine where mailmill runs, once"),
];
/// What becomes of the mail that is there.
const EXISTING: [(&str, &str); 2] = [
    ("pass-over", "It stays as it is: only what comes from now on is handled"),
    ("handle", "It is handled like what comes"),
];

/// What a form shows: what was typed last, or else what the file says.
pub(super) struct Shown<'a> {
    pub(super) file: Option<&'a Written>,
    pub(super) typed: Option<&'a Fields>,
}

impl Shown<'_> {
    /// The value of a field, which the file has there.
    pub(super) fn value(&self, name: &str, keys: &[&str], otherwise: &str) -> String {
        if let Some(typed) = self.typed {
            return typed.all(name).collect::<Vec<_>>().join(", ");
        }
        self.file.and_then(|file| file.text(keys)).unwrap_or_else(|| otherwise.to_owned())
    }

    fn is_ticked(&self, name: &str, keys: &[&str], otherwise: bool) -> bool {
        if let Some(typed) = self.typed {
            return typed.is_ticked(name);
        }
        let Some(file) = self.file else { return otherwise };
        // What a table leaves out is off; what a file leaves out is as usual.
        let above = keys.split_last().map_or(&[][..], |(_, above)| above);
        let unsaid = if keys.first() == Some(&"handling") && above.len() > 1 {
            !file.has(above) && otherwise
        } else {
            otherwise
        };
        file.flag(keys).unwrap_or(unsaid)
    }

    /// Who issues tokens.
    fn provider(&self) -> String {
        let is_token =
            self.file.is_some_and(|file| !file.has(&["source", "oauth"]) && file.has(&["source", "password"]));
        let is_oauth = self.file.and_then(|file| file.text(&["source", "authentication"])).as_deref() == Some("oauth2");
        let unsaid = match (is_oauth, is_token) {
            (true, true) => "token",
            (true, false) => "other",
            (false, _) => "microsoft365",
        };
        self.value("provider", &["source", "oauth", "provider"], unsaid)
    }
}

/// A list to choose from: value, words.
fn choice(name: &str, label: &str, options: &[(&str, &str)], chosen: &str) -> Markup {
    html! {
        label for=(name) { (label) }
        select id=(name) name=(name) {
            @for (value, words) in options { option value=(value) selected[*value == chosen] { (words) } }
        }
    }
}

pub(super) fn input(name: &str, label: &str, value: &str, hint: &str) -> Markup {
    html! {
        label for=(name) { (label) }
        input id=(name) name=(name) value=(value) autocomplete="off" aria-describedby=[(!hint.is_empty()).then(|| format!("{name}-hint"))];
        @if !hint.is_empty() { p.hint id=(format!("{name}-hint")) { (hint) } }
    }
}

/// A date, for which browsers show a calendar.
fn date(name: &str, label: &str, value: &str, hint: &str) -> Markup {
    html! {
        label for=(name) { (label) }
        input.date id=(name) name=(name) type="date" value=(value) aria-describedby=(format!("{name}-hint"));
        p.hint id=(format!("{name}-hint")) { (hint) }
    }
}

fn secret(name: &str, label: &str, hint: &str) -> Markup {
    html! {
        label for=(name) { (label) }
        input id=(name) name=(name) type="password" autocomplete="new-password" aria-describedby=(format!("{name}-hint"));
        p.hint id=(format!("{name}-hint")) { (hint) }
    }
}

fn tick(name: &str, label: &str, ticked: bool) -> Markup {
    html! { label.tick { input type="checkbox" name=(name) value="yes" checked[ticked]; span { (label) } } }
}

pub(super) fn account(shown: &Shown<'_>, is_known: bool, parts: &Parts) -> Markup {
    let of = |name: &str, otherwise: &str| shown.value(name, &["source", name], otherwise);
    let secret_hint = match (shown.typed.is_some(), is_known) {
        (true, true) => {
            "It is not sent back to the browser: type it again if you have typed it. Empty: what is kept stays."
        }
        (true, false) => "It is not sent back to the browser: type it again.",
        (false, true) => "It is never shown. Empty: it stays as it is.",
        (false, false) => "It is kept in a file beside the job's, readable by mailmill alone.",
    };
    html! {
        fieldset {
            legend { "Account" }
            (choice("type", "Account type", &[("imap", "IMAP4"), ("pop3", "POP3")], &of("type", "imap")))
            (input("host", "Server", &of("host", ""), "Such as mail.example.org. Microsoft 365: outlook.office365.com. Gmail: imap.gmail.com, pop.gmail.com."))
            (input("port", "Port", &of("port", ""), "Empty: the usual one for the secure connection below."))
            div #mailboxes aria-live="polite" { (parts.mailboxes(&of("mailbox", "INBOX"))) }
            button.quiet.of-imap type="submit" name="what" value="folders" formnovalidate data-part="mailboxes" { "Browse mailboxes" }
            p.hint.of-pop3 { "POP3 knows one mailbox only: there is nothing to choose." }
            (input("user", "User", &of("user", ""), "With Secure Password Authentication also DOMAIN\\user."))
            div.of-password { (secret("secret", "Password", secret_hint)) }
            (choice("authentication", "Authentication", &AUTHENTICATIONS, &of("authentication", "password")))
            (oauth(shown, secret_hint))
            (choice("security", "Secure connection", &SECURITIES, &of("security", "tls")))
            (tick("reject", "Reject invalid certificates", shown.is_ticked("reject", &["source", "reject_invalid_certificates"], true)))
            (certificate(shown))
            (choice("existing_mail", "Mail that is there when the job begins", &EXISTING, &of("existing_mail", "pass-over")))
            button.quiet type="submit" name="what" value="test" formnovalidate data-stream="steps" { "Test connection" }
            p.hint { "Tries what is filled in here, saved or not. Nothing on the server is changed." }
            ol #steps.story aria-live="polite" { (parts.steps()) }
        }
    }
}

/// What makes a certificate good that the machine does not trust by itself.
fn certificate(shown: &Shown<'_>) -> Markup {
    let of = |name: &str| shown.value(name, &["source", name], "");
    let (fingerprint, authority) = (of("fingerprint"), of("ca_file"));
    html! {
        details open[!fingerprint.is_empty() || !authority.is_empty()] {
            summary { "A certificate of your own" }
            (input("fingerprint", "Only this certificate (fingerprint, SHA-256)", &fingerprint, "Test connection shows the one that the server has. Compare it with the server's own before you put it here."))
            (input("ca_file", "Issued by the authority in this file (PEM)", &authority, "A path on the machine where mailmill runs, besides the authorities that the machine trusts."))
        }
    }
}

fn oauth(shown: &Shown<'_>, secret_hint: &str) -> Markup {
    let of = |name: &str| shown.value(name, &["source", "oauth", name], "");
    html! {
        fieldset.of-oauth {
            legend { "OAuth 2.0" }
            (choice("provider", "Provider", &PROVIDERS, &shown.provider()))
            div.of-application {
                (input("client_id", "Client id", &of("client_id"), "As the application is registered with the provider."))
                div.of-microsoft { (input("tenant", "Tenant", &of("tenant"), "The directory of the organisation, such as example.onmicrosoft.com.")) }
                (secret("client_secret", "Client secret", secret_hint))
                (choice("grant", "Flow", &GRANTS, &of("grant")))
                div.of-other {
                    (input("token_url", "Token address", &of("token_url"), "https://login.example.org/token"))
                    (input("device_url", "Address for codes of devices", &of("device_url"), ""))
                    (input("authorize_url", "Address for logging in with a browser", &of("authorize_url"), ""))
                    (input("scopes", "Scopes", &of("scopes"), "Separated by commas."))
                }
                p.hint { "Where somebody has to log in: save the job, then press Authorise on its page." }
            }
        }
    }
}

pub(super) fn schedule(shown: &Shown<'_>, parts: &Parts) -> Markup {
    let of = |name: &str| shown.value(name, &["schedule", name], "");
    html! {
        fieldset {
            legend { "Schedule" }
            p.hint { "With nothing filled in: every 5 minutes. Fill in either how often, or times of the day, or a cron line." }
            (input("every", "Every", &of("every"), "A number with s, m or h: 30s, 5m, 1h."))
            (input("window", "Within this part of the day", &of("window"), "08:00-18:00; 22:00-06:00 goes on after midnight."))
            (input("at", "At these times of the day", &of("at"), "08:00, 17:30"))
            (days(&of("days")))
            (input("cron", "Cron line", &of("cron"), "*/10 8-18 * * mon-fri"))
            (date("from", "First date", &of("from"), "Empty: from now on."))
            (date("until", "Last date", &of("until"), "Empty: no end."))
            (input("time_zone", "Time zone", &of("time_zone"), "Europe/Berlin. Empty: this machine's."))
            button.quiet type="submit" name="what" value="runs" formnovalidate data-part="runs" { "Show the next ten runs" }
            div #runs aria-live="polite" { (parts.runs()) }
        }
    }
}

/// The days of the week: as they are written in a file, and in words.
const WEEK: [(&str, &str); 7] = [
    ("mon", "Monday"),
    ("tue", "Tuesday"),
    ("wed", "Wednesday"),
    ("thu", "Thursday"),
    ("fri", "Friday"),
    ("sat", "Saturday"),
    ("sun", "Sunday"),
];

/// On which days a job runs: those of the week to be ticked, those of the month and the year to be written. `chosen` has commas.
fn days(chosen: &str) -> Markup {
    let chosen: Vec<&str> = chosen.split(',').map(str::trim).filter(|day| !day.is_empty()).collect();
    let others: Vec<&str> =
        chosen.iter().copied().filter(|day| !WEEK.iter().any(|(name, _)| name.eq_ignore_ascii_case(day))).collect();
    html! {
        fieldset {
            legend { "On these days" }
            p.hint { "None: daily. Weekly: tick the days of the week. Monthly and yearly: write the days below." }
            div.ticks {
                @for (name, words) in WEEK {
                    label.tick { input type="checkbox" name="days" value=(name) checked[chosen.iter().any(|day| name.eq_ignore_ascii_case(day))]; span { (words) } }
                }
            }
            (input("days", "Days of the month or of the year", &others.join(", "), "15; last; first mon; last fri (of each month); 12-24 (of the year); weekdays."))
        }
    }
}

pub(super) fn handling(shown: &Shown<'_>) -> Markup {
    let part = |title: &str, prefix: &str, own: &'static str| {
        let named = |key: &str| format!("{prefix}-{key}");
        let text = |key: &str| shown.value(&named(key), &["handling", own, key], "");
        let ticked = |key: &str, otherwise: bool| shown.is_ticked(&named(key), &["handling", own, key], otherwise);
        html! {
            fieldset {
                legend { (title) }
                div.of-imap { (tick(&named("seen"), "Mark as read", ticked("seen", true))) }
                (tick(&named("deleted"), "Delete (IMAP4: mark as deleted)", ticked("deleted", false)))
                div.of-imap {
                    (input(&named("move"), "Move to mailbox", &text("move"), "It is made if there is none."))
                    (input(&named("keyword"), "Set keyword", &text("keyword"), ""))
                }
            }
        }
    };
    html! {
        (part("When a message was taken", "success", "on_success"))
        (part("When a message was rejected", "rejection", "on_rejection"))
        div.of-imap { (tick("purge", "At the end of each session, purge the messages that this job marked as deleted", shown.is_ticked("purge", &["handling", "purge"], false))) }
    }
}

//! How a job is let in by OAuth 2.0: `[source] oauth = { … }`.

use super::reader::leaves;
use super::schema;
use super::settings::settings;
use crate::mailbox::Protocol;
use crate::secret::SecretRef;
use serde::{Deserialize, Serialize};

/// Whose accounts: what their addresses and scopes are is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// Microsoft 365 (Exchange Online) and Outlook.com.
    Microsoft365,
    /// Gmail and Google Workspace.
    Gmail,
    /// Any other: its addresses and scopes are settings.
    Other,
}

/// How the right to read the mail is got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grant {
    /// The application itself has it (RFC 6749 section 4.4): nobody logs in.
    ClientCredentials,
    /// Someone enters a code on another device (RFC 8628), once.
    Device,
    /// Someone logs in with the browser of this machine (RFC 8252), once.
    Browser,
}

leaves! {
    Provider: "\"microsoft365\", \"gmail\" or \"other\"" => schema::words(["microsoft365", "gmail", "other"]);
    Grant: "\"client-credentials\", \"device\" or \"browser\"" => schema::words(["client-credentials", "device", "browser"]);
}

settings! {
    /// An OAuth 2.0 client.
    pub struct OAuth {
        /// Whose accounts: `microsoft365`, `gmail`, or `other` with the addresses below.
        provider: Provider => default(Provider::Other),
        /// The application's identifier, as registered with the provider.
        client_id: String => required("\"00000000-0000-0000-0000-000000000000\""),
        /// Where the application's secret is, if it has one: as for `password`.
        client_secret: Option<SecretRef> => unset("{ env = \"SUPPORT_CLIENT_SECRET\" }"),
        /// The directory of the organisation, for Microsoft 365.
        tenant: Option<String> => unset("\"example.onmicrosoft.com\""),
        /// How the right is got: `client-credentials` (nobody logs in), or once by `mailmill authorize JOB` with `device`
        /// (a code for any browser) or `browser` (the one of this machine). Not set: what the provider suits.
        grant: Option<Grant> => unset("\"device\""),
        /// Where tokens are issued.
        token_url: Option<String> => unset("\"https://login.example.org/token\""),
        /// Where a device asks for its code.
        device_url: Option<String> => unset("\"https://login.example.org/device\""),
        /// Where someone logs in with a browser.
        authorize_url: Option<String> => unset("\"https://login.example.org/authorize\""),
        /// What is asked for.
        scopes: Option<Vec<String>> => unset("[\"https://mail.example.org/imap\", \"offline_access\"]"),
    }
}

/// The addresses and scopes that a client uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// How the right is got.
    pub grant: Grant,
    /// Where tokens are issued.
    pub token_url: String,
    /// Where a device asks for its code.
    pub device_url: Option<String>,
    /// Where someone logs in.
    pub authorize_url: Option<String>,
    /// What is asked for.
    pub scopes: Vec<String>,
}

const MICROSOFT: &str = "https://login.microsoftonline.com";
/// Any account, of an organisation or a person.
const ANY_TENANT: &str = "common";

impl OAuth {
    /// Where this client gets its tokens.
    ///
    /// # Errors
    /// With a sentence for each setting that is missing or does not fit.
    pub fn endpoints(&self, protocol: Protocol) -> Result<Endpoints, Vec<String>> {
        let mut faults = Vec::new();
        let preset = self.preset(protocol, &mut faults);
        let given = |own: &Option<String>, preset: Option<String>| own.clone().or(preset);
        let token_url = given(&self.token_url, preset.token_url);
        if token_url.is_none() {
            faults.push("`token_url` is needed".to_owned());
        }
        let endpoints = Endpoints {
            grant: preset.grant,
            token_url: token_url.unwrap_or_default(),
            device_url: given(&self.device_url, preset.device_url),
            authorize_url: given(&self.authorize_url, preset.authorize_url),
            scopes: self.scopes.clone().unwrap_or(preset.scopes),
        };
        endpoints.check(self.client_secret.is_some(), &mut faults);
        if faults.is_empty() { Ok(endpoints) } else { Err(faults) }
    }

    fn preset(&self, protocol: Protocol, faults: &mut Vec<String>) -> Preset {
        match self.provider {
            Provider::Microsoft365 => self.microsoft(protocol, faults),
            Provider::Gmail => self.gmail(faults),
            Provider::Other => {
                let alone = self.client_secret.is_some() && self.device_url.is_none() && self.authorize_url.is_none();
                let grant = match (&self.device_url, &self.authorize_url) {
                    _ if alone => Grant::ClientCredentials,
                    (None, Some(_)) => Grant::Browser,
                    _ => Grant::Device,
                };
                Preset { grant: self.grant.unwrap_or(grant), ..Preset::default() }
            }
        }
    }

    fn microsoft(&self, protocol: Protocol, faults: &mut Vec<String>) -> Preset {
        let own = if self.client_secret.is_some() { Grant::ClientCredentials } else { Grant::Device };
        let grant = self.grant.unwrap_or(own);
        if grant == Grant::ClientCredentials && self.tenant.is_none() {
            faults.push("`tenant` is needed: an application has its rights in one organisation".to_owned());
        }
        let tenant = self.tenant.as_deref().unwrap_or(ANY_TENANT);
        let right = match protocol {
            Protocol::Imap => "IMAP.AccessAsUser.All",
            Protocol::Pop3 => "POP.AccessAsUser.All",
        };
        let scopes = match grant {
            // What the application may do is set by its administrator.
            Grant::ClientCredentials => vec!["https://outlook.office365.com/.default".to_owned()],
            Grant::Device | Grant::Browser => {
                vec![format!("https://outlook.office.com/{right}"), "offline_access".to_owned()]
            }
        };
        let at = |what: &str| Some(format!("{MICROSOFT}/{tenant}/oauth2/v2.0/{what}"));
        Preset { grant, token_url: at("token"), device_url: at("devicecode"), authorize_url: at("authorize"), scopes }
    }

    fn gmail(&self, faults: &mut Vec<String>) -> Preset {
        let grant = self.grant.unwrap_or(Grant::Browser);
        match grant {
            Grant::Browser => {}
            Grant::Device => {
                faults.push("Google gives no right to mail to devices: set grant = \"browser\"".to_owned());
            }
            Grant::ClientCredentials => {
                faults.push("Google lets no application in by itself: set grant = \"browser\"".to_owned());
            }
        }
        if self.client_secret.is_none() {
            faults.push("`client_secret` is needed: Google gives one to every application".to_owned());
        }
        Preset {
            grant,
            token_url: Some("https://oauth2.googleapis.com/token".to_owned()),
            device_url: None,
            authorize_url: Some("https://accounts.google.com/o/oauth2/v2/auth".to_owned()),
            scopes: vec!["https://mail.google.com/".to_owned()],
        }
    }
}

/// What is known of a provider.
struct Preset {
    grant: Grant,
    token_url: Option<String>,
    device_url: Option<String>,
    authorize_url: Option<String>,
    scopes: Vec<String>,
}

impl Default for Preset {
    fn default() -> Self {
        Self { grant: Grant::Device, token_url: None, device_url: None, authorize_url: None, scopes: Vec::new() }
    }
}

impl Endpoints {
    fn check(&self, has_secret: bool, faults: &mut Vec<String>) {
        match self.grant {
            Grant::ClientCredentials if !has_secret => {
                faults.push("`client_secret` is needed: it is how the application proves who it is".to_owned());
            }
            Grant::Device if self.device_url.is_none() => faults.push("`device_url` is needed".to_owned()),
            Grant::Browser if self.authorize_url.is_none() => faults.push("`authorize_url` is needed".to_owned()),
            Grant::ClientCredentials | Grant::Device | Grant::Browser => {}
        }
        let urls = [Some(&self.token_url), self.device_url.as_ref(), self.authorize_url.as_ref()];
        let unsafe_urls = urls.into_iter().flatten().filter(|url| !url.is_empty() && !is_safe(url));
        faults.extend(unsafe_urls.map(|url| format!("\"{url}\" must begin with https://: secrets are sent there")));
    }
}

/// Plain HTTP is for this machine only.
fn is_safe(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    match url.scheme() {
        "https" => true,
        "http" => matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(provider: Provider) -> OAuth {
        OAuth {
            provider,
            client_id: "app".into(),
            client_secret: None,
            tenant: None,
            grant: None,
            token_url: None,
            device_url: None,
            authorize_url: None,
            scopes: None,
        }
    }

    fn secret() -> Option<SecretRef> {
        Some(SecretRef::Env("SECRET".into()))
    }

    #[test]
    fn presets_know_addresses_and_scopes() {
        let check = |client: &OAuth, protocol, grant, token_url: &str, scopes: &[&str]| {
            let found = client.endpoints(protocol).unwrap();
            assert_eq!((found.grant, found.token_url.as_str()), (grant, token_url));
            assert_eq!(found.scopes, scopes);
        };
        let microsoft = client(Provider::Microsoft365);
        let common = "https://login.microsoftonline.com/common/oauth2/v2.0/token";
        let imap = ["https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access"];
        check(&microsoft, Protocol::Imap, Grant::Device, common, &imap);
        let pop = ["https://outlook.office.com/POP.AccessAsUser.All", "offline_access"];
        check(&microsoft, Protocol::Pop3, Grant::Device, common, &pop);
        let app = OAuth { client_secret: secret(), tenant: Some("example.org".into()), ..microsoft };
        let own = "https://login.microsoftonline.com/example.org/oauth2/v2.0/token";
        let default = ["https://outlook.office365.com/.default"];
        check(&app, Protocol::Imap, Grant::ClientCredentials, own, &default);
        let google = OAuth { client_secret: secret(), ..client(Provider::Gmail) };
        let gmail = "https://oauth2.googleapis.com/token";
        check(&google, Protocol::Imap, Grant::Browser, gmail, &["https://mail.google.com/"]);
    }

    #[test]
    fn what_is_missing_is_said_all_at_once() {
        let check = |client: &OAuth, expect: &[&str]| {
            assert_eq!(client.endpoints(Protocol::Imap).unwrap_err(), expect, "{client:?}");
        };
        check(&client(Provider::Other), &["`token_url` is needed", "`device_url` is needed"]);
        let by_itself = OAuth { grant: Some(Grant::ClientCredentials), ..client(Provider::Microsoft365) };
        check(
            &by_itself,
            &[
                "`tenant` is needed: an application has its rights in one organisation",
                "`client_secret` is needed: it is how the application proves who it is",
            ],
        );
        let device = OAuth { grant: Some(Grant::Device), client_secret: secret(), ..client(Provider::Gmail) };
        check(
            &device,
            &["Google gives no right to mail to devices: set grant = \"browser\"", "`device_url` is needed"],
        );
        let plain = OAuth {
            token_url: Some("http://login.example.org/token".into()),
            client_secret: secret(),
            ..client(Provider::Other)
        };
        check(&plain, &["\"http://login.example.org/token\" must begin with https://: secrets are sent there"]);
        let here = OAuth { token_url: Some("http://127.0.0.1:1/token".into()), ..plain };
        assert_eq!(here.endpoints(Protocol::Imap).unwrap().grant, Grant::ClientCredentials);
    }
}

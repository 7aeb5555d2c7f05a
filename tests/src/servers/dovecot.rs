//! Dovecot 2.3: every security mode, nearly every mechanism, and both separators.

use super::process::{self, SET_UP, run};
use super::{Endpoint, PASSWORD, Protocol, Server, Tls};
use crate::certificates::Certificates;
use crate::imap::Mailbox;
use crate::oauth::TokenServer;
use anyhow::{Context, Result, bail};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const PROGRAMS: [&str; 3] = ["/usr/sbin/dovecot", "/usr/local/sbin/dovecot", "/opt/homebrew/sbin/dovecot"];
/// Samba's program, where it is unpacked.
const NTLM_AUTH: &str = "usr/bin/ntlm_auth";
/// The configuration language changed in 2.4.
const KNOWN_VERSION: &str = "2.3.";
/// One set of ports, three addresses: what Dovecot does about TLS can be set for an address, not for a port.
const OFFERED: &str = "127.0.0.1";
/// Dovecot takes a connection within one address as secure, which the one to 127.0.0.1 is; here, it means what it says.
const REQUIRED: &str = "127.0.0.2";
const ABSENT: &str = "127.0.0.3";

/// A running server. It ends, with all its mail, when this value goes.
///
/// Any name is a user. `NAME` has folders separated by `.`; `NAME@slash` is a user of its own, with `/`.
/// Mechanisms: `PLAIN`, `LOGIN`, `CRAM-MD5`, `SCRAM-SHA-1`, `SCRAM-SHA-256`, APOP, `NTLM` (checked by Samba's own
/// program; the domain does not matter), `XOAUTH2`, `OAUTHBEARER`.
#[derive(Debug)]
pub struct Dovecot {
    /// The port for plain IMAP, with STARTTLS offered.
    pub imap: u16,
    /// The port for IMAP over TLS.
    pub imaps: u16,
    /// The certificates in use.
    pub certificates: Certificates,
    pop3: u16,
    pop3s: u16,
    directory: TempDir,
    process: Option<Child>,
}

/// Who says whether an OAuth token is good.
#[derive(Debug, Clone, Copy)]
enum Tokens<'a> {
    /// Nobody but the configuration: the one token is [`Dovecot::TOKEN`].
    One,
    /// The server that issues them, asked at every login.
    Of(&'a TokenServer),
}

impl Dovecot {
    /// The password of every user.
    pub const PASSWORD: &'static str = PASSWORD;
    /// The token that `XOAUTH2` and `OAUTHBEARER` take from every user of a server without a [`TokenServer`].
    pub const TOKEN: &'static str = "good-token";

    /// Starts a server on free ports of the loopback interface, as root or as any other user.
    ///
    /// # Errors
    /// When Dovecot is not installed (the message says what to do) or does not come up (the message shows its log).
    pub fn start() -> Result<Self> {
        Self::start_with(Tokens::One, "")
    }

    /// Starts a server with further settings, in Dovecot's own language.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_configured(settings: &str) -> Result<Self> {
        Self::start_with(Tokens::One, settings)
    }

    /// Starts a server that asks `tokens` about every OAuth token: whether it holds, and whose it is.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_trusting(tokens: &TokenServer) -> Result<Self> {
        Self::start_with(Tokens::Of(tokens), "")
    }

    /// The INBOX of a user, seen through the tests' own client.
    ///
    /// # Errors
    /// When the server does not let the user in.
    pub fn mailbox(&self, user: &str) -> Result<Mailbox> {
        Server::mailbox(self, user)
    }

    /// Makes the server number the messages of a user's INBOX anew, as after a backup was restored: UIDVALIDITY changes.
    /// To be called while it is stopped.
    ///
    /// # Errors
    /// When the files cannot be removed.
    pub fn renumber(&self, user: &str) -> Result<()> {
        let maildir = self.directory.path().join("mail").join(user).join("Maildir");
        for entry in std::fs::read_dir(&maildir)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name == "dovecot-uidlist" || name.starts_with("dovecot.index") {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// All messages in a user's INBOX as they lie there, in no particular order.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn raw_messages(&self, user: &str) -> Result<Vec<String>> {
        let mut messages = Vec::new();
        for folder in ["new", "cur"] {
            let folder = self.mail_folder().join(user).join("Maildir").join(folder);
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for entry in entries {
                // A server may just have moved it.
                let Ok(bytes) = std::fs::read(entry?.path()) else { continue };
                messages.push(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        Ok(messages)
    }

    /// The folder with the users' mail: `NAME/Maildir` is that of NAME.
    pub(super) fn mail_folder(&self) -> PathBuf {
        self.directory.path().join("mail")
    }

    /// Stops the server as an outage would: open connections break, the mail stays.
    ///
    /// # Errors
    /// When the process cannot be ended.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), process::kill)
    }

    /// Starts it again after [`Self::stop`], on the same ports and with the same mail.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_again(&mut self) -> Result<()> {
        self.stop()?;
        self.launch(&program()?)
    }

    /// What the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("dovecot.log")).unwrap_or_default()
    }

    fn start_with(tokens: Tokens<'_>, settings: &str) -> Result<Self> {
        let program = program()?;
        process::started("dovecot", || {
            let mut server = Self::prepare()?;
            server.write_token_check(tokens)?;
            server.write_ntlm_check()?;
            server.write_configuration(tokens, settings)?;
            server.launch(&program)?;
            Ok(server)
        })
    }

    fn prepare() -> Result<Self> {
        let directory = process::folder("dovecot")?;
        let certificates = Certificates::write(directory.path())?;
        let [imap, imaps, pop3, pop3s] = process::free_ports()?;
        Ok(Self { imap, imaps, certificates, pop3, pop3s, directory, process: None })
    }

    fn launch(&mut self, program: &Path) -> Result<()> {
        let mut process = Command::new(program)
            .arg("-F")
            .arg("-c")
            .arg(self.directory.path().join("dovecot.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        // Its last act before it serves, when all ports are open. A port itself may still be that of a process of before.
        let mark = self.directory.path().join("run/master.pid");
        let up = process::wait_until_up("dovecot", &mut process, |id| {
            std::fs::read_to_string(&mark).is_ok_and(|text| text.trim() == id.to_string())
        });
        self.process = Some(process);
        up.with_context(|| self.log())
    }

    /// What `passdb oauth2` reads.
    fn write_token_check(&self, tokens: Tokens<'_>) -> Result<()> {
        let Tokens::Of(server) = tokens else { return Ok(()) };
        let text = format!(
            "introspection_mode = post\nintrospection_url = {}\nclient_id = {}\nclient_secret = {}\n\
             active_attribute = active\nactive_value = true\nusername_attribute = username\n\
             use_grant_password = no\nforce_introspection = yes\n",
            server.introspection_url(),
            TokenServer::CLIENT_ID,
            TokenServer::CLIENT_SECRET,
        );
        Ok(std::fs::write(self.directory.path().join("oauth2.conf"), text)?)
    }

    /// Dovecot asks Samba's `ntlm_auth`, which asks no domain when it is given the password.
    fn write_ntlm_check(&self) -> Result<()> {
        let root = self.directory.path();
        let samba = process::unpacked("samba", NTLM_AUTH, &self.directory)?;
        let folder = root.join("samba-state");
        std::fs::create_dir_all(&folder)?;
        let folders =
            ["lock", "state", "cache", "pid"].map(|name| format!("{name} directory = {}\n", folder.display()));
        let settings = folder.join("smb.conf");
        std::fs::write(&settings, format!("[global]\n{}private dir = {}\n", folders.concat(), folder.display()))?;
        let script = format!(
            "#!/bin/sh\nexec '{}' --configfile='{}' --username=any --password='{PASSWORD}' \"$@\"\n",
            samba.join(NTLM_AUTH).display(),
            settings.display(),
        );
        let helper = root.join("ntlm_auth");
        std::fs::write(&helper, script)?;
        Ok(std::fs::set_permissions(&helper, Permissions::from_mode(0o755))?)
    }

    fn write_configuration(&self, tokens: Tokens<'_>, settings: &str) -> Result<()> {
        let root = self.directory.path();
        let mail = root.join("mail");
        std::fs::create_dir_all(&mail)?;
        // Users whose domain is `slash` have another separator.
        std::fs::write(root.join("users"), "slash:::::::userdb_namespace/inbox/separator=/\n")?;
        process::give_to_mail_owner(&[&mail])?;
        let (me, owner) = (process::me()?, process::mail_owner()?);
        let [internal, login] = if me == "root" { ["dovecot", "dovenull"] } else { [me.as_str(), me.as_str()] };
        let (driver, args) = match tokens {
            Tokens::One => ("static", format!("password={}", Self::TOKEN)),
            Tokens::Of(_) => ("oauth2", root.join("oauth2.conf").display().to_string()),
        };
        let text = CONFIGURATION
            .replace("@TOKEN_DRIVER@", driver)
            .replace("@TOKEN_ARGS@", &args)
            .replace("@DIR@", &root.display().to_string())
            .replace("@IMAP@", &self.imap.to_string())
            .replace("@IMAPS@", &self.imaps.to_string())
            .replace("@POP3@", &self.pop3.to_string())
            .replace("@POP3S@", &self.pop3s.to_string())
            .replace("@INTERNAL@", internal)
            .replace("@LOGIN@", login)
            .replace("@OWNER@", &owner)
            .replace("@INTERNAL_GROUP@", &group_of(internal)?)
            .replace("@OWNER_GROUP@", &group_of(&owner)?)
            .replace("@PASSWORD@", PASSWORD);
        Ok(std::fs::write(root.join("dovecot.conf"), text + settings)?)
    }
}

impl Server for Dovecot {
    fn endpoint(&self, protocol: Protocol, tls: Tls) -> Endpoint {
        let (plain, implicit) = match protocol {
            Protocol::Imap => (self.imap, self.imaps),
            Protocol::Pop3 => (self.pop3, self.pop3s),
        };
        match tls {
            Tls::Absent => Endpoint { host: ABSENT, port: plain },
            Tls::Offered => Endpoint { host: OFFERED, port: plain },
            Tls::Required => Endpoint { host: REQUIRED, port: plain },
            Tls::Implicit => Endpoint { host: OFFERED, port: implicit },
        }
    }

    fn authority(&self) -> &Path {
        &self.certificates.authority
    }

    fn add_user(&self, _name: &str) -> Result<()> {
        Ok(())
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Nothing is left to be done about a failure here; the directory goes in any case.
        let _ = self.stop();
    }
}

/// One password, no delays: a test that fails a login on purpose must not slow down the next one.
const CONFIGURATION: &str = "\
base_dir = @DIR@/run
state_dir = @DIR@/run
default_internal_user = @INTERNAL@
default_internal_group = @INTERNAL_GROUP@
default_login_user = @LOGIN@
log_path = @DIR@/dovecot.log
listen = 127.0.0.1, 127.0.0.2, 127.0.0.3
protocols = imap pop3
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 apop ntlm xoauth2 oauthbearer
auth_use_winbind = yes
auth_winbind_helper_path = @DIR@/ntlm_auth
auth_username_chars =
auth_cache_size = 0
auth_failure_delay = 0
disable_plaintext_auth = no
ssl = yes
ssl_cert = <@DIR@/server.pem
ssl_key = <@DIR@/server.key
local 127.0.0.2 {
  ssl = required
  disable_plaintext_auth = yes
}
local 127.0.0.3 {
  ssl = no
}
first_valid_uid = 1
mail_uid = @OWNER@
mail_gid = @OWNER_GROUP@
mail_location = maildir:~/Maildir
mail_max_userip_connections = 0
namespace inbox {
  inbox = yes
  separator = .
}
passdb {
  driver = @TOKEN_DRIVER@
  mechanisms = xoauth2 oauthbearer
  args = @TOKEN_ARGS@
}
passdb {
  driver = static
  mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 apop ntlm
  args = password=@PASSWORD@
}
userdb {
  driver = passwd-file
  args = username_format=%d @DIR@/users
  default_fields = uid=@OWNER@ gid=@OWNER_GROUP@ home=@DIR@/mail/%u
}
userdb {
  driver = static
  # Without the domain, which only NTLM adds.
  args = uid=@OWNER@ gid=@OWNER_GROUP@ home=@DIR@/mail/%n allow_all_users=yes
}
service imap-login {
  chroot =
  # One process for each connection that has TLS.
  process_limit = 1024
  inet_listener imap {
    port = @IMAP@
  }
  inet_listener imaps {
    port = @IMAPS@
    ssl = yes
  }
}
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = @POP3@
  }
  inet_listener pop3s {
    port = @POP3S@
    ssl = yes
  }
}
service anvil {
  chroot =
  # Without this, every failed login from one address delays the following ones.
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
}
";

fn program() -> Result<PathBuf> {
    let known = PROGRAMS.into_iter().map(PathBuf::from).find(|path| path.exists());
    let program = known.with_context(|| format!("no Dovecot found: {SET_UP}"))?;
    let version = run(Command::new(&program).arg("--version"))?;
    if !version.starts_with(KNOWN_VERSION) {
        bail!("{} is version {version}; these tests know how to configure {KNOWN_VERSION}x only", program.display());
    }
    Ok(program)
}

fn group_of(user: &str) -> Result<String> {
    run(Command::new("id").arg("-gn").arg(user)).with_context(|| format!("no user {user}: {SET_UP}"))
}

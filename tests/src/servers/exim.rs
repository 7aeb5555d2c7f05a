//! Exim 4: takes mail by SMTP and delivers it into the mailboxes of a [`Dovecot`].

use super::process::{self, SET_UP};
use super::{Dovecot, Endpoint, PASSWORD};
use crate::certificates::Certificates;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const PROGRAM: &str = "usr/sbin/exim4";
const LOOPBACK: &str = "127.0.0.1";

/// A running server. It ends when this value goes.
///
/// Mail to `NAME@anything` goes to the user NAME of the Dovecot, if there is such a user; any other recipient is refused with
/// 550, and `busy@anything` with 451. Logging in as any user with [`PASSWORD`] is possible, and needed for nothing.
#[derive(Debug)]
pub struct Exim {
    /// The port for SMTP, with STARTTLS offered.
    pub smtp: u16,
    /// The port for SMTP over TLS.
    pub smtps: u16,
    /// The certificates in use.
    pub certificates: Certificates,
    directory: TempDir,
    program: PathBuf,
    process: Option<Child>,
}

/// What a server does beyond delivering.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manners {
    /// Header fields that are lost on the way, separated by colons.
    pub loses: &'static str,
    /// Whether the return path is noted in the message.
    pub hides_return_path: bool,
}

impl Exim {
    /// Starts a server on free ports of the loopback interface.
    ///
    /// # Errors
    /// When Exim is not set up, this is not root's process (Exim takes settings from nobody else), or it does not come up;
    /// the message shows its log.
    pub fn start(mailboxes: &Dovecot, manners: Manners) -> Result<Self> {
        process::started("exim", || {
            let directory = process::folder("exim")?;
            let certificates = Certificates::write(directory.path())?;
            let program = process::unpacked("exim", PROGRAM, &directory)?.join(PROGRAM);
            let [smtp, smtps] = process::free_ports()?;
            let mut server = Self { smtp, smtps, certificates, directory, program, process: None };
            server.write_configuration(mailboxes, manners)?;
            server.start_again()?;
            Ok(server)
        })
    }

    /// Stops the server; what it has taken stays with it.
    ///
    /// # Errors
    /// When the process cannot be ended.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), process::kill)
    }

    /// Starts it again after [`Self::stop`], on the same ports.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_again(&mut self) -> Result<()> {
        self.stop()?;
        let mut process = Command::new(&self.program)
            .arg("-C")
            .arg(self.directory.path().join("exim.conf"))
            .args(["-bdf", "-q1s"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let endpoints = [self.smtp, self.smtps].map(|port| Endpoint { host: LOOPBACK, port });
        let up = process::wait_until_up("exim", &mut process, |_| process::is_listening(&endpoints));
        self.process = Some(process);
        up.with_context(|| self.log())
    }

    /// What the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        let read = |name| std::fs::read_to_string(self.directory.path().join("log").join(name)).unwrap_or_default();
        read("main") + &read("panic")
    }

    fn write_configuration(&self, mailboxes: &Dovecot, manners: Manners) -> Result<()> {
        if process::me()? != "root" {
            bail!("Exim takes settings from root alone: run these tests as root, in a container for instance");
        }
        let root = self.directory.path();
        let (spool, log) = (root.join("spool"), root.join("log"));
        for folder in [&spool, &log] {
            std::fs::create_dir_all(folder)?;
        }
        let keys = ["server.pem", "server.key"].map(|name| root.join(name));
        let [certificate, key] = &keys;
        process::give_to_mail_owner(&[&spool, &log, certificate, key])?;
        let owner = process::mail_owner()?;
        let group = process::run(Command::new("id").arg("-gn").arg(&owner)).context(SET_UP)?;
        let text = CONFIGURATION
            .replace("@PROGRAM@", &shown(&self.program))
            .replace("@DIR@", &shown(root))
            .replace("@MAIL@", &shown(&mailboxes.mail_folder()))
            .replace("@SMTP@", &self.smtp.to_string())
            .replace("@SMTPS@", &self.smtps.to_string())
            .replace("@OWNER@", &owner)
            .replace("@GROUP@", &group)
            .replace("@PASSWORD@", PASSWORD)
            .replace("@LOSES@", manners.loses)
            .replace("@RETURN_PATH@", if manners.hides_return_path { "false" } else { "true" });
        Ok(std::fs::write(root.join("exim.conf"), text)?)
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        // Nothing is left to be done about a failure here; the directory goes in any case.
        let _ = self.stop();
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// It delivers at once, as the owner of the mail, and asks no name server.
const CONFIGURATION: &str = "\
exim_path = @PROGRAM@
exim_user = @OWNER@
exim_group = @GROUP@
deliver_drop_privilege = true
never_users =
primary_hostname = mx.example
qualify_domain = mx.example
spool_directory = @DIR@/spool
log_file_path = @DIR@/log/%s
pid_file_path = @DIR@/spool/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = @SMTP@ : @SMTPS@
tls_on_connect_ports = @SMTPS@
tls_advertise_hosts = *
tls_certificate = @DIR@/server.pem
tls_privatekey = @DIR@/server.key
host_lookup =
rfc1413_hosts =
keep_environment =
acl_smtp_rcpt = recipient
acl_smtp_data = accept
begin acl
recipient:
  defer local_parts = busy
        message = not now
  require message = <$local_part@$domain>: no such mailbox
          verify = recipient
  accept
begin routers
mailbox:
  driver = accept
  local_parts = dsearch,filter=dir;@MAIL@
  transport = maildir
begin transports
maildir:
  driver = appendfile
  maildir_format
  create_directory
  directory = @MAIL@/$local_part_data/Maildir
  headers_remove = @LOSES@
  return_path_add = @RETURN_PATH@
begin retry
* * F,1h,1s
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if eq{$auth3}{@PASSWORD@}}
  server_set_id = $auth2
";

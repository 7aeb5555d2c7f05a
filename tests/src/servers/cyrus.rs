//! Cyrus: another implementation of everything, with an NTLM of its own.

use super::process;
use super::{Endpoint, PASSWORD, Ports, Protocol, Server, Tls};
use crate::certificates::Certificates;
use anyhow::{Context, Result};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The process that starts the others.
const MASTER: &str = "usr/lib/cyrus/bin/master";
const HOST: &str = "127.0.0.1";

/// A running server. It ends, with all its mail, when this value goes.
///
/// Folders are separated by `/`, and stand beside the INBOX; at [`Self::dotted`] they are separated by `.`.
/// Mechanisms: `PLAIN`, `LOGIN`, `CRAM-MD5`, `DIGEST-MD5`, `SCRAM-SHA-1`, `SCRAM-SHA-256`, `NTLM`. At [`Tls::Required`]
/// those that send no password in clear text are offered before TLS too.
#[derive(Debug)]
pub struct Cyrus {
    certificates: Certificates,
    ports: Ports,
    dotted: u16,
    program: PathBuf,
    directory: TempDir,
    process: Option<Child>,
}

impl Cyrus {
    /// Starts a server on free ports of 127.0.0.1, as root or as any other user.
    ///
    /// # Errors
    /// When Cyrus is not there (the message says what to do) or does not come up.
    pub fn start() -> Result<Self> {
        process::started("cyrus", || {
            let directory = process::folder("cyrus")?;
            let program = process::unpacked("cyrus", MASTER, &directory)?;
            let certificates = Certificates::write(directory.path())?;
            let (ports, dotted) = Ports::free()?;
            let mut server = Self { certificates, ports, dotted, program, directory, process: None };
            server.write_configuration()?;
            server.set_password("admin")?;
            server.launch()?;
            Ok(server)
        })
    }

    /// IMAP as at [`Tls::Offered`], with folders separated by `.`.
    #[must_use]
    pub fn dotted(&self) -> Endpoint {
        Endpoint { host: HOST, port: self.dotted }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn tool(&self, path: &str) -> Command {
        let mut command = Command::new(self.program.join(path));
        command.env("LD_LIBRARY_PATH", self.program.join("usr/lib/x86_64-linux-gnu"));
        command
    }

    fn write_configuration(&self) -> Result<()> {
        let folders = ["conf", "conf/proc", "spool", "sock"].map(|name| self.path(name));
        for folder in &folders {
            std::fs::create_dir_all(folder)?;
        }
        let settings = SETTINGS
            .replace("@DIR@", &self.directory.path().display().to_string())
            .replace("@OWNER@", &process::mail_owner()?);
        std::fs::write(self.path("imapd.conf"), settings)?;
        std::fs::write(self.path("cyrus.conf"), self.services())?;
        process::give_to_mail_owner(&[&self.path("conf"), &self.path("spool"), &self.path("sock")])
    }

    /// What the master process starts. A service's name selects its settings: those that begin with it.
    fn services(&self) -> String {
        let (bin, settings) = (self.program.join("usr/lib/cyrus/bin"), self.path("imapd.conf"));
        let command = |program: &str| format!("{} -C {}", bin.join(program).display(), settings.display());
        let service = |name: &str, program: &str, options: &str, port: u16| {
            format!("  {name} cmd=\"{}{options}\" listen=\"{HOST}:{port}\" prefork=0\n", command(program))
        };
        let mut services = service("imapdot", "imapd", "", self.dotted);
        for protocol in Protocol::ALL {
            let name = match protocol {
                Protocol::Imap => "imap",
                Protocol::Pop3 => "pop3",
            };
            for tls in Tls::ALL {
                let (suffix, options) = match tls {
                    Tls::Absent => ("absent", ""),
                    Tls::Offered => ("", ""),
                    Tls::Required => ("required", ""),
                    Tls::Implicit => ("s", " -s"),
                };
                let port = self.ports.of(protocol, tls);
                services += &service(&format!("{name}{suffix}"), &format!("{name}d"), options, port);
            }
        }
        format!(
            "START {{\n  recover cmd=\"{} -r\"\n}}\nSERVICES {{\n{services}}}\nEVENTS {{\n}}\n",
            command("ctl_cyrusdb")
        )
    }

    fn set_password(&self, name: &str) -> Result<()> {
        let passwords = self.path("sasldb2");
        let mut tool = self
            .tool("usr/sbin/saslpasswd2")
            .arg("-f")
            .arg(&passwords)
            .args(["-p", "-c", "-u", "localhost", name])
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot run saslpasswd2")?;
        tool.stdin.take().context("saslpasswd2 has no input")?.write_all(PASSWORD.as_bytes())?;
        anyhow::ensure!(tool.wait()?.success(), "saslpasswd2 did not take the user {name}");
        process::give_to_mail_owner(&[&passwords])
    }

    fn launch(&mut self) -> Result<()> {
        let log = std::fs::File::create(self.path("master.log"))?;
        let mut process = self
            .tool(MASTER)
            .arg("-C")
            .arg(self.path("imapd.conf"))
            .arg("-M")
            .arg(self.path("cyrus.conf"))
            .arg("-p")
            .arg(self.path("master.pid"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let last = self.endpoint(Protocol::Pop3, Tls::Implicit);
        let up = process::wait_until_up("cyrus", &mut process, |_| process::is_listening(&[last]));
        self.process = Some(process);
        up.with_context(|| std::fs::read_to_string(self.path("master.log")).unwrap_or_default())
    }
}

impl Server for Cyrus {
    fn endpoint(&self, protocol: Protocol, tls: Tls) -> Endpoint {
        Endpoint { host: HOST, port: self.ports.of(protocol, tls) }
    }

    fn authority(&self) -> &Path {
        &self.certificates.authority
    }

    fn add_user(&self, name: &str) -> Result<()> {
        self.set_password(name)?;
        // The first login makes the INBOX; two at once would be in each other's way.
        self.mailbox(name).map(drop)
    }
}

impl Drop for Cyrus {
    fn drop(&mut self) {
        // Nothing is left to be done about a failure here; the directory goes in any case.
        let _ = self.process.take().map(process::kill);
    }
}

/// The INBOX of a user is made at the first login. No delays after a wrong password.
const SETTINGS: &str = "\
configdirectory: @DIR@/conf
defaultpartition: default
partition-default: @DIR@/spool
cyrus_user: @OWNER@
mail_user: @OWNER@
admins: admin
servername: localhost
virtdomains: off
unixhierarchysep: yes
imapdot_unixhierarchysep: no
altnamespace: yes
autocreate_quota: 0
autocreate_post: yes
allowplaintext: yes
imaprequired_allowplaintext: no
pop3required_allowplaintext: no
imapabsent_tls_server_cert: disabled
pop3absent_tls_server_cert: disabled
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: @DIR@/sasldb2
sasl_mech_list: PLAIN LOGIN NTLM CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256
tls_server_cert: @DIR@/server.pem
tls_server_key: @DIR@/server.key
idlesocket: @DIR@/sock/idle
lmtpsocket: @DIR@/sock/lmtp
notifysocket: @DIR@/sock/notify
proc_path: @DIR@/conf/proc
skiplist_unsafe: 1
popminpoll: 0
failedloginpause: 0
";

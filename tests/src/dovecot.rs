//! A private Dovecot on the loopback interface, for one test.

use crate::certificates::Certificates;
use crate::imap::Mailbox;
use crate::wait::wait_until;
use anyhow::{Context, Result, bail};
use std::fs::Permissions;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const INSTALL_HINT: &str = "no Dovecot found: install it (Debian, Ubuntu: apt-get install dovecot-imapd)";
const PROGRAMS: [&str; 3] = ["/usr/sbin/dovecot", "/usr/local/sbin/dovecot", "/opt/homebrew/sbin/dovecot"];
/// The configuration language changed in 2.4.
const KNOWN_VERSION: &str = "2.3.";
/// Someone else may take a free port between choosing it and listening on it.
const START_ATTEMPTS: u32 = 5;

/// A running server. It ends, with all its mail, when this value goes.
#[derive(Debug)]
pub struct Dovecot {
    /// The port for plain IMAP.
    pub imap: u16,
    /// The port for IMAP over TLS.
    pub imaps: u16,
    /// The certificates in use.
    pub certificates: Certificates,
    directory: TempDir,
    process: Option<Child>,
}

impl Dovecot {
    /// The password of every user. Any name is a user, with an empty mailbox of its own at first.
    pub const PASSWORD: &'static str = "secret";

    /// Starts a server on free ports of 127.0.0.1, as root or as any other user.
    ///
    /// # Errors
    /// When Dovecot is not installed (the message says how to install it) or does not come up (the message shows its log).
    pub fn start() -> Result<Self> {
        let program = program()?;
        let mut failures = Vec::new();
        for _ in 0..START_ATTEMPTS {
            match Self::attempt(&program) {
                Ok(server) => return Ok(server),
                Err(error) => failures.push(format!("{error:#}")),
            }
        }
        bail!("dovecot did not start in {START_ATTEMPTS} attempts:\n{}", failures.join("\n"))
    }

    /// The INBOX of a user, seen through the tests' own client.
    ///
    /// # Errors
    /// When the server does not let the user in.
    pub fn mailbox(&self, user: &str) -> Result<Mailbox> {
        Mailbox::open(self.imap, user, Self::PASSWORD)
    }

    /// Stops the server as an outage would: open connections break, the mail stays.
    ///
    /// # Errors
    /// When the process cannot be ended.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        signal("TERM", process.id())?;
        wait_until("dovecot to end", || Ok(process.try_wait()?))?;
        Ok(())
    }

    /// Starts it again after [`Self::stop`], on the same ports and with the same mail.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_again(&mut self) -> Result<()> {
        self.stop()?;
        self.launch(&program()?)
    }

    fn attempt(program: &Path) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("mailmill-dovecot-")
            // The server drops root and must still get in.
            .permissions(Permissions::from_mode(0o755))
            .tempdir()?;
        let certificates = Certificates::write(directory.path())?;
        let [imap, imaps] = free_ports()?;
        let mut server = Self { imap, imaps, certificates, directory, process: None };
        server.write_configuration()?;
        server.launch(program)?;
        Ok(server)
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
        let up = wait_until("dovecot to listen", || {
            if let Some(status) = process.try_wait()? {
                bail!("dovecot ended with {status}");
            }
            Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, self.imaps)).ok())
        });
        self.process = Some(process);
        up.map(drop).with_context(|| self.account())
    }

    /// What the server says about its own failure.
    fn account(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("dovecot.log")).unwrap_or_default()
    }

    fn write_configuration(&self) -> Result<()> {
        let root = self.directory.path();
        let mail = root.join("mail");
        std::fs::create_dir_all(&mail)?;
        let me = run(Command::new("id").arg("-un"))?;
        let [internal, login, owner] =
            if me == "root" { ["dovecot", "dovenull", "nobody"] } else { [me.as_str(), me.as_str(), me.as_str()] };
        if me == "root" {
            run(Command::new("chown").arg(owner).arg(&mail))?;
        }
        let groups = [group_of(internal)?, group_of(owner)?];
        let text = CONFIGURATION
            .replace("@DIR@", &root.display().to_string())
            .replace("@IMAP@", &self.imap.to_string())
            .replace("@IMAPS@", &self.imaps.to_string())
            .replace("@INTERNAL@", internal)
            .replace("@LOGIN@", login)
            .replace("@OWNER@", owner)
            .replace("@INTERNAL_GROUP@", &groups[0])
            .replace("@OWNER_GROUP@", &groups[1])
            .replace("@PASSWORD@", Self::PASSWORD);
        std::fs::write(root.join("dovecot.conf"), text)?;
        Ok(())
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        if self.stop().is_err()
            && let Some(mut process) = self.process.take()
        {
            // Nothing is left to be done about a failure here; the directory goes in any case.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// One user name, one password, no delays: a test that fails a login on purpose must not slow down the next one.
const CONFIGURATION: &str = "\
base_dir = @DIR@/run
state_dir = @DIR@/run
default_internal_user = @INTERNAL@
default_internal_group = @INTERNAL_GROUP@
default_login_user = @LOGIN@
log_path = @DIR@/dovecot.log
listen = 127.0.0.1
protocols = imap
auth_mechanisms = plain login
auth_username_chars =
auth_cache_size = 0
auth_failure_delay = 0
disable_plaintext_auth = no
ssl = yes
ssl_cert = <@DIR@/server.pem
ssl_key = <@DIR@/server.key
first_valid_uid = 1
mail_uid = @OWNER@
mail_gid = @OWNER_GROUP@
mail_location = maildir:~/Maildir
mail_max_userip_connections = 0
namespace inbox {
  inbox = yes
}
passdb {
  driver = static
  args = password=@PASSWORD@
}
userdb {
  driver = static
  args = uid=@OWNER@ gid=@OWNER_GROUP@ home=@DIR@/mail/%u allow_all_users=yes
}
service imap-login {
  chroot =
  inet_listener imap {
    port = @IMAP@
  }
  inet_listener imaps {
    port = @IMAPS@
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
    let program = PROGRAMS.into_iter().map(PathBuf::from).find(|path| path.exists()).context(INSTALL_HINT)?;
    let version = run(Command::new(&program).arg("--version"))?;
    if !version.starts_with(KNOWN_VERSION) {
        bail!("{} is version {version}; these tests know how to configure {KNOWN_VERSION}x only", program.display());
    }
    Ok(program)
}

/// Two different free ports: both are held until both are known.
fn free_ports() -> Result<[u16; 2]> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok([first.local_addr()?.port(), second.local_addr()?.port()])
}

fn group_of(user: &str) -> Result<String> {
    run(Command::new("id").arg("-gn").arg(user)).with_context(|| format!("no user {user}: {INSTALL_HINT}"))
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Sends a signal through the shell, the one way without unsafe code and without a further dependency.
pub(crate) fn signal(name: &str, process: u32) -> Result<()> {
    run(Command::new("sh").arg("-c").arg(format!("kill -{name} {process}"))).map(drop)
}

//! Courier: folders below INBOX, and GnuTLS.

use super::process::{self, run};
use super::{Endpoint, Ports, Protocol, Server, Tls};
use crate::certificates::Certificates;
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

const TCPD: &str = "usr/sbin/couriertcpd";
const DATABASE_TOOL: &str = "usr/lib/courier/courier-authlib/makedatprog";
const HOST: &str = "127.0.0.1";
/// What programs need of `/etc` before they come to Courier's own part of it.
const SYSTEM_FILES: [&str; 5] = ["passwd", "group", "nsswitch.conf", "hosts", "ld.so.cache"];
/// Who its TLS runs as; installing it would have made this user.
const OWN_USER: &str = "courier:x:64990:64990::/nonexistent:/bin/false\n";
const OWN_GROUP: &str = "courier:x:64990:\n";
/// [`super::PASSWORD`] in the two forms that Courier keeps: hashed, and prepared for CRAM-MD5 (its tool `userdbpw`
/// makes that).
const SECRETS: &str = "systempw={SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=|\
     hmac-md5pw=cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56";

/// A running server. It ends, with all its mail, when this value goes.
///
/// Every folder lies below INBOX and is named so: `INBOX.Support`. Mechanisms: `PLAIN`, `CRAM-MD5`, for POP3 also
/// `LOGIN`; at [`Tls::Required`], IMAP offers them before TLS too, and refuses them. A refused login is answered after five seconds, on purpose. Users must be added before they log in.
#[derive(Debug)]
pub struct Courier {
    certificates: Certificates,
    ports: Ports,
    program: PathBuf,
    users: Mutex<Vec<String>>,
    directory: TempDir,
    process: Option<Child>,
}

impl Courier {
    /// Starts a server on free ports of 127.0.0.1, as root.
    ///
    /// # Errors
    /// When Courier is not there (the message says what to do), without the rights of root, or when it does not come up.
    pub fn start() -> Result<Self> {
        if process::me()? != "root" {
            bail!("Courier's paths are compiled in, and only root can give it others: run the tests as root");
        }
        process::started("courier", || {
            let directory = process::folder("courier")?;
            let program = process::unpacked("courier", TCPD, &directory)?;
            let certificates = Certificates::write(directory.path())?;
            let ((ports, _), users) = (Ports::free()?, Mutex::default());
            let mut server = Self { certificates, ports, program, users, directory, process: None };
            server.write_configuration()?;
            server.launch()?;
            Ok(server)
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write_configuration(&self) -> Result<()> {
        std::fs::create_dir_all(self.path("etc/courier"))?;
        std::fs::create_dir_all(self.path("mail"))?;
        for file in SYSTEM_FILES {
            let system = Path::new("/etc").join(file);
            std::fs::copy(&system, self.path("etc").join(file))
                .with_context(|| format!("cannot copy {}", system.display()))?;
        }
        for (file, line) in [("passwd", OWN_USER), ("group", OWN_GROUP)] {
            std::fs::OpenOptions::new().append(true).open(self.path("etc").join(file))?.write_all(line.as_bytes())?;
        }
        let mut certificate = std::fs::read(&self.certificates.server)?;
        certificate.extend(std::fs::read(&self.certificates.server_key)?);
        std::fs::write(self.path("both.pem"), certificate)?;
        std::fs::write(self.path("etc/courier/authdaemonrc"), AUTHENTICATION)?;
        self.write_users(&[])
    }

    /// Courier looks at its database again when that has changed.
    fn write_users(&self, names: &[String]) -> Result<()> {
        let owner = process::mail_owner()?;
        let id = |option: &str| run(Command::new("id").args([option, &owner]));
        let (uid, gid, mail) = (id("-u")?, id("-g")?, self.path("mail"));
        let public = |name: &String| format!("{name}\tuid={uid}|gid={gid}|home={}/{name}\n", mail.display());
        self.write_database("userdb", &names.iter().map(public).collect::<String>())?;
        let secret = |name: &String| format!("{name}\t{SECRETS}\n");
        self.write_database("userdbshadow", &names.iter().map(secret).collect::<String>())
    }

    fn write_database(&self, name: &str, lines: &str) -> Result<()> {
        let folder = self.path("etc/courier");
        let mut tool = Command::new(self.program.join(DATABASE_TOOL))
            .arg("-")
            .arg(folder.join(format!("{name}.new")))
            .arg(folder.join(format!("{name}.dat")))
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot run makedatprog")?;
        tool.stdin.take().context("makedatprog has no input")?.write_all(format!("{lines}.\n").as_bytes())?;
        anyhow::ensure!(tool.wait()?.success(), "makedatprog did not write {name}");
        Ok(())
    }

    fn launch(&mut self) -> Result<()> {
        let log = std::fs::File::create(self.path("log"))?;
        let mut command = Command::new("unshare");
        command
            // All that is mounted below is seen by these processes only, and all of them end with the first.
            .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-euc", SCRIPT])
            .env("ROOT", &self.program)
            .env("DIR", self.directory.path())
            .env("TLS_CERTFILE", self.path("both.pem"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut endpoints = Vec::new();
        for protocol in Protocol::ALL {
            for tls in Tls::ALL {
                let endpoint = self.endpoint(protocol, tls);
                command.env(format!("{protocol:?}_{tls:?}").to_uppercase(), endpoint.port.to_string());
                endpoints.push(endpoint);
            }
        }
        let mut process = command.spawn().context("cannot run unshare")?;
        let up = process::wait_until_up("courier", &mut process, |_| process::is_listening(&endpoints));
        self.process = Some(process);
        up.with_context(|| std::fs::read_to_string(self.path("log")).unwrap_or_default())
    }
}

impl Server for Courier {
    fn endpoint(&self, protocol: Protocol, tls: Tls) -> Endpoint {
        Endpoint { host: HOST, port: self.ports.of(protocol, tls) }
    }

    fn authority(&self) -> &Path {
        &self.certificates.authority
    }

    fn add_user(&self, name: &str) -> Result<()> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if users.iter().any(|known| known == name) {
            return Ok(());
        }
        let home = self.path("mail").join(name);
        for folder in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(home.join("Maildir").join(folder))?;
        }
        process::give_to_mail_owner(&[&home])?;
        users.push(name.to_owned());
        self.write_users(&users)
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        // Nothing is left to be done about a failure here; the directory goes in any case.
        let _ = self.process.take().map(process::kill);
    }
}

/// Who may log in: the users of `userdb`, which lies beside this.
const AUTHENTICATION: &str = "\
authmodulelist=\"authuserdb\"
daemons=2
authdaemonvar=/run/courier/authdaemon
DEBUG_LOGIN=0
DEFAULTOPTIONS=\"\"
LOGGEROPTS=\"\"
";

/// One listener for each endpoint. `/etc` and `/run` become ours first.
const SCRIPT: &str = r#"
export LD_LIBRARY_PATH="$ROOT/usr/lib:$ROOT/usr/lib/courier-authlib:$ROOT/usr/lib/$(uname -m)-linux-gnu"
mount -t tmpfs tmpfs /run
mkdir -p /run/courier/authdaemon
mount --bind "$DIR/etc" /etc

set -a
. /etc/courier/authdaemonrc
# Without its server, the library that watches folders tries for a second to reach one, at every login.
GAMIN_DEBUG_SERVER="$ROOT/usr/libexec/gam_server"
MAILDIRPATH=Maildir COURIERTLS="$ROOT/usr/bin/couriertls" TLS_VERIFYPEER=NONE TLS_PRIORITY=NORMAL
IMAP_CAPABILITY="IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE AUTH=CRAM-MD5 AUTH=PLAIN"
IMAP_CAPABILITY_TLS="$IMAP_CAPABILITY"
IMAP_KEYWORDS=1 IMAP_ACL=0 IMAP_USELOCKS=1 IMAP_ENHANCEDIDLE=0 IMAP_IDLE_TIMEOUT=60 IMAP_OBSOLETE_CLIENT=0
IMAP_MAILBOX_SANITY_CHECK=0 IMAP_TRASHFOLDERNAME=Trash IMAP_PROXY=0 IMAP_CHECK_ALL_FOLDERS=1 IMAP_UMASK=022
POP3AUTH="LOGIN CRAM-MD5 PLAIN" POP3AUTH_TLS="LOGIN CRAM-MD5 PLAIN" POP3_PROXY=0
IMAP_STARTTLS=NO IMAP_TLS_REQUIRED=0 POP3_STARTTLS=NO POP3_TLS_REQUIRED=0
set +a

tcpd() { "$ROOT/usr/sbin/couriertcpd" -address=127.0.0.1 -maxprocs=100 -maxperip=100 -nodnslookup -noidentlookup "$@" & }
imap() { port=$1; shift; tcpd "$port" "$@" "$ROOT/usr/lib/courier/courier/imaplogin" "$ROOT/usr/bin/imapd" Maildir; }
pop3() { port=$1; shift; tcpd "$port" "$@" "$ROOT/usr/lib/courier/courier/courierpop3login" "$ROOT/usr/lib/courier/courier/courierpop3d" Maildir; }

"$ROOT/usr/lib/courier/courier-authlib/authdaemond" &
imap "$IMAP_ABSENT"
pop3 "$POP3_ABSENT"
export IMAP_STARTTLS=YES POP3_STARTTLS=YES
imap "$IMAP_OFFERED"
pop3 "$POP3_OFFERED"
export IMAP_TLS_REQUIRED=1 POP3_TLS_REQUIRED=1
imap "$IMAP_REQUIRED"
pop3 "$POP3_REQUIRED"
export IMAP_STARTTLS=NO IMAP_TLS_REQUIRED=0 IMAP_TLS=1 POP3_STARTTLS=NO POP3_TLS_REQUIRED=0 POP3_TLS=1
imap "$IMAP_IMPLICIT" "$COURIERTLS" -server -tcpd
pop3 "$POP3_IMPLICIT" "$COURIERTLS" -server -tcpd
wait
"#;

//! The mail servers that the tests run against: what is installed for them, and what is only unpacked.
//!
//! Debian lets one mail server be installed at a time, and starts it. Of all but one, the tests want the programs only:
//! they are unpacked into `servers` in the target directory, where the tests look for them.

use crate::command::{self, output, root, say, succeeds, target_dir};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Dovecot; OpenSSL's own server, which still has keys that are too short; a browser, and what drives it.
const INSTALLED: [&str; 5] = ["dovecot-imapd", "dovecot-pop3d", "openssl", "chromium", "chromium-driver"];
/// What checks pages for people who cannot see or use a mouse, in the npm registry.
const AXE: &str = "axe-core@4.14";
/// What an editor completes and checks TOML files with, in the npm registry.
const TAPLO: &str = "@taplo/cli@0.7.0";
/// What asks an API for all that its description promises, in the Python package index.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Programs that are not installed, but unpacked into a folder.
struct Unpacked {
    /// The folder, by which the tests know it too.
    name: &'static str,
    packages: &'static [&'static str],
    /// What the programs need, to be installed.
    libraries: &'static [&'static str],
}

const UNPACKED: [Unpacked; 4] = [
    Unpacked {
        name: "cyrus",
        packages: &["cyrus-common", "cyrus-imapd", "cyrus-pop3d", "sasl2-bin"],
        libraries: &[
            "libcom-err2",
            "libdb5.3",
            "libical3",
            "libicu72",
            "libjansson4",
            "libkrb5-3",
            "libldap-2.5-0",
            "libpcre3",
            "libpq5",
            "libsasl2-2",
            "libsasl2-modules",
            "libsasl2-modules-db",
            "libsqlite3-0",
            "libssl3",
            "libwrap0",
            "libxapian30",
            "libxml2",
        ],
    },
    Unpacked {
        name: "courier",
        packages: &[
            "courier-authdaemon",
            "courier-authlib",
            "courier-authlib-userdb",
            "courier-base",
            "courier-imap",
            "courier-pop",
            "gamin",
            "libgamin0",
        ],
        libraries: &[
            "libcourier-unicode4",
            "libgdbm6",
            "libglib2.0-0",
            "libgnutls30",
            "libidn12",
            "libltdl7",
            "libpcre3",
        ],
    },
    // Takes mail by SMTP.
    Unpacked {
        name: "exim",
        packages: &["exim4-daemon-light"],
        libraries: &["libdb5.3", "libgnutls-dane0", "libgnutls30", "libidn12", "libidn2-0", "libnsl2", "libpcre2-8-0"],
    },
    // `ntlm_auth`, which Dovecot asks about NTLM.
    Unpacked {
        name: "samba",
        packages: &["winbind"],
        libraries: &["libbsd0", "libpopt0", "libtalloc2", "libtdb1", "libtevent0", "libwbclient0", "samba-libs"],
    },
];

/// A user whom Exim does not start without, although it is told to be another.
const EXIM_USER: &str = "Debian-exim";

/// Sets up what is missing. Nothing is done, and nothing asked, when all is there.
pub(crate) fn set_up() -> Result<()> {
    let folder = target_dir(&root()?).join("servers");
    let wanted = INSTALLED.iter().chain(UNPACKED.iter().flat_map(|server| server.libraries)).copied();
    let installed = installed()?;
    let install: BTreeSet<&str> = wanted.filter(|package| !installed.contains(*package)).collect();
    let unpack: Vec<&Unpacked> = UNPACKED.iter().filter(|server| !is_unpacked(&folder, server)).collect();
    if is_debian() && !has_user(EXIM_USER)? && may_install()? {
        let arguments = ["--system", "--no-create-home", "--shell", "/usr/sbin/nologin", EXIM_USER];
        command::run(Command::new("useradd").args(arguments))?;
    }
    checkers()?;
    schemathesis()?;
    if install.is_empty() && unpack.is_empty() {
        return Ok(());
    }
    if !may_install()? {
        bail!("{}", instructions(&install, &unpack, &folder));
    }
    command::run(apt_get(&["update", "--quiet"]).stdout(Stdio::null()))?;
    if !install.is_empty() {
        let names: Vec<_> = install.into_iter().collect();
        say(&format!("installing for the tests: apt-get install {}", names.join(" ")));
        let quietly = ["install", "--quiet", "--yes", "--no-install-recommends"];
        command::run(apt_get(&quietly).args(names).stdout(Stdio::null()))?;
    }
    unpack.into_iter().try_for_each(|server| server.unpack(&folder))
}

/// Gets the checkers of pages and of TOML files into the target directory, where the tests look for it.
fn checkers() -> Result<()> {
    let folder = target_dir(&root()?).join("web");
    if ["axe-core/axe.min.js", ".bin/taplo"].iter().all(|file| folder.join("node_modules").join(file).exists()) {
        return Ok(());
    }
    if !succeeds(Command::new("npm").arg("--version")) {
        install(&["npm"], "the check of the web pages")?;
    }
    say(&format!("getting for the tests: npm install {AXE} {TAPLO}"));
    std::fs::create_dir_all(&folder)?;
    let arguments = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
    command::run(Command::new("npm").args(arguments).arg(&folder).args([AXE, TAPLO]).stdout(Stdio::null()))
}

/// Gets the checker of the API into the target directory, where the tests look for it.
fn schemathesis() -> Result<()> {
    let folder = target_dir(&root()?).join("web/venv");
    if folder.join("bin/schemathesis").is_file() {
        return Ok(());
    }
    let make = || succeeds(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    if !make() {
        install(&["python3-venv"], "the check of the API")?;
        command::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    say(&format!("getting for the tests: pip install {SCHEMATHESIS}"));
    let arguments = ["install", "--quiet", "--disable-pip-version-check", SCHEMATHESIS];
    command::run(Command::new(folder.join("bin/pip")).args(arguments))
}

/// Installs programs that something else needs.
pub(crate) fn install(packages: &[&str], what: &str) -> Result<()> {
    let installed = installed()?;
    let missing: Vec<&str> = packages.iter().filter(|package| !installed.contains(**package)).copied().collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !may_install()? {
        bail!("{what} needs more programs: run this as root on Debian, or apt-get install {}", missing.join(" "));
    }
    say(&format!("installing for {what}: apt-get install {}", missing.join(" ")));
    command::run(apt_get(&["update", "--quiet"]).stdout(Stdio::null()))?;
    let quietly = ["install", "--quiet", "--yes", "--no-install-recommends"];
    command::run(apt_get(&quietly).args(missing).stdout(Stdio::null()))
}

/// What to do where nothing is done without being asked.
fn instructions(install: &BTreeSet<&str>, unpack: &[&Unpacked], folder: &Path) -> String {
    let install: Vec<_> = install.iter().copied().collect();
    let mut text = "the tests need mail servers of Debian 12: run this as root there, which sets them up".to_owned();
    if !install.is_empty() {
        text += &format!("; or install them: apt-get install {}", install.join(" "));
    }
    for server in unpack {
        let (packages, folder) = (server.packages.join(" "), folder.join(server.name));
        text += &format!("; into {}, unpack with dpkg -x: {packages}", folder.display());
    }
    text
}

impl Unpacked {
    fn unpack(&self, folder: &Path) -> Result<()> {
        say(&format!("unpacking for the tests: {}", self.packages.join(" ")));
        let (place, new) = (folder.join(self.name), folder.join(format!("{}.new", self.name)));
        for old in [&place, &new] {
            if old.exists() {
                std::fs::remove_dir_all(old).with_context(|| format!("cannot remove {}", old.display()))?;
            }
        }
        let archives = new.join("archives");
        std::fs::create_dir_all(&archives)?;
        // As its own user, the package manager may be unable to write into the folder.
        let arguments = ["download", "--quiet", "--option", "APT::Sandbox::User=root"];
        command::run(apt_get(&arguments).args(self.packages).current_dir(&archives).stdout(Stdio::null()))?;
        for archive in files(&archives)? {
            command::run(Command::new("dpkg").arg("-x").arg(archive).arg(&new))?;
        }
        std::fs::remove_dir_all(&archives)?;
        std::fs::write(new.join(CONTENT), self.packages.join("\n"))?;
        Ok(std::fs::rename(&new, &place)?)
    }
}

/// Names the packages that a folder was made of.
const CONTENT: &str = "packages.txt";

fn is_unpacked(folder: &Path, server: &Unpacked) -> bool {
    let content = std::fs::read_to_string(folder.join(server.name).join(CONTENT));
    content.is_ok_and(|content| content == server.packages.join("\n"))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    paths.collect()
}

/// The packages that Debian's package manager has installed; none where there is no such thing.
fn installed() -> Result<BTreeSet<String>> {
    if !is_debian() {
        return Ok(BTreeSet::new());
    }
    let list = output(Command::new("dpkg-query").args(["--show", "--showformat", "${db:Status-Status} ${Package}\n"]))?;
    Ok(list.lines().filter_map(|line| line.strip_prefix("installed ")).map(String::from).collect())
}

fn is_debian() -> bool {
    Path::new("/etc/debian_version").exists()
}

/// Whether this is Debian (or made of it) and we are root: nowhere else is anything installed without being asked.
fn may_install() -> Result<bool> {
    Ok(is_debian() && output(Command::new("id").arg("-u"))?.trim() == "0")
}

fn has_user(name: &str) -> Result<bool> {
    let users = output(Command::new("getent").arg("passwd"))?;
    Ok(users.lines().any(|line| line.split(':').next() == Some(name)))
}

fn apt_get(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instructions_name_all_that_is_missing() {
        let check = |install: &[&str], unpack: &[&Unpacked], expect: &str| {
            let text = instructions(&install.iter().copied().collect(), unpack, Path::new("target/servers"));
            assert_eq!(text.split_once(", which sets them up").unwrap().1, expect);
        };
        let samba = UNPACKED.iter().find(|server| server.name == "samba").unwrap();
        check(&["b", "a"], &[], "; or install them: apt-get install a b");
        check(&[], &[samba], "; into target/servers/samba, unpack with dpkg -x: winbind");
    }

    #[test]
    fn a_folder_of_other_packages_is_made_anew() {
        let folder = std::env::temp_dir().join(format!("mailmill-xtask-{}", std::process::id()));
        let check = |content: &str, expect: bool| {
            std::fs::create_dir_all(folder.join("samba")).unwrap();
            std::fs::write(folder.join("samba").join(CONTENT), content).unwrap();
            assert_eq!(is_unpacked(&folder, &UNPACKED[3]), expect, "{content}");
        };
        check("winbind", true);
        check("winbind\nanother", false);
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(!is_unpacked(&folder, &UNPACKED[3]));
    }
}

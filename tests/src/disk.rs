//! A disk that is really small: a file system in memory, mounted for one test.

use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A small disk. Unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts a disk of `size`, such as `2m`, at `path`, which is made. None without the right to mount.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn mount(path: &Path, size: &str) -> Result<Option<Self>> {
        std::fs::create_dir_all(path)?;
        let mounted = mount(&format!("size={size}"), path);
        Ok(mounted.then(|| Self { path: path.to_owned() }))
    }

    /// Makes the disk larger, as when space is freed.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn grow(&self, size: &str) -> Result<()> {
        ensure!(mount(&format!("remount,size={size}"), &self.path), "the disk cannot be made larger");
        Ok(())
    }

    /// Lets the disk be written, or only read. Nobody may have a file open on it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn set_writable(&self, is_writable: bool) -> Result<()> {
        let options = if is_writable { "remount,rw" } else { "remount,ro" };
        ensure!(mount(options, &self.path), "the disk cannot be mounted with {options}");
        Ok(())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process of a failed test may still hold it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}

fn mount(options: &str, path: &Path) -> bool {
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(path).stderr(Stdio::null());
    mount.status().is_ok_and(|status| status.success())
}

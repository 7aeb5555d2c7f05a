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

/// A disk that can fail under whoever writes on it: a file system in a file, which its kernel makes read-only for good, as it does
/// when the device below gives errors. Unmounted when dropped.
#[derive(Debug)]
pub struct FailingDisk {
    image: PathBuf,
    path: PathBuf,
}

impl FailingDisk {
    /// Makes a disk of 32 MB in the file `image` and mounts it at `path`, which is made. None without the right to mount.
    ///
    /// # Errors
    /// If the folder or the image cannot be made.
    pub fn mount(image: &Path, path: &Path) -> Result<Option<Self>> {
        std::fs::create_dir_all(path)?;
        std::fs::File::create(image)?.set_len(32 << 20)?;
        let mut format = Command::new("mkfs.ext4");
        ensure!(format.arg("-q").arg(image).status()?.success(), "mkfs.ext4 makes no file system");
        let disk = Self { image: image.to_owned(), path: path.to_owned() };
        Ok(disk.attach().then_some(disk))
    }

    /// It fails: from now on it can only be read, whatever is open on it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn fail(&self) -> Result<()> {
        let mut mount = Command::new("mount");
        let failed = mount.args(["-o", "remount,abort"]).arg(&self.path).status()?;
        ensure!(failed.success(), "the disk does not fail");
        Ok(())
    }

    /// It is checked and mounted again, as when the computer starts anew. Nobody may have a file open on it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn repair(&self) -> Result<()> {
        ensure!(Command::new("umount").arg(&self.path).status()?.success(), "the disk is in use");
        ensure!(self.attach(), "the disk cannot be mounted again");
        Ok(())
    }

    fn attach(&self) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop"]).arg(&self.image).arg(&self.path).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success())
    }
}

impl Drop for FailingDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).stderr(Stdio::null()).status();
    }
}

fn mount(options: &str, path: &Path) -> bool {
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(path).stderr(Stdio::null());
    mount.status().is_ok_and(|status| status.success())
}

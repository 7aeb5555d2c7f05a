//! A clock that a test sets: for one program, while it runs.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The clock of a program: set by whoever has this, by [`Self::variables`] for whoever is started with them.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    offset: PathBuf,
}

impl Clock {
    /// A clock that is right, by files in this folder. (libfaketime, which does the same, asks for memory while the allocator of the
    /// program asks it for the time.)
    ///
    /// # Errors
    /// If there is no C compiler.
    pub fn new(folder: &Path) -> Result<Self> {
        let clock = Self { library: folder.join("clock.so"), offset: folder.join("clock-offset") };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/clock.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"]).arg(&clock.library).arg(source);
        ensure!(compiler.status().context("cannot run cc")?.success(), "cc compiles no clock");
        clock.set(0)?;
        Ok(clock)
    }

    /// Sets it to so many days from the right time.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn set(&self, days: i64) -> Result<()> {
        // Whoever reads it meanwhile sees the one or the other.
        let new = self.offset.with_extension("new");
        std::fs::write(&new, (days * 24 * 60 * 60).to_string())?;
        Ok(std::fs::rename(new, &self.offset)?)
    }

    /// What a program is started with that is to see it.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, String); 2] {
        let text = |path: &Path| path.display().to_string();
        [("LD_PRELOAD", text(&self.library)), ("CLOCK_OFFSET_FILE", text(&self.offset))]
    }
}

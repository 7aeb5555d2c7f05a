//! What reads files of rules and settings, and says what is wrong with them.

use mailmill::config::Job;
use mailmill::rules::{self, pipeline};
use std::path::Path;
use tempfile::TempDir;

thread_local! {
    /// For the files of the run under way: in memory, where there is such a place.
    static FOLDER: TempDir = {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        folder.expect("a folder")
    };
}

/// Any file of a job, of the pipeline, or of the classes of tickets: it is taken, or what is wrong with it is told, with its place.
pub fn files(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Err(faults) = Job::parse(Path::new("job.toml"), &text) {
        assert!(faults.errors() > 0 && !faults.render(false).is_empty());
    }
    FOLDER.with(|folder| {
        for name in ["pipeline.toml", "classes.toml"] {
            std::fs::write(folder.path().join(name), input).expect("a file");
        }
        if let Err(faults) = rules::classes(folder.path()) {
            assert!(faults.errors() > 0 && !faults.render(true).is_empty());
        }
        drop(pipeline::uses(folder.path()));
    });
}

//! A job as a form describes it, before it is saved.

use super::sentences;
use crate::config::{Job, Wanted, with_values};
use crate::web::error::Fault;
use crate::web::form::Fields;
use crate::web::job_files::keep_secret;
use std::path::Path;
use tempfile::TempDir;

/// Where secrets that were typed are, or will be: those that were not typed stay where they are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Secrets {
    /// The file of the password.
    pub(super) password: Option<String>,
    /// The file of the secret of an OAuth 2.0 application.
    pub(super) client_secret: Option<String>,
}

/// The fields of a form that hold secrets.
const FIELDS: [&str; 2] = ["secret", "client_secret"];

impl Secrets {
    /// Beside the file of the job.
    pub(super) fn kept(name: &str, fields: &Fields) -> Self {
        Self::named(fields, |kind| format!("{name}.{kind}"))
    }

    fn named(fields: &Fields, file: impl Fn(&str) -> String) -> Self {
        let [secret, client_secret] = FIELDS.map(|field| fields.filled(field).is_some());
        Self { password: secret.then(|| file("password")), client_secret: client_secret.then(|| file("client-secret")) }
    }

    /// Whether anything was typed.
    pub(super) fn any(&self) -> bool {
        *self != Self::default()
    }

    /// Writes what was typed into its files in a folder, for mailmill alone; one that is there is replaced as a whole.
    pub(super) fn write(&self, folder: &Path, fields: &Fields) -> Result<(), Fault> {
        for (field, file) in FIELDS.into_iter().zip([&self.password, &self.client_secret]) {
            let (Some(secret), Some(name)) = (fields.filled(field), file) else { continue };
            keep_secret(folder, name, secret)?;
        }
        Ok(())
    }
}

/// A job that is not saved. Secrets that were typed are in a folder of its own, which goes with it.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) job: Job,
    pub(super) folder: TempDir,
}

impl Draft {
    /// What a job's file would describe with these values instead of those of `before`; sentences that say what is wrong, if it
    /// describes none.
    pub(super) fn of(
        name: &str,
        before: &str,
        jobs: &Path,
        fields: &Fields,
        values: impl FnOnce(&Secrets) -> Vec<Wanted>,
    ) -> Result<Result<Self, String>, Fault> {
        let folder = tempfile::tempdir()?;
        let place = |kind: &str| folder.path().join(kind).to_string_lossy().into_owned();
        let secrets = Secrets::named(fields, place);
        secrets.write(folder.path(), fields)?;
        let text = match with_values(before, values(&secrets)) {
            Ok(text) => text,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let job = Job::parse(&jobs.join(format!("{name}.toml")), &text);
        Ok(job.map(|job| Self { job, folder }).map_err(|found| sentences(&found)))
    }
}

//! Which preprocessing steps a job enables, as files spell it.

use serde::{Deserialize, Serialize};

/// Which preprocessing steps of `pipeline.toml` a job enables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "StepsWritten", try_from = "StepsWritten")]
pub enum Steps {
    /// Those that are recommended there, in the order of the pipeline.
    Recommended,
    /// These, in this order.
    Named(Vec<String>),
}

/// [`Steps`] as a file spells it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StepsWritten {
    Word(String),
    Names(Vec<String>),
}

impl From<Steps> for StepsWritten {
    fn from(steps: Steps) -> Self {
        match steps {
            Steps::Recommended => Self::Word("recommended".into()),
            Steps::Named(names) => Self::Names(names),
        }
    }
}

impl TryFrom<StepsWritten> for Steps {
    type Error = &'static str;
    fn try_from(written: StepsWritten) -> Result<Self, Self::Error> {
        match written {
            StepsWritten::Names(names) => Ok(Self::Named(names)),
            StepsWritten::Word(word) if word == "recommended" => Ok(Self::Recommended),
            StepsWritten::Word(_) => Err("expected \"recommended\""),
        }
    }
}

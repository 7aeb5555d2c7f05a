//! The list of a job's preprocessing steps, and what people change of it.

use crate::diagnostic::suggestion;
use crate::rules::{RECOMMENDED, RuleSet};

/// The steps that there are, in the order of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// All of them.
    pub all: Vec<String>,
    /// The recommended ones.
    pub recommended: Vec<String>,
}

/// A change of a job's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Adds steps.
    Enable {
        /// Which; the word `recommended` alone stands for the recommended ones, in their order.
        steps: Vec<String>,
        /// Where; none: each where the pipeline has it, as seen from the steps that are enabled.
        place: Option<Place>,
    },
    /// Takes steps out.
    Disable {
        /// Which.
        steps: Vec<String>,
    },
    /// Puts a step in another place.
    Move {
        /// Which.
        step: String,
        /// Where.
        place: Place,
    },
}

/// A place in a job's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Directly before that step.
    Before(String),
    /// Directly after that step.
    After(String),
    /// So that it is that one in the list, counted from 1.
    At(usize),
}

/// Why a list cannot be changed so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No step is called so.
    #[error("there is no preprocess step \"{step}\"; {help}")]
    Unknown {
        /// The name.
        step: String,
        /// What may have been meant.
        help: String,
    },
    /// The job does not run it.
    #[error("the step \"{step}\" is not enabled; {help}")]
    NotEnabled {
        /// The name.
        step: String,
        /// What may have been meant.
        help: String,
    },
    /// It has a place already.
    #[error("the step \"{step}\" is enabled already, at place {at}; to put it elsewhere: mailmill rules move")]
    Enabled {
        /// The name.
        step: String,
        /// Its place.
        at: usize,
    },
    /// There is no such place.
    #[error("there is no place {at}: with this change the list has {length} steps, counted from 1")]
    NoPlace {
        /// The place.
        at: usize,
        /// How many steps there are.
        length: usize,
    },
    /// The same step is to stand before or after itself.
    #[error("the step \"{0}\" cannot stand before or after itself")]
    Itself(String),
    /// A step is named twice.
    #[error("the step \"{0}\" is named twice")]
    Twice(String),
    /// The preset stands alone.
    #[error("\"{RECOMMENDED}\" stands for a list of steps with its order: name it alone, and no place")]
    PresetAlone,
}

impl Known {
    /// The steps of these rules.
    #[must_use]
    pub fn of(rules: &RuleSet) -> Self {
        Self { all: rules.preprocess_steps(), recommended: rules.recommended_steps() }
    }

    fn check(&self, step: &str) -> Result<(), Error> {
        if self.all.iter().any(|known| known == step) {
            return Ok(());
        }
        Err(Error::Unknown { step: step.to_owned(), help: near(step, &self.all) })
    }

    fn place_of(&self, step: &str) -> Option<usize> {
        self.all.iter().position(|known| known == step)
    }

    /// Where a step belongs in a list by the order of the pipeline.
    fn usual_place(&self, list: &[String], step: &str) -> usize {
        let own = self.place_of(step);
        list.iter().position(|other| self.place_of(other) > own).unwrap_or(list.len())
    }
}

impl Change {
    /// The list after the change. A step that is to be enabled and is, or to be disabled and is not, changes nothing.
    ///
    /// # Errors
    /// If a step is not known, or a place is none.
    pub fn apply(&self, list: &[String], known: &Known) -> Result<Vec<String>, Error> {
        let mut list = list.to_vec();
        match self {
            Self::Enable { steps, place } if steps.iter().any(|step| step == RECOMMENDED) => {
                if steps.len() > 1 || place.is_some() {
                    return Err(Error::PresetAlone);
                }
                // What the job has besides them stays, behind them.
                list.retain(|step| !known.recommended.contains(step));
                Ok([known.recommended.as_slice(), &list].concat())
            }
            Self::Enable { steps, place } => {
                check_once(steps)?;
                steps.iter().try_for_each(|step| known.check(step))?;
                match place {
                    Some(place) => enable_at(list, steps, place),
                    None => {
                        for step in steps {
                            if !list_has(&list, step) {
                                list.insert(known.usual_place(&list, step), step.clone());
                            }
                        }
                        Ok(list)
                    }
                }
            }
            Self::Disable { steps } => {
                for step in steps {
                    if !list_has(&list, step) {
                        known.check(step)?;
                    }
                    list.retain(|other| other != step);
                }
                Ok(list)
            }
            Self::Move { step, place } => {
                enabled(&list, step)?;
                list.retain(|other| other != step);
                put(list, std::slice::from_ref(step), place)
            }
        }
    }
}

fn list_has(list: &[String], step: &str) -> bool {
    list.iter().any(|other| other == step)
}

fn enable_at(list: Vec<String>, steps: &[String], place: &Place) -> Result<Vec<String>, Error> {
    for step in steps {
        if let Some(at) = list.iter().position(|other| other == step) {
            return Err(Error::Enabled { step: step.clone(), at: at + 1 });
        }
    }
    put(list, steps, place)
}

/// Puts steps that are not in the list in a place of it.
fn put(mut list: Vec<String>, steps: &[String], place: &Place) -> Result<Vec<String>, Error> {
    let at = match place {
        Place::Before(other) | Place::After(other) if list_has(steps, other) => {
            return Err(Error::Itself(other.clone()));
        }
        Place::Before(other) => enabled(&list, other)?,
        Place::After(other) => enabled(&list, other)? + 1,
        Place::At(at) => {
            let length = list.len() + steps.len();
            let index = at.checked_sub(1).filter(|index| *index <= list.len());
            index.ok_or(Error::NoPlace { at: *at, length })?
        }
    };
    list.splice(at..at, steps.iter().cloned());
    Ok(list)
}

/// The index of a step that must be in the list.
fn enabled(list: &[String], step: &str) -> Result<usize, Error> {
    let at = list.iter().position(|other| other == step);
    at.ok_or_else(|| Error::NotEnabled { step: step.to_owned(), help: near(step, list) })
}

fn check_once(steps: &[String]) -> Result<(), Error> {
    let twice = steps.iter().enumerate().find(|(index, step)| steps.iter().take(*index).any(|other| other == *step));
    twice.map_or(Ok(()), |(_, step)| Err(Error::Twice(step.clone())))
}

/// What may have been meant, or what there is.
fn near(step: &str, names: &[String]) -> String {
    suggestion(step, names.iter().map(String::as_str)).unwrap_or_else(|| match names {
        [] => "there are none".to_owned(),
        names => format!("there are: {}", names.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn check(list: &str, change: Change, expect: Result<&str, &str>) {
        let known =
            Known { all: names("forwards gmail outlook plain extra"), recommended: names("forwards gmail plain") };
        let changed = change.apply(&names(list), &known).map(|list| list.join(" ")).map_err(|error| error.to_string());
        assert_eq!(changed.as_deref().map_err(String::as_str), expect, "{list}: {change:?}");
    }

    fn enable(steps: &str, place: Option<Place>) -> Change {
        Change::Enable { steps: names(steps), place }
    }

    fn disable(steps: &str) -> Change {
        Change::Disable { steps: names(steps) }
    }

    fn shift(step: &str, place: Place) -> Change {
        Change::Move { step: step.to_owned(), place }
    }

    fn before(step: &str) -> Place {
        Place::Before(step.to_owned())
    }

    fn after(step: &str) -> Place {
        Place::After(step.to_owned())
    }

    #[test]
    fn steps_are_enabled_where_the_pipeline_has_them() {
        check("", enable("gmail", None), Ok("gmail"));
        check("gmail plain", enable("extra forwards outlook", None), Ok("forwards gmail outlook plain extra"));
        check("gmail", enable("gmail", None), Ok("gmail"));
        check("plain gmail", enable("outlook", None), Ok("outlook plain gmail"));
        check("own gmail", enable("forwards", None), Ok("own forwards gmail"));
    }

    #[test]
    fn steps_are_enabled_where_people_want_them() {
        check("gmail plain", enable("extra outlook", Some(before("plain"))), Ok("gmail extra outlook plain"));
        check("gmail plain", enable("extra", Some(after("gmail"))), Ok("gmail extra plain"));
        check("gmail plain", enable("extra", Some(Place::At(1))), Ok("extra gmail plain"));
        check("gmail plain", enable("extra", Some(Place::At(3))), Ok("gmail plain extra"));
        let none = "there is no place 4: with this change the list has 3 steps, counted from 1";
        check("gmail plain", enable("extra", Some(Place::At(4))), Err(none));
        let none = "there is no place 0: with this change the list has 3 steps, counted from 1";
        check("gmail plain", enable("extra", Some(Place::At(0))), Err(none));
        let placed = "the step \"gmail\" is enabled already, at place 2; to put it elsewhere: mailmill rules move";
        check("plain gmail", enable("gmail", Some(Place::At(1))), Err(placed));
        let absent = "the step \"forwards\" is not enabled; there are: gmail, plain";
        check("gmail plain", enable("extra", Some(before("forwards"))), Err(absent));
        check("gmail", enable("extra extra", None), Err("the step \"extra\" is named twice"));
    }

    #[test]
    fn the_preset_comes_in_its_order_and_leaves_the_others() {
        check("", enable("recommended", None), Ok("forwards gmail plain"));
        check("own plain extra gmail", enable("recommended", None), Ok("forwards gmail plain own extra"));
        let alone = "\"recommended\" stands for a list of steps with its order: name it alone, and no place";
        check("", enable("recommended extra", None), Err(alone));
        check("", enable("recommended", Some(Place::At(1))), Err(alone));
    }

    #[test]
    fn steps_are_disabled() {
        check("own gmail plain", disable("plain own"), Ok("gmail"));
        check("gmail", disable("plain"), Ok("gmail"));
        check("gmail", disable("gmial"), Err("there is no preprocess step \"gmial\"; did you mean `gmail`?"));
    }

    #[test]
    fn steps_are_moved() {
        check("forwards gmail plain", shift("plain", before("gmail")), Ok("forwards plain gmail"));
        check("forwards gmail plain", shift("forwards", after("gmail")), Ok("gmail forwards plain"));
        check("forwards gmail plain", shift("forwards", Place::At(3)), Ok("gmail plain forwards"));
        check("forwards gmail plain", shift("gmail", Place::At(2)), Ok("forwards gmail plain"));
        check("gmail", shift("gmail", before("gmail")), Err("the step \"gmail\" cannot stand before or after itself"));
        check("gmail", shift("gmale", Place::At(1)), Err("the step \"gmale\" is not enabled; did you mean `gmail`?"));
        let unknown = "the step \"xyz\" is not enabled; there are: gmail";
        check("gmail", shift("xyz", Place::At(1)), Err(unknown));
    }
}

//! `cargo xtask bench clean`: how well bodies are cleaned, measured on cases of our own and, where they are at hand, on
//! public ones.

mod options;
mod print;
mod score;

use anyhow::{Result, bail};
use mailmill_tests::Installation;
use mailmill_tests::cleaning::{self, Case};
use options::{Options, Output};
use score::{Answered, Score};

fn main() -> Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    let mut sets = vec![("own cases", cleaning::own()?)];
    for path in &options.cases {
        let cases = cleaning::public(path)?;
        let title = if cases.iter().any(Case::cuts_forward) { "public forwards" } else { "public replies" };
        sets.push((title, cases));
    }
    let installation = Installation::new()?;
    let mut score = Score { sets: Vec::new(), reasons: cleaning::reasons()? };
    for (title, cases) in sets {
        let (answers, _) = cleaning::answers(&installation, &cases)?;
        let answered = cases.into_iter().zip(answers).map(|(case, answer)| Answered::new(case, answer));
        score.sets.push((title, answered.collect()));
    }
    if let Some(path) = &options.fails {
        std::fs::write(path, print::fails(&score))?;
    }
    match options.output {
        Output::Tables => print::tables(&score),
        Output::Json => print::json(&score),
        Output::Markdown => print::markdown(&score),
    }
    let missed = score.targets().iter().filter(|target| !target.is_met()).count();
    if options.check && missed > 0 {
        bail!("{missed} targets are missed");
    }
    Ok(())
}

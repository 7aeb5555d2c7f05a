//! What was found, as tables for a terminal, as JSON, and as Markdown for `docs/cleaning.md`.
#![expect(clippy::print_stdout, reason = "its report is its purpose")]

use crate::score::{Answered, Measure, Score, Tally, Target, by_client, by_language, groups};
use mailmill_tests::cleaning::Expect;
use serde_json::{Value, json};

type Rows = Vec<(String, Tally)>;

/// The tables of a set: what they are by, and their rows.
fn tables_of(cases: &[Answered]) -> [(&'static str, Rows); 3] {
    [("group", groups(cases)), ("language", by_language(cases)), ("client", by_client(cases))]
}

pub(crate) fn tables(score: &Score) {
    for (title, cases) in &score.sets {
        for (by, rows) in tables_of(cases) {
            let head = format!("{title}, by {by}");
            println!("{head:36} {:>5} {:>8} {:>9} {:>10}", "cases", "exact %", "over-cut %", "under-cut %");
            for (name, tally) in rows {
                let [exact, over, under] = percents(tally);
                println!("{name:36} {:5} {exact:8.1} {over:10.1} {under:11.1}", tally.cases);
            }
            println!();
        }
    }
    for target in score.targets() {
        let verdict = if target.is_met() { "met   " } else { "MISSED" };
        println!("{verdict} {}", in_words(&target));
    }
}

pub(crate) fn json(score: &Score) {
    let row = |(name, tally): (String, Tally)| {
        let [exact, over, under] = percents(tally);
        json!({ "name": name, "cases": tally.cases, "exact": exact, "over_cut": over, "under_cut": under })
    };
    let set = |(title, cases): &(&str, Vec<Answered>)| {
        let tables = tables_of(cases).map(|(by, rows)| (by.to_owned(), rows.into_iter().map(row).collect::<Value>()));
        json!({ "cases": title, "by": serde_json::Map::from_iter(tables) })
    };
    let target = |target: Target| {
        json!({ "cases": target.set, "group": target.group, "measure": measure(target.measure),
            "target": target.percent, "found": target.found, "met": target.is_met() })
    };
    let sets: Vec<Value> = score.sets.iter().map(set).collect();
    let targets: Vec<Value> = score.targets().into_iter().map(target).collect();
    println!("{}", json!({ "accuracy": sets, "targets": targets }));
}

pub(crate) fn markdown(score: &Score) {
    println!("### What is aimed at\n\n| cases | | measured | target | |\n|---|---|---|---|---|");
    for target in score.targets() {
        let (bound, verdict) = (bound(&target), if target.is_met() { "met" } else { "missed" });
        let (name, set) = (measure(target.measure), target.set);
        println!("| {set}, {} | {name} | {:.1} % | {bound} | {verdict} |", target.group, target.found);
    }
    for (title, cases) in &score.sets {
        for (by, rows) in tables_of(cases) {
            println!(
                "\n### {title}, by {by}\n\n| {by} | cases | exact | over-cut | under-cut |\n|---|---|---|---|---|"
            );
            for (name, tally) in rows {
                let [exact, over, under] = percents(tally);
                println!("| {name} | {} | {exact:.1} % | {over:.1} % | {under:.1} % |", tally.cases);
            }
        }
    }
    for (title, cases) in &score.sets {
        let failed: Vec<String> = cases.iter().filter_map(|answered| failed_row(score, answered)).collect();
        println!("\n### {title} that fail: {} of {}", failed.len(), cases.len());
        if !failed.is_empty() {
            println!("\n| case | how | why |\n|---|---|---|\n{}", failed.join("\n"));
        }
    }
}

fn failed_row(score: &Score, answered: &Answered) -> Option<String> {
    let how = answered.failure()?;
    let case = &answered.case;
    let why = score.reasons.get(&case.file).and_then(|reasons| reasons.get(&case.name));
    let cell = |text: &str| text.replace('|', "\\|");
    Some(format!("| {}: {} | {how} | {} |", case.file, cell(&case.name), cell(why.map_or("", String::as_str))))
}

/// The cases that fail, as JSON lines.
pub(crate) fn fails(score: &Score) -> String {
    let failed = score.sets.iter().flat_map(|(_, cases)| cases).filter(|answered| answered.failure().is_some());
    let line = |Answered { case, answer, verdict }: &Answered| {
        let expect = match &case.expect {
            Expect::Text(text) => json!(text),
            Expect::Pieces { kept, cut } => json!({ "kept": kept, "cut": cut }),
        };
        let line = json!({ "file": case.file, "name": case.name, "client": case.client, "language": case.language,
            "drop": case.drop, "over": verdict.over, "under": verdict.under, "output": answer, "expect": expect,
            "input": case.input });
        format!("{line}\n")
    };
    failed.map(line).collect()
}

fn percents(tally: Tally) -> [f64; 3] {
    [Measure::Exact, Measure::Over, Measure::Under].map(|measure| tally.percent(measure))
}

fn measure(measure: Measure) -> &'static str {
    match measure {
        Measure::Exact => "exact",
        Measure::Over => "over-cut",
        Measure::Under => "under-cut",
    }
}

fn bound(target: &Target) -> String {
    match target.measure {
        Measure::Exact => format!("at least {} %", target.percent),
        Measure::Over | Measure::Under => format!("at most {} %", target.percent),
    }
}

fn in_words(target: &Target) -> String {
    let Target { set, group, found, .. } = target;
    format!("{set}, {group}: {found:.1} % {}, {}", measure(target.measure), bound(target))
}

//! Statements: `if … then … else_if … else`, nested, as they stand in the rule files.

use crate::argument::{self, Argument};
use crate::condition::Condition;
use mailmill_sdk::settings::{Table, unknown};
use mailmill_sdk::{Action, Config, Decision, Entry, Host, Outcome};

/// The most statements of all files together.
const STATEMENTS_MAX: usize = 1000;
/// How deep statements may nest.
const DEPTH_MAX: usize = 16;

/// `if`, `then` and what follows.
#[derive(Debug)]
pub(crate) struct Statement<P> {
    name: String,
    branches: Vec<Branch<P>>,
    stop: bool,
}

/// The first branch whose condition holds is taken; one without a condition always holds.
#[derive(Debug)]
struct Branch<P> {
    condition: Option<Condition<P>>,
    steps: Vec<Step<P>>,
}

#[derive(Debug)]
enum Step<P> {
    Action { verb: String, arguments: Vec<Argument> },
    Nested(Statement<P>),
}

/// Whether the statements after this one are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Stop,
}

/// Reads all statements, and complains about whatever is wrong.
pub(crate) fn statements<H: Host>(host: &H, config: &Config, root: &Table<'_>) -> Vec<Statement<H::Pattern>> {
    root.allow(&["statement", "test"]);
    let tables = root.tables("statement");
    if tables.len() > STATEMENTS_MAX {
        let reason = format!("there are {} statements; at most {STATEMENTS_MAX} are allowed", tables.len());
        root.complain("statement", reason, None);
    }
    let reader = Reader { host, config };
    let named = |table: &Table<'_>| table.required_text("name").unwrap_or_default().to_owned();
    tables.iter().take(STATEMENTS_MAX).map(|table| reader.statement(table, named(table), 0)).collect()
}

/// Goes through the statements, top to bottom.
pub(crate) fn run<H: Host>(host: &H, statements: &[Statement<H::Pattern>]) -> Outcome {
    let mut outcome = Outcome::default();
    let stopped = statements.iter().any(|statement| statement.run(host, &mut outcome) == Flow::Stop);
    outcome.stop = stopped;
    outcome
}

impl<P> Statement<P> {
    fn run<H: Host<Pattern = P>>(&self, host: &H, outcome: &mut Outcome) -> Flow {
        let Some(branch) = self.branches.iter().find(|branch| self.decide(host, branch, outcome)) else {
            return Flow::Next;
        };
        for step in &branch.steps {
            match step {
                Step::Action { verb, arguments } => outcome.actions.push(Action {
                    verb: verb.clone(),
                    arguments: arguments.iter().map(|argument| argument.entry(host)).collect::<Vec<Entry>>(),
                    statement: self.name.clone(),
                }),
                Step::Nested(statement) => {
                    if statement.run(host, outcome) == Flow::Stop {
                        return Flow::Stop;
                    }
                }
            }
        }
        if self.stop { Flow::Stop } else { Flow::Next }
    }

    fn decide<H: Host<Pattern = P>>(&self, host: &H, branch: &Branch<P>, outcome: &mut Outcome) -> bool {
        let Some(condition) = &branch.condition else { return true };
        let (holds, condition) = condition.evaluate(host);
        outcome.decisions.push(Decision { statement: self.name.clone(), condition, holds });
        holds
    }
}

struct Reader<'a, H> {
    host: &'a H,
    config: &'a Config,
}

impl<H: Host> Reader<'_, H> {
    fn statement(&self, table: &Table<'_>, name: String, depth: usize) -> Statement<H::Pattern> {
        table.allow(&["name", "if", "then", "else_if", "else", "stop"]);
        let mut branches = vec![self.branch(table, &name, depth)];
        for other in table.tables("else_if") {
            other.allow(&["if", "then"]);
            if other.value("if").is_none() {
                other.complain_here("the key \"if\" is missing");
            }
            branches.push(self.branch(&other, &name, depth));
        }
        if table.value("else").is_some() {
            branches.push(Branch { condition: None, steps: self.steps(table, "else", &name, depth) });
        }
        if table.value("if").is_none() && branches.len() > 1 {
            table.complain_here("`else` and `else_if` need an `if`");
        }
        Statement { name, branches, stop: table.boolean("stop").unwrap_or(false) }
    }

    fn branch(&self, table: &Table<'_>, name: &str, depth: usize) -> Branch<H::Pattern> {
        let parse = |source: &str| {
            let parsed = Condition::parse(self.host, source, self.config);
            parsed.map_err(|fault| table.complain("if", fault.reason, u32::try_from(fault.at).ok())).ok()
        };
        let condition = table.text("if").and_then(parse);
        if table.value("then").is_none() {
            table.complain_here("the key \"then\" is missing: say what is to be done, or `then = []`");
        }
        Branch { condition, steps: self.steps(table, "then", name, depth) }
    }

    fn steps(&self, table: &Table<'_>, key: &str, name: &str, depth: usize) -> Vec<Step<H::Pattern>> {
        if depth > DEPTH_MAX {
            table.complain(key, format!("statements nest deeper than {DEPTH_MAX}"), None);
            return Vec::new();
        }
        table.tables(key).iter().filter_map(|step| self.step(step, name, depth)).collect()
    }

    /// An action if it has the key `do`, else a nested statement.
    fn step(&self, table: &Table<'_>, name: &str, depth: usize) -> Option<Step<H::Pattern>> {
        if table.value("do").is_some() {
            return self.action(table);
        }
        let name = match table.text("name") {
            Some(own) => format!("{name} / {own}"),
            None => name.to_owned(),
        };
        Some(Step::Nested(self.statement(table, name, depth + 1)))
    }

    fn action(&self, table: &Table<'_>) -> Option<Step<H::Pattern>> {
        let name = table.text("do")?;
        let Some(verb) = self.config.verbs.iter().find(|verb| verb.name == name) else {
            let known: Vec<&str> = self.config.verbs.iter().map(|verb| verb.name.as_str()).collect();
            table.complain("do", unknown("verb", name, &known), None);
            return None;
        };
        let arguments = argument::arguments(self.host, table, verb, &self.config.fields);
        Some(Step::Action { verb: name.to_owned(), arguments })
    }
}

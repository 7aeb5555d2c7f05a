//! Someone who has only the program writes a plugin, in each language: from `plugin new` to a rule that runs, with the
//! tools of the language as they come from their registries. The same cases pass in all of them.

use anyhow::{Context, Result, ensure};
use mailmill_tests::{Daemon, Installation, wait_until};
use std::path::Path;
use std::time::Instant;

/// The worlds, each with the name of a plugin and the number of cases that its example has.
const PLUGINS: [(&str, &str, usize); 3] =
    [("extractor", "order", 3), ("preprocessor", "adverts", 2), ("processor", "newsletters", 2)];
const EXTRACT: &str = "\n[[step]]\nname = \"order\"\nhop = \"extract\"\nplugin = \"order\"\nrules = \"order.toml\"\n";
const MAIL: &str = "From: Ann <ann@client.example>\r\nTo: desk@example.org\r\nSubject: Where is it?\r\n\
                    Message-ID: <1@client.example>\r\nDate: Mon, 2 Feb 2026 10:00:00 +0000\r\n\r\n\
                    Hello,\r\nwhere is order no. 4711?\r\n";

/// A person at work, with a watch.
struct Newcomer {
    installation: Installation,
    language: &'static str,
    began: Instant,
}

impl Newcomer {
    fn new(language: &'static str) -> Result<Self> {
        Ok(Self { installation: Installation::new()?, language, began: Instant::now() })
    }

    /// Runs a line that must succeed, and gives what it prints.
    fn does(&self, line: &str) -> Result<String> {
        let before = self.began.elapsed();
        let done = self.installation.shell(line)?.success().with_context(|| line.to_owned())?;
        let took = self.began.elapsed().saturating_sub(before);
        eprintln!("{}: {:6.1} s  {line}", self.language, took.as_secs_f64());
        Ok(done.stdout)
    }

    /// Writes, builds and tests the example of each world.
    fn makes_each_example(&self) -> Result<()> {
        for (world, name, cases) in PLUGINS {
            self.does(&format!("mailmill plugin new {name} --lang {} --world {world}", self.language))?;
            self.shares_tools(name)?;
            self.does(&format!("mailmill plugin build {name}"))?;
            let tested = self.does(&format!("mailmill plugin test {name}"))?;
            ensure!(tested.ends_with(&format!("{cases} tests: {cases} passed\n")), "{tested}");
        }
        Ok(())
    }

    /// What the tools of the language have installed into the first project is there for the others: that they install
    /// was seen then.
    fn shares_tools(&self, name: &str) -> Result<()> {
        let tools = match self.language {
            "js" => "node_modules",
            "python" => ".venv",
            "rust" => "target",
            _ => return Ok(()),
        };
        let (first, here) = (format!("order/{tools}"), format!("{name}/{tools}"));
        if first != here {
            std::os::unix::fs::symlink(self.installation.path(&first), self.installation.path(&here))?;
        }
        Ok(())
    }

    /// A fault in the rules is told with its place, in whatever language the plugin is written.
    fn is_told_of_a_fault(&self) -> Result<()> {
        let rules = self.installation.read("order/rules.toml")?;
        self.installation.write("order/rules.toml", "field = \"order\"\npattern = 'order (\\d+'\n")?;
        let told = self.installation.shell("mailmill plugin test order")?;
        assert_eq!(told.code, Some(3), "{}{}", told.stdout, told.stderr);
        ensure!(told.stderr.contains("unclosed group") && told.stderr.contains("rules.toml:2:18"), "{}", told.stderr);
        self.installation.write("order/rules.toml", &rules)
    }

    /// A case that differs is shown, and the command fails.
    fn sees_a_difference(&self) -> Result<()> {
        let cases = self.installation.read("order/cases/first.toml")?;
        self.installation.write("order/cases/first.toml", &cases.replace("order = \"12\"", "order = \"13\""))?;
        let told = self.installation.shell("mailmill plugin test order")?;
        assert_eq!(told.code, Some(1), "{}{}", told.stdout, told.stderr);
        ensure!(told.stdout.contains("- order = 13\n    + order = 12"), "{}", told.stdout);
        self.installation.write("order/cases/first.toml", &cases)
    }

    /// Puts the plugin into a running daemon: a file in the folder does nothing, a step makes it run.
    fn puts_it_to_work(&self) -> Result<()> {
        let installation = &self.installation;
        installation.add_folder_job("desk")?;
        let mut daemon = Daemon::start(installation, &[])?;
        daemon.wait_for("the daemon to be ready", 0, |line| line.contains("mailmill is running"))?;
        self.does("cp order/order.wasm plugins/.order.new && mv plugins/.order.new plugins/order.wasm")?;
        let listed = self.does("mailmill plugin list")?;
        let row = listed.lines().find(|line| line.starts_with("order.wasm")).context("it is not listed")?;
        ensure!(row.contains("extractor") && row.contains(" off "), "{row}");
        let seen = daemon.log_length();
        let pipeline = installation.read("rules/pipeline.toml")?;
        installation.write("rules/order.toml", &installation.read("order/rules.toml")?)?;
        installation.write("rules/pipeline.toml", &format!("{pipeline}{EXTRACT}"))?;
        daemon.wait_for("the new rule", seen, |line| line.contains("new rules are in force"))?;
        installation.write("mail/1.eml", MAIL)?;
        wait_until("the message to be handled", || {
            let shown = installation.mailmill(&["log", "--message", "1"])?;
            Ok((shown.code == Some(0)).then_some(shown.stdout))
        })
        .and_then(|shown| {
            ensure!(shown.contains("order = 4711"), "{shown}");
            Ok(())
        })?;
        daemon.terminate()?;
        let inspected = self.does("mailmill plugin inspect order")?;
        ensure!(
            inspected.contains("used by  step \"order\" (extract, a fresh instance for each message)"),
            "{inspected}"
        );
        Ok(())
    }

    fn goes_all_the_way(language: &'static str) -> Result<Self> {
        let newcomer = Self::new(language)?;
        newcomer.makes_each_example()?;
        newcomer.is_told_of_a_fault()?;
        newcomer.sees_a_difference()?;
        newcomer.puts_it_to_work()?;
        eprintln!("{language}: {:6.1} s  in all", newcomer.began.elapsed().as_secs_f64());
        Ok(newcomer)
    }
}

#[test]
fn a_plugin_in_rust() -> Result<()> {
    let newcomer = Newcomer::goes_all_the_way("rust")?;
    let began = Instant::now();
    newcomer.does("touch order/src/lib.rs && mailmill plugin build order && mailmill plugin test order")?;
    ensure!(began.elapsed().as_secs() < 60, "after the first build, a change takes {} s", began.elapsed().as_secs());
    Ok(())
}

#[test]
fn a_plugin_in_c() -> Result<()> {
    Newcomer::goes_all_the_way("c").map(drop)
}

/// The page for authors says `rust`, which is what takes longest to build.
#[test]
fn the_commands_of_the_page_for_authors_work() -> Result<()> {
    let newcomer = Newcomer::new("c")?;
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/writing-plugins.md"))?;
    let commands = page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next());
    let commands = commands.context("the page has no commands")?;
    ensure!(commands.lines().count() >= 4 && commands.contains("--lang rust"), "{commands}");
    for line in commands.lines() {
        newcomer.does(&line.replace("--lang rust", "--lang c"))?;
    }
    Ok(())
}

#[test]
fn a_plugin_in_javascript() -> Result<()> {
    let newcomer = Newcomer::goes_all_the_way("js")?;
    // What an exception says is told, in the log with its place in the source.
    let source = newcomer.installation.read("order/plugin.js")?;
    let broken = source.replace("extract: told(ofMessage, () => {", "extract: told(ofMessage, () => {\nnowhere();");
    newcomer.installation.write("order/plugin.js", &broken)?;
    newcomer.does("mailmill plugin build order")?;
    let told = newcomer.installation.shell("mailmill plugin test order")?.stdout;
    ensure!(told.contains("it gave up: ReferenceError: nowhere is not defined"), "{told}");
    ensure!(told.contains("log: ") && told.contains("plugin.js"), "{told}");
    Ok(())
}

#[test]
fn a_plugin_in_python() -> Result<()> {
    Newcomer::goes_all_the_way("python").map(drop)
}

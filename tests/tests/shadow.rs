//! `shadow = "rules-next"`: a candidate runs beside live mail, is compared, and never acted on.

use anyhow::{Result, ensure};
use mailmill_tests::records::{receipts, tickets};
use mailmill_tests::{Daemon, Installation, messages, wait_until};
use serde_json::Value;

const STATEMENT: &str = "rules-next/statements/05-invoices.toml";
const INVOICES: &str = r#"
[[statement]]
name = "invoices"
if = 'subject starts with "Invoice"'
stop = true
then = [{ do = "ignore", reason = "invoices are handled elsewhere" }]
"#;

fn summary(installation: &Installation) -> Result<Option<Value>> {
    let shown = installation.mailmill(&["shadow", "--json"])?;
    Ok(if shown.code == Some(0) { Some(serde_json::from_str(&shown.stdout)?) } else { None })
}

#[test]
fn a_candidate_runs_beside_live_mail_and_changes_nothing() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("desk")?;
    let invoice =
        |number| messages::request(number, "ann@client.example").replace("Subject: Request", "Subject: Invoice");
    installation.write("mail/1.eml", &invoice(1))?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    installation.mailmill(&["run", "--once"])?.success()?;
    let none = installation.mailmill(&["shadow"])?;
    ensure!(none.code == Some(1) && none.stderr.contains("no message was run beside live mail yet"), "{}", none.stderr);

    installation.shell("cp -r rules rules-next")?.success()?;
    installation.write(STATEMENT, INVOICES)?;
    let settings = installation.read("mailmill.toml")?;
    installation.write("mailmill.toml", &format!("shadow = \"rules-next\"\n{settings}"))?;
    let mut daemon = Daemon::start(&installation, &[])?;
    daemon.wait_for("the candidate", 0, |line| line.contains("the candidate runs beside live mail"))?;
    installation.write("mail/2.eml", &invoice(2))?;
    let seen = |messages: u64| {
        wait_until("the candidate to have run", || {
            Ok(summary(&installation)?.filter(|summary| summary["messages"] == messages))
        })
    };
    // One after the other: which of two messages that come together gets the first receipt is nobody's business.
    seen(1)?;
    installation.write("mail/3.eml", &messages::request(3, "ben@client.example"))?;
    let shown = seen(2)?;
    assert_eq!((&shown["changed"], &shown["differences"][0]["receipt"]), (&1.into(), &2.into()), "{shown}");
    assert_eq!(shown["details"]["outcome"]["ignored"]["new"], 1, "{shown}");
    let told = installation.mailmill(&["shadow"])?.success()?.stdout;
    ensure!(told.contains("+ ignored: invoices are handled elsewhere"), "{told}");
    let story = installation.mailmill(&["log", "--message", "2"])?.success()?.stdout;
    ensure!(story.contains("by the candidate beside live mail") && story.contains("+ ignored"), "{story}");
    let story = installation.mailmill(&["log", "--message", "3"])?.success()?.stdout;
    ensure!(story.contains("nothing would have been different"), "{story}");

    // A candidate with a fault holds up nothing; mended, it is another revision with numbers of its own.
    let skip = daemon.log_length();
    installation.write(STATEMENT, "[[statement]]\n")?;
    daemon.wait_for("the fault", skip, |line| line.contains("the candidate is not run"))?;
    installation.write("mail/4.eml", &invoice(4))?;
    wait_until("the message to be handled", || Ok((receipts(&installation)?.len() == 4).then_some(())))?;
    installation.write(STATEMENT, &INVOICES.replace("elsewhere", "by others"))?;
    assert_eq!(seen(1)?["changed"], 1);

    ensure!(daemon.terminate()?.success(), "{}", daemon.log());
    let outcomes: Vec<String> = receipts(&installation)?.into_iter().map(|receipt| receipt.outcome).collect();
    assert_eq!(outcomes, ["accepted"; 4], "the candidate was acted on");
    assert_eq!(tickets(&installation)?.len(), 4);
    Ok(())
}

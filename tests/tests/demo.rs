//! The samples of `cargo xtask demo`: each has a receipt, replies find their tickets, and nobody is answered by mistake.

use anyhow::Result;
use mailmill_tests::records::{comments, quarantine, receipts, tickets};
use mailmill_tests::{Installation, sample};

#[test]
fn every_sample_becomes_what_it_should() -> Result<()> {
    let installation = Installation::new()?;
    installation.add_folder_job("demo")?;
    let mut count = 0;
    for entry in std::fs::read_dir(sample(""))? {
        let entry = entry?;
        std::fs::copy(entry.path(), installation.path("mail").join(entry.file_name()))?;
        count += 1;
    }
    assert!(count >= 12, "only {count} samples");
    installation.mailmill(&["run", "--once"])?.success()?;

    let receipts = receipts(&installation)?;
    assert_eq!(receipts.len(), count);
    assert_eq!(receipts.iter().filter(|receipt| receipt.outcome == "ignored").count(), 2, "the bounce and the absence");
    let held = quarantine(&installation)?;
    assert_eq!(held.len(), 1, "what a stranger wants said on a ticket: {held:?}");

    let tickets = tickets(&installation)?;
    assert_eq!(tickets.len(), count - 5, "two are ignored, two follow up, one is held");
    let check = |subject: &str, comment: &str| -> Result<()> {
        let ticket = tickets.iter().find(|ticket| ticket.subject == subject);
        let number = ticket.map(|ticket| ticket.number.as_str()).unwrap_or_default();
        assert_eq!(comments(&installation, number)?, [comment], "{subject}");
        Ok(())
    };
    check("Passwort für das Zeitkonto zurücksetzen", "Nachtrag: meine Personalnummer ist 48213.")?;
    check(
        "Printer on the second floor prints blank pages",
        "The same happens on the printer in 2.20, so it may be the print server.\n\nTom",
    )
}

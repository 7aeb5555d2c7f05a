//! What somebody sees who may only look.

use super::pages::{PAGES, UNREACHABLE};
use super::scene::{Scene, block_on, log_in, viewer};
use anyhow::{Result, ensure};
use mailmill_tests::messages;
use std::collections::BTreeSet;

/// Pages on which something is made: who may only look is not led there.
const MAKING: [&str; 2] = ["/jobs/new", "/rules/new"];

/// Forms that change nothing of anybody else: those that ask, log out, or try a message.
fn is_harmless(form: &str) -> bool {
    ["method=\"get\"", "action=\"/logout\"", "action=\"/try\""].iter().any(|harmless| form.contains(harmless))
}

/// What stands in a page in places like this, up to the next quotation mark or end of a tag.
fn all<'a>(page: &'a str, before: &'a str, after: char) -> impl Iterator<Item = &'a str> {
    page.split(before).skip(1).filter_map(move |rest| rest.split(after).next())
}

#[test]
fn nothing_is_offered_that_is_refused() -> Result<()> {
    let mut scene = Scene::start(|installation| {
        installation.add_folder_job("folder")?;
        installation.write("jobs/office.toml", UNREACHABLE)?;
        installation.write("mail/1.eml", &messages::request(1, "ann@client.example"))
    })?;
    scene.daemon.wait_for("a message", 0, |line| line.contains("message handled"))?;
    scene.installation.write("mail/2.eml", &messages::tagged_reply(2, "mallory@evil.example", "T00001"))?;
    scene.daemon.wait_for("the stranger", 0, |line| line.contains("2.eml"))?;
    block_on(async {
        let admin = log_in(&scene).await?;
        let vera = viewer(&admin, &scene).await?;
        let mut links = BTreeSet::new();
        for path in PAGES.iter().map(|(_, path)| *path).chain(["/quarantine/1", "/jobs/office", "/try?receipt=1"]) {
            let page = vera.get(path).await?;
            if MAKING.contains(&path) {
                ensure!(page.status == 403, "{path}: {page:?}");
                continue;
            }
            ensure!(page.status == 200 || page.status == 404, "{path}: {page:?}");
            for form in all(&page.text, "<form", '>') {
                ensure!(is_harmless(form), "{path} has a form for who may only look: {form}");
            }
            ensure!(!page.text.contains("formaction"), "{path}: {}", page.text);
            links.extend(all(&page.text, "href=\"", '"').filter(|link| link.starts_with('/')).map(str::to_owned));
        }
        ensure!(links.len() > 60, "{links:?}");
        for link in links {
            let status = vera.get(&link.replace("&amp;", "&")).await?.status;
            ensure!([200, 303, 404].contains(&status.as_u16()), "{link} is offered, and answers {status}");
        }
        // What one sees with an admin's eyes has forms: the pages were looked at in the right way.
        let page = admin.get("/jobs/folder/file").await?.text;
        ensure!(all(&page, "<form", '>').any(|form| !is_harmless(form)), "{page}");
        Ok(())
    })
}

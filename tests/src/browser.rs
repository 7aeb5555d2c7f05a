//! A real browser: Debian's Chromium, driven by its ChromeDriver (W3C WebDriver).

use crate::installation::target;
use crate::wait::wait_until;
use anyhow::{Context, Result};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// What checks pages for people who cannot see or use a mouse; `cargo xtask test` gets it from the npm registry.
const AXE: &str = "web/node_modules/axe-core/axe.min.js";
/// What it is to check: WCAG 2.2, levels A and AA.
const RULES: [&str; 6] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/// The keys Tab, and Tab with Shift (WebDriver section 17.4.2).
const TAB: &str = "\u{e004}";
const BACK_TAB: &str = "\u{e008}\u{e004}";
/// How many stops of the key Tab a page has at most.
const STOPS_MAX: usize = 80;

/// A browser of its own, with an empty profile.
pub struct Browser {
    client: Client,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    /// Starts one.
    ///
    /// # Errors
    /// If it is not installed or does not start.
    pub async fn start() -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("chromedriver does not start: Debian's packages are chromium and chromium-driver")?;
        let profile = tempfile::tempdir()?;
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let mut capabilities = Capabilities::new();
        capabilities.insert("goog:chromeOptions".to_owned(), json!({ "args": arguments }));
        // Half a minute is the default; where the machine has much else to do, axe-core takes longer.
        capabilities.insert("timeouts".to_owned(), json!({ "script": 300_000 }));
        capabilities.insert("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" }));
        wait_until("the browser's driver", || Ok(TcpStream::connect(("127.0.0.1", port)).ok()))?;
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&format!("http://127.0.0.1:{port}")).await?;
        Ok(Self { client, driver, _profile: profile })
    }

    /// What drives it.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Opens an address.
    ///
    /// # Errors
    /// If the browser fails.
    pub async fn open(&self, address: &str) -> Result<()> {
        Ok(self.client.goto(address).await?)
    }

    /// The text of the page that people read.
    ///
    /// # Errors
    /// If the browser fails.
    pub async fn text(&self) -> Result<String> {
        Ok(self.client.find(Locator::Css("body")).await?.text().await?)
    }

    /// Writes into a field of that name, in place of what it holds.
    ///
    /// # Errors
    /// If there is no such field.
    pub async fn write(&self, name: &str, text: &str) -> Result<()> {
        let css = format!("[name=\"{name}\"]:not([type=hidden])");
        self.on(Locator::Css(&css), &format!("a field {name}"), async |field| {
            field.clear().await?;
            field.send_keys(text).await
        })
        .await
    }

    /// Picks an option of a list.
    ///
    /// # Errors
    /// If there is no such list or option.
    pub async fn choose(&self, name: &str, value: &str) -> Result<()> {
        let css = format!("select[name=\"{name}\"]");
        self.on(Locator::Css(&css), &format!("a list {name}"), async |list| list.select_by_value(value).await).await
    }

    /// Presses the first button, or follows the first link, that says this.
    ///
    /// # Errors
    /// If there is none.
    pub async fn press(&self, label: &str) -> Result<()> {
        self.click(&format!("({})[1]", saying(label)), label).await
    }

    /// The last one instead.
    ///
    /// # Errors
    /// If there is none.
    pub async fn press_last(&self, label: &str) -> Result<()> {
        self.click(&format!("({})[last()]", saying(label)), label).await
    }

    /// Presses the button that is read out as this to who cannot see it.
    ///
    /// # Errors
    /// If there is none.
    pub async fn press_spoken(&self, label: &str) -> Result<()> {
        self.click(&format!("//main//button[@aria-label=\"{label}\"]"), label).await
    }

    async fn click(&self, path: &str, label: &str) -> Result<()> {
        let called = format!("something that says \"{label}\"");
        self.on(Locator::XPath(path), &called, async |found| found.click().await).await
    }

    /// Does something to what is found. Between the two the page may give way to the next: then it is looked for there.
    async fn on(
        &self,
        place: Locator<'_>,
        called: &str,
        act: impl AsyncFn(Element) -> Result<(), CmdError>,
    ) -> Result<()> {
        for _ in 0..10 {
            let found = self.client.find(place).await.with_context(|| called.to_owned())?;
            match act(found).await {
                Err(error) if error.is_stale_element_reference() => {}
                done => return Ok(done?),
            }
        }
        anyhow::bail!("{called}: whenever it is found, the page goes away")
    }

    /// Answers the question that the page asks.
    ///
    /// # Errors
    /// If it asks nothing.
    pub async fn answer(&self, yes: bool) -> Result<()> {
        let answered = if yes { self.client.accept_alert().await } else { self.client.dismiss_alert().await };
        answered.context("the page asks nothing")
    }

    /// Presses keys (WebDriver's codes: U+E004 is Tab, U+E007 Enter) where something is.
    ///
    /// # Errors
    /// If there is no such thing.
    pub async fn keys(&self, css: &str, keys: &str) -> Result<()> {
        self.on(Locator::Css(css), css, async |found| found.send_keys(keys).await).await
    }

    /// Presses Tab until something that this describes has the focus, and can be seen to have it.
    ///
    /// # Errors
    /// If it is not reached.
    pub async fn tab_to(&self, css: &str) -> Result<()> {
        self.tab(css, TAB).await
    }

    /// The same, backwards.
    ///
    /// # Errors
    /// If it is not reached.
    pub async fn tab_back_to(&self, css: &str) -> Result<()> {
        self.tab(css, BACK_TAB).await
    }

    async fn tab(&self, css: &str, key: &str) -> Result<()> {
        for _ in 0..STOPS_MAX {
            self.type_keys(key).await?;
            let seen = "const at = document.activeElement; if (!at.matches(arguments[0])) return false; \
                        return getComputedStyle(at).outlineStyle !== 'none'";
            if self.script(seen, vec![json!(css)]).await? == json!(true) {
                return Ok(());
            }
        }
        anyhow::bail!("Tab never reaches {css} so that it can be seen; the page says:\n{}", self.text().await?)
    }

    /// Waits until something that this describes has the focus.
    ///
    /// # Errors
    /// If it does not get it.
    pub async fn focused(&self, css: &str) -> Result<()> {
        for _ in 0..50 {
            let is_it = "return document.activeElement.matches(arguments[0])";
            if self.script(is_it, vec![json!(css)]).await.unwrap_or_default() == json!(true) {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let at = self.script("return document.activeElement.outerHTML.slice(0, 200)", Vec::new()).await?;
        anyhow::bail!("{css} has not got the focus, but {at}")
    }

    /// Presses keys where the focus is.
    ///
    /// # Errors
    /// If the browser fails.
    pub async fn type_keys(&self, keys: &str) -> Result<()> {
        Ok(self.client.active_element().await?.send_keys(keys).await?)
    }

    /// Waits until the page has this text.
    ///
    /// # Errors
    /// If it does not come, with the text that is there.
    pub async fn see(&self, expected: &str) -> Result<()> {
        let mut text = String::new();
        for _ in 0..100 {
            text = self.text().await.unwrap_or_default();
            if text.contains(expected) {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        anyhow::bail!("the page does not say {expected:?}, but:\n{text}")
    }

    /// Runs a script in the page.
    ///
    /// # Errors
    /// If it throws.
    pub async fn script(&self, script: &str, arguments: Vec<Value>) -> Result<Value> {
        Ok(self.client.execute(script, arguments).await?)
    }

    /// Has pages shown as on a dark, or on a light screen.
    ///
    /// # Errors
    /// If the browser fails.
    pub async fn set_dark(&self, dark: bool) -> Result<()> {
        let value = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", features).await
    }

    /// What axe-core finds wrong with the colours of the page that is shown, one line each; [`Self::violations`] comes first.
    ///
    /// # Errors
    /// If it fails.
    pub async fn colour_violations(&self) -> Result<Vec<String>> {
        self.run_axe(json!({ "runOnly": ["color-contrast"] })).await
    }

    /// What axe-core finds wrong with the page, one line each.
    ///
    /// # Errors
    /// If it is not there, or fails.
    pub async fn violations(&self) -> Result<Vec<String>> {
        let source = std::fs::read_to_string(target().join(AXE))
            .with_context(|| format!("{AXE} is not in the target directory: cargo xtask test gets it"))?;
        self.script(&source, Vec::new()).await?;
        self.run_axe(json!({ "runOnly": RULES })).await
    }

    async fn run_axe(&self, options: Value) -> Result<Vec<String>> {
        let run = "const done = arguments[arguments.length - 1]; \
                   axe.run(document, arguments[0]).then(found => done(found.violations.flatMap(rule => \
                   rule.nodes.map(node => `${rule.id}: ${rule.help}: ${node.html}`))), error => done([String(error)]));";
        let found = self.client.execute_async(run, vec![options]).await?;
        Ok(serde_json::from_value(found)?)
    }

    /// Sets the width of the window and keeps a picture of the page; whether the page fits into it.
    ///
    /// # Errors
    /// If the browser fails.
    pub async fn picture(&self, width: u32, file: &Path) -> Result<bool> {
        self.client.set_window_size(width.max(500), 1000).await?;
        // A window is no narrower than 500; the page in it can be.
        let emulate = json!({ "width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.devtools("Emulation.setDeviceMetricsOverride", emulate).await?;
        let wide = self.script("return document.documentElement.scrollWidth", Vec::new()).await?;
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, self.client.screenshot().await?)?;
        self.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await?;
        Ok(wide.as_u64() <= Some(u64::from(width)))
    }

    /// A command of Chromium's own (`/session/{id}/goog/cdp/execute`).
    async fn devtools(&self, command: &str, parameters: Value) -> Result<()> {
        #[derive(Debug)]
        struct Devtools(String, Value);
        impl fantoccini::wd::WebDriverCompatibleCommand for Devtools {
            fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
                base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
            }

            fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
                (http::Method::POST, Some(json!({ "cmd": self.0, "params": self.1 }).to_string()))
            }
        }
        self.client.issue_cmd(Devtools(command.to_owned(), parameters)).await?;
        Ok(())
    }

    /// Ends it.
    ///
    /// # Errors
    /// If the browser fails.
    pub async fn end(self) -> Result<()> {
        Ok(self.client.clone().close().await?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The path of every button, link and summary that says this.
fn saying(label: &str) -> String {
    format!("//main//*[self::button or self::a or self::summary][normalize-space()=\"{label}\"]")
}

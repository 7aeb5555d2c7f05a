//! From a core module to a component, and the checks on what comes out.

use anyhow::{Context, Result, ensure};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

/// The largest a plugin's component may be: what is larger has brought a library along that the host offers.
const COMPONENT_BYTES_MAX: usize = 150 * 1024;
/// What every import's name starts with.
const PACKAGE: &str = "mailmill:rules/";

/// Makes a component of a guest's core module, by the contract that its bindings embed. What is shipped imports nothing but
/// the contract; `may_try` is for guests of tests that ask for more.
pub(super) fn encode(core: &[u8], may_try: bool) -> Result<Vec<u8>> {
    let component = ComponentEncoder::default()
        .validate(true)
        .module(core)
        .context("it embeds no contract: does it call an export macro of the sdk?")?
        .encode()
        .context("it does not fulfil its contract")?;
    let foreign: Vec<String> = imports(&component)?.into_iter().filter(|name| !name.starts_with(PACKAGE)).collect();
    ensure!(foreign.is_empty() || may_try, "it imports {}, which the host does not offer", foreign.join(", "));
    ensure!(
        component.len() <= COMPONENT_BYTES_MAX,
        "it is {} bytes large, at most {COMPONENT_BYTES_MAX} are allowed: which dependency could the host's functions replace?",
        component.len()
    );
    Ok(component)
}

/// The names of what the component itself imports.
fn imports(component: &[u8]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    names.push(import?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

//! Looking at a component before anything is made of it: what it is, and what it asks for.

use super::{World, system};
use std::path::PathBuf;
use wasmparser::component_types::ComponentEntityType;
use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};

/// The package of the contract.
const PACKAGE: &str = "mailmill:rules/";
/// The versions of the contract that this host speaks.
const VERSION: &str = "0.1";

/// Why a plugin cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("plugin {}: cannot read it: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// It is something else.
    #[error("plugin {name}: it is no WebAssembly: it starts with {start:?}")]
    NotWasm {
        /// The plugin.
        name: String,
        /// Its first bytes, as text.
        start: String,
    },
    /// It is a module without an interface.
    #[error("plugin {name}: it is a core module, not a component: make one of it, as `cargo xtask plugins` does")]
    CoreModule {
        /// The plugin.
        name: String,
    },
    /// It is cut short or damaged.
    #[error("plugin {name}: it is damaged or cut short: {reason} (byte {offset})")]
    Damaged {
        /// The plugin.
        name: String,
        /// What is wrong.
        reason: String,
        /// Where.
        offset: u64,
    },
    /// It was built for another version of the contract.
    #[error(
        "plugin {name}: it was built for version {found} of {PACKAGE}{interface}, and this mailmill speaks {VERSION}.x: build it again"
    )]
    Version {
        /// The plugin.
        name: String,
        /// The interface.
        interface: String,
        /// The version that it wants.
        found: String,
    },
    /// It is a component for something else.
    #[error("plugin {name}: it is no preprocessor, extractor or processor of mailmill: it exports {exports}")]
    OtherWorld {
        /// The plugin.
        name: String,
        /// What it exports.
        exports: String,
    },
    /// It asks for what no plugin of its world gets.
    #[error("plugin {name}: it wants what a plugin of the world \"{world}\" is not granted: {imports}")]
    NotGranted {
        /// The plugin.
        name: String,
        /// Its world.
        world: World,
        /// What it asks for, with the functions.
        imports: String,
    },
    /// It does not compile.
    #[error("plugin {name}: it cannot be compiled: {reason}")]
    Compile {
        /// The plugin.
        name: String,
        /// What the compiler says.
        reason: String,
    },
    /// Its imports or exports do not have the shape of the contract.
    #[error("plugin {name}: it does not fit the contract: {reason}")]
    Link {
        /// The plugin.
        name: String,
        /// What does not fit.
        reason: String,
    },
    /// It does not say what it is.
    #[error("plugin {name}: asked what it is, {fault}")]
    Describe {
        /// The plugin.
        name: String,
        /// How that ended.
        fault: super::Fault,
    },
}

/// What a look at a component finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outline {
    pub(super) world: World,
    pub(super) imports: Vec<Import>,
    pub(super) exports: Vec<String>,
}

/// An import with the functions that it names, such as `mailmill:rules/mail@0.1.0`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Import {
    /// The interface, with its version.
    pub name: String,
    /// The functions that the component calls.
    pub functions: Vec<String>,
}

impl Import {
    /// Whether it is a part of the system, of which plugins get an empty one.
    #[must_use]
    pub fn is_system(&self) -> bool {
        system::is_granted(&self.name)
    }
}

/// Checks what can be checked without compiling.
pub(super) fn outline(name: &str, bytes: &[u8]) -> Result<Outline, LoadError> {
    check_kind(name, bytes)?;
    let (imports, exports) = interfaces(bytes).map_err(|error| LoadError::Damaged {
        name: name.to_owned(),
        reason: error.message().to_owned(),
        offset: error.offset(),
    })?;
    for full in imports.iter().map(|import| &import.name).chain(&exports) {
        check_version(name, full)?;
    }
    let world =
        World::ALL.into_iter().find(|world| exports.iter().any(|export| interface(export) == Some(world.export())));
    let world = world.filter(|_| exports.iter().any(|export| interface(export) == Some("lifecycle")));
    let Some(world) = world else {
        let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
        return Err(LoadError::OtherWorld { name: name.to_owned(), exports });
    };
    check_grants(name, world, &imports)?;
    Ok(Outline { world, imports, exports })
}

fn check_kind(name: &str, bytes: &[u8]) -> Result<(), LoadError> {
    let name = name.to_owned();
    if !bytes.starts_with(b"\0asm") {
        const SHOWN: usize = 16;
        let start = bytes.iter().take(SHOWN).copied().collect::<Vec<u8>>();
        return Err(LoadError::NotWasm { name, start: String::from_utf8_lossy(&start).into_owned() });
    }
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding: Encoding::Module, .. })) => Err(LoadError::CoreModule { name }),
        _ => Ok(()),
    }
}

/// The imports and exports of the component itself, once it has proved valid.
fn interfaces(bytes: &[u8]) -> wasmparser::Result<(Vec<Import>, Vec<String>)> {
    let types = Validator::new_with_features(WasmFeatures::default()).validate_all(bytes)?;
    let types = types.as_ref();
    let (mut imports, mut exports, mut depth) = (Vec::new(), Vec::new(), 0usize);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let name = import?.name.name.to_owned();
                    let functions = match types.component_item_for_import(&name).map(|item| item.ty) {
                        Some(ComponentEntityType::Instance(instance)) => {
                            types.get(instance).map(|instance| functions(&instance.exports)).unwrap_or_default()
                        }
                        _ => Vec::new(),
                    };
                    imports.push(Import { name, functions });
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

fn functions<'a, I>(exports: I) -> Vec<String>
where
    I: IntoIterator<Item = (&'a String, &'a wasmparser::component_types::ComponentItem)>,
{
    let functions = exports.into_iter().filter(|(_, item)| matches!(item.ty, ComponentEntityType::Func(_)));
    functions.map(|(name, _)| name.clone()).collect()
}

/// `mail` for `mailmill:rules/mail@0.1.0`.
fn interface(full: &str) -> Option<&str> {
    full.strip_prefix(PACKAGE)?.split('@').next()
}

fn check_version(name: &str, full: &str) -> Result<(), LoadError> {
    let Some((interface, found)) = full.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@')) else {
        return Ok(());
    };
    if found.rsplit_once('.').is_some_and(|(minor, _)| minor == VERSION) {
        return Ok(());
    }
    Err(LoadError::Version { name: name.to_owned(), interface: interface.to_owned(), found: found.to_owned() })
}

fn check_grants(name: &str, world: World, imports: &[Import]) -> Result<(), LoadError> {
    let granted = |import: &&Import| {
        import.is_system() || interface(&import.name).is_some_and(|name| world.grants().contains(&name))
    };
    let foreign: Vec<String> = imports
        .iter()
        .filter(|import| !granted(import))
        .map(|import| match import.functions.as_slice() {
            [] => import.name.clone(),
            functions => format!("{} ({})", import.name, functions.join(", ")),
        })
        .collect();
    if foreign.is_empty() {
        return Ok(());
    }
    Err(LoadError::NotGranted { name: name.to_owned(), world, imports: foreign.join(", ") })
}

//! The contract as a project has it: its text, its bindings in C, and components made of core modules. The only module
//! that knows wit-bindgen and wit-component.

use super::template::put;
use super::{CONTRACT, Error, Project, WIT};
use std::fs;
use std::path::Path;
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::{Resolve, WorldItem, WorldKey};
use wit_component::ComponentEncoder;

/// The contract that this program speaks.
pub(super) const TEXT: &str = include_str!("../../../wit/rules.wit");
/// The folder of the bindings in C.
pub(super) const BINDINGS: &str = "bindings";
/// What the bindings in C are called, whatever the world: `bindings/rules.h`.
pub(super) const BINDINGS_NAME: &str = "rules";

/// Writes the contract of a project as C, as its own copy has it.
pub(super) fn write_c_bindings(project: &Project) -> Result<(), Error> {
    let path = project.folder.join(WIT).join(CONTRACT);
    let text = fs::read_to_string(&path).map_err(|error| Error::File { path: path.clone(), error })?;
    let files = c_bindings(&text, project.manifest.world.name())
        .map_err(|error| Error::Contract { path, reason: format!("{error:#}") })?;
    let folder = project.folder.join(BINDINGS);
    files.iter().try_for_each(|(name, content)| put(&folder.join(name), content))
}

fn c_bindings(wit: &str, world: &str) -> anyhow::Result<Files> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str(CONTRACT, wit)?;
    let world = resolve.select_world(&[package], Some(world))?;
    let mut files = Files::default();
    // `mail_slice` instead of `mailmill_rules_mail_slice`: there is one package only.
    let rename = interfaces(&resolve, world).into_iter().collect();
    let options = wit_bindgen_c::Opts { rename_world: Some(BINDINGS_NAME.to_owned()), rename, ..Default::default() };
    options.build().generate(&mut resolve, world, &mut files)?;
    Ok(files)
}

/// The interfaces of a world, with their full names and their own.
fn interfaces(resolve: &Resolve, world: wit_bindgen_core::wit_parser::WorldId) -> Vec<(String, String)> {
    let Some(world) = resolve.worlds.get(world) else { return Vec::new() };
    let mut found: Vec<(String, String)> = Vec::new();
    for (key, item) in world.imports.iter().chain(&world.exports) {
        let (WorldKey::Interface(id), WorldItem::Interface { .. }) = (key, item) else { continue };
        let name = resolve.interfaces.get(*id).and_then(|interface| interface.name.clone());
        let full = resolve.id_of(*id);
        found.extend(full.zip(name).filter(|pair| !found.contains(pair)));
    }
    found
}

/// Makes a component of a core module that has the contract embedded.
pub(super) fn component(core: &Path) -> Result<Vec<u8>, Error> {
    let module = fs::read(core).map_err(|error| Error::File { path: core.to_owned(), error })?;
    let encoded = ComponentEncoder::default().validate(true).module(&module).and_then(|encoder| encoder.encode());
    encoded.map_err(|error| Error::Component(format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::World;

    #[test]
    fn the_bindings_in_c_have_short_names() {
        for world in World::ALL {
            let files = c_bindings(TEXT, world.name()).unwrap();
            let names: Vec<_> = files.iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["rules.c", "rules.h", "rules_component_type.o"]);
            let (_, header) = files.iter().nth(1).unwrap();
            let header = String::from_utf8(header.to_vec()).unwrap();
            assert!(header.contains("bool exports_lifecycle_configure("), "{world}");
            assert!(header.contains(" mail_slice("), "{world}");
            assert_eq!(header.contains(" edit_cut("), world == World::Preprocessor);
        }
    }
}

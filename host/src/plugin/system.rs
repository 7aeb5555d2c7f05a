//! The system interface (WASI 0.2) of runtimes that do not start without one, with nothing in it: no files, no network,
//! no environment, a clock that stands still, and random numbers that are the same in each call. What such a plugin
//! prints ends up in the message's report.
//!
//! A component that imports it is linked with just the functions that it imports, whatever their version. What is not
//! answered here is refused: as "access-denied" where the function can say so, else by ending the call.

use super::capabilities::Level;
use super::state::State;
use super::{Fault, World};
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{Component, Linker, Resource, ResourceType, Val};
use wasmtime::{Engine, Result, StoreContextMut};

/// The packages that a plugin may import, with nothing in them.
const PACKAGES: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];
/// The versions that are compatible with each other.
const VERSION: &str = "0.2.";
/// What functions answer that can refuse.
const REFUSED: &str = "access-denied";
/// The most that is taken of a stream at once.
const WRITE_BYTES_MAX: u64 = 4_096;

/// Any resource of the system: there is nothing in it.
pub(super) struct Nothing;

/// Whether an interface is part of the system that plugins get, with nothing in it.
pub(super) fn is_granted(interface: &str) -> bool {
    let version = interface.rsplit_once('@').map(|(_, version)| version);
    PACKAGES.iter().any(|package| interface.starts_with(package)) && version.is_some_and(|it| it.starts_with(VERSION))
}

/// Links what a component imports of the system. `linker` stays as it is for the others.
pub(super) fn link(
    engine: &Engine,
    component: &Component,
    linker: &Linker<State>,
    world: World,
) -> Result<Option<Linker<State>>> {
    let ty = component.component_type();
    let imports: Vec<_> = ty.imports(engine).filter(|(name, _)| is_granted(name)).collect();
    if imports.is_empty() {
        return Ok(None);
    }
    tracing::debug!(%world, interfaces = imports.len(), "a plugin's runtime gets a system with nothing in it");
    let mut linker = linker.clone();
    for (interface, item) in imports {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        let mut linked = linker.instance(interface)?;
        for (name, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::Resource(_) => {
                    linked.resource(name, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
                }
                ComponentItem::ComponentFunc(_) => {
                    let asked = format!("{} {name}", unversioned(interface));
                    linked.func_new(name, move |store, ty, arguments, results| {
                        answer(&asked, store, &ty, arguments, results)
                    })?;
                }
                _ => {}
            }
        }
    }
    Ok(Some(linker))
}

/// `wasi:cli/environment` for `wasi:cli/environment@0.2.9`.
fn unversioned(interface: &str) -> &str {
    interface.split('@').next().unwrap_or(interface)
}

fn answer(
    asked: &str,
    mut store: StoreContextMut<'_, State>,
    ty: &ComponentFunc,
    arguments: &[Val],
    results: &mut [Val],
) -> Result<()> {
    store.data_mut().enter()?;
    let answered = answer_to(asked, &mut store, ty, arguments);
    // What was lent has to be given back, whatever is answered.
    arguments.iter().try_for_each(|argument| give_back(&mut store, argument))?;
    match (answered?, results.first_mut()) {
        (Some(answered), Some(result)) => *result = answered,
        (_, None) if ends(asked) => return refuse(asked),
        (_, None) => {}
        (None, Some(_)) => return refuse(asked),
    }
    Ok(())
}

fn answer_to(
    asked: &str,
    store: &mut StoreContextMut<'_, State>,
    ty: &ComponentFunc,
    arguments: &[Val],
) -> Result<Option<Val>> {
    Ok(match asked {
        "wasi:cli/stdout get-stdout"
        | "wasi:cli/stderr get-stderr"
        | "wasi:cli/stdin get-stdin"
        | "wasi:clocks/monotonic-clock subscribe-instant"
        | "wasi:clocks/monotonic-clock subscribe-duration"
        | "wasi:io/streams [method]input-stream.subscribe"
        | "wasi:io/streams [method]output-stream.subscribe"
        | "wasi:sockets/instance-network instance-network" => Some(nothing(store)?),
        "wasi:io/streams [method]output-stream.write"
        | "wasi:io/streams [method]output-stream.blocking-write-and-flush" => {
            print(store, arguments)?;
            Some(Val::Result(Ok(None)))
        }
        "wasi:random/random get-random-bytes" | "wasi:random/insecure get-insecure-random-bytes" => {
            let Some(Val::U64(length)) = arguments.first() else { return refuse(asked) };
            Some(Val::List(store.data_mut().random_bytes(*length)?.into_iter().map(Val::U8).collect()))
        }
        "wasi:random/random get-random-u64" | "wasi:random/insecure get-insecure-random-u64" => {
            Some(Val::U64(store.data_mut().random()))
        }
        "wasi:random/insecure-seed insecure-seed" => {
            Some(Val::Tuple(vec![Val::U64(store.data_mut().random()), Val::U64(store.data_mut().random())]))
        }
        _ => constant(asked, arguments).or_else(|| refusal(ty)),
    })
}

/// Drops the resources of an argument.
fn give_back(store: &mut StoreContextMut<'_, State>, argument: &Val) -> Result<()> {
    match argument {
        Val::Resource(resource) => resource.resource_drop(store),
        Val::List(items) => items.iter().try_for_each(|item| give_back(store, item)),
        _ => Ok(()),
    }
}

/// Functions without a result that cannot be answered with nothing.
fn ends(asked: &str) -> bool {
    asked.starts_with("wasi:cli/exit ")
}

/// What is answered always the same.
fn constant(asked: &str, arguments: &[Val]) -> Option<Val> {
    Some(match asked {
        "wasi:cli/environment get-environment"
        | "wasi:cli/environment get-arguments"
        | "wasi:filesystem/preopens get-directories" => Val::List(Vec::new()),
        "wasi:cli/environment initial-cwd"
        | "wasi:cli/terminal-stdin get-terminal-stdin"
        | "wasi:cli/terminal-stdout get-terminal-stdout"
        | "wasi:cli/terminal-stderr get-terminal-stderr"
        | "wasi:filesystem/types filesystem-error-code" => Val::Option(None),
        "wasi:clocks/wall-clock now" | "wasi:clocks/wall-clock resolution" => {
            Val::Record(vec![("seconds".to_owned(), Val::U64(0)), ("nanoseconds".to_owned(), Val::U32(0))])
        }
        "wasi:clocks/monotonic-clock now" => Val::U64(0),
        "wasi:clocks/monotonic-clock resolution" => Val::U64(1),
        "wasi:io/streams [method]output-stream.check-write" => {
            Val::Result(Ok(Some(Box::new(Val::U64(WRITE_BYTES_MAX)))))
        }
        "wasi:io/streams [method]output-stream.flush" | "wasi:io/streams [method]output-stream.blocking-flush" => {
            Val::Result(Ok(None))
        }
        "wasi:io/streams [method]input-stream.read" | "wasi:io/streams [method]input-stream.blocking-read" => {
            Val::Result(Err(Some(Box::new(Val::Variant("closed".to_owned(), None)))))
        }
        "wasi:io/poll [method]pollable.ready" => Val::Bool(true),
        // Nothing is ever waited for: all are ready.
        "wasi:io/poll poll" => {
            let Some(Val::List(polled)) = arguments.first() else { return None };
            let indexes = u32::try_from(polled.len()).ok()?;
            Val::List((0..indexes).map(Val::U32).collect())
        }
        _ => return None,
    })
}

/// An answer of "no", where the function has one.
fn refusal(ty: &ComponentFunc) -> Option<Val> {
    let Some(Type::Result(result)) = ty.results().next() else { return None };
    let Some(Type::Enum(codes)) = result.err() else { return None };
    let can_refuse = codes.names().any(|name| name == REFUSED);
    can_refuse.then(|| Val::Result(Err(Some(Box::new(Val::Enum(REFUSED.to_owned()))))))
}

fn refuse<T>(asked: &str) -> Result<T> {
    Err(Fault::System { asked: asked.to_owned() }.into())
}

fn nothing(store: &mut StoreContextMut<'_, State>) -> Result<Val> {
    let resource = Resource::<Nothing>::new_own(0);
    Ok(Val::Resource(resource.try_into_resource_any(store)?))
}

/// What is printed is a remark of the plugin.
fn print(store: &mut StoreContextMut<'_, State>, arguments: &[Val]) -> Result<()> {
    let Some(Val::List(bytes)) = arguments.get(1) else { return Ok(()) };
    let bytes: Vec<u8> =
        bytes.iter().filter_map(|byte| if let Val::U8(byte) = byte { Some(*byte) } else { None }).collect();
    for line in String::from_utf8_lossy(&bytes).lines().filter(|line| !line.trim().is_empty()) {
        store.data_mut().note(Level::Info, line.to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_empty_is_granted() {
        let check = |interface: &str, expect: bool| assert_eq!(is_granted(interface), expect, "{interface}");
        check("wasi:cli/environment@0.2.0", true);
        check("wasi:filesystem/types@0.2.12", true);
        check("wasi:sockets/tcp@0.2.9", true);
        check("wasi:http/outgoing-handler@0.2.9", false);
        check("wasi:cli/environment@0.3.0", false);
        check("wasi:cli/environment", false);
        check("wasi:filesys/types@0.2.10", false);
        check("mailmill:rules/mail@0.1.0", false);
    }
}

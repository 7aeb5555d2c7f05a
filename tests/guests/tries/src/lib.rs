//! An extractor for tests: asks the system (WASI) for whatever a plugin must not get, and makes a field of each answer.
#![cfg(target_arch = "wasm32")]

wit_bindgen::generate!({ path: "wit", world: "mailmill:tries/tries", generate_all });

use exports::mailmill::rules::{extract, lifecycle};
use mailmill::rules::types::{About, Config, Declaration, Diagnostic, Entry, Failure, Value, ValueType};
use std::cell::RefCell;
use wasi::cli::{environment, exit, stdout};
use wasi::clocks::{monotonic_clock, wall_clock};
use wasi::filesystem::preopens;
use wasi::random::random;
use wasi::sockets::network::IpAddressFamily;
use wasi::sockets::tcp_create_socket;

thread_local! {
    /// What the rules ask for besides.
    static DOES: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Component;
export!(Component);

impl lifecycle::Guest for Component {
    fn describe() -> About {
        let summary = "tries to get out".to_owned();
        About { name: "tries".to_owned(), version: "0.1.0".to_owned(), summary, schema: None }
    }

    fn configure(config: Config) -> Result<(), Vec<Diagnostic>> {
        let does = config.settings.into_iter().find(|(key, _)| key == "does").map(|(_, value)| value);
        DOES.with(|kept| *kept.borrow_mut() = does.unwrap_or_default());
        Ok(())
    }
}

impl extract::Guest for Component {
    fn declares() -> Vec<Declaration> {
        NAMES.iter().map(|name| Declaration { name: (*name).to_owned(), kind: ValueType::Text }).collect()
    }

    fn extract() -> Result<Vec<Entry>, Failure> {
        match DOES.with(|does| does.borrow().clone()).as_str() {
            "exit" => exit::exit(Ok(())),
            "much" => drop(random::get_random_bytes(1 << 40)),
            _ => {}
        }
        let out = stdout::get_stdout();
        let room = out.check_write().is_ok_and(|room| room > 0);
        let printed = out.blocking_write_and_flush("printed, Grüße\n".as_bytes()).is_ok() && room;
        let at = wall_clock::now();
        let answers = [
            format!("{:?}", environment::get_environment()),
            format!("{:?}", environment::get_arguments()),
            format!("{:?}", environment::initial_cwd()),
            format!("{}", preopens::get_directories().len()),
            format!("{:?}", tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv4).map(drop)),
            format!("{} {} {}", at.seconds, at.nanoseconds, monotonic_clock::now()),
            format!("{} {:?}", random::get_random_u64(), random::get_random_bytes(3)),
            format!("{printed}"),
        ];
        let entry = |(name, text): (&&str, String)| Entry { name: (*name).to_owned(), value: Value::Text(text) };
        Ok(NAMES.iter().zip(answers).map(entry).collect())
    }
}

/// What is tried.
const NAMES: [&str; 8] =
    ["environment", "arguments", "folder", "directories", "network", "clocks", "numbers", "printed"];

//! What must hold for any bytes whatever: one function a target, which takes the bytes and panics where something does
//! not hold. `fuzz/` feeds them with a fuzzer; the test `replay` with every file of `fuzz/corpus`, on any toolchain.

mod headers;
mod oauth;
mod pim;
mod sealed;
mod settings_file;
mod uri;
mod xml;

// The server is a program and no library: these files of it are compiled here once more, each for the parsers in it.
#[allow(dead_code, reason = "root_key writes with it, and only its reading is fuzzed")]
#[path = "../../server/src/durable.rs"]
mod durable;
#[allow(dead_code, reason = "only the parser of the file is fuzzed")]
#[path = "../../server/src/root_key.rs"]
mod root_key;
#[allow(dead_code, reason = "only the parser and how sources are put together are fuzzed")]
#[path = "../../server/src/settings.rs"]
mod settings;

pub use headers::{conditions, credentials, head, if_header, range, tokens};
pub use oauth::oauth;
pub use pim::{calendar, card, export, rule};
pub use sealed::{keys, pack};
pub use settings_file::config;
pub use uri::{destination, path};
pub use xml::{bodies, xml};

pub type Target = fn(&[u8]);

/// Every target by name. Each has a file in `fuzz/fuzz_targets` and a folder in `fuzz/corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    ("bodies", bodies),
    ("calendar", calendar),
    ("card", card),
    ("conditions", conditions),
    ("config", config),
    ("credentials", credentials),
    ("destination", destination),
    ("export", export),
    ("head", head),
    ("if_header", if_header),
    ("keys", keys),
    ("oauth", oauth),
    ("pack", pack),
    ("path", path),
    ("range", range),
    ("tokens", tokens),
    ("rule", rule),
    ("xml", xml),
];

//! The core, through its gate.

mod grants;
mod model;
mod store;
mod upkeep;
mod watch;
mod world;

//! The core, through its gate.

mod model;
mod store;
mod upkeep;
mod watch;
mod world;

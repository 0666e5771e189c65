//! The core, through its gate.

mod grants;
mod model;
mod rotation;
mod shredding;
mod store;
mod upkeep;
mod watch;
mod world;

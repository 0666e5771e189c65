//! The core, through its gate.

mod grants;
mod model;
mod nodes;
mod people;
mod rotation;
mod shredding;
mod store;
mod upkeep;
mod watch;
mod world;

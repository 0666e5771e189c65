//! The whole program, as its users meet it: started as a process, spoken to over the network.

mod bad_input;
mod clients;
mod command_line;
mod crash;
mod libraries;
mod mounts;
mod rclone;
mod sequences;
mod server;
mod sync;
mod tls;
mod webdav;

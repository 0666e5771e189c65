//! The whole program, as its users meet it: started as a process, spoken to over the network.

mod access_control;
mod api;
mod bad_input;
mod clients;
mod command_line;
mod crash;
mod framing;
mod libraries;
mod limits;
mod matrix;
mod matrix_api;
mod mended;
mod mounts;
mod rclone;
mod recovery;
mod schemathesis;
mod sequences;
mod server;
mod sessions;
mod sign_in;
mod sync;
mod tls;
mod webdav;

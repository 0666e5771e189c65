//! Media types by file name, for clients that send none.

/// The type a name's extension stands for; `application/octet-stream` where it stands for nothing known.
pub fn by_name(name: &str) -> &'static str {
    mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream")
}

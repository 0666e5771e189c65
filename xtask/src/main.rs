//! `cargo xtask`: what developers do now and then. `cargo test -p xtask` holds the house in order.

mod bench;
mod keeper;
mod prove;
mod screenshots;
#[cfg(test)]
mod tidy;

fn main() -> std::process::ExitCode {
    // The first is the program's own name.
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["bench", rest @ ..] => bench::run(rest),
        ["prove", rest @ ..] => prove::run(rest),
        ["screenshots", rest @ ..] => screenshots::run(rest),
        _ => Err(format!("{}\n{}\n{}", bench::USAGE, prove::USAGE, screenshots::USAGE).into()),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            std::process::ExitCode::FAILURE
        }
    }
}

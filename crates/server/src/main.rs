//! The one binary: reads the command line, opens what it needs, does what was asked.

mod background;
mod commands;
mod connection;
mod descriptors;
mod durable;
mod host_env;
mod kit;
mod root_key;
mod secrecy;
mod settings;
mod tls;

use clap::Parser;
use commands::Command;
use settings::Settings;

/// holm, a personal cloud: one tree of everything a person keeps, behind the protocols their devices already speak.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

fn main() -> std::process::ExitCode {
    secrecy::keep_memory_private();
    let cli = Cli::parse();
    let json = cli.settings.json;
    match cli.settings.with_file().and_then(|settings| commands::run(cli.command.unwrap_or(Command::Serve), settings)) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) if json => {
            eprintln!("{}", serde_json::json!({ "error": e.to_string() }));
            std::process::ExitCode::FAILURE
        }
        Err(e) => {
            eprintln!("holm: {e}");
            std::process::ExitCode::FAILURE
        }
    }
}

//! Every setting, once: a flag, an environment variable and a key of `holm.toml` each. Flags win over the environment,
//! the environment over the file. `holm.example.toml` explains them to people.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Deserialize;

pub type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Configuration file [default: $XDG_CONFIG_HOME/holm/holm.toml, if there is one]
    #[arg(long, env = "HOLM_CONFIG", global = true)]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Answer in JSON, for scripts
    #[arg(long, global = true)]
    #[serde(skip)]
    pub json: bool,
    /// Where everything is kept [default: $XDG_DATA_HOME/holm]
    #[arg(long, env = "HOLM_DATA", global = true)]
    pub data: Option<PathBuf>,
    /// The root key's file, outside the data directory [default: $XDG_CONFIG_HOME/holm/root.key]
    #[arg(long, env = "HOLM_ROOT_KEY", global = true)]
    pub root_key: Option<PathBuf>,
    /// Address and port to serve on [default: 127.0.0.1:8420]
    #[arg(long, env = "HOLM_LISTEN", global = true)]
    pub listen: Option<SocketAddr>,
    /// Certificate chain (PEM) for TLS
    #[arg(long, env = "HOLM_TLS_CERT", global = true)]
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM) for TLS
    #[arg(long, env = "HOLM_TLS_KEY", global = true)]
    pub tls_key: Option<PathBuf>,
    /// Serve plain HTTP beyond this machine: only behind a proxy that speaks TLS
    #[arg(long, env = "HOLM_INSECURE_HTTP", global = true, num_args = 0..=1, default_missing_value = "true")]
    pub insecure_http: Option<bool>,
    /// Address and port for Prometheus metrics; off unless given
    #[arg(long, env = "HOLM_METRICS", global = true)]
    pub metrics: Option<SocketAddr>,
    /// What to log: error, warn, info, debug or trace [default: info]
    #[arg(long, env = "HOLM_LOG", global = true)]
    pub log: Option<String>,
    /// How to log [default: text]
    #[arg(long, env = "HOLM_LOG_FORMAT", global = true, value_enum)]
    pub log_format: Option<LogFormat>,
}

/// `$variable`, or `rest` below the home directory.
fn xdg(variable: &str, rest: &str) -> Fallible<PathBuf> {
    let set = std::env::var_os(variable).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(rest));
    set.or_else(home).map(|dir| dir.join("holm")).ok_or_else(|| "neither HOME nor XDG directories are set; give --data and --root-key".into())
}

impl Settings {
    /// Fills what flags and environment left open from the file.
    pub fn with_file(self) -> Fallible<Settings> {
        let path = match &self.config {
            Some(path) => path.clone(),
            None => match xdg("XDG_CONFIG_HOME", ".config") {
                Ok(dir) if dir.join("holm.toml").exists() => dir.join("holm.toml"),
                _ => return Ok(self),
            },
        };
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let file: Settings = toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Settings {
            config: Some(path),
            json: self.json,
            data: self.data.or(file.data),
            root_key: self.root_key.or(file.root_key),
            listen: self.listen.or(file.listen),
            tls_cert: self.tls_cert.or(file.tls_cert),
            tls_key: self.tls_key.or(file.tls_key),
            insecure_http: self.insecure_http.or(file.insecure_http),
            metrics: self.metrics.or(file.metrics),
            log: self.log.or(file.log),
            log_format: self.log_format.or(file.log_format),
        })
    }

    pub fn data(&self) -> Fallible<PathBuf> {
        self.data.clone().map_or_else(|| xdg("XDG_DATA_HOME", ".local/share"), Ok)
    }

    pub fn root_key(&self) -> Fallible<PathBuf> {
        self.root_key.clone().map_or_else(|| Ok(xdg("XDG_CONFIG_HOME", ".config")?.join("root.key")), Ok)
    }

    pub fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8420)))
    }
}

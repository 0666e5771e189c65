//! Every setting, once: a flag, an environment variable and a key of `holm.toml` each. Flags win over the environment,
//! the environment over the file. `holm.example.toml` explains them to people.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use holm_core::{Place, Retention};
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
    #[arg(long, env = "HOLM_CONFIG", global = true, hide_short_help = true)]
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
    #[command(flatten)]
    pub catalog: Catalog,
    /// Address and port to serve on [default: 127.0.0.1:8420]
    #[arg(long, env = "HOLM_LISTEN", global = true, hide_short_help = true, value_parser = address)]
    pub listen: Option<SocketAddr>,
    /// Certificate chain (PEM) for TLS
    #[arg(long, env = "HOLM_TLS_CERT", global = true, hide_short_help = true)]
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM) for TLS
    #[arg(long, env = "HOLM_TLS_KEY", global = true, hide_short_help = true)]
    pub tls_key: Option<PathBuf>,
    /// Names to get a certificate for from an ACME authority, like cloud.example.org; port 443 of each must lead here
    #[arg(long, env = "HOLM_ACME_DOMAINS", global = true, hide_short_help = true, value_delimiter = ',')]
    pub acme_domains: Option<Vec<String>>,
    /// Where the ACME authority may write to
    #[arg(long, env = "HOLM_ACME_EMAIL", global = true, hide_short_help = true)]
    pub acme_email: Option<String>,
    /// The ACME authority's directory [default: Let's Encrypt]; using it means that you agree to its terms
    #[arg(long, env = "HOLM_ACME_DIRECTORY", global = true, hide_short_help = true)]
    pub acme_directory: Option<String>,
    /// Certificate (PEM) that the ACME authority's own server is trusted by, where it is a private one
    #[arg(long, env = "HOLM_ACME_CA", global = true, hide_short_help = true)]
    pub acme_ca: Option<PathBuf>,
    /// Names that requests may be meant for; addresses and localhost always are
    /// [default: acme_domains; else any on an open address, none on a loopback one]
    #[arg(long, env = "HOLM_HOSTS", global = true, hide_short_help = true, value_delimiter = ',')]
    pub hosts: Option<Vec<String>>,
    /// Where people open holm in their browsers, like https://cloud.example.org; passkeys are for this name
    /// [default: the first of hosts, with https; else http://localhost and the port]
    #[arg(long, env = "HOLM_ORIGIN", global = true, hide_short_help = true, value_parser = origin)]
    pub origin: Option<String>,
    /// Addresses of proxies in front, whose X-Forwarded-For tells the client's address, and whose X-Forwarded-Proto its protocol
    #[arg(long, env = "HOLM_PROXIES", global = true, hide_short_help = true, value_delimiter = ',')]
    pub proxies: Option<Vec<IpAddr>>,
    /// Hosts in private networks that holm may fetch from, also without TLS: names or addresses, like an app's at home
    #[arg(long, env = "HOLM_PRIVATE_HOSTS", global = true, hide_short_help = true, value_delimiter = ',')]
    pub private_hosts: Option<Vec<String>>,
    /// Serve plain HTTP beyond this machine: only behind a proxy that speaks TLS
    #[arg(long, env = "HOLM_INSECURE_HTTP", global = true, hide_short_help = true, num_args = 0..=1, default_missing_value = "true")]
    pub insecure_http: Option<bool>,
    /// Address and port for Prometheus metrics; off unless given
    #[arg(long, env = "HOLM_METRICS", global = true, hide_short_help = true)]
    pub metrics: Option<SocketAddr>,
    /// Hours for which every earlier version of a file stays [default: 24]
    #[arg(long, env = "HOLM_KEEP_ALL_HOURS", global = true, hide_short_help = true, value_parser = span)]
    pub keep_all_hours: Option<i64>,
    /// Days for which one earlier version a day stays [default: 30]
    #[arg(long, env = "HOLM_KEEP_DAILY_DAYS", global = true, hide_short_help = true, value_parser = span)]
    pub keep_daily_days: Option<i64>,
    /// Days for which one earlier version a week stays [default: 365]
    #[arg(long, env = "HOLM_KEEP_WEEKLY_DAYS", global = true, hide_short_help = true, value_parser = span)]
    pub keep_weekly_days: Option<i64>,
    /// Days for which what was deleted stays in the trash [default: 30]
    #[arg(long, env = "HOLM_KEEP_TRASH_DAYS", global = true, hide_short_help = true, value_parser = span)]
    pub keep_trash_days: Option<i64>,
    /// Days for which it stays on record who did what [default: 90]
    #[arg(long, env = "HOLM_KEEP_RECORD_DAYS", global = true, hide_short_help = true, value_parser = span)]
    pub keep_record_days: Option<i64>,
    /// What to log: error, warn, info, debug or trace [default: info]
    #[arg(long, env = "HOLM_LOG", global = true, hide_short_help = true)]
    pub log: Option<String>,
    /// How to log [default: text]
    #[arg(long, env = "HOLM_LOG_FORMAT", global = true, hide_short_help = true, value_enum)]
    pub log_format: Option<LogFormat>,
}

/// `[catalog]`: who lives here, and what is where in their trees.
#[derive(Args, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Catalog {
    /// Database for the catalogs, like postgres://holm@127.0.0.1/holm [default: files in the data directory]
    #[arg(
        id = "catalog_url",
        long = "catalog-url",
        env = "HOLM_CATALOG_URL",
        value_name = "URL",
        global = true,
        hide_short_help = true,
        hide_env_values = true
    )]
    pub url: Option<String>,
}

impl Catalog {
    /// The database without its password; None where catalogs are files.
    pub fn told(&self) -> Option<String> {
        let (scheme, rest) = self.url.as_deref()?.split_once("://").unwrap_or(("", ""));
        let (who, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let user = who.split(':').next().unwrap_or_default();
        Some(format!("{scheme}://{user}@{place}"))
    }
}

/// An address may hold a password, which is not for logs.
impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.told())
    }
}

/// Longest time that retention may name, in hours or days: a century of days.
const LONGEST: i64 = 36_525;

/// `127.0.0.1:8420`, `localhost:8420`, `:8420` or `8420`.
fn address(text: &str) -> Result<SocketAddr, String> {
    let whole = match text {
        _ if text.parse::<u16>().is_ok() => format!("127.0.0.1:{text}"),
        _ if text.starts_with(':') => format!("127.0.0.1{text}"),
        _ => text.to_owned(),
    };
    let found = whole.to_socket_addrs().ok().and_then(|mut all| all.next());
    found.ok_or_else(|| "an address and port, like 127.0.0.1:8420, [::]:443 or localhost:8420".into())
}

/// A scheme, a host and maybe a port.
fn origin(text: &str) -> Result<String, String> {
    let uri: Option<http::Uri> = text.trim_end_matches('/').parse().ok();
    let whole = |uri: &http::Uri| matches!(uri.scheme_str(), Some("https" | "http")) && uri.authority().is_some_and(|a| !a.as_str().contains('@'));
    let bare = uri.as_ref().filter(|uri| whole(uri) && uri.path() == "/" && uri.query().is_none());
    let lower = bare.map(|_| text.trim_end_matches('/').to_ascii_lowercase());
    lower.ok_or_else(|| "https:// and a name, maybe a port, and nothing else".into())
}

fn span(text: &str) -> Result<i64, String> {
    text.parse().ok().filter(|n| (0..=LONGEST).contains(n)).ok_or_else(|| format!("a whole number from 0 to {LONGEST}"))
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
        Ok(Settings { config: Some(path), ..self }.or(file))
    }

    /// What is set here, and for the rest what `file` sets.
    pub fn or(self, file: Settings) -> Settings {
        Settings {
            config: self.config,
            json: self.json,
            data: self.data.or(file.data),
            root_key: self.root_key.or(file.root_key),
            catalog: Catalog { url: self.catalog.url.or(file.catalog.url) },
            listen: self.listen.or(file.listen),
            tls_cert: self.tls_cert.or(file.tls_cert),
            tls_key: self.tls_key.or(file.tls_key),
            acme_domains: self.acme_domains.or(file.acme_domains),
            acme_email: self.acme_email.or(file.acme_email),
            acme_directory: self.acme_directory.or(file.acme_directory),
            acme_ca: self.acme_ca.or(file.acme_ca),
            hosts: self.hosts.or(file.hosts),
            origin: self.origin.or(file.origin),
            proxies: self.proxies.or(file.proxies),
            private_hosts: self.private_hosts.or(file.private_hosts),
            insecure_http: self.insecure_http.or(file.insecure_http),
            metrics: self.metrics.or(file.metrics),
            keep_all_hours: self.keep_all_hours.or(file.keep_all_hours),
            keep_daily_days: self.keep_daily_days.or(file.keep_daily_days),
            keep_weekly_days: self.keep_weekly_days.or(file.keep_weekly_days),
            keep_trash_days: self.keep_trash_days.or(file.keep_trash_days),
            keep_record_days: self.keep_record_days.or(file.keep_record_days),
            log: self.log.or(file.log),
            log_format: self.log_format.or(file.log_format),
        }
    }

    pub fn data(&self) -> Fallible<PathBuf> {
        self.data.clone().map_or_else(|| xdg("XDG_DATA_HOME", ".local/share"), Ok)
    }

    pub fn root_key(&self) -> Fallible<PathBuf> {
        self.root_key.clone().map_or_else(|| Ok(xdg("XDG_CONFIG_HOME", ".config")?.join("root.key")), Ok)
    }

    /// Where everything is kept.
    pub fn place(&self) -> Fallible<Place> {
        Ok(Place { data: self.data()?, catalog: self.catalog.url.clone() })
    }

    /// The flags by which another command finds the same data.
    pub fn place_flags(&self) -> String {
        let flag = |name: &str, path: &Option<PathBuf>| path.as_ref().map(|p| format!(" --{name} {}", p.display())).unwrap_or_default();
        let catalog = self.catalog.told().filter(|told| Some(told) == self.catalog.url.as_ref()).map(PathBuf::from);
        flag("data", &self.data) + &flag("root-key", &self.root_key) + &flag("catalog-url", &catalog)
    }

    /// Names that requests may be meant for; None: any.
    pub fn hosts(&self) -> Option<Vec<String>> {
        let open = !self.listen().ip().is_loopback();
        self.hosts.clone().or_else(|| self.acme_domains.clone()).or_else(|| (!open).then(Vec::new))
    }

    /// Whether the settings say where people open holm, wherever it serves.
    pub fn names_origin(&self) -> bool {
        self.origin.is_some() || self.listen.is_some() || self.hosts().is_some_and(|hosts| !hosts.is_empty())
    }

    /// Where people open holm in their browsers, serving on `address`.
    pub fn origin(&self, address: SocketAddr) -> Fallible<String> {
        if let Some(given) = &self.origin {
            // The file's text does not pass the flags' parser.
            return origin(given).map_err(|e| format!("origin = \"{given}\": {e}").into());
        }
        if let Some(host) = self.hosts().and_then(|hosts| hosts.first().cloned()) {
            return Ok(format!("https://{host}"));
        }
        let tls = self.tls_cert.is_some() || self.acme_domains.is_some();
        let scheme = if tls { "https" } else { "http" };
        // Browsers give a name more than an address: passkeys, and cookies that only go where nobody listens.
        Ok(if address.ip().is_loopback() { format!("{scheme}://localhost:{}", address.port()) } else { format!("{scheme}://{address}") })
    }

    /// How long versions, trash and records of access stay.
    pub fn retention(&self) -> Fallible<Retention> {
        let usual = Retention::default();
        let kept = Retention {
            all_hours: self.keep_all_hours.unwrap_or(usual.all_hours),
            daily_days: self.keep_daily_days.unwrap_or(usual.daily_days),
            weekly_days: self.keep_weekly_days.unwrap_or(usual.weekly_days),
            trash_days: self.keep_trash_days.unwrap_or(usual.trash_days),
            record_days: self.keep_record_days.unwrap_or(usual.record_days),
        };
        // The file's numbers do not pass the flags' parser.
        if [kept.all_hours, kept.daily_days, kept.weekly_days, kept.trash_days, kept.record_days].iter().any(|n| !(0..=LONGEST).contains(n)) {
            return Err(format!("keep_… settings are whole numbers from 0 to {LONGEST}").into());
        }
        Ok(kept)
    }

    pub fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8420)))
    }
}

//! The servers beside holm: where they are found, and the settings somebody would run them with in earnest. Every one
//! checks a password at every request, at the least cost it offers; none writes an access log.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Fallible;
use super::content::base64;

const NGINX_DAV: &str = "/usr/lib/nginx/modules/ngx_http_dav_ext_module.so";
const APACHE_MODULES: &str = "/usr/lib/apache2/modules";
/// Apache's workers on Debian, when it is started by root.
const APACHE_USER: &str = "www-data";
/// SHA-1 of the password "bench", as htpasswd -s writes it.
const SHA_OF_BENCH: &str = "{SHA}5cicUp3MubQnFvTZEY1hB5yIPZ4=";

pub struct Peer {
    pub name: &'static str,
    /// The version, where it is installed.
    pub version: fn() -> Option<String>,
    /// Lays out a fresh directory, once.
    pub prepare: fn(&Path, SocketAddr) -> Fallible<Account>,
    /// Stays in the foreground.
    pub command: fn(&Path, SocketAddr) -> Command,
    /// What its answer to a write promises.
    pub promise: &'static str,
}

pub struct Account {
    pub prefix: String,
    pub authorization: String,
}

pub const PEERS: &[Peer] = &[
    Peer {
        name: "holm",
        version: || told(&mut holm_command(), &["--version"]),
        prepare: prepare_holm,
        command: |dir, address| at(dir, &["--listen", &address.to_string(), "--log", "warn"]),
        promise: "synced to the disk before the answer, encrypted, every version kept",
    },
    Peer {
        name: "nginx",
        version: || Path::new(NGINX_DAV).exists().then(|| told(&mut Command::new("nginx"), &["-v"]))?,
        prepare: prepare_nginx,
        command: |dir, _| with(Command::new("nginx"), &["-c", &dir.join("nginx.conf").display().to_string()]),
        promise: "no sync, no encryption (dav-ext, two workers, sendfile, password in plain text in its file)",
    },
    Peer {
        name: "apache",
        version: || Path::new(APACHE_MODULES).join("mod_dav_fs.so").exists().then(|| told(&mut Command::new("apache2"), &["-v"]))?,
        prepare: prepare_apache,
        command: |dir, _| with(Command::new("apache2"), &["-f", &dir.join("apache.conf").display().to_string(), "-DFOREGROUND"]),
        promise: "no sync, no encryption (mpm_event, mod_dav_fs, {SHA} password)",
    },
    Peer {
        name: "rclone",
        version: || told(&mut Command::new("rclone"), &["version"]),
        prepare: prepare_files,
        command: |dir, address| {
            let files = dir.join("files").display().to_string();
            with(
                Command::new("rclone"),
                &["serve", "webdav", &files, "--addr", &address.to_string(), "--user", "bench", "--pass", "bench", "--config", "/dev/null"],
            )
        },
        promise: "no sync, no encryption (serve webdav over a local folder, no cache)",
    },
    Peer {
        name: "dufs",
        version: || told(&mut dufs(), &["--version"]),
        prepare: prepare_files,
        command: |dir, address| {
            let (host, port, files) = (address.ip().to_string(), address.port().to_string(), dir.join("files").display().to_string());
            with(dufs(), &["--allow-all", "--bind", &host, "--port", &port, "--auth", "bench:bench@/:rw", "--log-format", "", &files])
        },
        promise: "no sync, no encryption",
    },
];

pub fn with(mut command: Command, args: &[&str]) -> Command {
    command.args(args);
    command
}

/// The first line that a program says about itself, if it is there.
pub fn told(command: &mut Command, args: &[&str]) -> Option<String> {
    let output = command.args(args).output().ok()?;
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Some(String::from_utf8_lossy(&said).lines().next()?.trim().trim_start_matches("nginx version: ").trim_start_matches("Server version: ").to_owned())
}

/// Cargo puts programs where PATH need not lead.
fn dufs() -> Command {
    let own = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo/bin/dufs"));
    Command::new(own.filter(|p| p.exists()).unwrap_or_else(|| "dufs".into()))
}

/// The release build stands beside the one that runs this.
pub fn holm_command() -> Command {
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.parent()?.join("release/holm")));
    Command::new(beside.unwrap_or_else(|| "target/release/holm".into()))
}

pub fn at(dir: &Path, args: &[&str]) -> Command {
    let mut command = holm_command();
    command.arg("--data").arg(dir.join("data")).arg("--root-key").arg(dir.join("root.key")).args(args);
    command
}

fn prepare_holm(dir: &Path, _: SocketAddr) -> Fallible<Account> {
    let run = |args: &[&str]| -> Fallible<String> {
        let output = at(dir, args).output()?;
        if output.status.success() { Ok(String::from_utf8(output.stdout)?) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned().into()) }
    };
    run(&["person", "add", "bench"])?;
    let secret = run(&["app-password", "add", "bench", "--quiet"])?;
    Ok(Account { prefix: "/dav/files/bench".into(), authorization: basic("bench", secret.trim()) })
}

fn basic(name: &str, secret: &str) -> String {
    format!("Authorization: Basic {}\r\n", base64(format!("{name}:{secret}").as_bytes()))
}

fn prepare_files(dir: &Path, _: SocketAddr) -> Fallible<Account> {
    fs::create_dir(dir.join("files"))?;
    Ok(Account { prefix: String::new(), authorization: basic("bench", "bench") })
}

/// Started by root, servers change their user unless told otherwise.
fn root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}

fn prepare_nginx(dir: &Path, address: SocketAddr) -> Fallible<Account> {
    let account = prepare_files(dir, address)?;
    fs::write(dir.join("password"), "bench:{PLAIN}bench\n")?;
    let user = if root() { "user root;" } else { "" };
    let at = dir.display();
    fs::write(
        dir.join("nginx.conf"),
        format!(
            "load_module {NGINX_DAV}; {user} worker_processes 2; daemon off; pid {at}/pid; error_log {at}/log;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000; client_max_body_size 0;
  client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi; scgi_temp_path {at}/scgi; uwsgi_temp_path {at}/uwsgi;
  dav_ext_lock_zone zone=locks:10m;
  server {{
    listen {address}; root {at}/files;
    location / {{
      auth_basic bench; auth_basic_user_file {at}/password; create_full_put_path on;
      dav_methods PUT DELETE MKCOL COPY MOVE; dav_ext_methods PROPFIND OPTIONS LOCK UNLOCK; dav_ext_lock zone=locks;
    }}
  }}
}}
"
        ),
    )?;
    Ok(account)
}

fn prepare_apache(dir: &Path, address: SocketAddr) -> Fallible<Account> {
    let account = prepare_files(dir, address)?;
    fs::create_dir(dir.join("lock"))?;
    fs::write(dir.join("password"), format!("bench:{SHA_OF_BENCH}\n"))?;
    let modules = ["mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "dav", "dav_fs", "dav_lock"];
    let modules = modules.map(|m| format!("LoadModule {m}_module {APACHE_MODULES}/mod_{m}.so\n")).concat();
    let user = if root() { format!("User {APACHE_USER}\nGroup {APACHE_USER}") } else { String::new() };
    let at = dir.display();
    fs::write(
        dir.join("apache.conf"),
        format!(
            "{modules}{user}
ServerName localhost
ServerRoot {at}
DefaultRuntimeDir {at}
Listen {address}
PidFile {at}/pid
ErrorLog {at}/log
Mutex file:{at}/lock default
KeepAlive On
MaxKeepAliveRequests 0
EnableSendfile On
DocumentRoot {at}/files
DavLockDB {at}/lock/db
<Directory {at}/files>
  Dav On
  DavDepthInfinity on
  AllowOverride None
  AuthType Basic
  AuthName bench
  AuthUserFile {at}/password
  Require valid-user
</Directory>
"
        ),
    )?;
    if root() && !Command::new("chown").arg("-R").arg(APACHE_USER).args([dir.join("files"), dir.join("lock")]).status()?.success() {
        return Err(format!("{APACHE_USER} cannot be given Apache's folder; is there such a user?").into());
    }
    Ok(account)
}

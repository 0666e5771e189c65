//! `holm serve`: wiring, as plain constructor calls.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::get;
use holm_auth::Auth;
use holm_core::Gate;
use holm_dav::Door;
use holm_http::fetch::Fetcher;
use holm_remotestorage::RemoteStorage;
use holm_web::{Live, Turns, Web};
use holm_webfinger::Webfinger;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{Opened, kit};
use crate::background;
use crate::connection::Server;
use crate::descriptors;
use crate::settings::{Fallible, LogFormat, Settings};
use crate::tls;

/// Threads for blocking work: chunking, sealing, disk reads.
const BLOCKING: usize = 32;
/// Connections to the metrics at a time.
const SCRAPERS: usize = 8;

pub fn run(settings: Settings, opened: Opened) -> Fallible<()> {
    log(&settings)?;
    let workers = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(BLOCKING)
        .thread_keep_alive(Duration::from_secs(5))
        .enable_all()
        .build()?;
    runtime.block_on(serve(settings, opened))
}

fn log(settings: &Settings) -> Fallible<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(settings.log.as_deref().unwrap_or("info"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    match settings.log_format.unwrap_or_default() {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

async fn serve(settings: Settings, opened: Opened) -> Fallible<()> {
    let gate = Arc::new(Gate::new(opened.host.clone(), opened.env.clone()));
    let retention = settings.retention()?;
    let acceptor = tls::acceptor(&settings, &opened.host)?;
    let address = settings.listen();
    if acceptor.is_none() && !address.ip().is_loopback() && settings.insecure_http != Some(true) {
        return Err(format!("{address} is open to others, and plain HTTP would show them every password: give acme_domains, or tls_cert and tls_key, or insecure_http behind a proxy that speaks TLS").into());
    }
    let listener = TcpListener::bind(address).await.map_err(|e| format!("{address}: {e}; choose another with --listen"))?;
    let scheme = if acceptor.is_some() { "https" } else { "http" };
    let origin = settings.origin(listener.local_addr()?)?;
    opened.tell_origin(&origin)?;
    let auth = Arc::new(Auth::new(gate.clone(), &origin));
    greet(&settings, &opened, &auth, &format!("{scheme}://{}", listener.local_addr()?), &origin)?;
    if let Some(warning) = kit::warning(&opened.host, &opened.data, &settings.place_flags())? {
        tracing::warn!("{warning}");
    }
    if opened.keys.len() > 1 {
        tracing::warn!("a change of the root key was interrupted; stop holm and complete it: holm key rotate root{}", settings.place_flags());
    }
    if let Some(metrics) = settings.metrics {
        serve_metrics(metrics).await?;
    }
    tokio::spawn(background::each_second(gate.clone()));
    tokio::spawn(background::each_minute(gate.clone(), auth.clone()));
    tokio::spawn(background::each_day(gate.clone(), retention));
    let health = Router::new().route("/health", get(|| async { "ok\n" }));
    let hosts: Option<Arc<[String]>> = settings.hosts().map(Arc::from);
    let door = Door { gate: gate.clone(), auth: auth.clone(), hosts: hosts.clone().unwrap_or_default() };
    let kits = Arc::new(kit::keeper(&settings, &opened));
    let fetch = Arc::new(Fetcher::new(settings.private_hosts.clone().unwrap_or_default()));
    let (closing, closed) = watch::channel(false);
    let web = Web { kits, gate: gate.clone(), auth: auth.clone(), fetch, live: Live::new(closed), turns: Turns::default() };
    let storage = RemoteStorage { gate: gate.clone(), auth: auth.clone() };
    let webfinger = Webfinger {
        gate: gate.clone(),
        auth: auth.clone(),
        origin: origin.into(),
        hosts: hosts.clone().unwrap_or_default(),
        doors: [holm_remotestorage::link as holm_webfinger::Door].into(),
    };
    let doors = health.merge(holm_web::routes(web)).merge(holm_remotestorage::routes(storage)).merge(holm_webfinger::routes(webfinger));
    let router = doors.merge(holm_caldav::routes(door.clone())).merge(holm_webdav::routes(door)).layer(from_fn(holm_web::app));
    let mut failed = gate.failed();
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let stop = async {
        tokio::select! {
            _ = failed.wait_for(|f| *f) => tracing::error!("storage failed; stopping before anything is harmed"),
            _ = interrupted.recv() => tracing::info!("stopping"),
            _ = terminated.recv() => tracing::info!("stopping"),
        }
        closing.send_replace(true);
    };
    let (proxies, most) = (settings.proxies.clone().unwrap_or_default().into(), descriptors::connections());
    Server { listener, tls: acceptor, hosts, proxies, most, router }.run(stop).await;
    auth.flush_uses()?;
    if *gate.failed().borrow() {
        return Err("storage failed; nothing that was acknowledged is lost, see the log and check the disk".into());
    }
    Ok(gate.settle()?)
}

async fn serve_metrics(address: std::net::SocketAddr) -> Fallible<()> {
    let handle = PrometheusBuilder::new().install_recorder()?;
    let listener = TcpListener::bind(address).await.map_err(|e| format!("metrics on {address}: {e}"))?;
    let router = Router::new().route("/metrics", get(move || async move { handle.render() }));
    tokio::spawn(Server { listener, tls: None, hosts: None, proxies: Arc::default(), most: SCRAPERS, router }.run(std::future::pending()));
    Ok(())
}

/// What a person needs to know to go on, on standard output. That nobody reads it is no reason not to serve.
fn greet(settings: &Settings, opened: &Opened, auth: &Auth, address: &str, origin: &str) -> Fallible<()> {
    let mut text = format!("holm serves on {address}, keeping its data in {}\n", opened.data.display());
    if let Some(link) = auth.owner_link()? {
        let flags = settings.place_flags();
        text += "\nNobody lives here yet. Whoever opens this link becomes the owner; it works once, and holds for a week:\n";
        text += &format!("  {}\nOr, in another terminal:\n", auth.welcome(&link));
        text += &format!("  holm person add ann{flags}\n  holm app-password add ann --name laptop{flags}\n");
    }
    text += &format!("\nConnect any WebDAV client to {origin}/dav/files/NAME/ with the name and an app password.\n");
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

//! Accepting connections: HTTP/1.1 and HTTP/2 on one port, with or without TLS, under limits of time and number, until
//! asked to stop; then what was accepted is finished.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Response;
use holm_http::client::{ClientAddress, Encrypted};
use holm_http::strict::Filter;
use http::{Request, StatusCode, Version};
use hyper::body::Body as _;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tower::Service;

/// A request's head must come within this (T10).
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that reads nothing of an answer for this long is given up; players that pause come back with a range.
const STALLED: Duration = Duration::from_secs(120);
/// What is kept of each HTTP/2 stream's answer until the client takes it.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams of one HTTP/2 connection (T11).
const STREAMS: u32 = 100;
/// Connections from one address (IPv6: one /64); this machine's own are not limited, for a proxy may stand here.
const PER_ADDRESS: usize = 64;
/// Methods that metrics count by name: strangers could make up any number of them.
const METHODS: &[&str] =
    &["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST", "PATCH", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT"];
/// What is under way at a shutdown may take this long.
const DRAIN: Duration = Duration::from_secs(30);

pub struct Server {
    pub listener: TcpListener,
    pub tls: Option<TlsAcceptor>,
    /// Names that requests may be meant for; None: any.
    pub hosts: Option<Arc<[String]>>,
    /// Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
    pub proxies: Arc<[IpAddr]>,
    /// Connections at a time; more are closed as they come.
    pub most: usize,
    pub router: Router,
}

impl Server {
    /// Serves until `stop` resolves.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let graceful = Arc::new(GracefulShutdown::new());
        let slots = Arc::new(Mutex::new(Slots { left: self.most, taken: HashMap::new() }));
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(e) => {
                    // Out of descriptors, most likely: let some connections end first (D11).
                    tracing::warn!("accepting a connection: {e}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let address = peer.ip().to_canonical();
            let Some(slot) = Slot::take(&slots, block(address)) else {
                metrics::counter!("holm_connections_refused_total").increment(1);
                continue;
            };
            let (graceful, tls) = (graceful.clone(), self.tls.clone());
            let door = Door { router: self.router.clone(), hosts: self.hosts.clone(), proxies: self.proxies.clone(), address, tls: tls.is_some() };
            tokio::spawn(async move {
                let _slot = slot;
                let _ = stream.set_nodelay(true);
                connection(stream, tls, door, &graceful).await;
            });
        }
        drop(self.listener);
        let Some(graceful) = Arc::into_inner(graceful) else { return tokio::time::sleep(Duration::from_millis(200)).await };
        if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests did not end in time");
        }
    }
}

/// What counts as one client's: an IPv4 address, or the /64 that an IPv6 one lies in.
fn block(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if !v6.is_loopback() => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        other => other,
    }
}

/// Who has how many connections.
struct Slots {
    left: usize,
    taken: HashMap<IpAddr, usize>,
}

/// One of an address's connections.
struct Slot(Arc<Mutex<Slots>>, IpAddr);

impl Slot {
    fn take(slots: &Arc<Mutex<Slots>>, address: IpAddr) -> Option<Slot> {
        let mut all = slots.lock().expect("connection slots");
        let theirs = all.taken.get(&address).copied().unwrap_or_default();
        if all.left == 0 || theirs >= PER_ADDRESS && !address.is_loopback() {
            return None;
        }
        all.left -= 1;
        all.taken.insert(address, theirs + 1);
        Some(Slot(slots.clone(), address))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut all = self.0.lock().expect("connection slots");
        all.left += 1;
        if let Some(theirs) = all.taken.get_mut(&self.1) {
            *theirs -= 1;
            if *theirs == 0 {
                all.taken.remove(&self.1);
            }
        }
    }
}

/// Where one connection's requests go.
#[derive(Clone)]
struct Door {
    router: Router,
    hosts: Option<Arc<[String]>>,
    proxies: Arc<[IpAddr]>,
    address: IpAddr,
    tls: bool,
}

impl Door {
    /// The client's address: the peer's, or what proxies of ours say, read from the nearest on; a stranger's own claim
    /// comes before that and is not believed.
    fn client(&self, headers: &http::HeaderMap) -> IpAddr {
        if !self.proxies.contains(&self.address) {
            return self.address;
        }
        let told: Vec<_> = headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).collect();
        let mut client = self.address;
        for hop in told.iter().rev() {
            let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
            client = address.to_canonical();
            if !self.proxies.contains(&client) {
                break;
            }
        }
        client
    }

    /// Whether the client spoke TLS, with us or with a proxy of ours.
    fn encrypted(&self, headers: &http::HeaderMap) -> bool {
        let told = || headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
        self.tls || self.proxies.contains(&self.address) && told()
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, door: Door, graceful: &GracefulShutdown) {
    let address = door.address;
    match tls {
        None => http(stream, door, graceful).await,
        Some(tls) => match tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => http(stream, door, graceful).await,
            Ok(Err(e)) => tracing::debug!("TLS handshake with {address}: {e}"),
            Err(_) => tracing::debug!("TLS handshake with {address} took too long"),
        },
    }
}

async fn http(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, door: Door, graceful: &GracefulShutdown) {
    let address = door.address;
    let service = hyper::service::service_fn(move |request: Request<Incoming>| answer(door.clone(), request));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(128 * 1024);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS).max_send_buf_size(SEND_BUFFER).keep_alive_interval(Duration::from_secs(60));
    let served = graceful.watch(builder.serve_connection(TokioIo::new(Strict { stream, filter: Filter::default(), stalled: None }), service).into_owned());
    if let Err(e) = served.await {
        tracing::debug!("connection from {address}: {e}");
    }
}

async fn answer(mut door: Door, mut request: Request<Incoming>) -> Result<Response, std::convert::Infallible> {
    let began = Instant::now();
    let (method, address) = (request.method().clone(), door.client(request.headers()));
    let sends = request.version() <= Version::HTTP_11 && matches!(method.as_str(), "PUT" | "PATCH" | "POST") && !request.body().is_end_stream();
    let mut response = match meant_for(&request) {
        None => refusal(StatusCode::BAD_REQUEST, "this request can be read in two ways\n"),
        Some(host) if !is_here(&host, door.hosts.as_deref()) => {
            refusal(StatusCode::MISDIRECTED_REQUEST, "this server does not know itself by that name; its keeper can add it to the setting hosts\n")
        }
        Some(_) => {
            let encrypted = Encrypted(door.encrypted(request.headers()));
            request.extensions_mut().insert(ClientAddress(address));
            request.extensions_mut().insert(encrypted);
            door.router.call(request).await?
        }
    };
    let status = response.status();
    if sends && status.is_client_error() | status.is_server_error() {
        // The rest of the body is not read, so nothing can follow it.
        response.headers_mut().insert("connection", http::HeaderValue::from_static("close"));
    }
    let label = METHODS.iter().find(|known| **known == method.as_str()).copied().unwrap_or("other");
    metrics::counter!("holm_requests_total", "method" => label, "status" => status.as_u16().to_string()).increment(1);
    metrics::histogram!("holm_request_seconds").record(began.elapsed().as_secs_f64());
    tracing::debug!(%method, status = status.as_u16(), %address, micros = began.elapsed().as_micros() as u64, "request");
    Ok(response)
}

fn refusal(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert("connection", http::HeaderValue::from_static("close"));
    response
}

/// The host that a request names, in lower case and without its port; None where it names none, two, or it differs
/// from the target's (T12). The framing is [`Filter`]'s to watch.
fn meant_for(request: &Request<Incoming>) -> Option<String> {
    let mut hosts = request.headers().get_all("host").iter();
    let named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host.to_str().ok()?.to_ascii_lowercase()),
        (None, _) => None,
        (Some(_), Some(_)) => return None,
    };
    let target = request.uri().authority().map(|a| a.as_str().to_ascii_lowercase());
    let whole = match (named, target) {
        (Some(named), Some(target)) if named != target => return None,
        (Some(host), _) | (None, Some(host)) => host,
        (None, None) if request.version() < Version::HTTP_11 => "localhost".to_owned(),
        (None, None) => return None,
    };
    let end = whole.rfind(':').filter(|at| !whole[*at..].contains(']')).unwrap_or(whole.len());
    Some(whole[..end].trim_end_matches('.').to_owned())
}

/// Addresses can not be made to lead elsewhere by a false name server, so they need no list.
fn is_here(host: &str, hosts: Option<&[String]>) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    address || host == "localhost" || hosts.is_none_or(|hosts| hosts.iter().any(|h| h.eq_ignore_ascii_case(host)))
}

/// A connection whose incoming bytes pass the filter.
struct Strict<S> {
    stream: S,
    filter: Filter,
    /// Runs while the client takes nothing of what is sent.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Strict<S> {
    /// Ends a connection whose client has stopped reading.
    fn patient<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let sleep = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALLED)));
        match sleep.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.filter.pass(&mut buf.filled_mut()[before..]);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.patient(cx, polled)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.patient(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

//! Accepting connections: HTTP/1.1 and HTTP/2 on one port, with or without TLS, under limits of time and number, until
//! asked to stop; then what was accepted is finished.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Response;
use holm_http::strict::Filter;
use holm_webdav::ClientAddress;
use http::{Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower::Service;

/// A request's head must come within this (T10).
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Streams of one HTTP/2 connection (T11).
const STREAMS: u32 = 100;
/// Connections from one address; this machine's own are not counted.
const PER_ADDRESS: usize = 128;
/// What is under way at a shutdown may take this long.
const DRAIN: Duration = Duration::from_secs(30);

pub struct Server {
    pub listener: TcpListener,
    pub tls: Option<TlsAcceptor>,
    pub router: Router,
}

impl Server {
    /// Serves until `stop` resolves.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let graceful = Arc::new(GracefulShutdown::new());
        let counts = Arc::new(Mutex::new(HashMap::<IpAddr, usize>::new()));
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
            let Some(slot) = Slot::take(&counts, address) else { continue };
            let (graceful, tls, router) = (graceful.clone(), self.tls.clone(), self.router.clone());
            tokio::spawn(async move {
                let _slot = slot;
                let _ = stream.set_nodelay(true);
                connection(stream, tls, router, address, &graceful).await;
            });
        }
        drop(self.listener);
        let Some(graceful) = Arc::into_inner(graceful) else { return tokio::time::sleep(Duration::from_millis(200)).await };
        if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests did not end in time");
        }
    }
}

/// One of an address's connections.
struct Slot(Arc<Mutex<HashMap<IpAddr, usize>>>, IpAddr);

impl Slot {
    fn take(counts: &Arc<Mutex<HashMap<IpAddr, usize>>>, address: IpAddr) -> Option<Slot> {
        let mut map = counts.lock().expect("connection counts");
        let count = map.entry(address).or_default();
        if *count >= PER_ADDRESS && !address.is_loopback() {
            return None;
        }
        *count += 1;
        Some(Slot(counts.clone(), address))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut map = self.0.lock().expect("connection counts");
        if let Some(count) = map.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                map.remove(&self.1);
            }
        }
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, address: IpAddr, graceful: &GracefulShutdown) {
    match tls {
        None => http(stream, router, address, graceful).await,
        Some(tls) => match tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => http(stream, router, address, graceful).await,
            Ok(Err(e)) => tracing::debug!("TLS handshake with {address}: {e}"),
            Err(_) => tracing::debug!("TLS handshake with {address} took too long"),
        },
    }
}

async fn http(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router, address: IpAddr, graceful: &GracefulShutdown) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| answer(router.clone(), request, address));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(128 * 1024);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS).keep_alive_interval(Duration::from_secs(60));
    let served = graceful.watch(builder.serve_connection(TokioIo::new(Strict { stream, filter: Filter::default() }), service).into_owned());
    if let Err(e) = served.await {
        tracing::debug!("connection from {address}: {e}");
    }
}

async fn answer(mut router: Router, mut request: Request<Incoming>, address: IpAddr) -> Result<Response, std::convert::Infallible> {
    let began = Instant::now();
    let method = request.method().clone();
    let response = if is_ambiguous(&request) {
        let mut response = Response::new("this request can be read in two ways\n".into());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response.headers_mut().insert("connection", http::HeaderValue::from_static("close"));
        response
    } else {
        request.extensions_mut().insert(ClientAddress(address));
        router.call(request).await?
    };
    let status = response.status();
    let label = if method.as_str().len() <= 10 { method.as_str().to_owned() } else { "other".into() };
    metrics::counter!("holm_requests_total", "method" => label, "status" => status.as_u16().to_string()).increment(1);
    metrics::histogram!("holm_request_seconds").record(began.elapsed().as_secs_f64());
    tracing::debug!(%method, status = status.as_u16(), %address, micros = began.elapsed().as_micros() as u64, "request");
    Ok(response)
}

/// Requests that two servers could route differently (T12); the framing is [`Filter`]'s to watch.
fn is_ambiguous(request: &Request<Incoming>) -> bool {
    let hosts = request.headers().get_all("host").iter().count();
    hosts > 1 || (request.version() == Version::HTTP_11 && hosts == 0)
}

/// A connection whose incoming bytes pass the filter.
struct Strict<S> {
    stream: S,
    filter: Filter,
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
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
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

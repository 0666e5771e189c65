//! Fetching what a stranger named, without being sent where strangers can not go themselves (SSRF): names are resolved here, the very
//! address that is connected to was looked at, and it is one of the public Internet's. Nothing else in holm asks other servers for
//! what somebody gave the address of.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// Addresses of one name that are tried.
const TRIED: usize = 4;
const CONNECT: Duration = Duration::from_secs(5);

/// Bounds of a fetch.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of the body.
    pub bytes: usize,
    /// For all of it.
    pub time: Duration,
    /// Redirects that are followed, to the same host alone.
    pub redirects: usize,
}

/// What was there.
#[derive(Debug)]
pub struct Fetched {
    pub kind: Option<String>,
    pub body: Vec<u8>,
}

/// Why nothing was fetched; in words for whoever named the address.
#[derive(Debug, PartialEq, Eq)]
pub enum FetchError {
    /// Not an address that is fetched from.
    Refused(&'static str),
    /// Nobody answers there, or not as they should.
    Failed(String),
    TooLarge,
    TimedOut,
}

impl std::fmt::Display for FetchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FetchError::Refused(why) => f.write_str(why),
            FetchError::Failed(why) => f.write_str(why),
            FetchError::TooLarge => f.write_str("what is there is too large"),
            FetchError::TimedOut => f.write_str("it took too long"),
        }
    }
}

/// Whether an address is one of the public Internet's: anybody may be sent there by anybody.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// IANA's special-purpose registry, as far as it is not globally reachable.
fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let whole = matches!(a, 0 | 10 | 127 | 224..=255);
    let half = matches!((a, b), (100, 64..=127) | (169, 254) | (192, 168) | (172, 16..=31) | (198, 18 | 19));
    let part = matches!((a, b, c), (192, 0, 0 | 2) | (192, 88, 99) | (198, 51, 100) | (203, 0, 113));
    !(whole || half || part)
}

/// Of the global unicast addresses those that lead to no IPv4 address, and are for use.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    let s = v6.segments();
    let global = s[0] & 0xe000 == 0x2000;
    // Protocol assignments with Teredo, documentation, 6to4, documentation again.
    let special = matches!((s[0], s[1]), (0x2001, 0..0x200 | 0xdb8) | (0x2002, _) | (0x3fff, 0..0x1000));
    global && !special
}

/// Fetches.
pub struct Fetcher {
    /// Hosts that may have other addresses, and be asked without TLS.
    private: Vec<String>,
    tls: TlsConnector,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Fetcher {
    /// `private` are names or addresses of hosts in one's own network, which may be fetched from all the same, also without TLS.
    pub fn new(private: Vec<String>) -> Fetcher {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS 1.2 and 1.3");
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Fetcher { private, tls: TlsConnector::from(Arc::new(config)) }
    }

    /// What is at an address; nothing but a success is an answer.
    pub async fn get(&self, url: &Url, accept: &'static str, bounds: Bounds) -> Result<Fetched, FetchError> {
        timeout(bounds.time, self.follow(url, accept, bounds)).await.unwrap_or(Err(FetchError::TimedOut))
    }

    async fn follow(&self, url: &Url, accept: &'static str, bounds: Bounds) -> Result<Fetched, FetchError> {
        let mut url = url.clone();
        for _ in 0..=bounds.redirects {
            match self.once(&url, accept, bounds.bytes).await? {
                Ok(fetched) => return Ok(fetched),
                Err(to) => {
                    let next = url.join(&to).map_err(|_| FetchError::Refused("it redirects to what is no address"))?;
                    if next.origin() != url.origin() {
                        return Err(FetchError::Refused("it redirects to another host"));
                    }
                    url = next;
                }
            }
        }
        Err(FetchError::Refused("it redirects"))
    }

    /// One request; the inner error is where it redirects to.
    async fn once(&self, url: &Url, accept: &'static str, most: usize) -> Result<Result<Fetched, String>, FetchError> {
        let failed = |e: &dyn std::fmt::Display| FetchError::Failed(e.to_string());
        let stream = self.connect(url).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| failed(&e))?;
        let connection = tokio::spawn(connection);
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let request = Request::get(target).header(HOST, authority).header(ACCEPT, accept).header(USER_AGENT, "holm").body(Empty::<Bytes>::new());
        let response = sender.send_request(request.map_err(|e| failed(&e))?).await.map_err(|e| failed(&e))?;
        let header = |name| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let (kind, location) = (header(CONTENT_TYPE), header(LOCATION));
        let answer = match response.status() {
            StatusCode::OK => {
                let body = Limited::new(response.into_body(), most).collect().await.map_err(|_| FetchError::TooLarge)?;
                Ok(Ok(Fetched { kind, body: body.to_bytes().into() }))
            }
            status if status.is_redirection() => location.map(Err).ok_or(FetchError::Refused("it redirects to nowhere")),
            status => Err(FetchError::Failed(format!("it answers {status}"))),
        };
        connection.abort();
        answer
    }

    async fn connect(&self, url: &Url) -> Result<Box<dyn Stream>, FetchError> {
        let private = url.host_str().is_some_and(|host| self.private.iter().any(|p| p.eq_ignore_ascii_case(host)));
        let plain = url.scheme() == "http" && private;
        if !plain && url.scheme() != "https" {
            return Err(FetchError::Refused("only https is fetched"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::Refused("an address with a user is not fetched"));
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else { return Err(FetchError::Refused("it names no host")) };
        let addresses = resolve(&host, port).await?;
        // A name that leads to both kinds is a trick.
        if !private && !addresses.iter().all(|a| is_public(a.ip())) {
            return Err(FetchError::Refused("it leads into a private network, which only the setting private_hosts may allow"));
        }
        let stream = first(&addresses).await?;
        if plain {
            return Ok(Box::new(stream));
        }
        let name = match &host {
            Host::Domain(name) => ServerName::try_from((*name).to_owned()).map_err(|_| FetchError::Refused("it names no host"))?,
            Host::Ipv4(v4) => ServerName::IpAddress(IpAddr::V4(*v4).into()),
            Host::Ipv6(v6) => ServerName::IpAddress(IpAddr::V6(*v6).into()),
        };
        let stream = self.tls.connect(name, stream).await.map_err(|e| FetchError::Failed(format!("TLS: {e}")))?;
        Ok(Box::new(stream))
    }
}

/// All addresses of a host.
async fn resolve(host: &Host<&str>, port: u16) -> Result<Vec<SocketAddr>, FetchError> {
    let found = match host {
        Host::Ipv4(v4) => vec![SocketAddr::from((*v4, port))],
        Host::Ipv6(v6) => vec![SocketAddr::from((*v6, port))],
        Host::Domain(name) => tokio::net::lookup_host((*name, port)).await.map(Iterator::collect).unwrap_or_default(),
    };
    if found.is_empty() { Err(FetchError::Failed("its name leads nowhere".into())) } else { Ok(found) }
}

/// A connection to the first of these very addresses where somebody answers.
async fn first(addresses: &[SocketAddr]) -> Result<TcpStream, FetchError> {
    for address in addresses.iter().take(TRIED) {
        if let Ok(Ok(stream)) = timeout(CONNECT, TcpStream::connect(address)).await {
            return Ok(stream);
        }
    }
    Err(FetchError::Failed("nobody answers there".into()))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const BOUNDS: Bounds = Bounds { bytes: 100, time: Duration::from_secs(5), redirects: 1 };

    #[test]
    fn t23_addresses_that_strangers_can_not_reach() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2606:4700::1111", "2a00:1450::1", "2001:4860::8888", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    /// A server that answers each request with one text; its port.
    async fn server(answer: &'static str) -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4_096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        port
    }

    async fn get(fetcher: &Fetcher, url: String) -> Result<String, FetchError> {
        let fetched = fetcher.get(&Url::parse(&url).unwrap(), "application/json", BOUNDS).await?;
        Ok(String::from_utf8(fetched.body).unwrap())
    }

    #[tokio::test]
    async fn t23_nothing_leads_into_the_network_that_holm_is_in() {
        let port = server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        let strict = Fetcher::new(Vec::new());
        for host in ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "2130706433", "127.1", "[::ffff:127.0.0.1]", "0.0.0.0"] {
            for scheme in ["https", "http"] {
                let refused = get(&strict, format!("{scheme}://{host}:{port}/a")).await;
                assert!(matches!(refused, Err(FetchError::Refused(_))), "{scheme} {host}: {refused:?}");
            }
        }
        for odd in ["file:///etc/passwd", "ftp://example.org/", "https://ann@example.org/"] {
            assert!(matches!(get(&strict, odd.into()).await, Err(FetchError::Refused(_))), "{odd}");
        }
        let home = Fetcher::new(vec!["localhost".into()]);
        assert_eq!(get(&home, format!("http://localhost:{port}/a")).await, Ok("ok".into()));
        assert!(get(&home, format!("http://127.0.0.1:{port}/a")).await.is_err(), "what was not named");
    }

    #[tokio::test]
    async fn t23_redirects_sizes_and_times_are_bounded() {
        let home = Fetcher::new(vec!["localhost".into()]);
        let elsewhere = server("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(get(&home, format!("http://localhost:{elsewhere}/")).await, Err(FetchError::Refused("it redirects to another host")));
        let round = server("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(get(&home, format!("http://localhost:{round}/")).await, Err(FetchError::Refused("it redirects")));
        let endless = server(
            "HTTP/1.1 200 OK\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        )
        .await;
        assert_eq!(get(&home, format!("http://localhost:{endless}/")).await, Err(FetchError::TooLarge));
        let missing = server("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
        assert!(matches!(get(&home, format!("http://localhost:{missing}/")).await, Err(FetchError::Failed(_))));
        let silent = server("").await;
        assert!(matches!(get(&home, format!("http://localhost:{silent}/")).await, Err(FetchError::Failed(_) | FetchError::TimedOut)));
    }
}

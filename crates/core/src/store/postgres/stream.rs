//! The bytes to and from a server: a socket, with TLS where the address asks for it.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::address::{Address, Security, Server};
use crate::error::{Error, Result};

/// How long a server may take to answer a connection.
const CONNECT: Duration = Duration::from_secs(5);

pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.read(buf),
            Stream::Unix(s) => s.read(buf),
            Stream::Tls(s) => s.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.write(buf),
            Stream::Unix(s) => s.write(buf),
            Stream::Tls(s) => s.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tcp(s) => s.flush(),
            Stream::Unix(s) => s.flush(),
            Stream::Tls(s) => s.flush(),
        }
    }
}

impl Stream {
    /// How long a read or a write may take; None for as long as it takes.
    pub fn limit(&self, time: Option<Duration>) -> io::Result<()> {
        match self {
            Stream::Unix(s) => s.set_read_timeout(time).and_then(|()| s.set_write_timeout(time)),
            Stream::Tcp(s) => s.set_read_timeout(time).and_then(|()| s.set_write_timeout(time)),
            Stream::Tls(s) => s.sock.set_read_timeout(time).and_then(|()| s.sock.set_write_timeout(time)),
        }
    }

    pub fn is_tls(&self) -> bool {
        matches!(self, Stream::Tls(_))
    }
}

/// What TLS needs to know; nothing where the address asks for none.
pub(super) fn tls(address: &Address) -> Result<Option<Arc<ClientConfig>>> {
    let Security::Verified(file) = &address.security else { return Ok(None) };
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = file {
        let bad = |e: &dyn std::fmt::Display| Error::Invalid(format!("sslrootcert {}: {e}", file.display()));
        roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file).map_err(|e| bad(&e))? {
            roots.add(certificate.map_err(|e| bad(&e))?).map_err(|e| bad(&e))?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| Error::Invalid(format!("TLS: {e}")))?;
    Ok(Some(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
}

pub(super) fn open(address: &Address, tls: Option<&Arc<ClientConfig>>) -> io::Result<Stream> {
    let (host, port) = match &address.server {
        Server::Unix(path) => return UnixStream::connect(path).map(Stream::Unix),
        Server::Tcp(host, port) => (host, *port),
    };
    let mut outcome = Err(io::Error::new(io::ErrorKind::NotFound, "its name leads to no address"));
    for address in (host.as_str(), port).to_socket_addrs()? {
        outcome = TcpStream::connect_timeout(&address, CONNECT);
        if outcome.is_ok() {
            break;
        }
    }
    let mut socket = outcome?;
    socket.set_nodelay(true)?;
    let Some(config) = tls else { return Ok(Stream::Tcp(socket)) };
    socket.set_read_timeout(Some(CONNECT))?;
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    socket.write_all(&request)?;
    let mut answer = [0];
    socket.read_exact(&mut answer)?;
    if answer != *b"S" {
        return Err(io::Error::other("it does not speak TLS; see that it has a certificate, or say sslmode=disable where nobody listens"));
    }
    let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
    let mut session = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
    session.complete_io(&mut socket)?;
    Ok(Stream::Tls(Box::new(StreamOwned::new(session, socket))))
}

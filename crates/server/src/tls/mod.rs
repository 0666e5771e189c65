//! TLS: from given files, or with a certificate that an ACME authority gives.

mod acme;
mod files;

use std::sync::Arc;

use holm_core::Host;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::ResolvesServerCert;
use tokio_rustls::TlsAcceptor;

use crate::settings::{Fallible, Settings};

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// What the settings ask for; None: plain HTTP.
pub fn acceptor(settings: &Settings, host: &Arc<Host>) -> Fallible<Option<TlsAcceptor>> {
    let mut protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let certificates: Arc<dyn ResolvesServerCert> = match (&settings.tls_cert, &settings.tls_key, &settings.acme_domains) {
        (None, None, None) => return Ok(None),
        (Some(cert), Some(key), None) => files::certificates(cert, key)?,
        (None, None, Some(domains)) => {
            // The authority's challenge (RFC 8737) is answered in the handshake; no HTTP follows it.
            protocols.push(b"acme-tls/1".to_vec());
            acme::certificates(settings, domains, host)?
        }
        (Some(_), Some(_), Some(_)) => return Err("give either tls_cert and tls_key, or acme_domains".into()),
        _ => return Err("TLS from files needs both tls_cert and tls_key".into()),
    };
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(certificates);
    config.alpn_protocols = protocols;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

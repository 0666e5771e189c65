//! Certificates from an ACME authority (RFC 8555), proven by TLS-ALPN-01 (RFC 8737) and renewed in time. Account and
//! certificate lie in the host's encrypted catalog, not in plain files.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use holm_core::{Error, Host};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::ResolvesServerCert;
use rustls::{ClientConfig, RootCertStore};
use rustls_acme::{AccountCache, AcmeConfig, CertCache};

use super::provider;
use crate::settings::{Fallible, Settings};

const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

struct Kept(Arc<Host>);

fn certificate(domains: &[String], directory: &str) -> String {
    format!("acme certificate {} {directory}", domains.join(","))
}

fn account(contact: &[String], directory: &str) -> String {
    format!("acme account {} {directory}", contact.join(","))
}

#[async_trait]
impl CertCache for Kept {
    type EC = Error;
    async fn load_cert(&self, domains: &[String], directory: &str) -> Result<Option<Vec<u8>>, Error> {
        self.0.secret(&certificate(domains, directory))
    }
    async fn store_cert(&self, domains: &[String], directory: &str, pem: &[u8]) -> Result<(), Error> {
        self.0.set_secret(&certificate(domains, directory), pem)
    }
}

#[async_trait]
impl AccountCache for Kept {
    type EA = Error;
    async fn load_account(&self, contact: &[String], directory: &str) -> Result<Option<Vec<u8>>, Error> {
        self.0.secret(&account(contact, directory))
    }
    async fn store_account(&self, contact: &[String], directory: &str, key: &[u8]) -> Result<(), Error> {
        self.0.set_secret(&account(contact, directory), key)
    }
}

pub fn certificates(settings: &Settings, domains: &[String], host: &Arc<Host>) -> Fallible<Arc<dyn ResolvesServerCert>> {
    if domains.iter().any(|d| d.is_empty() || d.contains(['*', '/', ':'])) {
        return Err("acme_domains are plain names, like cloud.example.org".into());
    }
    let config = match &settings.acme_ca {
        None => AcmeConfig::new_with_provider(domains, provider()),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for cert in CertificateDer::pem_file_iter(path).map_err(|e| format!("{}: {e}", path.display()))? {
                roots.add(cert.map_err(|e| format!("{}: {e}", path.display()))?)?;
            }
            let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
            AcmeConfig::new_with_client_config(domains, Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
        }
    };
    let mut state = config
        .contact(settings.acme_email.iter().map(|e| format!("mailto:{e}")))
        .directory(settings.acme_directory.as_deref().unwrap_or(LETS_ENCRYPT))
        .cache(Kept(host.clone()))
        .state();
    let resolver = state.resolver();
    tokio::spawn(async move {
        while let Some(event) = state.next().await {
            match event {
                Ok(done) => tracing::info!("certificate: {done:?}"),
                Err(e) => tracing::error!("certificate: {e}; it is tried again by and by"),
            }
        }
    });
    Ok(resolver)
}

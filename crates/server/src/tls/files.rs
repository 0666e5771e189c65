//! A certificate from files, read again when they change: whoever renews them need not tell holm.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::provider;
use crate::settings::Fallible;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Files(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Files {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().expect("the certificate").clone())
    }
}

fn load(cert: &Path, key: &Path) -> Fallible<CertifiedKey> {
    let chain = CertificateDer::pem_file_iter(cert).and_then(|certs| certs.collect::<Result<Vec<_>, _>>()).map_err(|e| format!("{}: {e}", cert.display()))?;
    if chain.is_empty() {
        return Err(format!("{} holds no certificate", cert.display()).into());
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| format!("{}: {e}", key.display()))?;
    CertifiedKey::from_der(chain, secret, &provider()).map_err(|e| format!("{} and {}: {e}", cert.display(), key.display()).into())
}

fn changed(cert: &Path, key: &Path) -> [Option<SystemTime>; 2] {
    [cert, key].map(|path| path.metadata().and_then(|m| m.modified()).ok())
}

pub fn certificates(cert: &Path, key: &Path) -> Fallible<Arc<dyn ResolvesServerCert>> {
    let mut seen = changed(cert, key);
    let files = Arc::new(Files(RwLock::new(Arc::new(load(cert, key)?))));
    let (cert, key): (PathBuf, PathBuf) = (cert.into(), key.into());
    let shown = files.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK).await;
            let now = changed(&cert, &key);
            if now == seen {
                continue;
            }
            match load(&cert, &key) {
                Ok(fresh) => {
                    *shown.0.write().expect("the certificate") = Arc::new(fresh);
                    seen = now;
                    tracing::info!("the certificate in {} was renewed", cert.display());
                }
                // Perhaps only one of the two is written yet.
                Err(e) => tracing::warn!("the new certificate is not usable, the old one stays: {e}"),
            }
        }
    });
    Ok(files)
}

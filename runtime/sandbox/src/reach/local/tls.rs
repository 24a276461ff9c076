//! Whom this machine trusts, and what a server's certificate says.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use evenkeel_engine::port::reach::{Certificate, HttpError};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use x509_parser::parse_x509_certificate;

/// Made once for each file of authorities, and again when that file changes.
#[derive(Default)]
pub struct Configs {
    made: Mutex<HashMap<Option<PathBuf>, Made>>,
}

struct Made {
    modified: Option<SystemTime>,
    config: Arc<ClientConfig>,
}

impl Configs {
    /// The authorities of this machine, and those in the file. Reads files.
    pub fn of(&self, ca: Option<&Path>) -> Result<Arc<ClientConfig>, HttpError> {
        let modified = ca.and_then(|file| file.metadata().ok()?.modified().ok());
        let key = ca.map(Path::to_path_buf);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = made.get(&key).filter(|found| found.modified == modified) {
            return Ok(Arc::clone(&found.config));
        }
        let config = Arc::new(config(ca)?);
        made.insert(
            key,
            Made {
                modified,
                config: Arc::clone(&config),
            },
        );
        Ok(config)
    }

    /// The same for a client that makes its own configuration.
    pub fn authorities(&self, ca: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, HttpError> {
        authorities(ca)
    }
}

/// Those of this machine that can be read: some of a system's may be too old. And those of the file, which all can.
fn authorities(ca: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, HttpError> {
    let (mut authorities, mut roots) = (Vec::new(), RootCertStore::empty());
    for certificate in rustls_native_certs::load_native_certs().certs {
        if roots.add(certificate.clone()).is_ok() {
            authorities.push(certificate);
        }
    }
    if let Some(file) = ca {
        let unreadable =
            |error: &dyn std::fmt::Display| HttpError::Tls(format!("`ca`, {}, can't be used: {error}", file.display()));
        let mut certificates = CertificateDer::pem_file_iter(file)
            .map_err(|error| unreadable(&error))?
            .peekable();
        if certificates.peek().is_none() {
            return Err(unreadable(&"it holds no certificate in PEM"));
        }
        for certificate in certificates {
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            roots.add(certificate.clone()).map_err(|error| unreadable(&error))?;
            authorities.push(certificate);
        }
    }
    Ok(authorities)
}

fn config(ca: Option<&Path>) -> Result<ClientConfig, HttpError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities(ca)?);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpError::Tls(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// What a probe wants to know.
pub fn certificate(der: &CertificateDer<'_>) -> Option<Certificate> {
    let (_, parsed) = parse_x509_certificate(der).ok()?;
    let not_after = parsed.validity().not_after.timestamp();
    Some(Certificate {
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        not_after_ms: u64::try_from(not_after).unwrap_or(0).saturating_mul(1_000),
    })
}

//! The certificate for a name.
//!
//! Standards: `kubernetes.io/tls` Secrets (PEM, RFC 7468), server names of TLS (RFC 6066 3). A client that names a host
//! for which there is no certificate, and no default, gets none: its handshake is refused, because a certificate that we
//! made ourselves would only hide the mistake.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use tokio_rustls::rustls::Error;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;

/// A certificate with its chain and its key.
#[derive(Clone, Debug)]
pub struct Certificate(Arc<CertifiedKey>);

/// Two texts that are no certificate and its key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The certificate is no PEM.
    #[error("the certificate is no PEM: {0}")]
    Certificate(pem::Error),
    /// There is none.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// The key is no PEM of a private key.
    #[error("the key is no PEM of a private key: {0}")]
    Key(pem::Error),
    /// They cannot be used, or do not belong together.
    #[error("{0}")]
    Unusable(Error),
}

impl Certificate {
    /// Reads a certificate with its chain, and its key, both as PEM.
    ///
    /// # Errors
    /// They are none, or not of each other.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(CertificateError::Certificate)?;
        if chain.is_empty() {
            return Err(CertificateError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(CertificateError::Key)?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
        let certified = certified.map_err(CertificateError::Unusable)?;
        Ok(Self(Arc::new(certified)))
    }

    pub(crate) fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0)
    }
}

impl From<CertificateError> for io::Error {
    fn from(error: CertificateError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// The certificates by the names for which they are shown.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    exact: HashMap<String, Certificate>,
    /// By what follows `*.`.
    wildcard: HashMap<String, Certificate>,
    default: Option<Certificate>,
}

impl Certificates {
    /// Shows a certificate for a name, `*.` and a name, or for everything that has none (empty). The first of two stays.
    pub fn add(&mut self, host: &str, certificate: Certificate) {
        let host = host.to_ascii_lowercase();
        match host.strip_prefix("*.") {
            Some(rest) => {
                self.wildcard.entry(rest.to_owned()).or_insert(certificate);
            }
            None if host.is_empty() => {
                self.default.get_or_insert(certificate);
            }
            None => {
                self.exact.entry(host).or_insert(certificate);
            }
        }
    }

    /// The certificate for a client that asks for `name`, or for none.
    #[must_use]
    pub fn find(&self, name: Option<&str>) -> Option<&Certificate> {
        let named = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wildcard = || self.wildcard.get(name.split_once('.')?.1);
            self.exact.get(&name).or_else(wildcard)
        });
        named.or(self.default.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn made_for(name: &str) -> (String, String) {
        let own = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (own.cert.pem(), own.signing_key.serialize_pem())
    }

    #[test]
    fn a_certificate_is_shown_for_its_name_or_by_default() {
        let certificate = || {
            let (chain, key) = made_for("x");
            Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap()
        };
        let (one, two, three) = (certificate(), certificate(), certificate());
        let mut all = Certificates::default();
        all.add("a.com", one.clone());
        all.add("a.com", two.clone());
        all.add("*.b.com", two.clone());
        let is = |found: Option<&Certificate>, wanted: &Certificate| {
            found.is_some_and(|found| Arc::ptr_eq(&found.0, &wanted.0))
        };
        assert!(is(all.find(Some("A.com")), &one));
        assert!(is(all.find(Some("x.b.com")), &two));
        for name in [Some("b.com"), Some("y.x.b.com"), None] {
            assert!(all.find(name).is_none(), "{name:?}");
        }
        all.add("", three.clone());
        assert!(is(all.find(None), &three) && is(all.find(Some("c.com")), &three));
    }

    #[test]
    fn what_is_no_certificate_says_why() {
        let (chain, key) = made_for("x");
        let (_, other_key) = made_for("x");
        let bad = chain.replace("BEGIN CERTIFICATE-----\n", "BEGIN CERTIFICATE-----\n!!");
        for (chain, key, says) in [
            ("", key.as_str(), "there is no certificate"),
            (bad.as_str(), &key, "no PEM"),
            (&chain, "", "the key is no PEM"),
            (&chain, &chain, "the key is no PEM"),
            (&chain, &other_key, "key"),
        ] {
            let error = Certificate::from_pem(chain.as_bytes(), key.as_bytes());
            let text = error.unwrap_err().to_string();
            assert!(text.contains(says), "{says}: {text}");
        }
    }
}

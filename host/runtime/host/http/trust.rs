//! Whose certificates a container's outgoing requests believe.
//!
//! A program with a TLS library of its own would look for authorities in the files of its image. A guest of `wasi:http` leaves
//! TLS to its host and images of components have no such files, so these are the authorities that this machine trusts
//! ([`rustls_native_certs`]), unless the container says otherwise in the way that programs on OpenSSL, Go and many others
//! know: the environment variable `SSL_CERT_FILE` names a file of the container, such as one of a mounted Secret or ConfigMap,
//! and then the certificates in it are trusted and no others.
//!
//! The file is read for every connection, so that a Secret that changes counts; what was made of it is kept while it stays the
//! same. What it deliberately does not know: `SSL_CERT_DIR`, revocation lists.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use wasmpod_volume::{ContainerFile, ContainerRoot};
use wasmtime_wasi_http::Error;

use super::Outcome;
use super::tls::ALPN;

/// The environment variable that names a file of trusted certificates, PEM: `SSL_CTX_set_default_verify_paths(3)`.
const CERTIFICATE_FILE_VARIABLE: &str = "SSL_CERT_FILE";

/// The largest such file, in bytes: four times the bundle of all public authorities. A larger one is a mistake of the
/// container's configuration, and told as such.
const MAX_FILE_BYTES: usize = 1 << 20;

/// What is made of this machine's authorities. They are the same for all containers, and reading them takes milliseconds; a
/// program on this machine would read them once, too.
static OF_THIS_MACHINE: OnceCell<Arc<ClientConfig>> = OnceCell::const_new();

/// Whom a container trusts. Clones are the same.
#[derive(Clone)]
pub(crate) struct Trust(Arc<Source>);

enum Source {
    ThisMachine,
    /// The container names a file that cannot be one.
    Nowhere,
    File {
        file: ContainerFile,
        /// What was made of its text last.
        known: Mutex<Option<(Vec<u8>, Arc<ClientConfig>)>>,
    },
}

impl Trust {
    /// What a container's environment says, whose files are in `root`.
    pub(crate) fn of(env: &[(String, String)], working_dir: &str, root: &ContainerRoot) -> Self {
        // Of two the last counts, as for the engine.
        let mut values = env.iter().rev();
        let named = values.find(|(name, _)| name == CERTIFICATE_FILE_VARIABLE);
        let source = match named {
            Some((_, path)) if !path.is_empty() => match root.file(working_dir, path) {
                Some(file) => Source::File {
                    file,
                    known: Mutex::default(),
                },
                None => Source::Nowhere,
            },
            _ => Source::ThisMachine,
        };
        Self(Arc::new(source))
    }

    /// How a client is to speak TLS now.
    ///
    /// # Errors
    /// `configuration-error` when the container's file cannot be read, is too large, or has no certificate.
    pub(super) async fn config(&self) -> Outcome<Arc<ClientConfig>> {
        match &*self.0 {
            Source::ThisMachine => {
                let config = OF_THIS_MACHINE.get_or_try_init(of_this_machine).await?;
                Ok(Arc::clone(config))
            }
            Source::Nowhere => Err(Error::ConfigurationError),
            Source::File { .. } => {
                let source = Arc::clone(&self.0);
                let read = spawn_blocking(move || source.of_file()).await;
                read.unwrap_or(Err(Error::ConfigurationError))
            }
        }
    }
}

impl Source {
    fn of_file(&self) -> Outcome<Arc<ClientConfig>> {
        let Self::File { file, known } = self else {
            return Err(Error::ConfigurationError);
        };
        let text = file.read(MAX_FILE_BYTES);
        let text = text.map_err(|_| Error::ConfigurationError)?;
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, config)) = &*known
            && *before == text
        {
            return Ok(Arc::clone(config));
        }
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .map_err(|_| Error::ConfigurationError)?;
        let config = trusting(certificates)?;
        *known = Some((text, Arc::clone(&config)));
        Ok(config)
    }
}

async fn of_this_machine() -> Outcome<Arc<ClientConfig>> {
    let loaded = spawn_blocking(|| trusting(rustls_native_certs::load_native_certs().certs)).await;
    loaded.unwrap_or(Err(Error::ConfigurationError))
}

fn trusting(authorities: Vec<CertificateDer<'static>>) -> Outcome<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    // Stores of machines have certificates that are of no use; one that can be used is enough.
    let (usable, _) = roots.add_parsable_certificates(authorities);
    if usable == 0 {
        return Err(Error::ConfigurationError);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let mut config = builder
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::ConfigurationError)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}

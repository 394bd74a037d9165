//! Ingresses: what the proxy serves, and what their objects say of it.

use std::sync::Arc;

use wasmpod_ingress::Scheme;
use wasmpod_manifest::k8s::{Ingress, IngressStatus, Secret};
use wasmpod_sandbox::Severity;
use wasmpod_store::{Kind, Object, ObjectRef};

use super::Reconciler;
use crate::events::Component;
use crate::ingress::{problems, site, tls_of};

/// Why an ingress is not, or not wholly, served: the reason of the event and its message.
type Trouble = (&'static str, String);

impl Reconciler {
    /// Looks at an ingress: everything that is served may have changed with it.
    pub(super) fn ingress(&mut self, object: &ObjectRef) {
        let is_over = self.collect_garbage(object);
        let (all, _) = self.shared.store.list(Kind::Ingress, None);
        let all = all.into_iter().filter_map(|object| match object {
            Object::Ingress(ingress) => Some(ingress),
            _ => None,
        });
        let site = site(all.collect(), |namespace, name| {
            self.secret(namespace, name)
        });
        self.shared.ingresses.front.set(site);
        match self.get(object) {
            Some(Object::Ingress(ingress)) if !is_over => {
                self.tell_ingress(object, &ingress);
                self.set_ingress_status(object, &ingress);
            }
            _ => drop(self.ingress_troubles.remove(object)),
        }
    }

    fn secret(&self, namespace: &str, name: &str) -> Option<Arc<Secret>> {
        match self.shared.store.get(Kind::Secret, Some(namespace), name)? {
            Object::Secret(secret) => Some(secret),
            _ => None,
        }
    }

    /// Says what is wrong, once.
    fn tell_ingress(&mut self, object: &ObjectRef, ingress: &Arc<Ingress>) {
        let troubles = self.troubles(ingress);
        let before = self
            .ingress_troubles
            .insert(object.clone(), troubles.clone())
            .unwrap_or_default();
        let object = Object::from(Arc::clone(ingress));
        for (reason, message) in troubles {
            if !before.contains(&(reason, message.clone())) {
                let (by, severity) = (Component::Ingress, Severity::Warning);
                self.shared
                    .recorder
                    .record(&object, by, severity, reason, message);
            }
        }
    }

    fn troubles(&self, ingress: &Ingress) -> Vec<Trouble> {
        let ingresses = &self.shared.ingresses;
        if ingresses.doors.is_empty() {
            let message = "no port of this machine serves it; start wasmpod with --ingress-http 127.0.0.1:8080";
            return vec![("NotServed", message.to_owned())];
        }
        let mut troubles: Vec<Trouble> = Vec::new();
        if !ingresses.has(Scheme::Https) && tls_of(ingress).next().is_some() {
            let message =
                "its TLS is not served; start wasmpod with --ingress-https 127.0.0.1:8443";
            troubles.push(("TLSNotServed", message.to_owned()));
        }
        let wrong = problems(ingress, |namespace, name| self.secret(namespace, name));
        troubles.extend(wrong.into_iter().map(|what| {
            let message = format!("{what}; handshakes for its hosts are refused");
            ("InvalidCertificate", message)
        }));
        troubles
    }

    fn set_ingress_status(&self, object: &ObjectRef, ingress: &Ingress) {
        let wanted = Some(IngressStatus {
            load_balancer: Some(self.shared.ingresses.status()),
        });
        if ingress.status == wanted {
            return;
        }
        let uid = ingress.metadata.uid.as_deref().unwrap_or_default();
        self.change(object, uid, &mut |stored| {
            if let Object::Ingress(stored) = stored {
                Arc::make_mut(stored).status.clone_from(&wanted);
            }
        });
    }

    /// The ingresses that show a certificate of this Secret.
    pub(super) fn note_ingresses(&mut self, secret: &Object) {
        let (all, _) = self.shared.store.list(Kind::Ingress, secret.namespace());
        for object in &all {
            if let Object::Ingress(ingress) = object
                && tls_of(ingress).any(|tls| tls.secret_name.as_deref() == Some(secret.name()))
            {
                self.queue.insert(object.reference());
            }
        }
    }
}

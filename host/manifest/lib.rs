//! What the user wrote: reads Kubernetes manifests, says whether they are legal, fills in defaults.

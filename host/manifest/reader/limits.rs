//! What a manifest may cost us. Beyond a limit the whole source is refused with one error.

/// The size of one source in bytes.
/// Source: the API server reads requests up to 3 MiB (`MaxRequestBodyBytes`), as many as etcd takes.
/// The check comes before anything looks at the text.
pub(crate) const MAX_SOURCE_BYTES: usize = 3 * 1024 * 1024;

/// How deep sequences and mappings may be nested.
/// Source: ours; no Kubernetes object goes beyond about 20. It bounds the recursion of all that
/// walks the tree.
pub(crate) const MAX_DEPTH: usize = 100;

/// How many nodes (scalars, sequences, mappings, keys) one source may have, expanded aliases included.
/// Source: ours; about twenty times the largest real file that we know, some 40 MB of memory.
pub(crate) const MAX_NODES: usize = 300_000;

/// How many nodes the aliases of one source may expand to.
/// Source: ours; go-yaml refuses when 99 % of a document comes from aliases, which needs a big
/// document first. Real files use aliases for a few dozen nodes.
pub(crate) const MAX_ALIAS_NODES: usize = 20_000;

/// How many bytes of text the aliases of one source may expand to. Source: [`MAX_SOURCE_BYTES`].
pub(crate) const MAX_ALIAS_BYTES: usize = MAX_SOURCE_BYTES;

/// How many documents one source may have.
/// Source: ours; a file of the largest charts has a few hundred.
pub(crate) const MAX_DOCUMENTS: usize = 10_000;

//! The engine behind the sandbox's port: wasmtime, WASI and the host interfaces.

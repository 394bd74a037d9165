//! One running pod: driver task, containers, logs, and the port behind which the engine stands.

//! Egress over real sockets of the loopback, and what a hostile resolver can do.

//! Whole servers, over real sockets.

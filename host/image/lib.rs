//! Turns an image reference into module bytes and their configuration.

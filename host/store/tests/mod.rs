//! The store against tables and against a simple model.

//! The loop on the scripted network.

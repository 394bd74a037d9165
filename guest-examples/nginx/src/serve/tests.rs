//! Requests through a whole server, on the scripted network.

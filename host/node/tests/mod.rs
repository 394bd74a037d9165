//! Objects and pods on the scripted runtime and on virtual time.

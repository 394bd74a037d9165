//! The commands, what they print, and how errors are shown.

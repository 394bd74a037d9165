//! The agent of this machine: makes the running pods match the wanted ones.

//! The virtual network of pods, and the bridges from real ports into it.

//! wasmpod as a library: run pods of WebAssembly containers inside a program.

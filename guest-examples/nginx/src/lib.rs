//! The `nginx` image as a WebAssembly program: an HTTP/1.1 server and reverse proxy that reads nginx.conf.
//!
//! It is our program with nginx's behaviour, not nginx. `config` reads the configuration, `serve` answers requests,
//! `http_loop` does the input and output. What it does not do: TLS, HTTP/2, compression, caching, FastCGI, mail and
//! TCP streams; all of that is refused as an unknown directive or by name (`config::directives` is the list).

pub mod command_line;
pub mod config;
pub mod serve;

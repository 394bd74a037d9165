//! A component that answers HTTP requests by `wasi:http/handler` of WASI 0.3, for the host's tests.
//!
//! The path says what is wanted; `pages` has all of them. Bodies, clocks and requests to others are those of 0.3; what the
//! standard library does (files, arguments, sockets, printing) is 0.2, as rustc 1.95 builds it.
//!
//! Natively there is no `wasi:http`, so that it only says so.

#[cfg(target_os = "wasi")]
mod body;
#[cfg(target_os = "wasi")]
mod client;
#[cfg(target_os = "wasi")]
mod failures;
#[cfg(target_os = "wasi")]
mod pages;

#[cfg(target_os = "wasi")]
mod export {
    use crate::pages::Pages;

    wasip3::http::service::export!(Pages);
}

fn main() {
    println!("this component answers HTTP requests");
}

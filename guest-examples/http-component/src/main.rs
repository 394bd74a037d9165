//! A component that answers HTTP requests: the host has the sockets and the protocol, this has the answers.
//!
//! The path says what is wanted; `pages` has all of them. It is a command too: a container serves it, `exec` runs it, and
//! then it prints what is at the URL that it is given.
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

    wasip2::http::proxy::export!(Pages);
}

fn main() -> std::process::ExitCode {
    #[cfg(target_os = "wasi")]
    if let Some(url) = std::env::args().nth(1) {
        return client::print(&url);
    }
    println!("this component answers HTTP requests; with a URL it prints what is there");
    std::process::ExitCode::SUCCESS
}

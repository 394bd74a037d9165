//! What Kubernetes' own end-to-end tests run in their pods, as far as the conformance tables need it: the modes of the
//! image `agnhost`, with its command line and its output. Our program, for tests only; no built-in image.

use std::process::ExitCode;

mod arguments;
#[cfg(target_os = "wasi")]
mod dial;
#[cfg(target_os = "wasi")]
mod grpc;
#[cfg(target_os = "wasi")]
mod liveness;
mod mounttest;
#[cfg(target_os = "wasi")]
mod netexec;
#[cfg(target_os = "wasi")]
mod serve;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let mut rest = args.iter().skip(1).cloned();
    let mode = rest.next().unwrap_or_else(|| "pause".to_owned());
    let rest: Vec<String> = rest.collect();
    match mode.as_str() {
        "pause" => loop {
            std::thread::sleep(std::time::Duration::from_secs(24 * 3600));
        },
        "entrypoint-tester" => {
            // As Go prints a slice of strings.
            println!("[{}]", args.join(" "));
            ExitCode::SUCCESS
        }
        "mounttest" => mounttest::run(&rest),
        #[cfg(target_os = "wasi")]
        "liveness" => liveness::run(),
        #[cfg(target_os = "wasi")]
        "netexec" => netexec::run(&rest),
        #[cfg(target_os = "wasi")]
        "grpc-health-checking" => grpc::run(&rest),
        _ => {
            eprintln!(
                "agnhost: no mode \"{mode}\": pause, entrypoint-tester, mounttest, liveness, netexec, grpc-health-checking"
            );
            ExitCode::from(2)
        }
    }
}

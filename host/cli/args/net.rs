//! The arguments of `wasmpod net`: names follow ss(8) and tcpdump(1).

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::looking::NamespaceArg;

#[derive(Debug, Subcommand)]
pub(crate) enum NetCommand {
    /// List the sockets of a pod, as ss(8) does
    Ls(NetLsArgs),
    /// Write the traffic of a pod as a file for Wireshark and tshark
    ///
    /// What the pod's containers send and receive, among themselves, to and from other pods, Services and clients of
    /// published ports, as the IP packets that a kernel would have made of it, in the pcapng format, with an interface for
    /// each container. It ends with Ctrl-C, when the pod ends, or after COUNT packets. The pod never waits for it: what is
    /// not written in time is left out, and the file says how many packets that were.
    #[command(after_long_help = "\
Examples:
  wasmpod net capture web -w web.pcapng
  wasmpod net capture web --port 80 -w - | tshark -r -")]
    Capture(NetCaptureArgs),
}

#[derive(Debug, Args)]
pub(crate) struct NetLsArgs {
    /// The pod: NAME, or TYPE/NAME of what owns pods, e.g. deploy/web
    #[arg(value_name = "POD")]
    pub(crate) pod: String,
    #[command(flatten)]
    pub(crate) namespace: NamespaceArg,
    /// Only what waits for clients: listeners, and UDP sockets without a peer
    #[arg(short, long)]
    pub(crate) listening: bool,
    /// Also sockets that are neither connected nor reachable
    #[arg(short, long, conflicts_with = "listening")]
    pub(crate) all: bool,
    /// Only TCP
    #[arg(short, long)]
    pub(crate) tcp: bool,
    /// Only UDP
    #[arg(short, long)]
    pub(crate) udp: bool,
    /// What all sockets of each container came to, those that are closed included
    #[arg(short, long, conflicts_with_all = ["listening", "all"])]
    pub(crate) summary: bool,
    /// How to write it: wide, with peers' containers and counters, yaml, or json
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) output: Option<NetOutput>,
    /// Leave out the line of headers
    #[arg(long)]
    pub(crate) no_headers: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NetOutput {
    Wide,
    Yaml,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct NetCaptureArgs {
    /// The pod: NAME, or TYPE/NAME of what owns pods, e.g. deploy/web
    #[arg(value_name = "POD")]
    pub(crate) pod: String,
    #[command(flatten)]
    pub(crate) namespace: NamespaceArg,
    /// The file to write, - for standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) write: PathBuf,
    /// End after this many packets
    #[arg(short, long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Keep only the first bytes of each packet [default: all]
    #[arg(short, long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) snaplen: Option<u32>,
    /// Only what this container sends or receives; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) container: Vec<String>,
    /// Only what comes from or goes to this port; may be given several times
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Vec<u16>,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::args::{Cli, Command};

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(["wasmpod", "net"].into_iter().chain(line.split(' ')))
            .map(|cli| cli.command)
    }

    #[test]
    fn what_people_type_for_ss_and_tcpdump_is_understood() {
        for line in [
            "ls web",
            "ls web -ltu",
            "ls deploy/web -n shop -o wide",
            "ls web -at --no-headers",
            "ls web -s",
            "capture web -w -",
            "capture web -n shop -w a.pcapng -c 10 -s 96",
            "capture web --port 80 --port 53 --container a -w a.pcapng",
        ] {
            let parsed = parse(line);
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn what_makes_no_sense_is_wrong_usage() {
        for line in [
            "ls",
            "ls web -la",
            "ls web -o table",
            "capture web",
            "capture -w x",
            "capture web -w x -c 0",
            "capture web -w x --port 70000",
            "capture web -w x --port 0",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}

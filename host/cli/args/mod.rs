//! The command line: verbs, flags, their help. Names follow kubectl and podman where they have the same thing.
//!
//! The verbs that look into running pods are in [`looking`].

pub(crate) mod looking;
pub(crate) mod net;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use wasmpod::{EgressRule, NodePortAddress, PublishRule};

/// Runs Kubernetes pods whose containers are WebAssembly modules, in one ordinary process.
#[derive(Debug, Parser)]
#[command(
    name = "wasmpod",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// When to use colour; `auto` means on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub(crate) color: ColorWhen,
    /// Where pods keep their files while they run, and compiled code stays; also where running pods are looked for
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) state_dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the pods of manifests until they end or Ctrl-C
    Up(Box<UpArgs>),
    /// List objects of running pods
    Get(looking::GetArgs),
    /// Show an object and all that is known of it
    Describe(looking::DescribeArgs),
    /// Print the logs of a container
    Logs(looking::LogsArgs),
    /// Run a command in a container
    Exec(looking::ExecArgs),
    /// Join the standard streams of a running container
    Attach(looking::AttachArgs),
    /// Delete objects; a pod is stopped in its grace period
    Delete(looking::DeleteArgs),
    /// Wait for a condition of objects
    Wait(looking::WaitArgs),
    /// List events
    Events(looking::EventsArgs),
    /// Show how much CPU and memory pods use
    #[command(subcommand)]
    Top(looking::TopCommand),
    /// Show the IPC objects of pods
    #[command(subcommand)]
    Ipc(looking::IpcCommand),
    /// Show the sockets of pods, and write their traffic as captures
    #[command(subcommand)]
    Net(net::NetCommand),
    /// Check manifests and say everything that is wrong
    Validate(ValidateArgs),
    /// Show images
    #[command(subcommand)]
    Image(ImageCommand),
    /// Show what something is made of
    #[command(subcommand)]
    Inspect(InspectCommand),
    /// Print the script that completes commands in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ManifestArgs {
    /// Manifests: files, folders (their .yaml, .yml and .json files), or - for standard input
    #[arg(value_name = "FILE", required_unless_present = "filenames")]
    files: Vec<PathBuf>,
    /// The same, as kubectl has it
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    filenames: Vec<PathBuf>,
}

impl ManifestArgs {
    /// All of them; those without a flag first.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.files.iter().chain(&self.filenames).cloned().collect()
    }
}

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) manifests: ManifestArgs,
    /// Make a port of a pod reachable on this machine, on 127.0.0.1 unless HOSTIP says otherwise; port 0 lets the
    /// system pick one; /udp behind it for UDP
    #[arg(short, long, value_name = "[HOSTIP:]HOSTPORT:POD:PORT")]
    pub(crate) publish: Vec<PublishRule>,
    /// Open the ports of NodePort services at these addresses of this machine (0.0.0.0/0 for all of IPv4), and not on
    /// 127.0.0.1 alone
    #[arg(long, value_name = "CIDR|IP", value_delimiter = ',')]
    pub(crate) nodeport_addresses: Vec<NodePortAddress>,
    /// Let pods reach addresses outside of their network, or what a name (*.NAME for all below it) stands for, as far as
    /// network policies allow it; * or FIRST-LAST for ports, /udp behind it for UDP; 127.0.0.1/32 and [::1] are this
    /// machine, which pods know as host.containers.internal
    #[arg(long, value_name = "CIDR:PORT|NAME:PORT")]
    pub(crate) allow_egress: Vec<EgressRule>,
    /// Serve Ingress objects over HTTP at this address of the machine; a port alone is one of 127.0.0.1, port 0 lets
    /// the system pick one
    #[arg(long, value_name = "[IP:]PORT", value_parser = parse_address)]
    pub(crate) ingress_http: Option<SocketAddr>,
    /// Serve Ingress objects over HTTPS, by the certificates of the Secrets in their spec.tls
    #[arg(long, value_name = "[IP:]PORT", value_parser = parse_address)]
    pub(crate) ingress_https: Option<SocketAddr>,
    /// End when all pods have completed, or stop them as soon as every container is ready or has completed
    #[arg(long, value_name = "STATE", default_value = "completed")]
    pub(crate) until: Until,
    /// Stop the pods and end with code 124 after this long, e.g. 90s or 2m30s
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// Do not show the containers' logs
    #[arg(long)]
    pub(crate) no_logs: bool,
    /// How log lines are written to standard output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Let hostPath volumes reach this folder of the machine and what is in it
    #[arg(long, value_name = "PREFIX")]
    pub(crate) allow_host_path: Vec<PathBuf>,
    /// Write a kubeconfig for kubectl to this file while the pods run; kubectl needs a port, see --api-listen
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Where kubectl is listened for: an address of the loopback interface; port 0 lets the system pick one
    #[arg(
        long,
        value_name = "IP:PORT",
        default_value = "127.0.0.1:0",
        requires = "kubeconfig"
    )]
    pub(crate) api_listen: SocketAddr,
    /// How many threads run pods; one for each processor unless set
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

#[derive(Debug, Args)]
pub(crate) struct Verbosity {
    /// Show errors only, besides the logs
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Show every event of the pods
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    Completed,
    Ready,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    pub(crate) manifests: ManifestArgs,
    /// Say nothing when all is well
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// List the built-in images and what each really is
    Ls {
        /// How to write the list
        #[arg(short, long, value_name = "FORMAT", default_value = "text")]
        output: ListFormat,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum InspectCommand {
    /// Say what a module is, what it imports and exports, and whether this host offers all of it
    Image {
        /// A module's file, or the name of a built-in image
        #[arg(value_name = "IMAGE")]
        image: String,
        /// How to write it
        #[arg(short, long, value_name = "FORMAT", default_value = "text")]
        output: ListFormat,
    },
}

/// `PORT`, `IP:PORT` or `[IP6]:PORT`.
fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let port = text
        .parse()
        .map(|port: u16| (Ipv4Addr::LOCALHOST, port).into());
    let address = port.or_else(|_| text.parse());
    address.map_err(|_| "not an address such as 127.0.0.1:8080, [::1]:8080 or 8080".to_owned())
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be more than nothing".to_owned()),
        Ok(duration) => Ok(duration),
        Err(_) => Err("not a duration such as 90s, 2m30s or 1h".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_address_may_be_a_port_alone() {
        for (text, expected) in [
            ("8080", Some("127.0.0.1:8080")),
            ("0.0.0.0:80", Some("0.0.0.0:80")),
            ("[::1]:0", Some("[::1]:0")),
            ("::1:80", None),
            ("localhost:80", None),
            ("70000", None),
            ("", None),
        ] {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(parse_address(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_duration_has_a_unit_and_is_not_nothing() {
        assert_eq!(parse_duration("2m30s"), Ok(Duration::from_secs(150)));
        for text in ["", "10", "0s", "soon", "-1s"] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }
}

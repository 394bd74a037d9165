//! `wasmpod net`: the sockets of a pod (`ls`), and its traffic as a file (`capture`).

mod blocks;
mod capture;
mod ls;

use crate::args::net::NetCommand;
use crate::report::Outcome;
use crate::runs::Runs;

pub(crate) async fn run(command: &NetCommand, runs: Runs) -> anyhow::Result<Outcome> {
    match command {
        NetCommand::Ls(args) => ls::run(args, runs).await,
        NetCommand::Capture(args) => capture::run(args, runs).await,
    }
}

//! `nginx -s`: what a script beside a running nginx may ask of it.
//!
//! The program itself is another module of the image, and nothing here can start one; but scripts of hooks call it to
//! stop or reload the server that is there, which is a signal to process 1. In other containers there is no such
//! utility.

use super::{Call, Fail, Outcome};
use crate::signals::{self, Signal};

/// Whether process 1 of the container is nginx.
pub(super) fn is_here() -> bool {
    let command = signals::main_command();
    let program = command.first().and_then(|path| path.rsplit('/').next());
    program == Some("nginx")
}

/// `nginx -s stop|quit|reload|reopen`.
pub(super) async fn nginx(call: &mut Call<'_>) -> Outcome {
    let options = call.options("+s:c:p:g:e:q", &[])?;
    let signal = match options.value('s') {
        Some("stop") => Signal::TERM,
        Some("quit") => Signal::QUIT,
        Some("reload") => Signal::HUP,
        Some("reopen") => Signal::USR1,
        Some(other) => return Err(Fail::new(format!("invalid option: \"-s {other}\""))),
        None => {
            return Err(Fail::new(
                "only -s works in a shell: another program cannot be started from inside a container",
            ));
        }
    };
    let main = wasmpod_lifecycle::signals::MAIN_PROCESS;
    signals::send(main, signal).map(|()| 0).map_err(|error| {
        Fail::new(format!(
            "[alert] kill({main}, {}) failed: {error}",
            signal.number()
        ))
    })
}

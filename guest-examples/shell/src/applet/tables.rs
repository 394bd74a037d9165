//! Names to functions.

use super::{Call, Outcome};
use crate::rt::Fut;

macro_rules! table {
    (builtins: $($builtin:literal => $built:path),* ; utilities: $($utility:literal => $function:path),* $(,)?) => {
        const BUILTINS: &[&str] = &[$($builtin),*];
        const UTILITIES: &[&str] = &[$($utility),*];

        /// Runs what [`exists`] has said to exist.
        pub fn run<'c>(call: &'c mut Call<'_>) -> Fut<'c, Outcome> {
            match call.name.as_str() {
                $($builtin => Box::pin($built(call)),)*
                $($utility => Box::pin($function(call)),)*
                _ => Box::pin(std::future::ready(Ok(127))),
            }
        }
    };
}

use super::{
    awk, date, files, find, grep, list, net, nginx, programs, sed, sort, stress, system, tar, text,
};
use crate::builtin::{control, echo, options, printf, read, test, trap, variables};

table! {
    builtins:
    ":" => control::colon, "true" => control::colon, "false" => control::fails, "." => control::source,
    "source" => control::source, "break" => control::leave_loop, "continue" => control::leave_loop,
    "return" => control::return_, "exit" => control::exit, "eval" => control::eval, "exec" => control::exec,
    "command" => control::command, "builtin" => control::command, "type" => control::type_, "wait" => control::wait, "jobs" => control::jobs,
    "kill" => trap::kill, "trap" => trap::trap, "times" => control::times, "hash" => control::colon,
    "alias" => control::colon, "unalias" => control::colon, "umask" => control::umask, "ulimit" => control::ulimit,
    "cd" => variables::cd, "pwd" => variables::pwd, "export" => variables::export, "readonly" => variables::export,
    "local" => variables::local, "declare" => variables::declare, "typeset" => variables::declare,
    "unset" => variables::unset, "shift" => variables::shift, "let" => variables::let_, "getopts" => variables::getopts,
    "set" => options::set, "shopt" => control::colon, "read" => read::read, "echo" => echo::echo,
    "printf" => printf::printf, "test" => test::test, "[" => test::test;
    utilities:
    "awk" => awk::awk, "base64" => text::base64, "basename" => files::basename, "cat" => text::cat, "chgrp" => files::chown,
    "chmod" => files::chmod, "chown" => files::chown, "clear" => system::clear, "cmp" => text::cmp, "cp" => files::cp,
    "curl" => net::curl, "cut" => sort::cut, "date" => date::date, "df" => list::df, "diff" => text::diff,
    "dirname" => files::dirname, "du" => list::du, "egrep" => grep::grep, "env" => programs::env, "expr" => programs::expr,
    "fgrep" => grep::grep, "find" => find::find, "fold" => text::fold, "free" => system::free, "getent" => net::getent, "grep" => grep::grep, "head" => text::head, "hostname" => system::hostname, "id" => system::id,
    "killall" => trap::by_name, "ln" => files::ln, "ls" => list::ls, "mkdir" => files::mkdir,
    "mktemp" => files::mktemp, "mv" => files::mv, "nc" => net::nc, "nice" => programs::nohup, "nginx" => nginx::nginx, "nl" => text::nl,
    "nohup" => programs::nohup, "nproc" => system::nproc, "nslookup" => net::nslookup, "paste" => text::paste, "pause" => programs::pause, "pidof" => trap::by_name,
    "pgrep" => trap::by_name, "pkill" => trap::by_name,
    "printenv" => programs::printenv, "ps" => system::ps, "readlink" => files::readlink, "realpath" => files::readlink,
    "rev" => text::rev, "rm" => files::rm, "rmdir" => files::rmdir, "sed" => sed::sed, "seq" => sort::seq,
    "setsid" => programs::nohup, "sleep" => programs::sleep, "sort" => sort::sort, "stat" => list::stat, "stress" => stress::stress,
    "sync" => control::colon, "tac" => text::tac, "tail" => text::tail, "tar" => tar::tar, "tee" => text::tee, "time" => programs::time,
    "timeout" => programs::timeout, "touch" => files::touch, "tr" => sort::tr, "truncate" => files::truncate, "tty" => system::tty,
    "uname" => system::uname, "uniq" => sort::uniq, "uptime" => system::uptime, "usleep" => programs::sleep, "watch" => programs::watch, "wc" => text::wc,
    "wget" => net::wget, "which" => programs::which, "whoami" => system::whoami, "xargs" => programs::xargs, "yes" => programs::yes,
}

/// Whether a name is a built-in or a utility.
pub fn exists(name: &str) -> bool {
    is_builtin(name) || (UTILITIES.contains(&name) && (name != "nginx" || nginx::is_here()))
}

/// Whether a name is a built-in of the shell.
pub fn is_builtin(name: &str) -> bool {
    BUILTINS.contains(&name)
}

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    let all = BUILTINS.iter().chain(UTILITIES).copied();
    all.filter(|name| exists(name))
}

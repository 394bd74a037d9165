//! Utilities that tell about the machine: here it is the pod's sandbox, and what WASI does not tell is told as a
//! container's usual answer.

use super::{Call, Outcome};
use crate::signals::{self, Process};
use std::time::Duration;

/// `hostname [-fisd]`: what the host wrote into /etc/hostname, else `$HOSTNAME`.
pub async fn hostname(call: &mut Call<'_>) -> Outcome {
    let options = call.options(
        "fisdIA",
        &[
            ("fqdn", 'f'),
            ("ip-address", 'i'),
            ("all-ip-addresses", 'I'),
            ("short", 's'),
        ],
    )?;
    let name = name_of_host(call);
    if options.last_of("iI").is_some() {
        let hosts = std::fs::read_to_string(call.path("/etc/hosts")).unwrap_or_default();
        let lines = hosts
            .lines()
            .map(str::split_whitespace)
            .map(Iterator::collect::<Vec<_>>);
        let address = lines
            .filter(|words| words.iter().skip(1).any(|word| *word == name))
            .find_map(|words| words.first().map(ToString::to_string));
        call.line(address.unwrap_or_else(|| "127.0.0.1".into()))
            .await?;
        return Ok(0);
    }
    let shown = match options.last_of("sd") {
        Some('s') => name.split('.').next().unwrap_or_default(),
        Some(_) => name.split_once('.').map_or("", |(_, domain)| domain),
        None => &name,
    };
    call.line(shown).await?;
    Ok(0)
}

fn name_of_host(call: &Call<'_>) -> String {
    let written =
        std::fs::read_to_string(call.path("/etc/hostname")).map(|text| text.trim().to_owned());
    written
        .ok()
        .filter(|name| !name.is_empty())
        .or_else(|| call.shell.get("HOSTNAME"))
        .unwrap_or_else(|| "localhost".into())
}

/// `id [-ugGn]`: WASI has no users; a container's is root.
pub async fn id(call: &mut Call<'_>) -> Outcome {
    let options = call.options("ugGnr", &[("user", 'u'), ("group", 'g'), ("name", 'n')])?;
    let text = match (options.last_of("ugG"), options.has('n')) {
        (None, _) => "uid=0(root) gid=0(root) groups=0(root)",
        (Some(_), true) => "root",
        (Some(_), false) => "0",
    };
    call.line(text).await?;
    Ok(0)
}

/// `whoami`.
pub async fn whoami(call: &mut Call<'_>) -> Outcome {
    call.line("root").await?;
    Ok(0)
}

/// `uname [-asnrvmo]`.
pub async fn uname(call: &mut Call<'_>) -> Outcome {
    let options = call.options(
        "asnrvmopi",
        &[
            ("all", 'a'),
            ("kernel-name", 's'),
            ("machine", 'm'),
            ("nodename", 'n'),
        ],
    )?;
    let name = name_of_host(call);
    let parts = [
        ('s', "WASI"),
        ('n', name.as_str()),
        ('r', "0.2"),
        ('v', "wasmpod"),
        ('m', "wasm32"),
        ('o', "WASI"),
    ];
    let none = options.last_of("asnrvmo").is_none();
    let wanted = |letter| options.has('a') || options.has(letter) || (none && letter == 's');
    let shown: Vec<&str> = parts
        .into_iter()
        .filter(|(letter, _)| wanted(*letter))
        .map(|(_, text)| text)
        .collect();
    call.line(shown.join(" ")).await?;
    Ok(0)
}

/// `ps`: process 1 of the container, this program, and its jobs.
pub async fn ps(call: &mut Call<'_>) -> Outcome {
    call.line("PID   USER     TIME  COMMAND").await?;
    let main = signals::main_command().join(" ");
    call.line(format!("    1 root      0:00 {main}")).await?;
    let name = call.shell.name.clone();
    let own = Process::program().id;
    let jobs = call.shell.jobs.iter().filter(|job| job.is_running());
    let jobs: Vec<u32> = (own != 1)
        .then_some(own)
        .into_iter()
        .chain(jobs.map(|job| job.process.id))
        .collect();
    for pid in jobs {
        call.line(format!("{pid:5} root      0:00 {name}")).await?;
    }
    Ok(0)
}

/// `nproc`: a guest runs on one thread.
pub async fn nproc(call: &mut Call<'_>) -> Outcome {
    call.line("1").await?;
    Ok(0)
}

/// `uptime`: since the container started.
pub async fn uptime(call: &mut Call<'_>) -> Outcome {
    let up: Duration = crate::START.with(std::time::Instant::elapsed);
    let minutes = up.as_secs() / 60;
    call.line(format!(" up {}:{:02}", minutes / 60, minutes % 60))
        .await?;
    Ok(0)
}

/// `free`: memory of the guest, which is all that it can know.
pub async fn free(call: &mut Call<'_>) -> Outcome {
    #[cfg(target_family = "wasm")]
    let kib = core::arch::wasm32::memory_size(0) * 64;
    #[cfg(not(target_family = "wasm"))]
    let kib = 0;
    call.line("              total        used        free")
        .await?;
    call.line(format!(
        "Mem:    {:>11} {kib:>11} {:>11}",
        4 * 1024 * 1024,
        4 * 1024 * 1024 - kib
    ))
    .await?;
    Ok(0)
}

/// `tty`: there is none.
pub async fn tty(call: &mut Call<'_>) -> Outcome {
    call.line("not a tty").await?;
    Ok(1)
}

/// `clear`.
pub async fn clear(call: &mut Call<'_>) -> Outcome {
    call.put("\x1b[H\x1b[2J").await?;
    Ok(0)
}

//! `set` and the options of a shell.

use crate::applet::{Call, Fail, Outcome};
use crate::exec::command::quote;
use crate::shell::{Options, Value};

fn field<'o>(options: &'o mut Options, name: &str) -> Option<&'o mut bool> {
    Some(match name {
        "e" | "errexit" => &mut options.errexit,
        "u" | "nounset" => &mut options.nounset,
        "x" | "xtrace" => &mut options.xtrace,
        "f" | "noglob" => &mut options.noglob,
        "C" | "noclobber" => &mut options.noclobber,
        "a" | "allexport" => &mut options.allexport,
        "n" | "noexec" => &mut options.noexec,
        "pipefail" => &mut options.pipefail,
        _ => return None,
    })
}

/// Sets an option by its letter; false when there is none of that name.
pub fn set_by_letter(options: &mut Options, letter: char, on: bool) -> bool {
    field(options, letter.encode_utf8(&mut [0; 4]))
        .map(|option| *option = on)
        .is_some()
}

/// Sets an option by its long name. Those of interactive shells are known and change nothing.
pub fn set_by_name(options: &mut Options, name: &str, on: bool) -> bool {
    let inert = [
        "posix",
        "monitor",
        "notify",
        "vi",
        "emacs",
        "verbose",
        "ignoreeof",
        "nolog",
        "errtrace",
        "functrace",
    ];
    (name.len() > 1 && field(options, name).map(|option| *option = on).is_some())
        || inert.contains(&name)
}

/// `set [-abefxu] [-o name] [--] [argument…]`.
pub async fn set(call: &mut Call<'_>) -> Outcome {
    if call.args.is_empty() {
        let mut lines: Vec<String> = call
            .shell
            .variables
            .iter()
            .filter_map(|(name, variable)| match &variable.value {
                Value::Scalar(text) => Some(format!("{name}={}", quote(text))),
                _ => None,
            })
            .collect();
        lines.sort();
        for line in lines {
            call.line(line).await?;
        }
        return Ok(0);
    }
    let mut args = std::mem::take(&mut call.args).into_iter().peekable();
    let mut replaces = false;
    while let Some(arg) =
        args.next_if(|arg| arg.len() > 1 && (arg.starts_with('-') || arg.starts_with('+')))
    {
        if arg == "--" {
            replaces = true;
            break;
        }
        let on = arg.starts_with('-');
        for letter in arg.chars().skip(1) {
            let known = match letter {
                'o' => match args.next() {
                    Some(name) => set_by_name(&mut call.shell.options, &name, on),
                    None => true,
                },
                'v' | 'm' | 'b' | 'h' | 'E' | 'T' | 'B' | 'H' => true,
                _ => set_by_letter(&mut call.shell.options, letter, on),
            };
            if !known {
                return Err(Fail::usage(format!("Illegal option {arg}")));
            }
        }
    }
    if replaces || args.peek().is_some() {
        call.shell.positional = args.collect();
    }
    Ok(0)
}

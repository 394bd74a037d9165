//! Built-ins about variables, parameters and the current directory.

use crate::applet::{Call, Fail, Outcome};
use crate::exec::command::quote;
use crate::expand::arithmetic;
use crate::io::strerror;
use crate::shell::{Value, Variable, normalize};

/// `cd [-LP] [directory|-]`.
pub async fn cd(call: &mut Call<'_>) -> Outcome {
    call.args
        .retain(|arg| arg != "-L" && arg != "-P" && arg != "--");
    let target = match call.args.first().map(String::as_str) {
        None => call
            .shell
            .get("HOME")
            .filter(|home| !home.is_empty())
            .unwrap_or_else(|| "/".into()),
        Some("-") => call
            .shell
            .get("OLDPWD")
            .ok_or_else(|| Fail::new("OLDPWD not set"))?,
        Some(name) => name.to_owned(),
    };
    let path = normalize(&call.shell.cwd.join(&target));
    match path.metadata() {
        Ok(data) if data.is_dir() => {}
        Ok(_) => {
            return Err(Fail::Message(
                format!("can't cd to {target}: Not a directory"),
                2,
            ));
        }
        Err(error) => {
            return Err(Fail::Message(
                format!("can't cd to {target}: {}", strerror(&error)),
                2,
            ));
        }
    }
    if call.args.first().is_some_and(|arg| arg == "-") {
        call.line(path.to_string_lossy()).await?;
    }
    let old = call.shell.cwd.to_string_lossy().into_owned();
    call.shell.put("OLDPWD", old);
    call.shell.put("PWD", path.to_string_lossy().into_owned());
    call.shell.cwd = path;
    Ok(0)
}

/// `pwd`.
pub async fn pwd(call: &mut Call<'_>) -> Outcome {
    let cwd = call.shell.cwd.to_string_lossy().into_owned();
    call.line(cwd).await?;
    Ok(0)
}

/// `export` and `readonly`: `[-pn] [name[=value]…]`.
pub async fn export(call: &mut Call<'_>) -> Outcome {
    let options = call.options("+pnf", &[])?;
    let readonly = call.name == "readonly";
    if call.args.is_empty() {
        let mut lines: Vec<String> = call
            .shell
            .variables
            .iter()
            .filter(|(_, variable)| {
                if readonly {
                    variable.readonly
                } else {
                    variable.exported
                }
            })
            .filter_map(|(name, variable)| match &variable.value {
                Value::Scalar(text) => Some(format!("{} {name}={}", call.name, quote(text))),
                _ => None,
            })
            .collect();
        lines.sort();
        for line in lines {
            call.line(line).await?;
        }
        return Ok(0);
    }
    for arg in std::mem::take(&mut call.args) {
        let (name, value) = split(&arg)?;
        if let Some(value) = value {
            call.shell
                .set(name, value.to_owned())
                .map_err(Fail::usage)?;
        }
        let variable = entry(call, name);
        if readonly {
            variable.readonly = true;
        } else {
            variable.exported = !options.has('n');
        }
    }
    Ok(0)
}

fn split(arg: &str) -> Result<(&str, Option<&str>), Fail> {
    let (name, value) = arg
        .split_once('=')
        .map_or((arg, None), |(name, value)| (name, Some(value)));
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if valid {
        Ok((name, value))
    } else {
        Err(Fail::usage(format!("{name}: bad variable name")))
    }
}

fn entry<'v>(call: &'v mut Call<'_>, name: &str) -> &'v mut Variable {
    let unset = Variable {
        value: Value::Unset,
        exported: false,
        readonly: false,
    };
    call.shell.variables.entry(name.to_owned()).or_insert(unset)
}

/// `local [name[=value]…]`.
pub async fn local(call: &mut Call<'_>) -> Outcome {
    if call.shell.locals.is_empty() {
        return Err(Fail::usage("not in a function"));
    }
    declare(call).await
}

/// `declare [-xraig] [name[=value]…]`: local in a function, as bash has it.
pub async fn declare(call: &mut Call<'_>) -> Outcome {
    let options = call.options("+xraAigpfFlun", &[])?;
    for arg in std::mem::take(&mut call.args) {
        let (name, value) = split(&arg)?;
        let hidden = call.shell.variables.get(name).cloned();
        let global = options.has('g');
        if let Some(frame) = call.shell.locals.last_mut()
            && !global
            && !frame.iter().any(|(known, _)| known == name)
        {
            frame.push((name.to_owned(), hidden));
            if value.is_none() && !options.has('x') {
                call.shell.variables.remove(name);
            }
        }
        if let Some(value) = value {
            call.shell
                .set(name, value.to_owned())
                .map_err(Fail::usage)?;
        }
        let variable = entry(call, name);
        variable.exported |= options.has('x');
        variable.readonly |= options.has('r');
    }
    Ok(0)
}

/// `unset [-fv] name…`.
pub async fn unset(call: &mut Call<'_>) -> Outcome {
    let options = call.options("+fv", &[])?;
    for name in std::mem::take(&mut call.args) {
        if options.has('f') {
            call.shell.functions.remove(&name);
            continue;
        }
        if let Some((array, index)) = name.strip_suffix(']').and_then(|name| name.split_once('['))
            && let Some(Variable {
                value: Value::Array(elements),
                ..
            }) = call.shell.variables.get_mut(array)
        {
            elements.remove(&index.parse().unwrap_or(usize::MAX));
            continue;
        }
        call.shell.check_writable(&name).map_err(Fail::new)?;
        if call.shell.variables.remove(&name).is_none() && !options.has('v') {
            call.shell.functions.remove(&name);
        }
    }
    Ok(0)
}

/// `shift [n]`.
pub async fn shift(call: &mut Call<'_>) -> Outcome {
    let count = call
        .args
        .first()
        .map_or(Ok(1), |n| n.parse::<usize>())
        .map_err(|_| Fail::usage("Illegal number"))?;
    if count > call.shell.positional.len() {
        return Err(Fail::usage("can't shift that many"));
    }
    call.shell.positional.drain(..count);
    Ok(0)
}

/// `let expression…`.
pub async fn let_(call: &mut Call<'_>) -> Outcome {
    let mut last = 0;
    for expression in std::mem::take(&mut call.args) {
        last = arithmetic::evaluate(call.shell, &expression).map_err(Fail::new)?;
    }
    Ok(i32::from(last == 0))
}

/// `getopts optstring name [argument…]`.
pub async fn getopts(call: &mut Call<'_>) -> Outcome {
    let [spec, name, given @ ..] = call.args.as_slice() else {
        return Err(Fail::usage("usage: getopts optstring var [arg]"));
    };
    let (spec, name) = (spec.clone(), name.clone());
    let args = if given.is_empty() {
        call.shell.positional.clone()
    } else {
        given.to_vec()
    };
    let mut index: usize = call
        .shell
        .get("OPTIND")
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    if index <= 1 && call.shell.getopts_at == 0 {
        index = 1;
    }
    let current = args.get(index - 1).cloned().unwrap_or_default();
    let at = call.shell.getopts_at.max(1);
    let letter = if current.len() > 1 && current.starts_with('-') && current != "--" {
        current.chars().nth(at)
    } else {
        None
    };
    let Some(letter) = letter else {
        if current == "--" {
            index += 1;
        }
        call.shell.getopts_at = 0;
        call.shell.put("OPTIND", index.to_string());
        call.shell.put(&name, "?".into());
        return Ok(1);
    };
    let last = current.chars().count() == at + 1;
    let silent = spec.starts_with(':');
    let takes_value = spec.contains(&format!("{letter}:"));
    let mut result = letter.to_string();
    let mut value = None;
    let mut complaint = None;
    if letter == ':' || !spec.contains(letter) {
        complaint = Some(format!("Illegal option -{letter}"));
        result = "?".into();
        value = silent.then(|| letter.to_string());
    } else if takes_value && !last {
        value = Some(current.chars().skip(at + 1).collect());
    } else if takes_value {
        index += 1;
        value = args.get(index - 1).cloned();
        if value.is_none() {
            complaint = Some(format!("No arg for -{letter} option"));
            result = if silent { ":" } else { "?" }.into();
            value = silent.then(|| letter.to_string());
        }
    }
    if last || takes_value {
        index += 1;
        call.shell.getopts_at = 0;
    } else {
        call.shell.getopts_at = at + 1;
    }
    call.shell.put("OPTIND", index.to_string());
    match value {
        Some(value) => call.shell.put("OPTARG", value),
        None => {
            call.shell.variables.remove("OPTARG");
        }
    }
    call.shell.put(&name, result);
    if let Some(complaint) = complaint.filter(|_| !silent) {
        call.shell.complain(&complaint).await;
    }
    Ok(0)
}

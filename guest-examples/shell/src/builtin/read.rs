//! `read`.

use crate::applet::{Call, Fail, Outcome};
use crate::shell::{Value, Variable};

/// `read [-r] [-d delimiter] [-n count] [-p prompt] [-a array] [name…]`. `-t` and `-s` are accepted: a pipe's writer always
/// comes or ends, and there is no terminal.
pub async fn read(call: &mut Call<'_>) -> Outcome {
    let options = call.options("+rsd:n:N:p:t:a:u:", &[])?;
    if let Some(prompt) = options.value('p')
        && let Some(fd) = call.shell.fd(2)
    {
        fd.write(prompt.as_bytes()).await?;
    }
    let number = options
        .value('u')
        .and_then(|number| number.parse().ok())
        .unwrap_or(0);
    let input = call
        .shell
        .fd(number)
        .ok_or_else(|| Fail::new("Bad file descriptor"))?;
    let delimiter = options
        .value('d')
        .map_or(b'\n', |d| d.bytes().next().unwrap_or(0));
    let most = options
        .value('n')
        .or(options.value('N'))
        .and_then(|n| n.parse::<usize>().ok());
    let raw = options.has('r');

    // Characters with whether a backslash protects them from being a separator.
    let mut line: Vec<(char, bool)> = Vec::new();
    let mut ended = true;
    loop {
        let mut bytes = input.read_until(delimiter).await?;
        ended &= bytes.is_empty();
        let complete = bytes.last() == Some(&delimiter);
        if complete {
            bytes.pop();
        }
        if let Some(most) = most
            && bytes.len() > most
        {
            let mut rest = bytes.split_off(most);
            if complete {
                rest.push(delimiter);
            }
            input.unread(&rest);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut chars = text.chars();
        let mut continues = false;
        while let Some(c) = chars.next() {
            if c == '\\' && !raw {
                match chars.next() {
                    Some(next) => line.push((next, true)),
                    None => continues = complete,
                }
            } else {
                line.push((c, false));
            }
        }
        if !continues {
            ended |= !complete && most.is_none_or(|most| line.len() < most);
            break;
        }
    }

    let separators = call.shell.get("IFS").unwrap_or_else(|| " \t\n".into());
    if let Some(array) = options.value('a') {
        let fields = split(&line, &separators, usize::MAX)
            .into_iter()
            .enumerate()
            .collect();
        call.shell.check_writable(array).map_err(Fail::new)?;
        let variable = Variable {
            value: Value::Array(fields),
            exported: false,
            readonly: false,
        };
        call.shell.variables.insert(array.to_owned(), variable);
        return Ok(i32::from(ended));
    }
    let names = std::mem::take(&mut call.args);
    if names.is_empty() {
        let whole = line.iter().map(|(c, _)| c).collect();
        call.shell.set("REPLY", whole).map_err(Fail::new)?;
        return Ok(i32::from(ended));
    }
    let mut fields = split(&line, &separators, names.len()).into_iter();
    for name in names {
        call.shell
            .set(&name, fields.next().unwrap_or_default())
            .map_err(Fail::new)?;
    }
    Ok(i32::from(ended))
}

/// At most `most` fields; the last one has all that is left, without blanks at its end.
fn split(line: &[(char, bool)], separators: &str, most: usize) -> Vec<String> {
    let is_separator = |(c, protected): &(char, bool)| !protected && separators.contains(*c);
    let is_blank = |c: &(char, bool)| is_separator(c) && c.0.is_ascii_whitespace();
    let mut rest = line;
    let mut fields = Vec::new();
    while let [first, tail @ ..] = rest {
        if is_blank(first) {
            rest = tail;
            continue;
        }
        if fields.len() + 1 == most {
            let mut last = rest;
            while let [head @ .., end] = last
                && is_blank(end)
            {
                last = head;
            }
            // One separator behind a single field ends it and is no part of it.
            if let [head @ .., end] = last
                && is_separator(end)
                && !head.iter().any(is_separator)
            {
                last = head;
            }
            fields.push(last.iter().map(|(c, _)| c).collect());
            return fields;
        }
        let end = rest.iter().position(is_separator).unwrap_or(rest.len());
        fields.push(rest[..end].iter().map(|(c, _)| c).collect());
        rest = &rest[end..];
        let blanks = rest.iter().take_while(|c| is_blank(c)).count();
        rest = &rest[blanks..];
        if rest.first().is_some_and(&is_separator) && (blanks == 0 || !is_blank(&rest[0])) {
            rest = &rest[1..];
        }
    }
    fields
}

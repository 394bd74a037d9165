//! `echo`, as bash has it: escapes only with `-e`.

use crate::applet::{Call, Outcome};
use crate::escape::{Style, unescape};

/// `echo [-neE] [string…]`.
pub async fn echo(call: &mut Call<'_>) -> Outcome {
    let (mut newline, mut escapes) = (true, false);
    let is_option = |arg: &&String| {
        arg.len() > 1
            && arg.starts_with('-')
            && arg.chars().skip(1).all(|letter| "neE".contains(letter))
    };
    let options = call.args.iter().take_while(is_option).count();
    for option in call.args.drain(..options) {
        newline &= !option.contains('n');
        escapes = if option.contains('e') {
            true
        } else {
            escapes && !option.contains('E')
        };
    }
    let text = call.args.join(" ");
    if escapes {
        let (bytes, ended) = unescape(&text, Style::Echo);
        call.put(bytes).await?;
        newline &= !ended;
    } else {
        call.put(text).await?;
    }
    if newline {
        call.put(b"\n").await?;
    }
    Ok(0)
}

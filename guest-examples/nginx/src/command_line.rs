//! The arguments: those of nginx that make sense for one foreground process.

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Serve.
    Serve,
    /// `-t`, `-T`: check the configuration; `-T` also is accepted, and prints nothing more.
    Test,
    /// `-v`, `-V`
    Version,
    /// `-h`, `-?`
    Help,
    /// `-s`: tells the nginx of this container.
    Signal(Command),
}

/// What `-s` tells a running nginx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// To end at once: SIGTERM.
    Stop,
    /// To end when all requests are answered: SIGQUIT.
    Quit,
    /// To read its configuration again: SIGHUP.
    Reload,
    /// To open its log files again: SIGUSR1.
    Reopen,
}

impl Command {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "stop" => Self::Stop,
            "quit" => Self::Quit,
            "reload" => Self::Reload,
            "reopen" => Self::Reopen,
            _ => return None,
        })
    }
}

/// The arguments, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// What is to be done.
    pub action: Action,
    /// `-c`, made absolute with `-p`.
    pub config: String,
    /// `-g`: directives outside of the file.
    pub globals: String,
    /// `-q`: no message but errors.
    pub quiet: bool,
}

/// Where the image has its configuration.
const CONFIG: &str = "/etc/nginx/nginx.conf";
/// Relative paths of `-c` start here.
const PREFIX: &str = "/etc/nginx/";

/// Reads the arguments behind the program's name.
///
/// # Errors
/// In nginx's words, for an option that is not known or lacks its parameter.
pub fn parse(args: impl Iterator<Item = String>) -> Result<CommandLine, String> {
    let mut read = CommandLine {
        action: Action::Serve,
        config: CONFIG.to_owned(),
        globals: String::new(),
        quiet: false,
    };
    let mut prefix = PREFIX.to_owned();
    let mut args = args;
    while let Some(arg) = args.next() {
        let Some(options) = arg.strip_prefix('-').filter(|options| !options.is_empty()) else {
            return Err(format!("invalid option: \"{arg}\""));
        };
        let mut letters = options.chars();
        while let Some(letter) = letters.next() {
            match letter {
                't' | 'T' => read.action = Action::Test,
                'v' | 'V' => read.action = Action::Version,
                'h' | '?' => read.action = Action::Help,
                'q' => read.quiet = true,
                'c' | 'g' | 'p' | 'e' | 's' => {
                    let rest: String = letters.by_ref().collect();
                    let value = if rest.is_empty() {
                        args.next()
                    } else {
                        Some(rest)
                    };
                    let Some(value) = value else {
                        return Err(match letter {
                            'c' => "option \"-c\" requires file name".to_owned(),
                            'p' => "option \"-p\" requires directory name".to_owned(),
                            'e' => "option \"-e\" requires file name".to_owned(),
                            's' => "option \"-s\" requires parameter".to_owned(),
                            _ => "option \"-g\" requires parameter".to_owned(),
                        });
                    };
                    match letter {
                        'c' => read.config = value,
                        'g' => read.globals = value,
                        's' => {
                            let command = Command::parse(&value);
                            let command =
                                command.ok_or_else(|| format!("invalid option: \"-s {value}\""))?;
                            read.action = Action::Signal(command);
                        }
                        'p' => prefix = format!("{}/", value.trim_end_matches('/')),
                        _ => {}
                    }
                }
                other => return Err(format!("invalid option: \"{other}\"")),
            }
        }
    }
    if !read.config.starts_with('/') {
        read.config = format!("{prefix}{}", read.config);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &str) -> Result<CommandLine, String> {
        parse(
            args.split('|')
                .filter(|arg| !arg.is_empty())
                .map(str::to_owned),
        )
    }

    #[test]
    fn the_image_s_command_serves_the_image_s_configuration() {
        let line = read("-g|daemon off;").unwrap();
        assert_eq!(
            (line.action, line.config.as_str(), line.globals.as_str()),
            (Action::Serve, CONFIG, "daemon off;")
        );
    }

    #[test]
    fn options_combine_as_in_nginx() {
        assert_eq!(read("-t|-c|/a.conf").unwrap().config, "/a.conf");
        assert_eq!(
            read("-tq|-p|/b|-cx.conf").unwrap(),
            CommandLine {
                action: Action::Test,
                config: "/b/x.conf".to_owned(),
                globals: String::new(),
                quiet: true
            }
        );
        assert_eq!(read("-V").unwrap().action, Action::Version);
        for (args, command) in [
            ("-s|quit", Command::Quit),
            ("-sstop", Command::Stop),
            ("-c|/a.conf|-s|reload", Command::Reload),
            ("-s|reopen", Command::Reopen),
        ] {
            assert_eq!(read(args).unwrap().action, Action::Signal(command));
        }
    }

    #[test]
    fn unknown_options_are_named() {
        assert_eq!(read("-z"), Err("invalid option: \"z\"".to_owned()));
        assert_eq!(read("start"), Err("invalid option: \"start\"".to_owned()));
        let wrong = "invalid option: \"-s start\"".to_owned();
        assert_eq!(read("-s|start"), Err(wrong));
        assert_eq!(
            read("-c"),
            Err("option \"-c\" requires file name".to_owned())
        );
    }
}

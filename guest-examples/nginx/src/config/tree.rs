//! Blocks and directives: the file's structure, checked against the table of directives, includes followed.

use std::path::Path;
use std::rc::Rc;

use super::directives::{self, context};
use super::error::{ConfigError, Place};
use super::token::{Token, Tokenizer};

/// How deep blocks and includes may nest; deeper is an error, since a file that includes itself would never end.
const MAX_DEPTH: usize = 32;
/// The largest configuration file in bytes.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// One directive as written.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The directives in its block.
    pub children: Vec<Self>,
    /// Where its end stands, which is what nginx names.
    pub place: Place,
}

/// Where configuration text comes from.
pub trait Files {
    /// The text of a file, or the error's number and words.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, path: &str) -> Result<String, String>;
    /// The names in a directory, in any order; none when there is no such directory.
    fn list(&self, directory: &str) -> Vec<String>;
}

/// The files of this container.
#[derive(Debug, Clone, Copy)]
pub struct RealFiles;

impl Files for RealFiles {
    fn read(&self, path: &str) -> Result<String, String> {
        use std::io::Read;
        let mut text = Vec::new();
        let read = std::fs::File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut text));
        match read {
            Ok(_) => Ok(String::from_utf8_lossy(&text).into_owned()),
            Err(error) => Err(errno_text(&error)),
        }
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(directory) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }
}

/// Errno's number and words as on Linux, whose numbers are not those of WASI.
#[must_use]
pub fn errno_text(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "2: No such file or directory".to_owned(),
        ErrorKind::PermissionDenied => "13: Permission denied".to_owned(),
        ErrorKind::IsADirectory => "21: Is a directory".to_owned(),
        ErrorKind::NotADirectory => "20: Not a directory".to_owned(),
        ErrorKind::ReadOnlyFilesystem => "30: Read-only file system".to_owned(),
        _ => format!("5: {error}"),
    }
}

/// Reads a file and all that it includes.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(files: &dyn Files, path: &str) -> Result<Vec<Node>, ConfigError> {
    let text = files
        .read(path)
        .map_err(|errno| ConfigError::whole(format!("open() \"{path}\" failed ({errno})")))?;
    Reader {
        files,
        directory: parent(path),
    }
    .file(&text, path, context::MAIN, 0)
}

/// Reads directives given on the command line with `-g`.
///
/// # Errors
/// The first thing that is wrong.
pub fn read_text(files: &dyn Files, text: &str, name: &str) -> Result<Vec<Node>, ConfigError> {
    Reader {
        files,
        directory: "/".to_owned(),
    }
    .file(text, name, context::MAIN, 0)
}

fn parent(path: &str) -> String {
    Path::new(path)
        .parent()
        .and_then(Path::to_str)
        .unwrap_or("/")
        .to_owned()
}

struct Reader<'a> {
    files: &'a dyn Files,
    /// What relative includes start from: the folder of the main file.
    directory: String,
}

/// How a run of words ended.
enum End {
    Semicolon,
    Open,
}

impl Reader<'_> {
    fn file(
        &self,
        text: &str,
        path: &str,
        context: u8,
        depth: usize,
    ) -> Result<Vec<Node>, ConfigError> {
        let mut tokens = Tokenizer::new(text, Rc::from(path));
        self.block(&mut tokens, context, depth, true)
    }

    fn block(
        &self,
        tokens: &mut Tokenizer<'_>,
        context: u8,
        depth: usize,
        whole_file: bool,
    ) -> Result<Vec<Node>, ConfigError> {
        let mut nodes: Vec<Node> = Vec::new();
        loop {
            let (name, args, end) = match tokens.next_token()? {
                None if whole_file => return Ok(nodes),
                None => {
                    return Err(ConfigError::at(
                        tokens.place(),
                        "unexpected end of file, expecting \"}\"",
                    ));
                }
                Some(Token::Close) if !whole_file => return Ok(nodes),
                Some(Token::Close) => {
                    return Err(ConfigError::at(tokens.place(), "unexpected \"}\""));
                }
                Some(Token::Semicolon) => {
                    return Err(ConfigError::at(tokens.place(), "unexpected \";\""));
                }
                Some(Token::Open) => {
                    return Err(ConfigError::at(tokens.place(), "unexpected \"{\""));
                }
                Some(Token::Word(name)) => {
                    let (args, end) = self.words(tokens)?;
                    (name, args, end)
                }
            };
            let place = tokens.place().clone();
            if depth >= MAX_DEPTH {
                return Err(ConfigError::at(
                    &place,
                    "blocks or includes are nested too deeply",
                ));
            }
            if context == 0 {
                // In `types` the names are data.
                if matches!(end, End::Open) {
                    return Err(ConfigError::at(&place, "unexpected \"{\""));
                }
                if name == "include" {
                    nodes.extend(self.include(&args, &place, context, depth)?);
                } else if args.is_empty() {
                    return Err(ConfigError::at(
                        &place,
                        "invalid number of arguments in \"types\" directive",
                    ));
                } else {
                    nodes.push(Node {
                        name,
                        args,
                        children: Vec::new(),
                        place,
                    });
                }
                continue;
            }
            let directive = check(&name, &args, &end, context, &place)?;
            if directive.once && nodes.iter().any(|node| node.name == name) {
                return Err(ConfigError::at(
                    &place,
                    format!("\"{name}\" directive is duplicate"),
                ));
            }
            if name == "include" {
                nodes.extend(self.include(&args, &place, context, depth)?);
                continue;
            }
            let children = match directive.block {
                Some(inside) => self.block(tokens, inside, depth + 1, false)?,
                None => Vec::new(),
            };
            nodes.push(Node {
                name,
                args,
                children,
                place,
            });
        }
    }

    fn words(&self, tokens: &mut Tokenizer<'_>) -> Result<(Vec<String>, End), ConfigError> {
        let mut args = Vec::new();
        loop {
            match tokens.next_token()? {
                Some(Token::Word(word)) => args.push(word),
                Some(Token::Semicolon) => return Ok((args, End::Semicolon)),
                Some(Token::Open) => return Ok((args, End::Open)),
                Some(Token::Close) => {
                    return Err(ConfigError::at(tokens.place(), "unexpected \"}\""));
                }
                None => {
                    let message = "unexpected end of file, expecting \";\" or \"}\"";
                    return Err(ConfigError::at(tokens.place(), message));
                }
            }
        }
    }

    fn include(
        &self,
        args: &[String],
        place: &Place,
        context: u8,
        depth: usize,
    ) -> Result<Vec<Node>, ConfigError> {
        let [pattern] = args else {
            return Err(ConfigError::at(
                place,
                "invalid number of arguments in \"include\" directive",
            ));
        };
        let path = if pattern.starts_with('/') {
            pattern.clone()
        } else {
            format!("{}/{pattern}", self.directory)
        };
        let is_pattern = path.contains(['*', '?', '[']);
        let mut found = vec![path.clone()];
        if is_pattern {
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            let folder = parent(&path);
            found = self
                .files
                .list(&folder)
                .into_iter()
                .filter(|file| glob(name.as_bytes(), file.as_bytes()) && !file.starts_with('.'))
                .map(|file| format!("{}/{file}", folder.trim_end_matches('/')))
                .collect();
            found.sort_unstable();
        }
        let mut nodes = Vec::new();
        for path in found {
            let text = self.files.read(&path).map_err(|errno| {
                ConfigError::at(place, format!("open() \"{path}\" failed ({errno})"))
            })?;
            nodes.extend(self.file(&text, &path, context, depth + 1)?);
        }
        Ok(nodes)
    }
}

fn check(
    name: &str,
    args: &[String],
    end: &End,
    context: u8,
    place: &Place,
) -> Result<&'static directives::Directive, ConfigError> {
    let mut known = directives::DIRECTIVES
        .iter()
        .filter(|directive| directive.name == name)
        .peekable();
    if known.peek().is_none() {
        return Err(ConfigError::at(
            place,
            format!("unknown directive \"{name}\""),
        ));
    }
    let Some(directive) = known.find(|directive| directive.contexts & context != 0) else {
        return Err(ConfigError::at(
            place,
            format!("\"{name}\" directive is not allowed here"),
        ));
    };
    match (end, directive.block) {
        (End::Open, None) => Err(ConfigError::at(
            place,
            format!("directive \"{name}\" is not terminated by \";\""),
        )),
        (End::Semicolon, Some(_)) => Err(ConfigError::at(
            place,
            format!("directive \"{name}\" has no opening \"{{\""),
        )),
        _ if !(directive.least..=directive.most).contains(&args.len()) => Err(ConfigError::at(
            place,
            format!("invalid number of arguments in \"{name}\" directive"),
        )),
        _ => Ok(directive),
    }
}

/// Shell patterns of one path segment: `*`, `?`, and everything else literally.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], name) => {
            (0..=name.len()).any(|skip| name.get(skip..).is_some_and(|name| glob(rest, name)))
        }
        ([b'?', pattern @ ..], [_, name @ ..]) => glob(pattern, name),
        ([expected, pattern @ ..], [found, name @ ..]) if expected == found => glob(pattern, name),
        _ => false,
    }
}

//! The words of a configuration file: quotes, escapes, comments, `;` and braces, as nginx reads them.

use super::error::{ConfigError, Place};

/// The longest word in bytes, nginx's configuration buffer; longer ones are an error (a quote left open, mostly).
const MAX_WORD_BYTES: usize = 4096;

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A word, without its quotes and escapes.
    Word(String),
    /// `;`
    Semicolon,
    /// `{`
    Open,
    /// `}`
    Close,
}

/// Reads tokens one after the other.
#[derive(Debug)]
pub struct Tokenizer<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    /// The line of the next character.
    place: Place,
}

impl<'a> Tokenizer<'a> {
    /// A tokenizer at the start of a file's text.
    #[must_use]
    pub fn new(text: &'a str, file: std::rc::Rc<str>) -> Self {
        Self {
            rest: text.chars().peekable(),
            place: Place { file, line: 1 },
        }
    }

    /// Where the tokenizer is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.rest.next();
        if next == Some('\n') {
            self.place.line += 1;
        }
        next
    }

    /// The next token, `None` at the end.
    ///
    /// # Errors
    /// When a quoted word is not followed by a separator, or never ends.
    pub fn next_token(&mut self) -> Result<Option<Token>, ConfigError> {
        loop {
            match self.rest.peek() {
                None => return Ok(None),
                Some(' ' | '\t' | '\r' | '\n') => {
                    self.bump();
                }
                Some('#') => {
                    while self.rest.peek().is_some_and(|next| *next != '\n') {
                        self.bump();
                    }
                }
                Some(';') => return Ok(self.single(Token::Semicolon)),
                Some('{') => return Ok(self.single(Token::Open)),
                Some('}') => return Ok(self.single(Token::Close)),
                Some(quote @ ('"' | '\'')) => {
                    let quote = *quote;
                    return self.quoted(quote).map(Some);
                }
                Some(_) => return self.bare().map(Some),
            }
        }
    }

    fn single(&mut self, token: Token) -> Option<Token> {
        self.bump();
        Some(token)
    }

    fn too_long(start: &Place, word: &str) -> ConfigError {
        let shown: String = word.chars().take(10).collect();
        ConfigError::at(start, format!("too long parameter \"{shown}...\" started"))
    }

    fn quoted(&mut self, quote: char) -> Result<Token, ConfigError> {
        let start = self.place.clone();
        let mut word = String::new();
        self.bump();
        loop {
            match self.bump() {
                Some(next) if next == quote => break,
                Some('\\') => self.escape(&mut word),
                Some(next) => word.push(next),
                None => {
                    return Err(ConfigError::at(
                        &start,
                        format!("unexpected end of file, expecting \"{quote}\""),
                    ));
                }
            }
            if word.len() > MAX_WORD_BYTES {
                return Err(Self::too_long(&start, &word));
            }
        }
        match self.rest.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | ';' | '{' | ')') => Ok(Token::Word(word)),
            Some(other) => Err(ConfigError::at(
                &self.place,
                format!("unexpected \"{other}\""),
            )),
        }
    }

    fn bare(&mut self) -> Result<Token, ConfigError> {
        let start = self.place.clone();
        let mut word = String::new();
        while let Some(next) = self.rest.peek().copied() {
            match next {
                ' ' | '\t' | '\r' | '\n' | ';' => break,
                // `${name}` is part of a word, any other brace ends it.
                '{' if !word.ends_with('$') => break,
                '\\' => {
                    self.bump();
                    self.escape(&mut word);
                }
                _ => {
                    self.bump();
                    word.push(next);
                }
            }
            if word.len() > MAX_WORD_BYTES {
                return Err(Self::too_long(&start, &word));
            }
        }
        Ok(Token::Word(word))
    }

    /// After a backslash: quotes, the backslash and three letters mean something; before others it stays, which
    /// regular expressions need.
    fn escape(&mut self, word: &mut String) {
        match self.bump() {
            Some(next @ ('"' | '\'' | '\\')) => word.push(next),
            Some('t') => word.push('\t'),
            Some('r') => word.push('\r'),
            Some('n') => word.push('\n'),
            Some(next) => {
                word.push('\\');
                word.push(next);
            }
            None => word.push('\\'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Result<String, String> {
        let mut tokenizer = Tokenizer::new(text, "f".into());
        let mut shown = Vec::new();
        while let Some(token) = tokenizer.next_token().map_err(|error| error.to_string())? {
            shown.push(match token {
                Token::Word(word) => format!("[{word}]"),
                Token::Semicolon => ";".to_owned(),
                Token::Open => "{".to_owned(),
                Token::Close => "}".to_owned(),
            });
        }
        Ok(shown.concat())
    }

    #[test]
    fn words_quotes_escapes_and_comments_read_as_in_nginx() {
        let table = [
            ("listen 80;# c ;\nroot /a;", "[listen][80];[root][/a];"),
            ("a \"b c\" 'd \"e\"';", "[a][b c][d \"e\"];"),
            (r#"a "b \" \\ \n \." c\ d;"#, "[a][b \" \\ \n \\.][c\\ d];"),
            ("a{b c;}", "[a]{[b][c];}"),
            ("a ${b}c#d;", "[a][${b}c#d];"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(words(text), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn quotes_that_go_wrong_name_their_line() {
        assert_eq!(
            words("\n\na \"b\"c;"),
            Err("unexpected \"c\" in f:3".to_owned())
        );
        assert_eq!(
            words("\n'a"),
            Err("unexpected end of file, expecting \"'\" in f:2".to_owned())
        );
        let long = format!("a '{}", "0123456789x".repeat(500));
        assert_eq!(
            words(&long),
            Err("too long parameter \"0123456789...\" started in f:1".to_owned())
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_tokenizer_panic(text in "\\PC{0,200}") {
            let _ = words(&text);
        }
    }
}

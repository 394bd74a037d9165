//! The tree of a program. Nodes are shared, so that a function and a subshell cost no copy.

use std::cell::RefCell;
use std::rc::Rc;

/// A command.
#[derive(Debug)]
pub enum Node {
    /// Assignments, words and redirections, with the line on which it starts.
    Simple(Simple),
    /// Stages; `!` in front negates.
    Pipeline(bool, Vec<Rc<Self>>),
    /// `a && b`.
    And(Rc<Self>, Rc<Self>),
    /// `a || b`.
    Or(Rc<Self>, Rc<Self>),
    /// One after the other.
    List(Vec<Rc<Self>>),
    /// `a &`.
    Background(Rc<Self>),
    /// `( … )`.
    Subshell(Rc<Self>),
    /// Conditions with their branches, and `else`.
    If(Vec<(Rc<Self>, Rc<Self>)>, Option<Rc<Self>>),
    /// `while` (true) or `until` (false).
    While(bool, Rc<Self>, Rc<Self>),
    /// `for name in words`; without words the positional parameters.
    For(String, Option<Vec<Word>>, Rc<Self>),
    /// `for ((init; condition; step))`.
    ForArithmetic([Word; 3], Rc<Self>),
    /// `case word in patterns) … ;;`.
    Case(Word, Vec<Arm>),
    /// `name() body`.
    Function(String, Rc<Self>),
    /// A compound command with redirections.
    Redirected(Rc<Self>, Vec<Redirect>),
    /// `[[ … ]]`.
    Condition(Condition),
    /// `(( … ))`.
    Arithmetic(Word),
}

/// A simple command.
#[derive(Debug, Default)]
pub struct Simple {
    /// `name=value` in front of the words.
    pub assignments: Vec<Assignment>,
    /// The command and its arguments.
    pub words: Vec<Word>,
    /// In the order of the text.
    pub redirects: Vec<Redirect>,
    /// From 1.
    pub line: usize,
}

/// `name=value`, `name+=value`, `name[index]=value`, `name=(values)`.
#[derive(Debug)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// The index of an element.
    pub index: Option<Word>,
    /// `+=`.
    pub append: bool,
    /// What it gets.
    pub value: Value,
}

/// What an assignment gives.
#[derive(Debug)]
pub enum Value {
    /// One text.
    Scalar(Word),
    /// `( … )`.
    Array(Vec<Word>),
}

/// One branch of `case`.
#[derive(Debug)]
pub struct Arm {
    /// Any of these.
    pub patterns: Vec<Word>,
    /// What to do.
    pub body: Rc<Node>,
    /// `;&`: go on with the next branch.
    pub falls_through: bool,
}

/// `fd op target`.
#[derive(Debug)]
pub struct Redirect {
    /// The descriptor; without one, what the operator implies.
    pub fd: Option<u32>,
    /// What is done with it.
    pub kind: RedirectKind,
}

/// The operator and its target.
#[derive(Debug)]
pub enum RedirectKind {
    /// `<`.
    Read(Word),
    /// `>`; true for `>|`, which overrides `set -C`.
    Write(Word, bool),
    /// `>>`.
    Append(Word),
    /// `<>`.
    ReadWrite(Word),
    /// `<&` and `>&`: a number, `-`, or for `>&` a file for both streams.
    Duplicate(Word),
    /// `&>` and `&>>` (true): stdout and stderr to one file.
    Both(Word, bool),
    /// `<<`; the body is read after the line.
    HereDocument(Rc<RefCell<Word>>),
    /// `<<<`.
    HereString(Word),
}

/// The inside of `[[ … ]]`.
#[derive(Debug)]
pub enum Condition {
    /// `! c`.
    Not(Box<Self>),
    /// `a && b`.
    And(Box<Self>, Box<Self>),
    /// `a || b`.
    Or(Box<Self>, Box<Self>),
    /// `-f word`.
    Unary(String, Word),
    /// `word op word`.
    Binary(Word, String, Word),
    /// A word that is not empty.
    Word(Word),
}

/// A word: its parts, side by side.
pub type Word = Vec<Part>;

/// A part of a word.
#[derive(Debug, Clone)]
pub enum Part {
    /// Text as it stands: pattern characters are special.
    Literal(String),
    /// Text that was quoted.
    Quoted(String),
    /// `"…"`.
    Double(Word),
    /// `$name`, `${…}`.
    Parameter(Box<Parameter>),
    /// `$(…)` and backquotes.
    Command(Rc<Node>),
    /// `$((…))`.
    Arithmetic(Word),
    /// `{a,b}` and `{1..3}`, where braces expand.
    Brace(Vec<Word>),
}

/// `${name[index]op}`.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// A name, a digit, or one of `@*#?-$!`.
    pub name: String,
    /// Of an array; `@` and `*` are all.
    pub index: Option<Word>,
    /// `${!name}`: the name is the value of another.
    pub indirect: bool,
    /// What is done with the value.
    pub operation: Operation,
}

/// What `${…}` does with the value.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Nothing.
    None,
    /// `${#name}`.
    Length,
    /// `-`: with the colon (true) also when empty.
    Default(bool, Word),
    /// `=`.
    Assign(bool, Word),
    /// `?`.
    Error(bool, Word),
    /// `+`.
    Alternative(bool, Word),
    /// `#`, or `##` (true).
    TrimPrefix(bool, Word),
    /// `%`, or `%%` (true).
    TrimSuffix(bool, Word),
    /// `/`, `//`, `/#`, `/%`.
    Replace(Place, Word, Word),
    /// `:offset:length`.
    Slice(Word, Option<Word>),
    /// `^`, `^^`, `,`, `,,`: to upper case (first), of all characters (second).
    Case(bool, bool),
}

/// Which matches `${name/pattern/text}` replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The first.
    First,
    /// All.
    All,
    /// One at the start.
    Start,
    /// One at the end.
    End,
}

//! The tree of an awk program.

/// `pattern { action }` and functions.
#[derive(Default)]
pub(super) struct Program {
    /// `BEGIN`.
    pub begin: Vec<Stmt>,
    /// Rules in their order.
    pub rules: Vec<(Pattern, Option<Vec<Stmt>>)>,
    /// `END`.
    pub end: Vec<Stmt>,
    /// Name, parameters, body.
    pub functions: std::collections::HashMap<String, (Vec<String>, std::rc::Rc<Vec<Stmt>>)>,
}

/// For which records a rule is.
pub(super) enum Pattern {
    /// All.
    Always,
    /// Those for which it is true.
    When(Expr),
    /// From one to another.
    Range(Expr, Expr),
}

/// A statement.
pub(super) enum Stmt {
    /// An expression for its effects.
    Expr(Expr),
    /// `print` and `printf` (true), with a target: append, file.
    Print(Vec<Expr>, bool, Option<(bool, Expr)>),
    /// `if`.
    If(Expr, Box<Self>, Option<Box<Self>>),
    /// `while`; `do` first runs the body (true).
    While(bool, Expr, Box<Self>),
    /// `for (;;)`.
    For(
        Option<Box<Self>>,
        Option<Expr>,
        Option<Box<Self>>,
        Box<Self>,
    ),
    /// `for (name in array)`.
    ForIn(String, String, Box<Self>),
    /// `{ … }`.
    Block(Vec<Self>),
    /// `next`.
    Next,
    /// `break`.
    Break,
    /// `continue`.
    Continue,
    /// `exit`.
    Exit(Option<Expr>),
    /// `return`.
    Return(Option<Expr>),
    /// `delete array[index]`, or all of it.
    Delete(String, Option<Vec<Expr>>),
}

/// An expression.
pub(super) enum Expr {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// `/regex/`: alone it is matched with `$0`.
    Regex(String),
    /// A variable.
    Name(String),
    /// `array[index]`.
    Element(String, Vec<Self>),
    /// `$n`.
    Field(Box<Self>),
    /// `target op= value`; an empty operator for `=`.
    Assign(Box<Self>, &'static str, Box<Self>),
    /// `?:`.
    Choice(Box<Self>, Box<Self>, Box<Self>),
    /// A binary operator; an empty one joins texts.
    Binary(&'static str, Box<Self>, Box<Self>),
    /// `~`, or `!~` (false).
    Match(bool, Box<Self>, Box<Self>),
    /// `(index) in array`.
    In(Vec<Self>, String),
    /// `!`, `-`, `+`.
    Unary(char, Box<Self>),
    /// `++` and `--`: before, by how much.
    Step(bool, f64, Box<Self>),
    /// A function.
    Call(String, Vec<Self>),
    /// `getline [variable] [< file]`.
    Getline(Option<Box<Self>>, Option<Box<Self>>),
}

//! What a row of the conformance table is.

/// One upstream test or example of the documentation, and what becomes of it here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// The upstream test's name, shortened as in the list of kubernetes' behaviour, without its `[N]` or `[C]`; the path
    /// of an example.
    pub(crate) id: &'static str,
    /// What it gives here.
    pub(crate) verdict: Verdict,
}

/// What an upstream test or an example gives here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The behaviour is the same; the named test shows it, with real guests.
    Passes(&'static str),
    /// It behaves otherwise, and why.
    Differs(&'static str),
    /// A guest cannot observe it, or it is about something that is not here, and why.
    NotApplicable(&'static str),
}

/// Rows that belong together, as upstream's list groups them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Theme {
    /// The number and title, as in `1.5 Lifecycle hooks`.
    pub(crate) title: &'static str,
    /// Its rows, in upstream's order.
    pub(crate) rows: &'static [Row],
}

/// The rows of a theme. A row that passes names an `async fn` of this module, which becomes a test on virtual time.
///
/// ```ignore
/// rows! {
///     "1.3 Command and args";
///     "Containers, with command" => passes with_command;
///     "Something of Linux" => not_applicable "guests have no such thing";
/// }
/// ```
macro_rules! rows {
    ($title:literal; $($id:literal => $verdict:ident $what:tt;)*) => {
        /// The rows of this theme.
        pub(crate) const THEME: $crate::table::Theme = $crate::table::Theme {
            title: $title,
            rows: &[$($crate::table::Row {
                id: $id,
                verdict: $crate::table::verdict!($verdict $what),
            }),*],
        };

        mod run {
            $($crate::table::test!($verdict $what);)*
        }
    };
}

macro_rules! verdict {
    (passes $test:ident) => {
        $crate::table::Verdict::Passes(stringify!($test))
    };
    (differs $why:literal) => {
        $crate::table::Verdict::Differs($why)
    };
    (not_applicable $why:literal) => {
        $crate::table::Verdict::NotApplicable($why)
    };
}

macro_rules! test {
    (passes $test:ident) => {
        #[test]
        fn $test() {
            $crate::pod::play(super::$test());
        }
    };
    ($verdict:ident $why:literal) => {};
}

pub(crate) use {rows, test, verdict};

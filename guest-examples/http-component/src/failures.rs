//! What goes wrong on demand, so that it can be seen what becomes of it.

use std::hint::black_box;

use wasip2::http::types::{ErrorCode, ResponseOutparam};

use crate::body;

/// A trap before an answer.
pub(crate) fn trap() -> ! {
    std::process::abort()
}

/// A trap in the middle of an answer.
pub(crate) fn late_trap(out: ResponseOutparam) -> Option<()> {
    let sending = body::begin(out, 200, &[])?;
    sending.write(b"the first half\n")?;
    std::process::abort()
}

/// A computation without end.
pub(crate) fn endless() -> ! {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

/// Takes memory until there is none left.
pub(crate) fn take_all_memory() -> Option<()> {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    loop {
        taken.push(black_box(vec![1; 1 << 20]));
    }
}

/// An answer that is an error, by its name.
pub(crate) fn error(out: ResponseOutparam, name: &str) -> Option<()> {
    let code = match name {
        "denied" => ErrorCode::HttpRequestDenied,
        "refused" => ErrorCode::ConnectionRefused,
        _ => ErrorCode::InternalError(Some(name.to_owned())),
    };
    ResponseOutparam::set(out, Err(code));
    Some(())
}

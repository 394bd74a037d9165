//! What goes wrong on demand, so that it can be seen what becomes of it.

use std::hint::black_box;

use wasip3::http::types::{ErrorCode, Response};
use wasip3::wit_stream;

use crate::body;

/// A trap before an answer.
pub(crate) fn trap() -> ! {
    std::process::abort()
}

/// A trap in the middle of an answer.
pub(crate) fn late_trap() -> Result<Response, ErrorCode> {
    let (mut sending, body) = body::pipe();
    wasip3::spawn_local(async move {
        sending.write(b"the first half\n".to_vec()).await;
        std::process::abort();
    });
    Ok(body::response(200, &[], body)?.0)
}

/// An answer that the component itself gives up in the middle.
pub(crate) fn half() -> Result<Response, ErrorCode> {
    let (mut sending, body) = body::pipe();
    wasip3::spawn_local(async move {
        sending.write(b"the first half\n".to_vec()).await;
    });
    Ok(body::response(200, &[], body)?.0)
}

/// A computation without end.
pub(crate) fn endless() -> ! {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

/// The same in turns, between which the component lets others go first.
pub(crate) async fn endless_turns() -> ! {
    loop {
        wasip3::wit_bindgen::yield_async().await;
    }
}

/// Takes memory until there is none left.
pub(crate) fn take_all_memory() -> ! {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    loop {
        taken.push(black_box(vec![1; 1 << 20]));
    }
}

/// Makes streams until it may not have another.
pub(crate) fn take_all_streams() -> ! {
    let mut taken = Vec::new();
    loop {
        taken.push(wit_stream::new::<u8>());
    }
}

/// An answer that is an error, by its name.
pub(crate) fn error(name: &str) -> ErrorCode {
    match name {
        "denied" => ErrorCode::HttpRequestDenied,
        "refused" => ErrorCode::ConnectionRefused,
        _ => ErrorCode::InternalError(Some(name.to_owned())),
    }
}

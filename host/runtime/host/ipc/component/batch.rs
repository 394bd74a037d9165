//! Messages in one list of bytes, which a component passes with one copy.
//!
//! A message is its length, 32 bits, `EXTRA` more bytes that its kind of queue has of each message, and its bytes.

use wasmpod_ipc::Errno;

/// Bytes of a length.
const LENGTH: usize = size_of::<u32>();

/// Takes messages from a list until it ends, or a message reaches beyond its end.
pub(super) struct Messages<'a, const EXTRA: usize> {
    rest: &'a [u8],
}

impl<'a, const EXTRA: usize> Messages<'a, EXTRA> {
    /// The messages of a list.
    ///
    /// # Errors
    /// `EINVAL`: there is no whole message in the list.
    pub(super) fn new(list: &'a [u8]) -> Result<Self, Errno> {
        let messages = Self { rest: list };
        Self { rest: list }.next().ok_or(Errno::Invalid)?;
        Ok(messages)
    }
}

impl<'a, const EXTRA: usize> Iterator for Messages<'a, EXTRA> {
    type Item = ([u8; EXTRA], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.rest.split_first_chunk::<LENGTH>()?;
        let (extra, rest) = rest.split_first_chunk::<EXTRA>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (data, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some((*extra, data))
    }
}

/// Adds a message to a list.
pub(super) fn push<const EXTRA: usize>(list: &mut Vec<u8>, extra: [u8; EXTRA], data: &[u8]) {
    // Longer messages than a guest's memory do not exist.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    list.extend_from_slice(&length.to_le_bytes());
    list.extend_from_slice(&extra);
    list.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let mut list = Vec::new();
        let messages: [([u8; 4], &[u8]); 3] = [([1; 4], b"one"), ([0; 4], b""), ([3; 4], b"three")];
        for (extra, data) in messages {
            push(&mut list, extra, data);
        }
        assert!(Messages::<4>::new(&list).unwrap().eq(messages));
    }

    #[test]
    fn what_reaches_beyond_the_end_is_no_message() {
        let mut list = Vec::new();
        push(&mut list, [0; 4], b"whole");
        let whole = list.len();
        list.extend_from_slice(&u32::MAX.to_le_bytes());
        list.extend_from_slice(b"1234 and less than four gigabytes");
        assert_eq!(Messages::<4>::new(&list).unwrap().count(), 1);
        for end in 0..whole {
            let cut = list.get(..end).unwrap();
            assert_eq!(Messages::<4>::new(cut).err(), Some(Errno::Invalid), "{end}");
        }
    }
}

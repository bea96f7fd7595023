//! Padding (§6.9): lengths in a few buckets tell the relay less.

/// The smallest bucket, in bytes; each of the others is twice the one before it, up to
/// [`MAX_MESSAGE`](crate::MAX_MESSAGE).
const SMALLEST: usize = 64;

/// Stands between a text and its zeros, so that a text may end in zeros itself.
const END: u8 = 0x80;

/// How long a message of `length` bytes is once it is padded (§6.9): the next power of two, at least 64. The packet is
/// [`SEAL_OVERHEAD`](crate::SEAL_OVERHEAD) longer at most.
///
/// ```
/// use port_protocol::padded_len;
/// assert_eq!([0, 63, 64, 1000].map(padded_len), [64, 64, 128, 1024]);
/// ```
pub const fn padded_len(length: usize) -> usize {
    match length.saturating_add(1).checked_next_power_of_two() {
        Some(bucket) if bucket > SMALLEST => bucket,
        Some(_) => SMALLEST,
        None => usize::MAX,
    }
}

/// Writes `text` and its padding over the whole of `bucket`; `None` if there is no room for both.
pub(super) fn pad(text: &[u8], bucket: &mut [u8]) -> Option<()> {
    let (start, rest) = bucket.split_at_mut_checked(text.len())?;
    let (end, zeros) = rest.split_first_mut()?;
    start.copy_from_slice(text);
    *end = END;
    zeros.fill(0);
    Some(())
}

/// The length of the text; `None` if the padding is not what it must be.
pub(super) fn unpadded_len(padded: &[u8]) -> Option<usize> {
    let length = padded.iter().rposition(|&byte| byte != 0)?;
    (padded.get(length) == Some(&END) && padded_len(length) == padded.len()).then_some(length)
}

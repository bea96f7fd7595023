//! Bytes as a text with a check: Base32 of them and of their CRC (§2.5, §18.2).

use core::fmt;

use crc::{CRC_16_IBM_3740, Crc, NoTable};
use data_encoding::{BASE32_NOPAD, Encoding};
use zeroize::Zeroizing;

use crate::cbor::{self, Bytes};

/// How many bytes the check has.
pub(crate) const CHECK: usize = 2;

/// It tells a text that was changed on its way. Behind a text that is whole it makes the checksum of the whole zero. Without a table:
/// a text is short, and the table is half a kilobyte.
const CRC: Crc<u16, NoTable> = Crc::<u16, NoTable>::new(&CRC_16_IBM_3740);

/// Bytes with their check behind them. Zeroized on drop, for a Port is a secret.
pub(crate) type Checked<const N: usize> = Zeroizing<Bytes<N>>;

/// Why there are no bytes in a Base32.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unchecked {
    /// The check is wrong.
    Damaged,
    /// There are more than `N` bytes, and their check is right.
    TooLong,
}

/// How many characters stand for so many bytes and their check.
pub(crate) const fn digits_of(bytes: usize) -> usize {
    bytes.saturating_add(CHECK).saturating_mul(8).div_ceil(5)
}

/// The bytes and their check. `N` has room for both.
pub(crate) fn with_check<const N: usize>(bytes: &[u8]) -> Checked<N> {
    let mut checked = Checked::new(Bytes::EMPTY);
    let _ = checked.append(bytes);
    let _ = checked.append(&CRC.checksum(bytes).to_be_bytes());
    checked
}

/// Writes them as Base32 in upper case.
pub(crate) fn write_base32(to: &mut impl fmt::Write, checked: &[u8]) -> fmt::Result {
    write!(to, "{}", BASE32_NOPAD.encode_display(checked))
}

/// The bytes and their check, out of characters that all are in Base32's alphabet. Bits behind the last whole byte are ignored.
pub(crate) fn read<const N: usize>(base32: &[u8]) -> Result<Checked<N>, Unchecked> {
    let (mut checked, mut crc, mut is_too_long) = (Checked::new(Bytes::EMPTY), CRC.digest(), false);
    for (group, length) in groups::<8, 5>(&BASE32_NOPAD, base32) {
        let bytes = group.get(..length).unwrap_or_default();
        crc.update(bytes);
        is_too_long |= checked.append(bytes).is_none();
    }
    if checked.as_slice().len() <= CHECK || crc.finalize() != 0 {
        return Err(Unchecked::Damaged);
    }
    if is_too_long { Err(Unchecked::TooLong) } else { Ok(checked) }
}

/// Those before the check.
pub(crate) fn without_check(checked: &[u8]) -> &[u8] {
    checked.split_last_chunk::<CHECK>().map_or(&[], |(bytes, _)| bytes)
}

pub(crate) const fn is_in_base32(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'2'..=b'7')
}

/// The whole bytes that these digits stand for: `B` for every `D` digits. Bits that are left over behind the last are ignored.
pub(crate) fn groups<const D: usize, const B: usize>(
    encoding: &Encoding,
    digits: &[u8],
) -> impl Iterator<Item = ([u8; B], usize)> {
    digits.chunks(D).map(|digits| {
        let (mut whole, mut bytes) = ([b'A'; D], [0; B]);
        whole.iter_mut().zip(digits).for_each(|(to, from)| *to = *from);
        // The alphabet was checked, and the length is that of a whole group.
        let _ = encoding.decode_mut(&whole, &mut bytes);
        (bytes, digits.len().saturating_mul(B).checked_div(D).unwrap_or_default())
    })
}

/// Looks at the first bytes only, whatever the length of the text (§1.3): 20 bytes hold an array's head and a version of any size.
pub(crate) fn is_of_another_version(base32: &[u8]) -> bool {
    let mut front = Bytes::<20>::EMPTY;
    for (group, length) in groups::<8, 5>(&BASE32_NOPAD, base32).take(4) {
        let _ = front.append(group.get(..length).unwrap_or_default());
    }
    cbor::is_of_another_version(front.as_slice())
}

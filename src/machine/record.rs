//! Records: a machine's state as bytes, and how they are written (§8.2, §8.6).

use core::{fmt, ops};

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use zeroize::Zeroize;

use crate::cbor::{self, Bytes};
use crate::error::{DecodeError, RestoreError};
use crate::id::RecordKey;
use crate::machine::Role;

/// The longest record of any machine, in bytes.
pub const MAX_RECORD: usize = 530;

/// A machine's whole state as bytes (§8.6). It holds secrets: zeroized on drop, redacted in `Debug`. Store it where only
/// this user can read it.
pub struct Record(Bytes<MAX_RECORD>);

impl Record {
    /// `state` stands for one of the role's, and encodes as it does.
    #[inline]
    pub(crate) fn of<R: Role>(revision: u64, state: impl Encode<()>) -> Self {
        Self(Bytes::of(&Layout::<R, _> { revision, state, role: core::marker::PhantomData }))
    }
}

impl ops::Deref for Record {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Record([redacted])")
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What a record of this role holds.
pub(crate) fn read<R: Role>(record: &[u8]) -> Result<(u64, R::State), RestoreError> {
    match cbor::decode::<Layout<R, R::State>>(record) {
        // It would have no room when it is written again.
        Ok(_) if record.len() > MAX_RECORD => Err(RestoreError::Malformed),
        Ok(Layout { revision, state, .. }) => Ok((revision, state)),
        Err(DecodeError::Malformed) if is_of_another_role::<R>(record) => Err(RestoreError::AnotherRole),
        Err(error) => Err(error.into()),
    }
}

/// `[version, role, revision, state]` (§8.6).
struct Layout<M, S> {
    revision: u64,
    state: S,
    role: core::marker::PhantomData<M>,
}

impl<M: Role, S: Encode<()>> Encode<()> for Layout<M, S> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut ()) -> Result<(), encode::Error<W::Error>> {
        e.array(4)?.u8(cbor::VERSION)?.u8(M::ROLE)?.u64(self.revision)?.encode_with(&self.state, ctx)?.ok()
    }
}

impl<'b, M: Role, S: Decode<'b, ()>> Decode<'b, ()> for Layout<M, S> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut ()) -> Result<Self, decode::Error> {
        let (_, _, role) = (d.array()?, d.u8()?, d.u8()?);
        if role != M::ROLE {
            return Err(decode::Error::message("another role"));
        }
        Ok(Self { revision: d.u64()?, state: d.decode_with(ctx)?, role: core::marker::PhantomData })
    }
}

fn is_of_another_role<M: Role>(record: &[u8]) -> bool {
    let mut d = Decoder::new(record);
    let header = (d.array(), d.u8(), d.u8());
    matches!(header, (Ok(Some(4)), Ok(cbor::VERSION), Ok(role)) if role != M::ROLE && matches!(role, 1..=5 | 16..=18))
}

/// A record as it is written: in the place of another, or where nothing is (§8.2).
#[derive(Debug)]
pub struct Row {
    /// Where it is kept.
    pub key: RecordKey,
    /// Its revision.
    pub revision: u64,
    /// The record.
    pub record: Record,
    /// The one that it takes the place of, which must be there; `None`: nothing may be there.
    pub replaces: Option<Expected>,
}

/// Names a stored record and its revision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expected {
    /// Where it is.
    pub key: RecordKey,
    /// Its revision.
    pub revision: u64,
}

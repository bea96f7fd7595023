//! Records: a machine's state as bytes, and the rows that a store keeps (§8.2, §8.6).

use core::{fmt, ops};

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use zeroize::Zeroize;

use crate::cbor::{self, Bytes};
use crate::error::{DecodeError, RestoreError};
use crate::id::RecordKey;
use crate::time::UnixSeconds;

/// The longest record of any machine, in bytes: that of Alice's line of an introduced use, while its Confirm is not answered, with every
/// number at its end.
pub const MAX_RECORD: usize = 536;

/// A machine's whole state as bytes (§8.6). It holds secrets: it is zeroized on drop and redacted in `Debug`. Store it where only
/// this user can read it.
pub struct Record(Bytes<MAX_RECORD>);

impl Record {
    pub(crate) const EMPTY: Self = Self(Bytes::EMPTY);

    /// `state` is the role's own state, or something that encodes like it.
    #[inline]
    pub(crate) fn new(role: u8, revision: u64, state: impl Encode<()>) -> Self {
        let mut record = Self::EMPTY;
        record.write(role, revision, state);
        record
    }

    /// [`new`](Self::new), in place.
    #[inline]
    pub(crate) fn write(&mut self, role: u8, revision: u64, state: impl Encode<()>) {
        self.0.write(&Layout { role, revision, state });
    }
}

impl ops::Deref for Record {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl AsRef<[u8]> for Record {
    fn as_ref(&self) -> &[u8] {
        self
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

/// Which machine wrote a record (§8.6). A store that keeps all machines in one table finds the type to restore by it.
///
/// ```
/// use port_protocol::*;
///
/// # let created = Alice::offer([1; 16].into(), PortOptions::new(), Seed::from_bytes(&[1; 64]));
/// # let record = created.write().row.record;
/// match MachineRole::of_record(&record)? {
///     MachineRole::Alice => drop(Alice::restore(&record)?),
///     MachineRole::Bob => drop(Bob::restore(&record)?),
///     MachineRole::Line => drop(Line::restore(&record)?),
///     MachineRole::Pool => drop(Pool::restore(&record)?),
///     MachineRole::Introducer => drop(Introducer::restore(&record)?),
///     other => println!("kept by another part of this app: {other:?}"),
/// }
/// # Ok::<(), RestoreError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum MachineRole {
    /// [`Alice`](crate::Alice).
    Alice = 1,
    /// [`Bob`](crate::Bob).
    Bob = 2,
    /// [`Line`](crate::Line).
    Line = 3,
    /// [`Pool`](crate::Pool).
    Pool = 4,
    /// [`Introducer`](crate::Introducer).
    Introducer = 5,
    /// `app::Alice`.
    AppAlice = 16,
    /// `app::Bob`.
    AppBob = 17,
    /// `app::UnauthenticatedLine`.
    AppLine = 18,
}

impl MachineRole {
    const ALL: [Self; 8] =
        [Self::Alice, Self::Bob, Self::Line, Self::Pool, Self::Introducer, Self::AppAlice, Self::AppBob, Self::AppLine];

    /// Reads the role from a record's first bytes. The rest of the record is not looked at.
    ///
    /// # Errors
    /// [`RestoreError::Malformed`] if these bytes do not begin a record; [`RestoreError::UnsupportedVersion`] if another version of
    /// this crate wrote it.
    pub fn of_record(record: &[u8]) -> Result<Self, RestoreError> {
        let mut d = Decoder::new(record);
        match (d.array(), d.u64(), d.u8()) {
            (Ok(Some(_)), Ok(version), _) if version != u64::from(cbor::VERSION) => {
                Err(RestoreError::UnsupportedVersion)
            }
            (Ok(Some(4)), Ok(_), Ok(role)) => {
                Self::ALL.into_iter().find(|known| *known as u8 == role).ok_or(RestoreError::Malformed)
            }
            _ => Err(RestoreError::Malformed),
        }
    }
}

/// What a record of this role holds.
pub(crate) fn read<S>(role: u8, record: &[u8]) -> Result<(u64, S), RestoreError>
where
    S: Encode<()> + for<'b> Decode<'b, ()>,
{
    match cbor::decode::<Layout<S>>(record) {
        // A longer one could not be written again.
        Ok(_) if record.len() > MAX_RECORD => Err(RestoreError::Malformed),
        Ok(layout) if layout.role == role => Ok((layout.revision, layout.state)),
        Err(DecodeError::UnsupportedVersion) => Err(RestoreError::UnsupportedVersion),
        Ok(_) | Err(DecodeError::Malformed) => match MachineRole::of_record(record) {
            Ok(other) if other as u8 != role => Err(RestoreError::AnotherRole),
            _ => Err(RestoreError::Malformed),
        },
    }
}

/// `[version, role, revision, state]` (§8.6).
struct Layout<S> {
    role: u8,
    revision: u64,
    state: S,
}

impl<S: Encode<()>> Encode<()> for Layout<S> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut ()) -> Result<(), encode::Error<W::Error>> {
        e.array(4)?.u8(cbor::VERSION)?.u8(self.role)?.u64(self.revision)?.encode_with(&self.state, ctx)?.ok()
    }
}

impl<'b, S: Decode<'b, ()>> Decode<'b, ()> for Layout<S> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut ()) -> Result<Self, decode::Error> {
        d.array()?;
        d.u8()?;
        Ok(Self { role: d.u8()?, revision: d.u64()?, state: d.decode_with(ctx)? })
    }
}

/// One row of the table that keeps all machines (§8.2).
#[derive(Debug)]
pub struct Row {
    /// The primary key.
    pub key: RecordKey,
    /// How many steps the machine has made.
    pub revision: u64,
    /// The machine's whole state.
    pub record: Record,
    /// The time at which to [`tick`](crate::Machine::tick) the machine. `None`: never. Index it, to find the machines that are due.
    pub deadline: Option<UnixSeconds>,
    /// The row that this one replaces. `None` for a new machine.
    pub expected: Option<Expected>,
}

/// Names a stored row and its revision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expected {
    /// The row's key.
    pub key: RecordKey,
    /// The row's revision.
    pub revision: u64,
}

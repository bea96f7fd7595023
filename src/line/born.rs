//! A new Line, as it lies in the record of the Alice or Bob that yields it (§8.3).

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use super::{Line, Origin, Phase, State};
use crate::error::RestoreError;
use crate::machine::{Born, Machine};

impl Born<Line> {
    pub(crate) fn line(origin: Origin, phase: Phase) -> Self {
        Self::new(State { origin, phase })
    }

    /// For a key that is taken: whether the record there is of this very line, at this revision or a later one (§8.3). If
    /// so, a crash came between storing it and settling the machine that it came from: restore that record and go on. If not,
    /// the Server has given one `line_id` to two lines: keep the old one, and drop this.
    ///
    /// # Errors
    /// [`RestoreError`]: the record there is no Line's.
    pub fn is_stored_as(&self, record: &[u8]) -> Result<bool, RestoreError> {
        Ok(Line::restore(record)?.0.state.origin == self.machine().0.state.origin)
    }
}

/// An effect lends a new line for as long as the machine that it comes from stands still; [`commit`](Born::commit) a clone.
impl Clone for Born<Line> {
    fn clone(&self) -> Self {
        Self::new(self.machine().0.state.clone())
    }
}

/// As it lies in the record of an Alice or a Bob (§8.3).
impl<C> Encode<C> for Born<Line> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), encode::Error<W::Error>> {
        self.machine().0.state.encode(e, ctx)
    }
}

impl<'b, C> Decode<'b, C> for Born<Line> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        State::decode(d, ctx).map(Self::new)
    }
}

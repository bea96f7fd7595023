//! Seal: a reply leaves, if the peer may still have it (§18.4, §18.6).

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::error::Refusal;
use super::message::{Message, SessionId};
use super::noise::{OVERHEAD_2, TAG};
use super::own::{Portal, Reply, ReplyTo};
use super::peer::Peer;
use super::step::Wiped;
use crate::secret::Secret;
use crate::time::UnixSeconds;

impl Portal {
    /// Encrypts a reply: the body of the HTTP answer. Each reply goes out once; asked again, the peer gets a new one with the same answer.
    ///
    /// # Errors
    /// [`Refusal`] if the peer was blocked since, or is another, or if the session has ended since: it gets nothing. Send its
    /// [`to_vec`](Refusal::to_vec). `now` is the time of this call, and not that at which the request came.
    pub fn seal<R: CryptoRng + ?Sized>(
        &mut self,
        peer: &Peer,
        reply: Reply,
        now: UnixSeconds,
        rng: &mut R,
    ) -> Result<Vec<u8>, Refusal> {
        let Reply { from, to, say } = reply;
        let say = say.as_slice();
        if from != peer.id() || peer.is_blocked() {
            return Err(to.refusal());
        }
        match to {
            ReplyTo::Exchange(id, number) => {
                let session = self.sessions.get(&id, &from, now).filter(|session| session.has_key(number));
                let session = session.ok_or(Refusal::NoSession)?;
                let mut message = Message::Reply(&[]).head(say.len().saturating_add(TAG));
                let start = message.len();
                message.extend_from_slice(say);
                session.encrypt(number, &mut message, start).ok_or(Refusal::NoSession)?;
                Ok(message)
            }
            ReplyTo::Opening(handshake) => {
                let (mut ephemeral, mut id) = (Secret::ZERO, [0; 16]);
                rng.fill_bytes(ephemeral.expose_mut());
                rng.fill_bytes(&mut id);
                let id = SessionId(id);
                let mut payload = Vec::with_capacity(say.len().saturating_add(64));
                // Encoding into a vector does not fail. `say` is encoded already.
                let mut e = minicbor::Encoder::new(&mut payload);
                let _ = e.array(3).and_then(|e| e.encode(id)).and_then(|e| e.encode(&self.name));
                payload.extend_from_slice(say);
                let payload = Wiped::new(payload);
                let payload = payload.as_slice();
                let mut message = Message::Opened(&[]).head(payload.len().saturating_add(OVERHEAD_2));
                let keys = handshake.write(&ephemeral, payload, &mut message);
                self.sessions.open(id, from, keys, now);
                Ok(message)
            }
        }
    }
}

//! The keys and counters of one end of a joined line (§6.2, §6.4).

use core::fmt;

use hkdf::Hkdf;
use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Encode};
use sha2::Sha256;

use super::origin::Common;
use super::seal::{self, MAX_OWN, Sealed};
use super::window::Window;
use crate::cbor::{self, Bytes};
use crate::error::{Rejected, SealError};
use crate::message::{Nonce, PacketKind};
use crate::port::PortKind;
use crate::port::ticket::Ticket;
use crate::proof::{Proof, SharedSecret};
use crate::secret::{Secret, derive_into};

/// A caller's messages stop here. The counters above are for the machine's own packets.
const LAST_COUNTER: u64 = 1 << 48;

/// What both ends must have seen alike (§6.1). A field that is left out could be told differently to each end.
/// The marks are left out, because they differ.
#[derive(Encode)]
struct Transcript<'a> {
    #[n(0)]
    label: &'static str,
    #[n(1)]
    version: u8,
    #[n(2)]
    kind: PortKind,
    #[n(3)]
    port: crate::id::PortHash,
    #[n(4)]
    line_id: crate::id::LineId,
    #[n(5)]
    proof: &'a Proof,
    #[n(6)]
    ticket: Option<&'a Ticket>,
}

/// The hash of the transcript.
///
/// Not inlined: the encoder's state goes with its frame.
#[inline(never)]
pub(super) fn transcript(common: &Common, proof: &Proof, ticket: Option<&Ticket>) -> [u8; 32] {
    cbor::hash(&Transcript {
        label: "port-protocol",
        version: cbor::VERSION,
        kind: common.kind,
        port: common.port,
        line_id: common.line_id,
        proof,
        ticket,
    })
}

/// Which way this end sends.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    FromAlice,
    FromBob,
}

/// All that a packet changes once both ends have heard each other.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    sent: u64,
    window: Window,
}

#[derive(Clone, Debug, Encode, Decode)]
pub struct Session {
    #[n(0)]
    send: Secret<32>,
    #[n(1)]
    receive: Secret<32>,
    #[n(2)]
    exporter: Secret<32>,
    /// How many packets were sealed.
    #[n(3)]
    sent: u64,
    #[n(4)]
    window: Window,
    /// 0. On a line of a Port for many it is 1 once Bob knows the ephemeral key (§14.7).
    #[n(5)]
    epoch: u32,
}

impl Session {
    /// Before its keys are [derived](Self::derive). They are written where they stay: each move of them would leave a copy on the stack.
    pub(super) const EMPTY: Self = Self {
        send: Secret::ZERO,
        receive: Secret::ZERO,
        exporter: Secret::ZERO,
        sent: 0,
        window: Window::EMPTY,
        epoch: 0,
    };

    /// §6.2: the keys of the proof. Not inlined, as the next: the states of HKDF go with its frame.
    #[inline(never)]
    pub(super) fn derive(&mut self, direction: Direction, secret: &SharedSecret, transcript: &[u8; 32]) {
        self.expand_from(direction, &secret.extract(transcript));
    }

    /// §14.7: the keys of epoch 1.
    #[inline(never)]
    pub(super) fn derive_second(
        &mut self,
        direction: Direction,
        secret: &SharedSecret,
        ephemeral: &SharedSecret,
        salt: &[u8; 32],
    ) {
        self.epoch = 1;
        self.expand_from(direction, &secret.extract_both(ephemeral, salt));
    }

    fn expand_from(&mut self, direction: Direction, hkdf: &Hkdf<Sha256>) {
        let (alice, bob) = match direction {
            Direction::FromAlice => (&mut self.send, &mut self.receive),
            Direction::FromBob => (&mut self.receive, &mut self.send),
        };
        derive_into(alice, hkdf, "alice to bob");
        derive_into(bob, hkdf, "bob to alice");
        derive_into(&mut self.exporter, hkdf, "exporter");
    }

    /// Seals a packet of the machine's own, and counts it.
    #[inline]
    pub(super) fn seal_own(&mut self, packet: &mut Bytes<MAX_OWN>, content: PacketKind, text: &[u8]) {
        seal::seal_own(packet, &self.send, content, self.nonce(), text);
        self.sent = self.sent.saturating_add(1);
    }

    /// The nonce of the next packet.
    const fn nonce(&self) -> Nonce {
        Nonce { epoch: self.epoch, counter: self.sent }
    }

    /// Seals a user's message. Returns the counters after it.
    #[inline]
    pub(super) fn seal<'b>(
        &self,
        content: PacketKind,
        text: &[u8],
        data: &[u8],
        out: &'b mut [u8],
    ) -> Result<(Counters, &'b [u8]), SealError> {
        if self.sent >= LAST_COUNTER {
            return Err(SealError::Exhausted);
        }
        let packet = seal::seal(&self.send, content, self.nonce(), text, data, out)?;
        Ok((Counters { sent: self.sent.saturating_add(1), ..self.counters() }, packet))
    }

    /// Opens a packet. Returns the counters after it, and the text. The packet must open before its counter is judged, so the error of a
    /// forged packet tells nothing of the counter.
    #[inline(always)]
    pub(super) fn open<'b>(
        &self,
        packet: &Sealed<'_>,
        own: usize,
        data: &[u8],
        out: &'b mut [u8],
    ) -> Result<(Counters, &'b [u8]), Rejected> {
        let text = seal::open(&self.receive, packet, own, data, out)?;
        // Confirm carries no message, so it may come again. A lost Answer is asked for in this way (§6.5).
        let window =
            if packet.kind == PacketKind::Confirm { self.window } else { self.window.accept(packet.nonce.counter)? };
        Ok((Counters { window, ..self.counters() }, text))
    }

    pub(super) const fn epoch(&self) -> u32 {
        self.epoch
    }

    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    /// The key that the other end seals with.
    pub(super) const fn receive(&self) -> &Secret<32> {
        &self.receive
    }

    #[cfg(feature = "testkit")]
    pub(super) const fn send(&self) -> &Secret<32> {
        &self.send
    }

    #[cfg(feature = "testkit")]
    pub(super) fn forget_taken(&mut self) {
        self.window = Window::default();
    }

    pub(super) const fn counters(&self) -> Counters {
        Counters { sent: self.sent, window: self.window }
    }

    pub(super) const fn count(&mut self, counters: Counters) {
        Counters { sent: self.sent, window: self.window } = counters;
    }

    pub(super) fn with(&self, counters: Counters) -> Self {
        let mut session = self.clone();
        session.count(counters);
        session
    }

    /// §6.8: forty digits.
    pub(super) fn safety_number(&self) -> SafetyNumber {
        let mut bytes = [[0; 5]; 8];
        self.expand(&[b"check code"], bytes.as_flattened_mut());
        SafetyNumber(bytes.map(|group| {
            let number = group.iter().fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
            u32::try_from(number % 100_000).unwrap_or_default()
        }))
    }

    /// §6.10.
    pub(super) fn export(&self, label: &str, context: &[u8]) -> Secret<32> {
        // HKDF's info has no parts. Without the hash, two pairs of label and context could have one info.
        let purpose = cbor::hash(&(label, <&ByteSlice>::from(context)));
        let mut exported = Secret::ZERO;
        self.expand(&[b"export", &purpose], exported.expose_mut());
        exported
    }

    fn expand(&self, info: &[&[u8]], out: &mut [u8]) {
        if let Ok(hkdf) = Hkdf::<Sha256>::from_prk(self.exporter.expose()) {
            // Both are far below HKDF's limit of 8160 bytes.
            let _ = hkdf.expand_multi_info(info, out);
        }
    }
}

/// Eight groups of five digits, the same at both ends (§6.8). Two people who compare them by voice know that nobody stands between them,
/// even if others could see the Port.
///
/// `Display` writes them as `12345 67890 …`.
#[derive(Clone, PartialEq, Eq)]
pub struct SafetyNumber([u32; 8]);

impl SafetyNumber {
    /// The groups, each below 100 000.
    pub const fn groups(&self) -> &[u32; 8] {
        &self.0
    }
}

impl fmt::Display for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        self.0.iter().try_for_each(|group| write!(f, "{}{group:05}", core::mem::replace(&mut space, " ")))
    }
}

impl fmt::Debug for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SafetyNumber([redacted])")
    }
}

//! `line_open`: packets that are nearly genuine (SPEC.md §6.3, §6.4).

use std::sync::OnceLock;

use port_protocol::testkit::{Choice, World};
use port_protocol::{
    Event, Line, MAX_ASSOCIATED_DATA, MAX_MESSAGE, Machine, Payload, Rejected, Request, SEAL_OVERHEAD, SealError,
    SendProof, Step,
};

use crate::input::{Input, flip, fresh, same};
use crate::machine::{Done, Said, attempt};
use crate::world::{self, ALICE, BOB, NOW, formed};

/// Both ends' records at one moment of one handshake.
struct Moment {
    alice: Vec<u8>,
    bob: Vec<u8>,
}

struct Pair {
    /// Bob joined and Alice awaiting the proof; both joined; Bob confirmed; both confirmed.
    moments: [Moment; 4],
    /// The machines' own packets, which open whatever data is passed: at Alice, at Bob.
    to_alice: Vec<Vec<u8>>,
    to_bob: Vec<Vec<u8>>,
}

fn the_pair() -> &'static Pair {
    static PAIR: OnceLock<Pair> = OnceLock::new();
    PAIR.get_or_init(|| {
        let formed = formed(SendProof::AlongTheLine);
        let after = |further| world::run(3, &[&formed[..], &vec![Choice::Deliver; further]].concat());
        let record = |world: &World, who| world::line(world, who).expect("formed").record().to_vec();
        let moments = [0, 1, 2, 3].map(|further| {
            let world = after(further);
            Moment { alice: record(&world, ALICE), bob: record(&world, BOB) }
        });
        let world = after(3);
        let to = |who| {
            let deliveries = world.events().iter().filter(|delivery| delivery.to == usize::from(who));
            let payloads = deliveries.filter_map(|delivery| {
                let Ok(Event::Packet { payload, .. }) = Event::decode(&delivery.event) else { return None };
                Some(payload.to_vec())
            });
            payloads.collect::<Vec<_>>()
        };
        Pair { moments, to_alice: to(ALICE), to_bob: to(BOB) }
    })
}

fn payload(said: &Said) -> Option<Vec<u8>> {
    let (Said::Sealed(request) | Said::Send(request)) = said else { return None };
    match Request::decode(request) {
        Ok(Request::Packet { payload, .. }) => Some(payload.to_vec()),
        _ => None,
    }
}

fn open<'m>(line: &'m mut Line, payload: &[u8], data: &[u8], buffer: &'m mut [u8]) -> Result<Step<'m, Line>, Rejected> {
    let line_id = line.claims().line_id;
    line.handle_with_aad(&Event::Packet { line_id, payload }, data, buffer, NOW, &mut fresh())
}

/// What a `close` of this end would send.
fn close_of(line: &[u8]) -> Option<Vec<u8>> {
    let mut line = Line::restore(line).expect("its own record");
    let done = attempt(&mut line, &mut [], |line, _| line.close()).expect("open until now");
    payload(&done.said[0])
}

/// The message goes into the transaction of the step, and comes as its first effect.
fn is_kept_and_told(done: &Done, text: &[u8]) -> bool {
    let message = Said::Message(text.to_vec());
    done.write.received.as_ref() == Some(&message) && done.said.first() == Some(&message)
}

/// `true` if something opened.
pub fn line_open(data: &[u8]) -> bool {
    let mut input = Input(data);
    let what = input.byte();
    let moment = &the_pair().moments[usize::from(what & 3)];
    let to_alice = what & 4 != 0;
    let (from, to, machines_own) = if to_alice {
        (&moment.bob, &moment.alice, &the_pair().to_alice)
    } else {
        (&moment.alice, &moment.bob, &the_pair().to_bob)
    };
    let restore = |record: &[u8]| Line::restore(record).expect("its own record");
    let (mut sender, mut receiver) = (restore(from), restore(to));

    // Any length about each power of two, up to more than is allowed; the long ones seldom.
    let power = input.byte();
    let power = if power < 0xee { power % 10 } else { power - 0xee };
    let length = (1usize << power) - 1 + usize::from(input.byte() % 3);
    let text = vec![input.byte(); length];
    let data = usize::from(input.byte()) + usize::from(input.byte() % 3);
    let data: Vec<u8> = (0..data).map(|at| at as u8).collect();
    let mut buffer = vec![0; length + SEAL_OVERHEAD];

    let sealed = attempt(&mut sender, &mut buffer, |line, buffer| line.seal(&text, &data, buffer));
    let (packet, can_open) = match sealed {
        Ok(done) => (payload(&done.said[0]).expect("a packet"), *to != the_pair().moments[0].alice),
        Err(SealError::NotJoined) => {
            assert_eq!(*from, the_pair().moments[0].alice);
            (vec![], false)
        }
        Err(error) => {
            assert!(match error {
                SealError::TooLong => length > MAX_MESSAGE,
                SealError::AssociatedDataTooLong => data.len() > MAX_ASSOCIATED_DATA,
                _ => false,
            });
            return false;
        }
    };
    assert!(packet.len() <= length + SEAL_OVERHEAD);

    // The same key and counter as the message: only one of the two is ever sent.
    let close = close_of(from);
    let (mut forged, mut other_data) = (packet.clone(), data.clone());
    while let Some(how) = input.next() {
        match how % 8 {
            0 => flip(&mut forged, input.u16()),
            1 => flip(&mut forged, usize::from(input.byte())),
            2 => forged.truncate(forged.len().saturating_sub(usize::from(input.byte()))),
            3 => {
                let at = input.u16() % (forged.len() + 1);
                let (cut, with) = (usize::from(input.byte()), usize::from(input.byte()));
                let end = forged.len().min(at + cut);
                forged.splice(at..end, input.take(with).iter().copied());
            }
            4 => flip(&mut other_data, input.u16()),
            5 => other_data.truncate(usize::from(input.byte())),
            6 => {
                let others: Vec<_> = machines_own.iter().chain(&close).cloned().collect();
                forged = input.pick(&others).cloned().unwrap_or_default();
            }
            // A reflected packet: the receiver's own.
            _ => {
                let mut copy = restore(to);
                let sealed = attempt(&mut copy, &mut buffer, |line, buffer| line.seal(&text, &data, buffer));
                forged = sealed.ok().and_then(|done| payload(&done.said[0])).unwrap_or_default();
            }
        }
    }

    // As long as the packet that is being opened (§6.4).
    buffer.resize(forged.len().max(packet.len()), 0);
    let genuine = can_open && same(&forged, &packet) && other_data == data;
    let opened = attempt(&mut receiver, &mut buffer, |line, buffer| open(line, &forged, &other_data, buffer));
    match &opened {
        Ok(done) if genuine => assert!(is_kept_and_told(done, &text)),
        Ok(done) => {
            // The first proof is the last, whatever it is.
            let refused = done.said.contains(&Said::Ended("ProofRefused".into()));
            let known = machines_own.iter().chain(&close).any(|own| same(own, &forged));
            assert!(known || refused && *to == the_pair().moments[0].alice, "a forged packet opened");
            assert!(!done.said.iter().any(|said| matches!(said, Said::Message(_))), "nobody said that");
        }
        Err(error) => {
            assert!(!genuine, "the genuine packet does not open: {error:?}");
            assert_ne!(*error, Rejected::BufferTooSmall);
        }
    }

    // Whatever was tried, the genuine packet opens, once: unless its nonce was taken by another genuine one.
    let nonce = |payload: &[u8]| match Payload::decode(payload) {
        Ok(Payload::Sealed { nonce, .. }) => Some(nonce),
        _ => None,
    };
    let taken = opened.is_ok() && nonce(&forged) == nonce(&packet);
    if can_open && !taken {
        let again = attempt(&mut receiver, &mut buffer, |line, buffer| open(line, &packet, &data, buffer));
        let done = again.expect("the genuine packet opens after a forged one");
        assert!(is_kept_and_told(&done, &text));
    }
    if can_open && receiver.safety_number().is_some() {
        let again = attempt(&mut receiver, &mut buffer, |line, buffer| open(line, &packet, &data, buffer));
        assert_eq!(again.err(), Some(Rejected::Duplicate));
        let mut small = vec![0; length.saturating_sub(1)];
        let again = attempt(&mut receiver, &mut small, |line, buffer| open(line, &packet, &data, buffer));
        assert_eq!(again.err(), Some(if length == 0 { Rejected::Duplicate } else { Rejected::BufferTooSmall }));
    }
    opened.is_ok()
}

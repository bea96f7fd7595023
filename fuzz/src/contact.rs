//! `decode_introduction`, `restore_introducer`: what is said along a line of a contact port, and Carol's machine (SPEC.md §16).

use port_protocol::{
    Introducer, IntroducerEffect, IntroducerMessage, IntroducerName, IntroducerPhase, MAX_INTRODUCER_MESSAGE, Machine,
    MachineRole, Port, Seed,
};

use crate::decode::one_encoding;
use crate::machine::{Owner, Said, attempt, clear_outbox};
use crate::restore::{restored, split};
use crate::rules::at_second;
use crate::world::NOW;

pub fn decode_introduction(data: &[u8]) -> bool {
    let Ok(introduction) = IntroducerMessage::decode(data) else { return false };
    let encode = |out: &mut [u8]| introduction.encode_into(out).map(|bytes| bytes.len());
    one_encoding(data, &introduction, IntroducerMessage::decode, encode, introduction.to_vec());
    assert!(data.len() < MAX_INTRODUCER_MESSAGE);
    if let IntroducerMessage::Grant { port } = introduction {
        let created = Introducer::granted(port, [1; 16].into()).expect("a reader looked already");
        let write = created.write();
        assert_eq!((write.row.revision, write.row.expected), (0, None));
        let restored = Introducer::restore(&write.row.record).expect("its own record");
        assert_eq!((restored.key(), restored.deadline()), (write.row.key, write.row.deadline));
        assert_eq!(created.commit(write).phase(), IntroducerPhase::Granted);
        assert!(Port::from_bytes(port).is_err(), "a contact port without a ticket is for nobody");
    }
    true
}

impl Owner for Introducer {
    const KIND: MachineRole = MachineRole::Introducer;

    fn said(effect: IntroducerEffect<'_>) -> Said {
        match effect {
            IntroducerEffect::Announce(_, message) => Said::Announce(message.to_vec()),
            IntroducerEffect::Ready(port) => Said::Ready(port.to_bytes().as_slice().to_vec()),
            IntroducerEffect::Ended(end) => Said::Ended(format!("{end:?}")),
        }
    }
}

pub fn restore_introducer(data: &[u8]) -> bool {
    let (record, mut script) = split(data);
    let Some(mut carol) = restored::<Introducer>(record) else { return false };
    let mut now = NOW;
    // The ticket that Alice was told of; unknown if it was so before.
    let mut told = None;
    while let Some(what) = script.next() {
        let was = carol.phase();
        let done = match what % 8 {
            0 => clear_outbox(&mut carol).ok_or(()),
            1 => attempt(&mut carol, &mut [], |carol, _| carol.tick(now).ok_or(())),
            2 => attempt(&mut carol, &mut [], |carol, _| carol.cancel().map_err(drop)),
            3 => {
                now = script.time();
                continue;
            }
            4 => {
                let (seed, expires) = (script.byte(), script.byte());
                let name = String::from_utf8_lossy(script.take(usize::from(expires % 40))).into_owned();
                let Ok(name) = IntroducerName::new(&name) else { continue };
                let expires = (expires > 100).then_some(at_second(expires.into()));
                attempt(&mut carol, &mut [], |carol, _| {
                    carol.introduce(name.clone(), expires, Seed::from_bytes(&[seed; 64]), now).map_err(drop)
                })
            }
            5 => attempt(&mut carol, &mut [], |carol, _| carol.mark_announced().map_err(drop)),
            _ => {
                let length = usize::from(script.byte());
                let withdrawn = [&[0x82, 1, 0x82, 3, 0x50][..], &carol.key().to_bytes()[1..]].concat();
                let said = if what & 8 == 0 { script.take(length) } else { &withdrawn };
                let (Ok(said), Some(line_id)) = (IntroducerMessage::decode(said), carol.line_id()) else { continue };
                attempt(&mut carol, &mut [], |carol, _| carol.handle(&said, line_id).map_err(drop))
            }
        };
        let Ok(done) = done else { continue };
        assert!(!matches!(was, IntroducerPhase::Ended(_)) || done.said.is_empty(), "it goes on after its end");
        for said in done.said {
            match said {
                Said::Announce(message) => told = Some(message),
                Said::Ready(port) => {
                    assert_eq!(was, IntroducerPhase::Announcing, "Bob before Alice");
                    let port = Port::from_bytes(&port).expect("one for Bob");
                    let ticket = port.ticket().expect("a ticket");
                    if let Some(told) = &told {
                        let Ok(IntroducerMessage::Ticket(told)) = IntroducerMessage::decode(told) else {
                            panic!("{told:?}")
                        };
                        assert_eq!((told.line_link, told.ticket), (port.line_link(), ticket.hash()));
                        assert_eq!((&told.name, told.expires), (ticket.name(), ticket.expires()));
                    }
                }
                _ => {}
            }
        }
    }
    true
}

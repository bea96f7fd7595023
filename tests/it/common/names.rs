//! What a record holds, in words.

use super::cbor::Cbor;

/// The state that a record holds, in words.
pub fn state_of(record: &[u8]) -> String {
    let record = Cbor::read(record);
    let (role, state) = (record.at(&[1]).uint(), record.at(&[3]));
    let name = match role {
        1 => "Alice",
        2 => "Bob",
        4 => {
            let slots = state.at(&[5]).items();
            let held = slots.iter().filter(|slot| matches!(slot, Cbor::Bytes(_))).count();
            return format!("Pool {held} held, {} asked", slots.len() - held);
        }
        _ => return phase_of(state.at(&[1]).items()),
    };
    let (tag, fields) = (state.at(&[0]).uint(), state.at(&[1]).items());
    match (role, tag) {
        (1, 1) => format!("{name} Requesting"),
        (1, 2) => format!("{name} Offered"),
        (2, 1) => format!("{name} Scanned"),
        (2, 2) => format!("{name} Connecting{}", if fields[6].uint() == 1 { " on board" } else { "" }),
        _ if fields[0].uint() == 1 => match fields.get(3) {
            Some(line) => format!("{name} Formed {}", phase_of(line.at(&[1]).items())),
            None => format!("{name} Formed, settled"),
        },
        _ => {
            let end = match &fields[2] {
                Cbor::Uint(end) => ["?", "Revoked", "Expired", "ProofRefused", "Paused", "Blocked", "AlreadyConnected"]
                    [*end as usize]
                    .to_owned(),
                end if end.items().len() == 2 => format!("Refused {}", end.at(&[1]).uint()),
                end => ["?", "Cancelled", "Expired", "", "Blocked"][end.at(&[0]).uint() as usize].to_owned(),
            };
            let link = if fields[1].at(&[0]).uint() == 1 { ", no link" } else { "" };
            format!("{name} Ended {end}{link}{}", if fields.len() > 3 { "" } else { ", settled" })
        }
    }
}

fn phase_of(phase: &[Cbor]) -> String {
    let has = |n: usize| phase.get(n).is_some_and(|field| *field != Cbor::Null && *field != Cbor::Bool(false));
    let (name, and) = match phase[0].uint() {
        1 => ("AwaitingProof", ""),
        2 => ("AliceJoined", ""),
        3 => ("AliceConfirmed", if has(2) { "" } else { ", answered" }),
        4 => ("BobJoined", if has(2) { ", proof to send" } else { "" }),
        5 => ("BobConfirmed", if has(3) { ", answer due" } else { "" }),
        7 => ("AliceAsked", ""),
        _ => {
            let end =
                ["?", "ByUs", "ByPeer", "ByServer", "ProofRefused", "Expired", "Declined"][phase[1].uint() as usize];
            let close = if has(2) { " with Close" } else { "" };
            return format!("Closed {end}{close}{}", if has(3) { "" } else { ", settled" });
        }
    };
    format!("{name}{and}")
}

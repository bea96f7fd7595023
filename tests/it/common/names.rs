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
        (1, 1) => format!("{name} Requesting{}", if fields.len() > 4 { ", many" } else { "" }),
        (1, 2) => {
            let many = if fields.len() > 5 { ", many" } else { "" };
            format!("{name} Offered{many}{}", if fields[4] == Cbor::Bool(true) { ", SetLineLink due" } else { "" })
        }
        (2, 1) => format!("{name} Scanned{}", if fields[0].items().len() > 7 { ", ticket" } else { "" }),
        (2, 2) => {
            let how = if fields[6].uint() == 1 { " on board" } else { "" };
            let many = if fields.len() > 7 { ", many" } else { "" };
            format!("{name} Connecting{how}{many}{}", if fields.len() > 8 { ", ticket" } else { "" })
        }
        _ if fields[0].uint() == 1 => format!("{name} Formed"),
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
    // What Alice still opens of epoch 0.
    let early = match phase.get(3).filter(|_| has(3) && [2, 3, 7].contains(&phase[0].uint())) {
        Some(early) if *early.at(&[2]) == Cbor::Null => ", early",
        Some(_) => ", early, counted",
        None => "",
    };
    let many = |n: usize| if has(n) { ", many" } else { "" };
    let (name, and, more) = match phase[0].uint() {
        1 => ("AwaitingProof", if has(4) { ", asks" } else { "" }, ""),
        2 => ("AliceJoined", "", early),
        3 => ("AliceConfirmed", if has(2) { "" } else { ", answered" }, early),
        4 => ("BobJoined", if has(2) { ", proof to send" } else { "" }, many(3)),
        5 => ("BobConfirmed", if has(3) { ", answer due" } else { "" }, many(4)),
        7 => ("AliceAsked", "", early),
        _ => {
            let end =
                ["?", "ByUs", "ByPeer", "ByRelay", "ProofRefused", "Expired", "Declined"][phase[1].uint() as usize];
            let close = if has(2) { " with Close" } else { "" };
            return format!("Closed {end}{close}{}", if has(3) { "" } else { ", settled" });
        }
    };
    format!("{name}{and}{more}")
}

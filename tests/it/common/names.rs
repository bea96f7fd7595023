//! What a record holds, in words.

use super::cbor::Cbor;

const PORT_OUTCOMES: [&str; 9] =
    ["?", "Revoked", "Expired", "ProofRefused", "Paused", "Blocked", "AlreadyConnected", "LinkLost", "FalseLine"];
const USE_OUTCOMES: [&str; 7] = ["?", "Cancelled", "Expired", "", "Blocked", "", "FalseLine"];

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
            return format!("Pool {held} held, {} requested", slots.len() - held);
        }
        _ => return phase_of(state.at(&[1]).items()),
    };
    let (tag, fields) = (state.at(&[0]).uint(), state.at(&[1]).items());
    match (role, tag) {
        (1, 1) => {
            let options = fields[3].items();
            let many = options[2] != Cbor::Null || options[1].at(&[0, 0]).uint() != 1;
            format!("{name} Requesting{}", if many { ", many" } else { "" })
        }
        (1, 2) => {
            let many = if fields.len() > 6 { ", many" } else { "" };
            format!("{name} Offered{many}{}", if fields[4] == Cbor::Bool(true) { ", SetLineLink due" } else { "" })
        }
        (2, 1) => format!("{name} Scanned{}", if fields[0].items().len() > 7 { ", ticket" } else { "" }),
        (2, 2) => {
            let how = if fields[6].uint() == 1 { " inline" } else { "" };
            let many = if fields[7] == Cbor::Null { "" } else { ", many" };
            format!("{name} Connecting{how}{many}{}", if fields.len() > 9 { ", ticket" } else { "" })
        }
        _ if fields[0].uint() == 1 => format!("{name} Formed"),
        _ => {
            let end = match &fields[2] {
                Cbor::Uint(end) => PORT_OUTCOMES[*end as usize].to_owned(),
                end if end.items().len() == 2 => format!("Refused {}", end.at(&[1]).uint()),
                end => USE_OUTCOMES[end.at(&[0]).uint() as usize].to_owned(),
            };
            let link = if fields[1].at(&[0]).uint() == 1 { ", no link" } else { "" };
            format!("{name} Ended {end}{link}{}", if fields.len() > 3 { "" } else { ", cleared" })
        }
    }
}

/// Null at an array's end is left out.
fn has(fields: &[Cbor], n: usize) -> bool {
    fields.get(n).is_some_and(|field| *field != Cbor::Null && *field != Cbor::Bool(false))
}

fn phase_of(phase: &[Cbor]) -> String {
    match phase[0].uint() {
        1 => format!("AwaitingProof{}", if has(phase, 4) { ", approval required" } else { "" }),
        2 => end_of(phase[2].items()),
        _ => {
            let reason =
                ["?", "ByUs", "ByPeer", "ByRelay", "ProofRefused", "Expired", "Declined"][phase[1].uint() as usize];
            let close = if has(phase, 2) { " with Close" } else { "" };
            format!("Closed {reason}{close}{}", if has(phase, 3) { "" } else { ", cleared" })
        }
    }
}

fn end_of(end: &[Cbor]) -> String {
    let stage = end[1].items();
    // What Alice still opens of epoch 0.
    let early = match end.get(2) {
        Some(early) if *early.at(&[2]) == Cbor::Null => ", early",
        Some(_) => ", early, counted",
        None => "",
    };
    let many = |n: usize| if has(stage, n) { ", many" } else { "" };
    let (name, and, more) = match (end[0].uint(), stage[0].uint()) {
        (1, 1) => ("AliceAwaitingApproval", "", early),
        (1, 2) => ("AliceJoined", "", early),
        (1, _) => ("AliceConfirmed", if has(stage, 1) { "" } else { ", answered" }, early),
        (_, 1) => ("BobJoined", if has(stage, 1) { ", proof to send" } else { "" }, many(2)),
        (_, _) => ("BobConfirmed", if has(stage, 2) { ", answer due" } else { "" }, many(3)),
    };
    format!("{name}{and}{more}")
}

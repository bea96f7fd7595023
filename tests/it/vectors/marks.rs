//! By which marks a relay names its users to each other (§13.3).

use super::*;
use crate::common::rng;
use port_protocol::relay::{Limits, MarkKey, Memory, Relay, UserId};

const KEY: [u8; 32] = counting(0x10);
const OWNER: [u8; 32] = counting(0x30);
const USER: [u8; 32] = counting(0x50);

/// What each of the two is told of the other, at a link of `owner` that `user` uses.
fn marks(owner: [u8; 32], user: [u8; 32], n: u8, recognisable: bool) -> Value {
    let (mut relay, mut rng) = (Relay::new(Memory::new(), Limits::default(), MarkKey::new(KEY.into())), rng());
    let [of_owner, of_user] = [owner, user].map(UserId::from);
    let request_id = RequestId::from([n; 16]);
    let issue = Request::IssueLineLink { request_id }.to_vec();
    let reply = relay.handle(of_owner, &issue, &mut rng, NOW).unwrap().reply;
    let Some(Event::LineLinkIssued { line_link, .. }) = reply else { panic!("{reply:?}") };
    if recognisable {
        let set = Request::SetLineLink { line_link, version: 1, admits: Admission::One, recognisable };
        assert_eq!(relay.handle(of_owner, &set.to_vec(), &mut rng, NOW).unwrap().reply, None);
    }
    let connect = Request::Connect { line_link, request_id, proof: None }.to_vec();
    relay.handle(of_user, &connect, &mut rng, NOW).unwrap();
    let [owner_sees, user_sees] = [of_owner, of_user].map(|id| {
        let event = relay.next(id, 0).unwrap().unwrap().event.to_vec();
        match Event::decode(&event) {
            Ok(Event::LineFormed { peer, .. } | Event::Connected { peer, .. }) => hex(peer.as_bytes()),
            other => panic!("{other:?}"),
        }
    });
    json!({
        "key": hex(KEY), "owner": hex(owner), "user": hex(user), "line_link": hex(line_link.as_bytes()),
        "recognisable": recognisable, "owner_sees": owner_sees, "user_sees": user_sees,
    })
}

#[test]
pub fn r13_3_marks() {
    let entries = [
        ("a link", marks(OWNER, USER, 1, false)),
        ("another link of the same two", marks(OWNER, USER, 2, false)),
        ("the other way round", marks(USER, OWNER, 1, false)),
        ("recognisable", marks(OWNER, USER, 1, true)),
        ("another that is recognisable", marks(OWNER, USER, 2, true)),
    ];
    known("marks.json", &named(entries));
}

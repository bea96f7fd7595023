//! §1 and §7: one encoding per value, of everything that is written.
#![cfg(feature = "alloc")]

use std::sync::LazyLock;
use std::time::Duration;

use crate::common::cbor::{Cbor, not_canonical};
use crate::common::*;
use port_protocol::*;

/// Something that is written, by its name, and what reading some bytes as the same gives: `Some(true)` for
/// another version.
struct Written {
    name: String,
    bytes: Vec<u8>,
    read: fn(&[u8]) -> Result<Vec<u8>, bool>,
}

fn read_event(bytes: &[u8]) -> Result<Vec<u8>, bool> {
    Event::decode(bytes).map(|event| event.to_vec()).map_err(|error| error == DecodeError::UnsupportedVersion)
}

fn read_request(bytes: &[u8]) -> Result<Vec<u8>, bool> {
    Request::decode(bytes).map(|request| request.to_vec()).map_err(|error| error == DecodeError::UnsupportedVersion)
}

fn read_payload(bytes: &[u8]) -> Result<Vec<u8>, bool> {
    Payload::decode(bytes).map(|payload| payload.to_vec()).map_err(|error| error == DecodeError::UnsupportedVersion)
}

fn read_port(bytes: &[u8]) -> Result<Vec<u8>, bool> {
    Port::from_bytes(bytes)
        .map(|port| port.to_bytes().as_slice().to_vec())
        .map_err(|error| error == PortError::UnsupportedVersion)
}

fn read_record(bytes: &[u8]) -> Result<Vec<u8>, bool> {
    Any::restore(bytes).map(|machine| machine.record()).map_err(|error| error == RestoreError::UnsupportedVersion)
}

fn requests() -> [(&'static str, Request<'static>); 9] {
    let (request_id, recognisable) = ([6; 16].into(), false);
    [
        ("IssueLineLink", Request::IssueLineLink { request_id: [5; 16].into() }),
        ("Connect", Request::Connect { line_link: line_link(), request_id, proof: None }),
        (
            "Connect inline",
            Request::Connect { line_link: line_link(), request_id, proof: Some(proof(PortOptions::new())) },
        ),
        ("Packet", Request::Packet { line_id: line_id(), payload: b"anything" }),
        ("Disconnect", Request::Disconnect { line_id: line_id() }),
        ("CloseLineLink", Request::CloseLineLink { line_link: line_link() }),
        (
            "SetLineLink 1",
            Request::SetLineLink { line_link: line_link(), version: 1, admits: Admission::Nobody, recognisable },
        ),
        (
            "SetLineLink 2",
            Request::SetLineLink { line_link: line_link(), version: 0, admits: Admission::One, recognisable },
        ),
        (
            "SetLineLink 3",
            Request::SetLineLink {
                line_link: line_link(),
                version: u64::MAX,
                admits: Admission::Many,
                recognisable: true,
            },
        ),
    ]
}

/// Everything that is ever written: every Port, request, event, payload and record.
static EVERYTHING: LazyLock<Vec<Written>> = LazyLock::new(|| {
    let mut all = Vec::new();
    let mut add = |name: String, bytes, read| all.push(Written { name, bytes, read });
    for (name, request) in requests() {
        add(format!("request {name}"), request.to_vec(), read_request);
    }
    for (name, machine) in pools() {
        add(format!("record {name}"), machine.record(), read_record);
    }
    for (i, offer) in [PortOptions::new(), expiring(), longest()].into_iter().enumerate() {
        add(format!("Port {i}"), port(offer.clone()).to_bytes().as_slice().to_vec(), read_port);
        for (name, machine) in states(offer.clone()) {
            add(format!("record {name} {i}"), machine.record(), read_record);
        }
        for (name, event) in events(offer) {
            if let (Ok(Event::Packet { payload, .. }), true) = (Event::decode(&event), name != "Packet, no payload") {
                add(format!("payload {name} {i}"), payload.to_vec(), read_payload);
            }
            add(format!("event {name} {i}"), event, read_event);
        }
    }
    all
});

#[test]
fn r1_2_everything_reads_back_to_the_same_bytes() {
    for Written { name, bytes, read } in EVERYTHING.iter() {
        assert!(!bytes.is_empty(), "{name}");
        assert_eq!(read(bytes).as_ref(), Ok(bytes), "{name}");
        // The independent reader writes it alike: it is deterministic CBOR.
        assert_eq!(Cbor::read(bytes).write(), *bytes, "{name}");
    }
}

#[test]
fn r1_2_other_encodings_of_the_same_value_are_refused() {
    for Written { name, bytes, read } in EVERYTHING.iter() {
        for (what, other) in not_canonical(bytes) {
            assert_eq!(read(&other), Err(false), "{name}: {what}");
        }
    }
}

#[test]
fn r1_2_every_shorter_prefix_is_refused() {
    for Written { name, bytes, read } in EVERYTHING.iter() {
        for length in 0..bytes.len() {
            assert_eq!(read(&bytes[..length]), Err(false), "{name} cut to {length}");
        }
    }
}

/// Every place in a value.
fn places(value: &Cbor) -> Vec<Vec<usize>> {
    let Cbor::Array(items) = value else { return vec![vec![]] };
    let inner = items.iter().enumerate().flat_map(|(i, item)| {
        places(item).into_iter().map(move |mut path| {
            path.insert(0, i);
            path
        })
    });
    std::iter::once(vec![]).chain(inner).collect()
}

#[test]
fn r1_2_no_other_type_stands_in_for_a_field() {
    for Written { name, bytes, read } in EVERYTHING.iter() {
        let tree = Cbor::read(bytes);
        for place in places(&tree) {
            for other in
                [Cbor::Array(vec![]), Cbor::Text("x".into()), Cbor::Text(String::new()), Cbor::Bytes(vec![0; 99])]
            {
                // A payload is any byte string, a relay any text.
                let spoilt = tree.clone().with(&place, other.clone());
                let same_type = std::mem::discriminant(tree.at(&place)) == std::mem::discriminant(&other);
                assert!(same_type || read(&spoilt.write()).is_err(), "{name}: {other:?} at {place:?}");
            }
        }
    }
}

#[test]
fn r1_2_no_tag_float_map_negative_or_undefined_is_read_anywhere() {
    for Written { name, bytes, read } in EVERYTHING.iter() {
        let tree = Cbor::read(bytes);
        let marker = Cbor::Bytes(b"here it is".to_vec());
        for place in places(&tree) {
            let marked = tree.clone().with(&place, marker.clone()).write();
            let at = marked.windows(11).position(|window| window == marker.write()).unwrap();
            let was = tree.at(&place).write();
            for foreign in [&b"\xa0"[..], b"\x20", b"\xf7", b"\xf9\x00\x00", b"\xe0", &[&[0xc0], &was[..]].concat()] {
                let spoilt = [&marked[..at], foreign, &marked[at + 11..]].concat();
                // A tag before the outermost array hides the version; anything else is no version either.
                assert_eq!(read(&spoilt), Err(false), "{name}: {foreign:02x?} at {place:?}");
            }
        }
    }
}

#[test]
fn r1_2_byte_strings_that_are_names_have_exactly_their_length() {
    let events = events(PortOptions::new()).into_iter().map(|(_, event)| (event, read_event as fn(&[u8]) -> _));
    let requests = requests().map(|(_, request)| (request.to_vec(), read_request as fn(&[u8]) -> _));
    for (bytes, read) in events.chain(requests) {
        let tree = Cbor::read(&bytes);
        for (i, field) in tree.at(&[1]).items().iter().enumerate() {
            let named = matches!(field, Cbor::Bytes(_)) && (i == 1 || ![18, 35].contains(&tree.at(&[1, 0]).uint()));
            for length in (0..40).filter(|length| named && *length != field.bytes().len()) {
                assert_eq!(read(&tree.clone().with(&[1, i], Cbor::Bytes(vec![7; length])).write()), Err(false));
            }
        }
    }
}

#[test]
fn r1_3_another_version_is_told_apart_from_damage() {
    for Written { name, bytes, read } in EVERYTHING.iter() {
        for version in [0, 2, 23, 24, 255, 256, u64::MAX] {
            let other = Cbor::read(bytes).with(&[0], Cbor::Uint(version));
            assert_eq!(read(&other.write()), Err(true), "{name} as version {version}");
            // It may look quite different, but for its first element.
            let unknown = Cbor::Array(vec![Cbor::Uint(version), Cbor::Text("?".into()), Cbor::Null]);
            assert_eq!(read(&unknown.write()), Err(true), "{name}");
            assert_eq!(read(&Cbor::Array(vec![Cbor::Uint(version)]).write()), Err(true), "{name}");
        }
        for no_version in [Cbor::Null, Cbor::Text("1".into()), Cbor::Bytes(vec![1]), Cbor::Bool(true)] {
            assert_eq!(read(&Cbor::read(bytes).with(&[0], no_version).write()), Err(false), "{name}");
        }
    }
}

#[test]
fn r1_3_machines_and_lines_pass_it_on() {
    let version_2 = Cbor::Array(vec![Cbor::Uint(2)]).write();
    let unsupported = Refusal::Rejected(Rejected::UnsupportedVersion);
    for (name, mut machine) in states(PortOptions::new()) {
        assert_eq!(machine.give(&Input::Event(version_2.clone()), NOW).err(), Some(unsupported), "{name}");
        let packet = Event::Packet { line_id: line_id(), payload: &version_2 }.to_vec();
        if let Any::Line(_) = machine {
            assert_eq!(machine.give(&Input::Event(packet), NOW).err(), Some(unsupported), "{name}");
        }
    }
}

fn fields(tag: u64, fields: &[Cbor]) -> Vec<u8> {
    Cbor::Array(vec![Cbor::Uint(1), Cbor::Array([&[Cbor::Uint(tag)], fields].concat())]).write()
}

#[test]
fn r7_1_tags_are_apart_from_each_other() {
    for Written { name, bytes, .. } in EVERYTHING.iter() {
        let readers = [("request", read_request as fn(&[u8]) -> _), ("event", read_event), ("payload", read_payload)];
        for (kind, read) in readers {
            assert_eq!(read(bytes).is_ok(), name.starts_with(kind), "{name} read as {kind}");
        }
        let role = bytes[2];
        for (tag, restored) in [
            (1, Alice::restore(bytes).is_ok()),
            (2, Bob::restore(bytes).is_ok()),
            (3, Line::restore(bytes).is_ok()),
            (4, Pool::restore(bytes).is_ok()),
        ] {
            assert_eq!(restored, name.starts_with("record") && role == tag, "{name} restored as {tag}");
        }
    }
}

#[test]
fn r7_1_form_comes_before_address_and_phase() {
    for (state, mut machine) in states(PortOptions::new()) {
        for (name, event) in events(PortOptions::new()) {
            let tree = Cbor::read(&event);
            for (spoilt, error) in [
                (tree.clone().with(&[0], Cbor::Uint(2)).write(), Rejected::UnsupportedVersion),
                (tree.clone().with(&[1, 1], Cbor::Bytes(vec![0; 15])).write(), Rejected::Malformed),
            ] {
                let outcome = machine.give(&Input::Event(spoilt), NOW).err();
                assert_eq!(outcome, Some(Refusal::Rejected(error)), "{state} × {name}");
            }
        }
    }
}

#[test]
fn r7_2_requests_are_these_bytes() {
    let [link, id, request] = [0xA1, 0xB2, 6].map(|byte| Cbor::Bytes(vec![byte; 16]));
    let layouts = [
        fields(16, &[Cbor::Bytes(vec![5; 16])]),
        fields(17, &[link.clone(), request.clone()]),
        fields(17, &[link.clone(), request, layout_of(&proof(PortOptions::new()))]),
        fields(18, &[id.clone(), Cbor::Bytes(b"anything".to_vec())]),
        fields(19, &[id]),
        fields(20, std::slice::from_ref(&link)),
        fields(21, &[link.clone(), Cbor::Uint(1), Cbor::Uint(1), Cbor::Bool(false)]),
        fields(21, &[link.clone(), Cbor::Uint(0), Cbor::Uint(2), Cbor::Bool(false)]),
        fields(21, &[link.clone(), Cbor::Uint(u64::MAX), Cbor::Uint(3), Cbor::Bool(true)]),
    ];
    for ((name, request), layout) in requests().into_iter().zip(layouts) {
        assert_eq!(request.to_vec(), layout, "{name}");
        assert_eq!(Request::decode(&layout), Ok(request), "{name}");
    }
    for admits in [0, 4, 24] {
        let layout = fields(21, &[link.clone(), Cbor::Uint(1), Cbor::Uint(admits), Cbor::Bool(false)]);
        assert_eq!(Request::decode(&layout), Err(DecodeError::Malformed));
    }
}

/// `[public_key_bob, encrypted_rad]`, as it stands in a payload.
fn layout_of(proof: &Proof) -> Cbor {
    Cbor::read(&Payload::Proof { proof: proof.clone() }.to_vec()).at(&[1, 1]).clone()
}

#[test]
fn r7_3_events_are_these_bytes() {
    let [link, id, mark, request] =
        [(0xA1, 16), (0xB2, 16), (0xC3, 32), (5, 16)].map(|(byte, n)| Cbor::Bytes(vec![byte; n]));
    use Reason::{Closed, Expired, Paused, Unknown, UsedByAnother, UsedByYou};
    let reason = [Unknown, UsedByAnother, UsedByYou, Closed, Expired, Paused];
    let good = proof(PortOptions::new());
    let (line_link, line_id) = (line_link(), line_id());
    let (request_id, peer) = ([5; 16].into(), [0xC3; 32].into());
    let mut cases = vec![
        (Event::LineLinkIssued { request_id, line_link }, 32, vec![request.clone(), link.clone()]),
        (Event::LineFormed { line_link, line_id, peer, proof: None }, 33, vec![link.clone(), id.clone(), mark.clone()]),
        (
            Event::LineFormed { line_link, line_id, peer, proof: Some(good.clone()) },
            33,
            vec![link.clone(), id.clone(), mark.clone(), layout_of(&good)],
        ),
        (Event::Packet { line_id, payload: b"" }, 35, vec![id.clone(), Cbor::Bytes(vec![])]),
        (Event::Disconnected { line_id }, 36, vec![id.clone()]),
        (Event::Dropped { line_id }, 37, vec![id.clone()]),
        (Event::Connected { line_link, request_id, line_id, peer }, 38, vec![link.clone(), request.clone(), id, mark]),
        (Event::LineLinkLost { line_link }, 39, vec![link.clone()]),
    ];
    for (number, reason) in (1..).zip(reason) {
        let layout = vec![link.clone(), request.clone(), Cbor::Uint(number)];
        cases.push((Event::Refused { line_link, request_id, reason }, 34, layout));
    }
    for (event, tag, layout) in cases {
        assert_eq!(event.to_vec(), fields(tag, &layout));
        assert_eq!(Event::decode(&fields(tag, &layout)), Ok(event));
    }
    for reason in [0, 7, 24] {
        let layout = fields(34, &[link.clone(), request.clone(), Cbor::Uint(reason)]);
        assert_eq!(Event::decode(&layout), Err(DecodeError::Malformed));
    }
    for tag in (0..300).filter(|tag| !(32..=39).contains(tag)) {
        for many in 0..5 {
            let layout = fields(tag, &vec![link.clone(); many]);
            assert_eq!(Event::decode(&layout), Err(DecodeError::Malformed));
            let known = many == 1 && [16, 19, 20].contains(&tag) || many == 2 && [17, 18].contains(&tag);
            assert_eq!(Request::decode(&layout).is_ok(), known, "{tag} with {many}");
        }
    }
}

#[test]
fn r7_3_an_event_names_the_record_it_belongs_to() {
    for (name, event) in events(PortOptions::new()) {
        let event = Event::decode(&event).unwrap();
        let kind = match event.key() {
            RecordKey::Request(_) => "LineLinkIssued",
            RecordKey::LineLink(_) => ["Refused", "Connected", "LineLinkLost"]
                .into_iter()
                .find(|kind| name.starts_with(kind))
                .unwrap_or("LineFormed"),
            RecordKey::Line(_) => continue,
            RecordKey::Pool(_) | RecordKey::Introducer(_) => panic!("{name} names a pool"),
        };
        assert!(name.starts_with(kind), "{name}");
    }
    assert_eq!(Event::Disconnected { line_id: line_id() }.key(), RecordKey::Line(line_id()));
    assert_eq!(Event::Dropped { line_id: line_id() }.key(), RecordKey::Line(line_id()));
    assert_eq!(Event::Packet { line_id: line_id(), payload: b"" }.key(), RecordKey::Line(line_id()));
}

#[test]
fn r7_4_payloads_are_these_bytes() {
    let good = proof(PortOptions::new());
    assert_eq!(Payload::Proof { proof: good.clone() }.to_vec(), fields(1, &[layout_of(&good)]));
    use PacketKind::{
        Answer, Close, Confirm, EarlyMessage, IntroducerMessage, Message, PaddedEarlyMessage, PaddedMessage,
    };
    let kinds = [Confirm, Answer, EarlyMessage, Message, Close, PaddedEarlyMessage, PaddedMessage, IntroducerMessage];
    for (number, kind) in (1..).zip(kinds) {
        for (epoch, counter) in [(0, 0), (1, 1 << 48), (u32::MAX, u64::MAX)] {
            let nonce = [&u32::to_be_bytes(epoch)[..], &u64::to_be_bytes(counter)].concat();
            let layout = fields(2, &[Cbor::Uint(number), Cbor::Bytes(nonce), Cbor::Bytes(vec![8; 16])]);
            let payload = Payload::Sealed { kind, nonce: Nonce { epoch, counter }, ciphertext: &[8; 16] };
            assert_eq!(payload.to_vec(), layout);
            assert_eq!(Payload::decode(&layout), Ok(payload));
        }
    }
    for (kind, nonce) in [(0, 12), (9, 12), (4, 11), (4, 13)] {
        let layout = [Cbor::Uint(kind), Cbor::Bytes(vec![0; nonce]), Cbor::Bytes(vec![8; 16])];
        assert_eq!(Payload::decode(&fields(2, &layout)), Err(DecodeError::Malformed));
    }
}

#[test]
fn r7_1_a_buffer_has_to_hold_it_all() {
    for (name, request) in requests() {
        let bytes = request.to_vec();
        for short in 0..bytes.len() {
            assert_eq!(request.encode_into(&mut vec![0; short]), Err(BufferTooSmall), "{name}");
        }
        assert_eq!(request.encode_into(&mut vec![0xff; bytes.len()]).unwrap(), bytes);
        assert_eq!(request.encode_into(&mut vec![0xff; bytes.len() + 9]).unwrap(), bytes);
    }
    for (name, bytes) in events(longest()) {
        let event = Event::decode(&bytes).unwrap();
        assert_eq!(event.encode_into(&mut vec![0; bytes.len() - 1]), Err(BufferTooSmall), "{name}");
        assert_eq!(event.encode_into(&mut vec![0; bytes.len()]).unwrap(), bytes, "{name}");
        let Event::Packet { payload, .. } = event else { continue };
        let Ok(payload) = Payload::decode(payload) else { continue };
        let bytes = payload.to_vec();
        assert_eq!(payload.encode_into(&mut vec![0; bytes.len() - 1]), Err(BufferTooSmall), "{name}");
        assert_eq!(payload.encode_into(&mut vec![0; bytes.len()]).unwrap(), bytes, "{name}");
    }
}

/// C29: a number of milliseconds is no time in seconds.
#[test]
fn r1_1_no_time_is_later_than_the_year_9999() {
    let last = 253_402_300_799;
    assert_eq!((UnixSeconds::MAX.as_secs(), UnixSeconds::new(last)), (last, Some(UnixSeconds::MAX)));
    for late in [last + 1, 1_790_000_000_000, u64::from(u32::MAX) * 1_000, u64::MAX] {
        assert_eq!(UnixSeconds::new(late), None);
    }
    // The first millisecond count that would pass for seconds is of January 1978.
    assert!(last / 1_000 < 254_000_000);
    let (week, longest) = (Duration::from_secs(WEEK), Duration::MAX);
    assert_eq!(at(last - WEEK).after(week), UnixSeconds::MAX);
    assert_eq!(at(last - WEEK + 1).after(week), UnixSeconds::MAX);
    assert_eq!(at(last - WEEK - 1).after(week).as_secs(), last - 1);
    assert_eq!((NOW.after(longest), UnixSeconds::MAX.after(longest)), (UnixSeconds::MAX, UnixSeconds::MAX));
    assert_eq!(NOW.after(Duration::from_millis(1_999)).as_secs(), NOW.as_secs() + 1);
    let clock = |secs| UnixSeconds::from(std::time::UNIX_EPOCH + Duration::from_secs(secs));
    assert_eq!([clock(0), clock(7), clock(last), clock(last + 1)].map(UnixSeconds::as_secs), [0, 7, last, last]);
    let before_1970 = std::time::UNIX_EPOCH - Duration::from_secs(7);
    assert_eq!((UnixSeconds::from(before_1970), UnixSeconds::default()), (at(0), at(0)));
    assert!(UnixSeconds::now() > at(1_700_000_000));
}

#[test]
fn r1_1_what_says_a_later_time_is_malformed() {
    let last = UnixSeconds::MAX.as_secs();
    let (good, late) = ([0, last - 1, last], [last + 1, 1_790_000_000_000, u64::MAX]);
    let grant = offered(PortOptions::new().introducer([7; 16].into())).port().unwrap().to_bytes();
    let mut carol = Introducer::granted(grant.as_slice(), [7; 16].into()).unwrap().committed();
    let name = IntroducerName::new("Carol").unwrap();
    carol.introduce(name, Some(EXPIRY), seed(5), NOW).unwrap().committed().for_each(drop);
    let Some(IntroducerEffect::Announce(_, message)) = carol.pending().next() else { panic!() };
    let notice = message.to_vec();
    drop(message);
    carol.mark_announced().unwrap().committed().for_each(drop);
    let Some(IntroducerEffect::Ready(with_ticket)) = carol.pending().next() else { panic!() };
    let with_ticket = with_ticket.to_bytes().as_slice().to_vec();

    type Read = fn(&[u8]) -> bool;
    let read_port: Read = |bytes| match Port::from_bytes(bytes) {
        Ok(port) => port.to_bytes().as_slice() == bytes,
        Err(error) => {
            assert_eq!(error, PortError::Malformed);
            false
        }
    };
    let read_notice: Read = |bytes| match IntroducerMessage::decode(bytes) {
        Ok(message) => message.to_vec() == bytes,
        Err(error) => {
            assert_eq!(error, DecodeError::Malformed);
            false
        }
    };
    let read_record: Read = |bytes| match Any::restore(bytes) {
        Ok(machine) => machine.record() == bytes,
        Err(error) => {
            assert_eq!(error, RestoreError::Malformed);
            false
        }
    };
    let waits = states(PortOptions::new()).remove("AwaitingProof").unwrap().record();
    let (alice, plain) = (offered(expiring()).record().to_vec(), port(expiring()).to_bytes().as_slice().to_vec());
    for (what, bytes, place, read) in [
        ("a Port", plain, &[5][..], read_port),
        ("a ticket", with_ticket, &[7, 2], read_port),
        ("a ticket notice", notice, &[1, 1, 3], read_notice),
        ("a record of Alice", alice, &[3, 1, 0, 5], read_record),
        ("a look at the clock", waits, &[3, 1, 3, 1], read_record),
    ] {
        let tree = Cbor::read(&bytes);
        assert!(matches!(tree.at(place), Cbor::Uint(_)), "{what}: {tree:?}");
        let with = |secs| read(&tree.clone().with(place, Cbor::Uint(secs)).write());
        assert!(good.into_iter().all(with), "{what}");
        assert!(!late.into_iter().any(with), "{what}");
    }
}

//! Requests, events, payloads (§7).

use super::proofs::{connected, formed, proof_of, refused_to, request_of};
use super::*;

fn message(name: &str, fields: Value, bytes: &[u8]) -> Value {
    json!({ "message": name, "fields": fields, "bytes": hex(bytes) })
}

#[test]
pub fn messages() {
    let (key, encrypted_rad) = ([0xbb; 32], [0xee; 48]);
    let proof = proof_of(&key, &encrypted_rad).1;
    let as_json = json!({ "public_key_bob": hex(key), "encrypted_rad": hex(encrypted_rad) });
    let (odd, odd_json) = (proof_of(&[], &[1; 64]).1, json!({ "public_key_bob": "", "encrypted_rad": hex([1; 64]) }));
    let (id, link, line) = (counting::<16>(0xc0), LINE_LINK, LINE_ID);
    let (request_id, of_bob) = (request_of(BOB), hex(request_of(BOB).as_bytes()));
    let payload = [0x81, 0x01];

    let requests = [
        ("IssueLineLink", Request::IssueLineLink { request_id: id.into() }, json!({ "request_id": hex(id) })),
        (
            "Connect, proof inline",
            Request::Connect { line_link: link.into(), request_id, proof: Some(proof.clone()) },
            json!({ "line_link": hex(link), "request_id": of_bob, "proof": as_json }),
        ),
        (
            "Connect, without proof",
            Request::Connect { line_link: link.into(), request_id, proof: None },
            json!({ "line_link": hex(link), "request_id": of_bob, "proof": null }),
        ),
        (
            "Packet",
            Request::Packet { line_id: line.into(), payload: &payload },
            json!({ "line_id": hex(line), "payload": hex(payload) }),
        ),
        (
            "Packet, empty",
            Request::Packet { line_id: line.into(), payload: &[] },
            json!({ "line_id": hex(line), "payload": "" }),
        ),
        ("Disconnect", Request::Disconnect { line_id: line.into() }, json!({ "line_id": hex(line) })),
        ("CloseLineLink", Request::CloseLineLink { line_link: link.into() }, json!({ "line_link": hex(link) })),
    ];
    let mut requests = requests.map(|(name, request, fields)| (name.to_owned(), request, fields)).to_vec();
    for (admits, version, recognisable) in [
        (Admission::One, 0, false),
        (Admission::Nobody, 23, false),
        (Admission::One, 24, true),
        (Admission::Many, 1 << 32, false),
        (Admission::Many, u64::MAX, true),
    ] {
        let request = Request::SetLineLink { line_link: link.into(), version, admits, recognisable };
        let number = [Admission::Nobody, Admission::One, Admission::Many].iter().position(|each| *each == admits);
        let number = number.unwrap() + 1;
        let fields = json!({
            "line_link": hex(link), "version": version, "admission": number, "recognisable": recognisable,
        });
        requests.push((format!("SetLineLink, version {version}: {admits:?}"), request, fields));
    }
    let requests = named(requests.into_iter().map(|(name, request, fields)| {
        let bytes = request.to_vec();
        assert_eq!(Request::decode(&bytes), Ok(request), "{name}");
        let message = message(name.split(',').next().unwrap(), fields, &bytes);
        (name, message)
    }));

    let line_formed =
        |proof: Value| json!({ "line_link": hex(link), "line_id": hex(line), "peer": hex(OF_BOB), "proof": proof });
    let mut events = vec![
        (
            "LineLinkIssued".to_owned(),
            Event::LineLinkIssued { request_id: id.into(), line_link: link.into() },
            json!({ "request_id": hex(id), "line_link": hex(link) }),
        ),
        ("LineFormed, proof inline".to_owned(), formed(Some(proof.clone())), line_formed(as_json.clone())),
        ("LineFormed, odd proof inline".to_owned(), formed(Some(odd.clone())), line_formed(odd_json.clone())),
        ("LineFormed, without proof".to_owned(), formed(None), line_formed(Value::Null)),
        (
            "Packet".to_owned(),
            Event::Packet { line_id: line.into(), payload: &payload },
            json!({ "line_id": hex(line), "payload": hex(payload) }),
        ),
        ("Disconnected".to_owned(), Event::Disconnected { line_id: line.into() }, json!({ "line_id": hex(line) })),
        ("Dropped".to_owned(), Event::Dropped { line_id: line.into() }, json!({ "line_id": hex(line) })),
        (
            "Connected".to_owned(),
            connected(),
            json!({ "line_link": hex(link), "request_id": of_bob, "line_id": hex(line), "peer": hex(OF_ALICE) }),
        ),
        ("LineLinkLost".to_owned(), Event::LineLinkLost { line_link: link.into() }, json!({ "line_link": hex(link) })),
    ];
    for (number, reason) in (1..).zip(REASONS) {
        let fields = json!({ "line_link": hex(link), "request_id": of_bob, "reason": number });
        events.push((format!("Refused, {reason:?}"), refused_to(BOB, reason), fields));
    }
    let events = named(events.into_iter().map(|(name, event, fields)| {
        let bytes = event.to_vec();
        assert_eq!(Event::decode(&bytes), Ok(event), "{name}");
        let message = message(name.split(',').next().unwrap(), fields, &bytes);
        (name, message)
    }));

    let mut payloads = vec![
        ("Proof".to_owned(), Payload::Proof { proof: proof.clone() }, json!({ "proof": as_json })),
        ("Proof, odd".to_owned(), Payload::Proof { proof: odd }, json!({ "proof": odd_json })),
    ];
    for (number, kind) in (1..).zip(PACKET_KINDS) {
        let nonce = Nonce { epoch: 0, counter: 23 };
        let payload = Payload::Sealed { kind, nonce, ciphertext: &[0xcc; 16] };
        let nonce = "000000000000000000000017";
        let fields = json!({ "packet_kind": number, "nonce": nonce, "ciphertext": hex([0xcc; 16]) });
        payloads.push((format!("Sealed, {kind:?}"), payload, fields));
    }
    payloads.push((
        "Sealed, large numbers".to_owned(),
        Payload::Sealed {
            kind: PacketKind::Message,
            nonce: Nonce { epoch: u32::MAX, counter: 1 << 48 },
            ciphertext: &[],
        },
        json!({ "packet_kind": 4, "nonce": "ffffffff0001000000000000", "ciphertext": "" }),
    ));
    let payloads = named(payloads.into_iter().map(|(name, payload, fields)| {
        let bytes = payload.to_vec();
        assert_eq!(Payload::decode(&bytes), Ok(payload), "{name}");
        let message = message(name.split(',').next().unwrap(), fields, &bytes);
        (name, message)
    }));

    // One surplus or missing thing at a time.
    let connect = Request::Connect { line_link: link.into(), request_id, proof: Some(proof.clone()) }.to_vec();
    let bare = Request::Connect { line_link: link.into(), request_id, proof: None }.to_vec();
    let admits = Admission::Many;
    let setting = Request::SetLineLink { line_link: link.into(), version: 7, admits, recognisable: true }.to_vec();
    let refusal = refused_to(BOB, Reason::Unknown).to_vec();
    let lost = Event::LineLinkLost { line_link: link.into() }.to_vec();
    let nonce = Nonce { epoch: 0, counter: 5 };
    let sealed = Payload::Sealed { kind: PacketKind::Message, nonce, ciphertext: &[0xcc; 16] }.to_vec();
    let body = |bytes: &[u8], change: &dyn Fn(&mut Vec<Cbor>)| {
        let mut outer = array(bytes);
        let mut fields = outer[1].clone().into_array().unwrap();
        change(&mut fields);
        outer[1] = Cbor::Array(fields);
        cbor(&Cbor::Array(outer))
    };
    let splice = |bytes: &[u8], at: usize, taken: usize, put: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes.splice(at..at + taken, put.iter().copied());
        bytes
    };
    let proof_with = |key: usize, rad: usize, more: bool| {
        let mut proof = vec![Cbor::Bytes(vec![1; key]), Cbor::Bytes(vec![1; rad])];
        proof.extend(more.then_some(Cbor::Null));
        body(&connect, &move |fields| fields[3] = Cbor::Array(proof.clone()))
    };
    use DecodeError::{Malformed, UnsupportedVersion};
    let refused_requests = [
        ("nothing", vec![], Malformed),
        ("version 0", splice(&bare, 1, 1, &[0x00]), UnsupportedVersion),
        ("version 2", splice(&bare, 1, 1, &[0x02]), UnsupportedVersion),
        ("version in two bytes", splice(&bare, 1, 1, &[0x18, 0x01]), Malformed),
        ("no version: the tag stands in its place", bare[2..].to_vec(), UnsupportedVersion),
        ("an unknown tag", body(&bare, &|fields| fields[0] = 22.into()), Malformed),
        ("an event's tag", body(&bare, &|fields| fields[0] = 36.into()), Malformed),
        ("tag in three bytes", splice(&bare, 3, 1, &[0x19, 0x00, 0x11]), Malformed),
        ("a third element outside", splice(&bare, 0, 1, &[0x83]).into_iter().chain([0xf6]).collect(), Malformed),
        ("a surplus byte", [&bare[..], &[0]].concat(), Malformed),
        ("cut by a byte", bare[..bare.len() - 1].to_vec(), Malformed),
        ("an absent field written as null", body(&bare, &|fields| fields.push(Cbor::Null)), Malformed),
        ("a surplus field", body(&connect, &|fields| fields.push(0.into())), Malformed),
        ("a missing field", body(&bare, &|fields| fields.truncate(1)), Malformed),
        ("no request_id", body(&bare, &|fields| fields.truncate(2)), Malformed),
        ("a proof in the place of the request_id", body(&connect, &|fields| drop(fields.remove(2))), Malformed),
        ("request_id of 17 bytes", body(&bare, &|fields| fields[2] = Cbor::Bytes(vec![1; 17])), Malformed),
        ("line_link of 15 bytes", body(&bare, &|fields| fields[1] = Cbor::Bytes(vec![1; 15])), Malformed),
        ("line_link as text", body(&bare, &|fields| fields[1] = Cbor::Text("0123456789abcdef".into())), Malformed),
        ("array of indefinite length", splice(&bare, 2, 1, &[0x9f]).into_iter().chain([0xff]).collect(), Malformed),
        (
            "byte string of indefinite length",
            splice(&bare, 4, 1, &[0x5f, 0x50]).into_iter().chain([0xff]).collect(),
            Malformed,
        ),
        ("proof with a key of 33 bytes", proof_with(33, 48, false), Malformed),
        ("proof with 65 bytes encrypted", proof_with(32, 65, false), Malformed),
        ("proof of three", proof_with(32, 48, true), Malformed),
        ("admission 0", body(&setting, &|fields| fields[3] = 0.into()), Malformed),
        ("admission 4", body(&setting, &|fields| fields[3] = 4.into()), Malformed),
        ("no admission", body(&setting, &|fields| fields.truncate(3)), Malformed),
        ("recognisable as a number", body(&setting, &|fields| fields[4] = 1.into()), Malformed),
        ("not said whether recognisable", body(&setting, &|fields| fields.truncate(4)), Malformed),
        ("a setting's version in two bytes", splice(&setting, 21, 1, &[0x18, 0x07]), Malformed),
        ("a map", body(&bare, &|fields| fields[1] = Cbor::Map(vec![])), Malformed),
    ];
    let refused_events = [
        ("a request", connect.clone(), Malformed),
        ("reason 0", body(&refusal, &|fields| fields[3] = 0.into()), Malformed),
        ("reason 7", body(&refusal, &|fields| fields[3] = 7.into()), Malformed),
        ("a refusal without request_id", body(&refusal, &|fields| drop(fields.remove(2))), Malformed),
        ("reason in two bytes", splice(&refusal, refusal.len() - 1, 1, &[0x18, 0x01]), Malformed),
        ("a mark of 31 bytes", body(&formed(None).to_vec(), &|fields| fields[3] = Cbor::Bytes(vec![1; 31])), Malformed),
        (
            "Connected with a mark of 33 bytes",
            body(&connected().to_vec(), &|fields| fields[4] = Cbor::Bytes(vec![1; 33])),
            Malformed,
        ),
        ("Connected with a proof", body(&connected().to_vec(), &|fields| fields.push(0.into())), Malformed),
        ("Connected without a mark", body(&connected().to_vec(), &|fields| fields.truncate(4)), Malformed),
        ("LineLinkLost with a reason", body(&lost, &|fields| fields.push(1.into())), Malformed),
        ("a tag that no event has", body(&lost, &|fields| fields[0] = 40.into()), Malformed),
        ("version 2, anything else", vec![0x82, 0x02, 0xf5], UnsupportedVersion),
    ];
    let refused_payloads = [
        ("packet kind 0", body(&sealed, &|fields| fields[1] = 0.into()), Malformed),
        ("packet kind 9", body(&sealed, &|fields| fields[1] = 9.into()), Malformed),
        ("packet kind in two bytes", splice(&sealed, 4, 1, &[0x18, 0x04]), Malformed),
        ("nonce of 11 bytes", body(&sealed, &|fields| fields[2] = Cbor::Bytes(vec![0; 11])), Malformed),
        ("nonce of 13 bytes", body(&sealed, &|fields| fields[2] = Cbor::Bytes(vec![0; 13])), Malformed),
        ("nonce's length in two bytes", splice(&sealed, 5, 1, &[0x58, 0x0c]), Malformed),
        ("nonce as a number", body(&sealed, &|fields| fields[2] = 5.into()), Malformed),
        ("ciphertext's length in two bytes", splice(&sealed, 18, 1, &[0x58, 0x10]), Malformed),
        ("something after the ciphertext", [&sealed[..], &[0]].concat(), Malformed),
        ("a sealed packet of version 2", splice(&sealed, 1, 1, &[0x02]), UnsupportedVersion),
    ];
    let entry = |name: &'static str, bytes: Vec<u8>, expected: DecodeError, was: Option<DecodeError>| {
        assert_eq!(was, Some(expected), "{name}");
        (name, json!({ "bytes": hex(bytes), "error": name_of(&expected) }))
    };
    known(
        "messages.json",
        &json!({
            "requests": requests, "events": events, "payloads": payloads,
            "refused_requests": named(refused_requests.map(|(n, b, e)| { let was = Request::decode(&b).err(); entry(n, b, e, was) })),
            "refused_events": named(refused_events.map(|(n, b, e)| { let was = Event::decode(&b).err(); entry(n, b, e, was) })),
            "refused_payloads": named(refused_payloads.map(|(n, b, e)| { let was = Payload::decode(&b).err(); entry(n, b, e, was) })),
        }),
    );
}

pub const REASONS: [Reason; 6] =
    [Reason::Unknown, Reason::UsedByAnother, Reason::UsedByYou, Reason::Closed, Reason::Expired, Reason::Paused];
const PACKET_KINDS: [PacketKind; 8] = [
    PacketKind::Confirm,
    PacketKind::Answer,
    PacketKind::EarlyMessage,
    PacketKind::Message,
    PacketKind::Close,
    PacketKind::PaddedEarlyMessage,
    PacketKind::PaddedMessage,
    PacketKind::IntroducerMessage,
];

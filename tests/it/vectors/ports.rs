//! Port (§2).

use super::play::as_json;
use super::*;
use crate::port::qr;

pub fn port(options: PortOptions) -> Port {
    Alice::offer(LINE_LINK.into(), options, seed(ALICE)).committed().port().unwrap().clone()
}

/// A ticket as it stands in a contact port (§16.2).
pub fn ticket(secret: u8, name: &str, expires: Option<u64>) -> Cbor {
    let mut fields = vec![Cbor::Bytes(counting::<16>(secret).to_vec()), Cbor::Text(name.into())];
    fields.extend(expires.map(Cbor::from));
    Cbor::Array(fields)
}

/// What its hash is of.
pub fn hashed_ticket(ticket: &Cbor) -> Vec<u8> {
    cbor(&Cbor::Array(vec!["port-protocol ticket".into(), ticket.as_array().unwrap()[0].clone()]))
}

/// The bytes of a Port with a ticket: what an introducer hands over (§16.3).
pub fn with_ticket(port: &Port, ticket: &Cbor) -> Vec<u8> {
    let mut fields = array(port.to_bytes().as_slice());
    fields.resize(7, Cbor::Null);
    fields.push(ticket.clone());
    cbor(&fields.into())
}

fn good_port(port: &Port, ticket: Option<&Cbor>) -> Value {
    let (bytes, text, link) = (port.to_bytes(), port.qr_text(), port.link(BASE).unwrap().to_string());
    assert_eq!(Port::from_bytes(bytes.as_slice()), Ok(port.clone()));
    assert_eq!(port.ticket().is_some(), ticket.is_some());
    assert_eq!(Port::parse(text.as_str()), Ok(port.clone()));
    assert_eq!(Port::parse(&link), Ok(port.clone()));
    json!({
        "alice_seed": hex(counting::<64>(ALICE)),
        "kind": port.kind() as u8,
        "line_link": hex(port.line_link().as_bytes()),
        "public_key": hex(port.public_key().as_bytes()),
        "rad": hex(port.rad().expose()),
        "expires": port.expires().map(UnixSeconds::as_secs),
        "relay": port.relay().map(RelayAddr::as_str),
        "ticket": ticket.map(as_json),
        "hashed_ticket": ticket.map(|ticket| hex(hashed_ticket(ticket))),
        "ticket_hash": port.ticket().map(|ticket| hex(ticket.hash().as_bytes())),
        "bytes": hex(bytes.as_slice()),
        "hash": hex(port.hash().as_bytes()), // without the ticket
        "qr_text": text.as_str(),
        "link_base": BASE,
        "link": link,
    })
}

pub fn weak_keys() -> Vec<(String, Vec<u8>)> {
    let low_order = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    let mut high_bit = port(PortOptions::new()).public_key().as_bytes().to_vec();
    high_bit[31] |= 0x80;
    let not_canonical = [
        ("p", hex::decode("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f").unwrap()),
        ("p + 1", hex::decode("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f").unwrap()),
        ("p + 9", hex::decode("f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f").unwrap()),
        ("2^255 - 1", hex::decode("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f").unwrap()),
        ("2^256 - 1", vec![0xff; 32]),
        ("highest bit set", high_bit),
    ];
    let low_order = low_order.iter().enumerate().map(|(n, key)| (format!("low order {n}"), hex::decode(key).unwrap()));
    low_order.chain(not_canonical.map(|(name, key)| (format!("public key {name}"), key))).collect()
}

pub fn contact() -> PortOptions {
    PortOptions::new().introducer(counting(0x11).into())
}

/// Bytes that are no Port, and why.
fn bad_bytes() -> Vec<(String, Vec<u8>, PortError)> {
    use PortError::*;
    let full = || array(port(PortOptions::new().expires(LATER).relay(relay(RELAY))).to_bytes().as_slice());
    let with = |at: usize, value: Cbor| {
        let mut fields = full();
        fields[at] = value;
        cbor(&fields.into())
    };
    let plain = port(PortOptions::new()).to_bytes().as_slice().to_vec();
    let spliced = |at: usize, taken: usize, put: &[u8]| {
        let mut bytes = plain.clone();
        bytes.splice(at..at + taken, put.iter().copied());
        bytes
    };
    let longer = |more: &[Cbor]| cbor(&Cbor::Array([&array(&plain)[..], more].concat()));
    let text = |text: &str| Cbor::Text(text.into());
    let bytes = |length: usize| Cbor::Bytes(vec![7; length]);
    let good = ticket(0x33, "Carol", Some(1));
    let contact_port = port(contact());
    let of_contact = |ticket: Cbor| with_ticket(&contact_port, &ticket);
    let other = |at: usize, value: Cbor| {
        let mut fields = good.as_array().unwrap().clone();
        fields[at] = value;
        Cbor::Array(fields)
    };
    let longer_ticket = Cbor::Array([&good.as_array().unwrap()[..], &[0.into()]].concat());
    let after_ticket = cbor(&Cbor::Array([array(&of_contact(good.clone())), vec![0.into()]].concat()));

    let mut bad: Vec<(String, Vec<u8>, PortError)> =
        weak_keys().into_iter().map(|(name, key)| (name, with(3, Cbor::Bytes(key)), WeakPublicKey)).collect();
    for (name, bytes, error) in [
        ("nothing", vec![], Malformed),
        ("no array", vec![0x01], Malformed),
        ("an empty array", vec![0x80], Malformed),
        ("version 0", with(0, 0.into()), UnsupportedVersion),
        ("version 2", with(0, 2.into()), UnsupportedVersion),
        ("version 300, and more fields", cbor(&Cbor::Array(vec![300.into(), 1.into(), text("?")])), UnsupportedVersion),
        ("version 2 behind an empty array", vec![0x80, 2], UnsupportedVersion),
        ("version 2, longer than any Port", [&[0x85, 2], &[7; 498][..]].concat(), UnsupportedVersion),
        ("version 1, longer than any Port", [&plain[..], &[0; 400]].concat(), Malformed),
        ("version as text", with(0, text("1")), Malformed),
        ("kind 0", with(1, 0.into()), UnsupportedKind),
        ("kind 4", with(1, 4.into()), UnsupportedKind),
        ("a contact port without a ticket", with(1, 3.into()), Malformed),
        ("a Port with a ticket", with_ticket(&port(PortOptions::new()), &good), Malformed),
        (
            "a Superport with a ticket",
            with_ticket(&port(PortOptions::new().policy(Policy::unlimited())), &good),
            Malformed,
        ),
        ("ticket null", of_contact(Cbor::Null), Malformed),
        ("ticket's secret of 15 bytes", of_contact(other(0, bytes(15))), Malformed),
        ("ticket's secret as text", of_contact(other(0, text("0123456789abcdef"))), Malformed),
        ("ticket's name as bytes", of_contact(other(1, bytes(5))), Malformed),
        ("ticket's name of 33 bytes", of_contact(other(1, text(&"n".repeat(33)))), Malformed),
        ("ticket's name with a line end", of_contact(other(1, text("Carol\nDave"))), Malformed),
        ("ticket's name with a control of direction", of_contact(other(1, text("Carol\u{202e}evaD"))), Malformed),
        ("ticket's name with a zero-width space", of_contact(other(1, text("Car\u{200b}ol"))), Malformed),
        ("ticket's name of tags", of_contact(other(1, text("\u{e0043}\u{e0061}"))), Malformed),
        ("ticket's expires as text", of_contact(other(2, text("never"))), Malformed),
        (
            "ticket's expires after the year 9999",
            of_contact(other(2, (UnixSeconds::MAX.as_secs() + 1).into())),
            Malformed,
        ),
        ("expires after the year 9999", with(5, (UnixSeconds::MAX.as_secs() + 1).into()), Malformed),
        ("expires in milliseconds", with(5, (LATER.as_secs() * 1000).into()), Malformed),
        ("ticket's expires null", of_contact(other(2, Cbor::Null)), Malformed),
        ("ticket of four", of_contact(longer_ticket), Malformed),
        ("ticket of one", of_contact(Cbor::Array(vec![bytes(16)])), Malformed),
        ("relay in the place of the ticket", of_contact(text(RELAY)), Malformed),
        ("something after the ticket", after_ticket, Malformed),
        ("line_link of 15 bytes", with(2, bytes(15)), Malformed),
        ("line_link of 17 bytes", with(2, bytes(17)), Malformed),
        ("line_link as text", with(2, text("0123456789abcdef")), Malformed),
        ("line_link null", with(2, Cbor::Null), Malformed),
        ("public_key of 31 bytes", with(3, bytes(31)), Malformed),
        ("public_key of 33 bytes", with(3, bytes(33)), Malformed),
        ("rad of 15 bytes", with(4, bytes(15)), Malformed),
        ("rad of 17 bytes", with(4, bytes(17)), Malformed),
        ("expires below zero", with(5, (-1).into()), Malformed),
        ("expires as a float", with(5, Cbor::Float(1.0)), Malformed),
        ("expires as text", with(5, text("never")), Malformed),
        ("relay empty", with(6, text("")), BadRelayAddr),
        ("relay of 65 bytes", with(6, text(&"r".repeat(65))), BadRelayAddr),
        ("relay with a space", with(6, text("relay example")), BadRelayAddr),
        ("relay with a quote", with(6, text("relay\"example")), BadRelayAddr),
        ("relay with a line feed", with(6, text("relay\n")), BadRelayAddr),
        ("relay not in ASCII", with(6, text("relé.example")), BadRelayAddr),
        ("relay as bytes", with(6, Cbor::Bytes(b"relay.example".to_vec())), Malformed),
        ("relay null", with(6, Cbor::Null), Malformed),
        ("expires null, and no relay", longer(&[Cbor::Null]), Malformed),
        ("expires null, relay null", longer(&[Cbor::Null, Cbor::Null]), Malformed),
        ("relay in the place of expires", longer(&[text(RELAY)]), Malformed),
        ("an eighth field", cbor(&Cbor::Array([full(), vec![0.into()]].concat())), Malformed),
        ("four fields", cbor(&Cbor::Array(array(&plain)[..4].to_vec())), Malformed),
        ("version in two bytes", spliced(1, 1, &[0x18, 0x01]), Malformed),
        ("kind in two bytes", spliced(2, 1, &[0x18, 0x01]), Malformed),
        ("length of line_link in two bytes", spliced(3, 1, &[0x58, 0x10]), Malformed),
        ("length of public_key in three bytes", spliced(20, 2, &[0x59, 0x00, 0x20]), Malformed),
        ("array of indefinite length", [spliced(0, 1, &[0x9f]), vec![0xff]].concat(), Malformed),
        ("tagged", spliced(0, 0, &[0xc1]), Malformed),
        ("a surplus byte", [&plain[..], &[0x00]].concat(), Malformed),
        ("cut by a byte", plain[..plain.len() - 1].to_vec(), Malformed),
    ] {
        bad.push((name.into(), bytes, error));
    }
    bad
}

/// Texts that are no Port, and why.
fn bad_texts() -> Vec<(&'static str, String, PortError)> {
    use PortError::*;
    let text = port(PortOptions::new()).qr_text().to_string();
    let base32 = text.strip_prefix("PORT:").unwrap();
    let mut last = base32.to_owned();
    // The lowest bit of the last character stands for nothing: 73 bytes are 116.8 characters.
    let canonical = last.pop().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let other = alphabet.chars().nth(alphabet.find(canonical).unwrap() | 1).unwrap();
    assert_ne!(canonical, other);
    // §1.3: of another version, whatever follows.
    let base32_of = |bytes: &[u8]| data_encoding::BASE32_NOPAD.encode(bytes);
    let of_bytes = |bytes: &[u8]| format!("PORT:{}", base32_of(bytes));
    let swapped = format!("{}{}{}", &text[..60], text[60..62].chars().rev().collect::<String>(), &text[62..]);
    assert_ne!(swapped, text);
    let mut of_another_kind = array(port(PortOptions::new()).to_bytes().as_slice());
    of_another_kind[1] = 4.into();
    let long = [&[0x85, 2], &[7; 498][..]].concat();
    let widest = [&[0x9b][..], &5_u64.to_be_bytes(), &[0x1b], &2_u64.to_be_bytes()].concat();
    vec![
        ("nothing", String::new(), Malformed),
        ("no prefix", base32.into(), Malformed),
        ("prefix alone", "PORT:".into(), Damaged),
        ("prefix in lower case", text.replace("PORT:", "port:"), Malformed),
        ("Base32 in lower case", format!("PORT:{}", base32.to_lowercase()), Malformed),
        ("padded", format!("{text}======"), Malformed),
        ("another last character for the same bytes", format!("PORT:{last}{other}"), Malformed),
        ("cut by a character", text[..text.len() - 1].into(), Damaged),
        ("a character more", format!("{text}A"), Malformed),
        ("another last character", format!("PORT:{last}{}", if canonical == 'A' { 'C' } else { 'A' }), Damaged),
        ("two neighbours in the other order", swapped, Damaged),
        ("without a check", of_bytes(port(PortOptions::new()).to_bytes().as_slice()), Damaged),
        ("a check alone", of_bytes(&[0xff, 0xff]), Damaged),
        ("one byte", of_bytes(&[0x85]), Damaged),
        ("a right check of what is no Port", qr(&[0x85, 1, 1]), Malformed),
        ("a right check, of an unknown kind", qr(&cbor(&of_another_kind.into())), UnsupportedKind),
        ("a character that is not in Base32", text.replacen("QUAQ", "QUA1", 1), Malformed),
        ("white space inside", format!("PORT: {base32}"), Malformed),
        ("zero-width space inside", format!("PORT:\u{200b}{base32}"), Malformed),
        ("a control character before", format!("\u{1f}{text}"), Malformed),
        ("a soft hyphen after", format!("{text}\u{ad}"), Malformed),
        ("http", format!("http://port.example/#{base32}"), Malformed),
        ("HTTPS in upper case", format!("HTTPS://port.example/#{base32}"), Malformed),
        ("no host", format!("https://#{base32}"), Malformed),
        ("host begins with a slash", format!("https:///#{base32}"), Malformed),
        ("a space in the base", format!("https://port.example/a b#{base32}"), Malformed),
        ("two fragments", format!("https://port.example/#a#{base32}"), Malformed),
        ("prefix in the fragment", format!("https://port.example/#{text}"), Malformed),
        ("query in the place of the fragment", format!("https://port.example/?{base32}"), Malformed),
        ("a base without a fragment", "https://port.example/".into(), Malformed),
        ("longer than any Port", format!("PORT:{}", "A".repeat(400)), Damaged),
        ("longer than any Port, with a right check", qr(&[0x85; 208]), Malformed),
        ("no whole byte", "PORT:Q".into(), Damaged),
        ("no version", "PORT:QU".into(), Damaged),
        ("version 2", of_bytes(&[0x85, 2]), UnsupportedVersion),
        ("version 2, as a link", format!("{BASE}#{}", base32_of(&[0x85, 2])), UnsupportedVersion),
        ("version 2 behind an empty array", of_bytes(&[0x80, 2]), UnsupportedVersion),
        ("version 2, longer than any Port", of_bytes(&long), UnsupportedVersion),
        ("version 2, longer than any Port, as a link", format!("{BASE}#{}", base32_of(&long)), UnsupportedVersion),
        (
            "version 2, of a length that no Base32 has",
            format!("{}A", of_bytes(&[0x85, 2, 0, 0, 0])),
            UnsupportedVersion,
        ),
        ("version 2, longer, of a length that no Base32 has", format!("{}A", of_bytes(&long)), UnsupportedVersion),
        ("an array in the place of the version", of_bytes(&[0x85; 10]), Damaged),
        ("version 2 in nine bytes, of an array whose length has nine", of_bytes(&widest), UnsupportedVersion),
        ("version 2 of an array of indefinite length", of_bytes(&[0x9f, 2, 0xff]), Damaged),
        ("version 2 without an array", of_bytes(&[2]), Damaged),
        ("version 2, with a character that is not in Base32", format!("{}1", of_bytes(&[0x85, 2])), Malformed),
        ("version 2, with such a character behind any Port's length", format!("{}1", of_bytes(&long)), Malformed),
        ("version 2, in lower case", of_bytes(&long).to_lowercase().replace("port:", "PORT:"), Malformed),
        ("version 1 of a length that no Base32 has", format!("{text}BBBB"), Damaged),
        ("zeros behind, which leave the check right", format!("{text}AAAA"), Malformed),
        ("version 1, longer than any Port", format!("{text}{}", "B".repeat(400)), Damaged),
    ]
}

#[test]
pub fn ports() {
    let expires = |secs: u64| PortOptions::new().expires(at(secs));
    let longest = "a".repeat(64);
    let every = "-._~:/?#[]@!$&'()*+,;=%azAZ09";
    let accepted = [
        ("plain", PortOptions::new()),
        ("with expiry", PortOptions::new().expires(LATER)),
        ("with relay", PortOptions::new().relay(relay(RELAY))),
        ("with both", PortOptions::new().expires(LATER).relay(relay(RELAY))),
        ("longest", expires(UnixSeconds::MAX.as_secs()).relay(relay(&longest))),
        ("relay of one byte", PortOptions::new().relay(relay("r"))),
        ("relay of every sign", PortOptions::new().relay(relay(every))),
        ("expires 0", expires(0)),
        ("expires 23", expires(23)),
        ("expires 24", expires(24)),
        ("expires 255", expires(255)),
        ("expires 256", expires(256)),
        ("expires 65535", expires(65_535)),
        ("expires 65536", expires(65_536)),
        ("expires 4294967295", expires(0xffff_ffff)),
        ("expires 4294967296", expires(0x1_0000_0000)),
        ("Superport", PortOptions::new().policy(Policy::up_to(3).closes_at(Some(LATER)))),
        ("Superport with both", PortOptions::new().policy(Policy::unlimited()).expires(LATER).relay(relay(RELAY))),
    ];
    let full = || contact().expires(UnixSeconds::MAX).relay(relay(&longest));
    let of_contact = [
        ("contact port", contact(), ticket(0x33, "", None)),
        ("contact port with a name", contact(), ticket(0x33, "Carol é", None)),
        ("contact port with a name that needs its invisible characters", contact(), ticket(0x33, "👩‍👧می‌خوا❤️", None)),
        ("contact port with an expiring ticket", contact().expires(LATER), ticket(0x44, "Carol", Some(NOW.as_secs()))),
        ("contact port with a relay", contact().relay(relay(RELAY)), ticket(0x44, "Carol", Some(0))),
        ("longest contact port", full(), ticket(0x55, &"n".repeat(32), Some(UnixSeconds::MAX.as_secs()))),
    ];
    let of_contact = of_contact.map(|(name, options, ticket)| {
        let port = Port::from_bytes(&with_ticket(&port(options), &ticket)).unwrap();
        (name, good_port(&port, Some(&ticket)))
    });
    let plain = port(PortOptions::new());
    let (text, link) = (plain.qr_text().to_string(), plain.link(BASE).unwrap().to_string());
    let fragment = text.strip_prefix("PORT:").unwrap();
    let forgiven = [
        ("QR text", text.clone()),
        ("link", link.clone()),
        ("white space around", format!(" \t\r\n{text}\n\u{a0}\u{3000}\u{2028}\u{85}")),
        ("zero-width characters around", format!("\u{feff}\u{200b}\u{200c}\u{200d}{link}\u{200e}\u{200f}\u{2060}")),
        ("both, mixed", format!("\u{200b} \u{feff}{text} \u{200b}")),
        ("link on a bare host", format!("https://port.example#{fragment}")),
        ("link with a query", format!("https://port.example/a?b=c#{fragment}")),
        ("link to an address", format!("https://[2001:db8::1]:8443/#{fragment}")),
        ("link to an IPv4 address", format!("https://192.0.2.1/#{fragment}")),
        ("link to an onion service", format!("http://expyuzz4wqqyqhjn.onion/p#{fragment}")),
        ("link with a user's name", format!("https://user@port.example./#{fragment}")),
    ];
    let long_label = format!("https://{}/", "a".repeat(64));
    let bases = [
        ("http", "http://port.example/"),
        ("no host", "https://"),
        ("a fragment of its own", "https://port.example/#"),
        ("a space", "https://port.example/ "),
        ("not in ASCII", "https://pört.example/"),
        ("host begins with a dot", "https://.example/"),
        ("http, and a host that has onion elsewhere", "http://a.onion.example/"),
        ("onion alone", "http://onion/"),
        ("no host before the port", "https://:443/"),
        ("a bracket", "https://["),
        ("no IPv6 address", "https://[::g]/"),
        ("a zone", "https://[fe80::1%25eth0]/"),
        ("port above 65535", "https://port.example:65536/"),
        ("port with a sign", "https://port.example:+1/"),
        ("an empty label", "https://port..example/"),
        ("ends in a number, and no IPv4 address", "https://1.2.3/"),
        ("ends in a hexadecimal number", "https://port.0x1f/"),
        ("percent in the host", "https://port%2eexample/"),
        ("a label of 64", &long_label),
    ];
    known(
        "ports.json",
        &json!({
            "accepted": named(accepted.map(|(name, options)| (name, good_port(&port(options), None))).into_iter().chain(of_contact)),
            "texts": named(forgiven.map(|(name, text)| {
                assert_eq!(Port::parse(&text), Ok(plain.clone()), "{name}");
                (name, json!({ "text": text, "bytes": hex(plain.to_bytes().as_slice()) }))
            })),
            "refused_bytes": named(bad_bytes().into_iter().map(|(name, bytes, error)| {
                assert_eq!(Port::from_bytes(&bytes), Err(error), "{name}");
                (name, json!({ "bytes": hex(bytes), "error": name_of(&error) }))
            })),
            "refused_texts": named(bad_texts().into_iter().map(|(name, text, error)| {
                assert_eq!(Port::parse(&text), Err(error), "{name}");
                (name, json!({ "text": text, "error": name_of(&error) }))
            })),
            "refused_bases": named(bases.map(|(name, base)| {
                assert_eq!(plain.link(base).err(), Some(PortError::BadLinkBase), "{name}");
                (name, json!({ "base": base, "error": "BadLinkBase" }))
            })),
        }),
    );
}

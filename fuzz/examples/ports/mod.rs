//! Seeds of Ports as texts, as bytes, and on tags.

use port_protocol::{Alice, Port, PortOptions, RelayAddr, Seed, UnixSeconds};
use port_protocol_fuzz::Commit;

use crate::Seeds;

pub fn ports() -> Seeds {
    let offers = [
        ("plain", PortOptions::new()),
        ("expires", PortOptions::new().expires(UnixSeconds::new(1_800_000_000).expect("a time"))),
        ("expires-last", PortOptions::new().expires(UnixSeconds::MAX)),
        ("relay", PortOptions::new().relay(RelayAddr::new("relay.example").expect("a relay"))),
        (
            "longest",
            PortOptions::new().expires(UnixSeconds::MAX).relay(RelayAddr::new(&"r".repeat(64)).expect("a relay")),
        ),
    ];
    let mut seeds = Seeds::new();
    for (name, offer) in offers {
        let alice = Alice::offer([5; 16].into(), offer, Seed::from_bytes(&[9; 64])).committed();
        let port: &Port = alice.port().expect("on offer");
        seeds.insert(format!("{name}-bytes"), port.to_bytes().as_slice().to_vec());
        seeds.insert(format!("{name}-text"), port.qr_text().as_str().into());
        let link = port.link("https://port.example/x").expect("a good base");
        seeds.insert(format!("{name}-link"), link.to_string().into());
        seeds.insert(format!("{name}-surrounded"), format!("\u{feff} \u{200b}{}\r\n\u{3000}", port.qr_text()).into());
    }
    seeds
}

/// What other software makes of a link, and NDEF messages.
pub fn texts() -> Seeds {
    let alice = Alice::offer([5; 16].into(), PortOptions::new(), Seed::from_bytes(&[9; 64])).committed();
    let port: &Port = alice.port().expect("on offer");
    let link = port.link("https://example.org/p").expect("a good base");
    let (whole, mut out) = (link.to_string(), [0; 512]);
    let (first, second) = whole.split_at(76);
    let encoded = whole.replace(':', "%3A").replace('/', "%2F").replace('#', "%23");
    let dashed = whole.replace(':', "-3A").replace('/', "_").replace('#', "-23");
    let base64 = data_encoding::BASE64.encode(whole.as_bytes());
    let texts = [
        ("lower", whole.to_lowercase()),
        ("wrapped", format!("> {first}=\r\n> > {second}.")),
        ("marked", format!("\u{2068}{first}\u{200b}<wbr>{second}\u{2069}")),
        ("safe-links", format!("https://a.safelinks.protection.outlook.com/?url={encoded}&data=05")),
        ("twice", format!("https://a.example/?u={}", encoded.replace('%', "%25"))),
        ("dashed", format!("https://urldefense.proofpoint.com/v2/url?u={dashed}&d=x")),
        ("starred", format!("https://urldefense.com/v3/__{}__;Iw!!x$", whole.replace('#', "*"))),
        ("base64", format!("https://eu.protection.sophos.com?d=x&u={base64}&i=y")),
        ("entity", format!("<a href=\"{}\">x</a> t.co/x", whole.replace('#', "&#x23;"))),
        ("json", format!("{{\"x\":\"{}\\n\"}}", whole.replace('/', "\\/").replace('#', "\\u0023"))),
    ];
    let mut seeds: Seeds = texts.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
    let record = link.ndef_into(&mut out).expect("room").to_vec();
    let poster = [&[0xd1, 2, u8::try_from(record.len()).expect("short")][..], b"Sp", &record].concat();
    seeds.insert("poster".to_owned(), poster);
    seeds.insert("record".to_owned(), record);
    seeds
}

//! §17.3: links.

use super::{HOSTILE, contact_port, name, port, reader, superport, with};
use crate::common::{Commit as _, at};
use port_protocol::app::{Bundle, BundleError, Name, ScanError, Scanned};
use port_protocol::{Port, PortError, PortOptions, Seed};
use qrcode::bits::Bits;
use qrcode::optimize::Segment;
use qrcode::types::Mode;
use qrcode::{EcLevel, QrCode, Version};
use serde_json::{Value, json};

fn read(text: &str) -> Result<Bundle, ScanError> {
    Scanned::parse(text).map(|scanned| match scanned {
        Scanned::Bundle(bundle) => bundle,
        other => panic!("{other:?}"),
    })
}

fn json(bundle: &Bundle) -> Value {
    serde_json::from_str(bundle.to_json().as_str()).unwrap()
}

#[test]
fn r17_3_what_is_written_is_read() {
    for bundle in [port(), superport(), contact_port(), port().expiring(at(1_790_000_000))] {
        assert_eq!(read(bundle.link().as_str()), Ok(bundle.clone()));
        assert_eq!(reader::read(bundle.link().as_str()), Some(json(&bundle)));
        assert_eq!(bundle.link_for_app().text, bundle.link());
    }
}

#[test]
fn r17_3_the_link_is_a_form_in_the_order_of_the_bundle() {
    let link = contact_port().named(name("Zoë & Co")).link();
    let keys: Vec<_> = link.as_str().split(['?', '&']).skip(1).map(|pair| pair.split_once('=').unwrap().0).collect();
    assert_eq!(keys, ["portId", "version", "org", "target", "name", "rad", "keyHash", "pubkey", "ticket"]);
    assert!(link.as_str().starts_with("https://porting.me/?portId=0303"));
    assert!(link.as_str().contains("&target=4&name=Zo%C3%AB+%26+Co&rad=0404"));
}

/// §17.3: our reader must give each name back as it was written.
#[test]
fn r17_3_every_name_comes_back_by_our_own_reader() {
    for hostile in HOSTILE {
        let bundle = port().named(name(hostile));
        assert_eq!(read(bundle.link().as_str()), Ok(bundle), "{hostile:?}");
    }
}

/// §17.3: we must show a link that every reader reads alike, and change a name only where that needs it.
#[test]
fn r17_3_the_app_can_read_what_it_is_offered() {
    for hostile in HOSTILE {
        let bundle = port().named(name(hostile));
        let shown = bundle.link_for_app();
        let meant = shown.renamed.clone().map_or(bundle.clone(), |name| bundle.clone().named(name));
        assert_eq!(reader::read(shown.text.as_str()), Some(json(&meant)), "{hostile:?}");
        assert_eq!(read(shown.text.as_str()), Ok(meant), "{hostile:?}");
        // A name that every reader gives back is not changed.
        let own_is_read = reader::read(bundle.link().as_str()) == Some(json(&bundle));
        assert_eq!(shown.renamed.is_none(), own_is_read, "{hostile:?}");
        let wide = hostile.replace('&', "＆").replace('=', "＝").replace('?', "？").replace('+', "＋");
        assert_eq!(shown.renamed.map_or(hostile.into(), |name| name.as_str().to_owned()), wide);
    }
}

/// §17.3: two readers read a name with `&`, `=`, `?` or `+` in different ways. So a writer must not show the plain link of such a name,
/// and `link_for_app` changes all four.
#[test]
fn r17_3_the_app_trips_over_these_links_as_its_fact_sheet_says() {
    let reads = |text: &str| reader::read(port().named(name(text)).link().as_str());
    assert_eq!(reads("a&b"), None);
    assert_eq!(reads("a?b").unwrap().get("pubkey"), None);
    assert_eq!(reads("a=b").unwrap()["name"], "a");
    assert_eq!(reads("a+b").unwrap()["name"], "a b");
}

#[test]
fn r17_3_what_surrounds_a_link_is_forgiven() {
    let bundle = port().named(name("A"));
    let link = bundle.link();
    let link = link.as_str();
    for text in
        [format!("\"{link}\""), format!(" {link}\n"), format!("\u{200b}\"{link}\" "), format!("\"\u{feff}{link}")]
    {
        assert_eq!(read(&text), Ok(bundle.clone()), "{text}");
    }
    assert_eq!(read(&format!("\t{} ", bundle.to_json())), Ok(bundle.clone()), "JSON is read too");
}

#[test]
fn r17_3_scanned_json_is_validated() {
    let bad = with(port().to_json().as_str(), "keyHash", Some("00".repeat(32).into()));
    assert_eq!(Scanned::parse(&bad), Err(BundleError::WrongKeyHash.into()));
    assert_eq!(Scanned::parse("{}"), Err(BundleError::Malformed.into()));
}

#[test]
fn r17_3_only_this_base_is_one() {
    let link = port().link();
    let query = link.as_str().strip_prefix("https://porting.me/?").unwrap();
    for base in [
        "",
        "?",
        "http://porting.me/?",
        "https://porting.me?",
        "https://porting.me/#",
        "https://porting.me/x?",
        "https://porting.me:443/?",
        "https://www.porting.me/?",
        "https://porting.me.evil.example/?",
        "https://evil.example/?https://porting.me/?",
        "HTTPS://PORTING.ME/?",
    ] {
        assert_eq!(Scanned::parse(&format!("{base}{query}")), Err(PortError::Malformed.into()), "{base}");
    }
}

#[test]
fn r17_3_a_query_is_read_as_strictly_as_json() {
    let bundle = contact_port().named(name("A b"));
    let link = bundle.link();
    let link = link.as_str();
    let (base, query) = link.split_once('?').unwrap();
    let pairs: Vec<_> = query.split('&').collect();
    let join = |pairs: &[&str]| format!("{base}?{}", pairs.join("&"));

    let turned: Vec<_> = pairs.iter().rev().copied().collect();
    assert_eq!(read(&join(&turned)), Ok(bundle.clone()));
    assert_eq!(read(&format!("{link}&utm=1&utm=2&x&=&&y=%25")), Ok(bundle.clone()));
    assert_eq!(read(&link.replace("name=A+b", "n%61me=%41%20b")), Ok(bundle));
    for at in 0..pairs.len() {
        let mut without = pairs.clone();
        let pair = without.remove(at);
        let key = pair.split_once('=').unwrap().0;
        if key != "name" {
            assert_eq!(Scanned::parse(&join(&without)), Err(BundleError::Malformed.into()), "{key} missing");
            assert!(Scanned::parse(&join(&[&without[..], &[key]].concat())).is_err(), "{key} empty");
        }
        assert_eq!(
            Scanned::parse(&join(&[&pairs[..], &[pair]].concat())),
            Err(BundleError::Malformed.into()),
            "{key} twice"
        );
    }
    for bad in ["%", "%4", "%zz", "%+4", "%ff", "%C3", "%ED%A0%80"] {
        assert_eq!(Scanned::parse(&link.replace("A+b", bad)), Err(BundleError::Malformed.into()), "{bad}");
        assert_eq!(Scanned::parse(&format!("{link}&{bad}=1")), Err(BundleError::Malformed.into()), "{bad}");
    }
    for target in ["", "04", "+4", "%2B4", "4.0", " 4", "4x", "0x4", "-4", "%00"] {
        let text = link.replace("target=4", &format!("target={target}"));
        assert_eq!(Scanned::parse(&text), Err(BundleError::Malformed.into()), "{target}");
    }
    assert_eq!(Scanned::parse(&link.replace("target=4", "target=1")), Err(BundleError::Group.into()));
    for target in ["5", "44", "18446744073709551620"] {
        let text = link.replace("target=4", &format!("target={target}"));
        assert_eq!(Scanned::parse(&text), Err(BundleError::UnsupportedTarget.into()), "{target}");
    }
    // A reader must look at the version first, whatever the rest is: the user is told to update.
    let later = link.replace("=1.0.0", "=2.0.0");
    for later in [later.replace("target=4", "target=a"), format!("{later}&name=A"), later.replace("&rad=", "&x=")] {
        assert_eq!(Scanned::parse(&later), Err(BundleError::UnsupportedVersion.into()), "{later}");
    }
    assert_eq!(Scanned::parse(&link.replace("=1.0.0", "=1.0.1")), Err(BundleError::UnsupportedVersion.into()));
    assert_eq!(Scanned::parse(&link.replace("A+b", &"x".repeat(31))), Err(BundleError::NameTooLong.into()));
    for fragment in [format!("{link}#x"), format!("{link}&x=1#x"), link.replace("A+b", "A#b")] {
        assert_eq!(Scanned::parse(&fragment), Err(BundleError::Malformed.into()), "{fragment}");
    }
    assert_eq!(Scanned::parse(&link.replace("target=4", "target=0")), Err(BundleError::Malformed.into()), "a ticket");
}

#[test]
fn r17_3_a_short_link_gives_its_id() {
    let id = |text: &str| match Scanned::parse(text) {
        Ok(Scanned::BundleId(id)) => Some(id.as_str().to_owned()),
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            assert_eq!(error, BundleError::Malformed.into());
            None
        }
    };
    assert_eq!(id("https://porting.me/?bundleId=abc-1").as_deref(), Some("abc-1"));
    assert_eq!(id("\"https://porting.me/?x=1&bundleId=a%2Fb+c%26\"").as_deref(), Some("a/b c&"));
    assert_eq!(id("https://porting.me/?bundleId="), None);
    assert_eq!(id("https://porting.me/?"), None);
    assert_eq!(id("https://porting.me/?bundleId=a&bundleId=b"), None);
    assert_eq!(id("https://porting.me/?bundleId=a#b"), None);
    assert_eq!(id("https://porting.me/?bundleId=a%23b").as_deref(), Some("a#b"));
    for member in ["portId=1", "version=1.0.0", "pubkey=1", "rad=1"] {
        assert_eq!(id(&format!("https://porting.me/?bundleId=a&{member}")), None, "{member}: which of the two?");
    }
    assert_eq!(id(&format!("{}&bundleId=a", port().link())), None, "which of the two?");
    let scanned = |id| Scanned::parse(&format!("https://porting.me/?bundleId={id}"));
    assert!(scanned("abc") == scanned("abc") && scanned("abc") != scanned("abx") && scanned("abc") != scanned("ab"));
    assert!(!format!("{:?}", Scanned::parse("https://porting.me/?bundleId=abc")).contains("abc"));
}

#[test]
fn r17_3_json_and_link_say_the_same() {
    let bundle = superport().named(name("a&b"));
    let Value::Object(object) = json(&bundle) else { unreachable!() };
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(object.iter().map(|(key, value)| (key, value.as_str().map_or(value.to_string(), str::to_owned))))
        .finish();
    assert_eq!(json!(object.len()), json!(8));
    assert_eq!(read(&format!("https://porting.me/?{form}")), Ok(bundle));
}

/// The smallest QR code of level M that holds these segments.
fn qr_version(text: &str, segments: impl Fn(Version) -> Vec<Segment>) -> i16 {
    let fits = |version: &i16| {
        let version = Version::Normal(*version);
        let mut bits = Bits::new(version);
        let pushed = bits.push_segments(text.as_bytes(), segments(version).into_iter());
        pushed.and_then(|()| bits.push_terminator(EcLevel::M)).is_ok()
    };
    let version = (1..=40).find(fits).unwrap();
    assert!((version..=40).all(|version| fits(&version)));
    version
}

/// As one segment in byte mode, and in as few bits as any segmentation takes.
fn qr_versions(text: &str) -> [i16; 2] {
    let one = Segment { mode: Mode::Byte, begin: 0, end: text.len() };
    let in_bytes = qr_version(text, |_| vec![one]);
    let mut bits = Bits::new(Version::Normal(in_bytes));
    bits.push_byte_data(text.as_bytes()).unwrap();
    bits.push_terminator(EcLevel::M).unwrap();
    assert_eq!(QrCode::with_bits(bits, EcLevel::M).unwrap().version(), Version::Normal(in_bytes));
    [in_bytes, qr_version(text, |version| fewest_bits(text.as_bytes(), version))]
}

/// The segmentation that takes the fewest bits, by comparing all of them.
fn fewest_bits(text: &[u8], version: Version) -> Vec<Segment> {
    // For each place: how many bits the text up to there takes, and its last segment.
    let mut best: Vec<(usize, Option<Segment>)> = vec![(0, None)];
    for end in 1..=text.len() {
        let (mut modes, mut shortest) = (vec![Mode::Numeric, Mode::Alphanumeric, Mode::Byte], (usize::MAX, None));
        for begin in (0..end).rev() {
            let is_alphanumeric = |c: u8| b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:".contains(&c);
            modes.retain(|mode| match mode {
                Mode::Numeric => text[begin].is_ascii_digit(),
                Mode::Alphanumeric => is_alphanumeric(text[begin]),
                Mode::Byte | Mode::Kanji => true,
            });
            for &mode in &modes {
                let segment = Segment { mode, begin, end };
                let bits = best[begin].0 + segment.encoded_len(version);
                shortest = if bits < shortest.0 { (bits, Some(segment)) } else { shortest };
            }
        }
        best.push(shortest);
    }
    let last = best[text.len()].1;
    let mut segments: Vec<_> = std::iter::successors(last, |segment| best[segment.begin].1).collect();
    segments.reverse();
    segments
}

/// The text is the link (§17.3), with a key and ids as random as they are. docs/app-profile.md gives the sizes of one segment in byte mode,
/// which any encoder reaches. A native Port takes version 5 at this level (§2.5).
#[test]
fn r17_3_a_link_in_a_qr_code() {
    for vector in super::vectors() {
        let text = read(&vector.link).unwrap().link_for_app().text;
        let [in_bytes, _] = qr_versions(text.as_str());
        assert!((12..=14).contains(&in_bytes), "{in_bytes}");
        assert_eq!(in_bytes == 12, text.as_str().len() < 288, "{}", text.as_str().len());
    }
    let vectors = super::vectors();
    let with = |vector: &super::Vector, name: Option<Name>| {
        let json = read(&vector.link).unwrap().to_json();
        let unnamed = Bundle::from_json(&super::with(json.as_str(), "name", None)).unwrap();
        name.map_or(unnamed.clone(), |name| unnamed.named(name))
    };
    let shortest = with(&vectors[0], None).link();
    assert_eq!((shortest.as_str().len(), qr_versions(shortest.as_str())), (284, [12, 12]));
    let longest_name = || Some(name(&"字".repeat(30)));
    let longest = with(&vectors[0], longest_name()).link();
    assert_eq!((longest.as_str().len(), qr_versions(longest.as_str())), (560, [18, 17]));
    // With all that there may be: a ticket, and an expiry.
    let shared = vectors.iter().find(|vector| vector.kind == "contact_port").unwrap();
    let longest = with(shared, longest_name()).expiring(at(1_790_000_000)).link();
    assert_eq!((longest.as_str().len(), qr_versions(longest.as_str())), (641, [20, 18]));
}

#[test]
fn r17_11_the_text_says_which_dialect() {
    let alice = port_protocol::Alice::offer([3; 16].into(), PortOptions::new(), Seed::from_bytes(&[7; 64])).committed();
    let native: &Port = alice.port().unwrap();
    let link = native.link("https://porting.me/p").unwrap().to_string();
    for text in [native.qr_text().to_string(), link, format!(" {}\u{200b}", native.qr_text())] {
        assert_eq!(Scanned::parse(&text), Ok(Scanned::Port(native.clone())));
    }
    assert_eq!(Scanned::parse(port().link().as_str()), Ok(Scanned::Bundle(port())));

    // Each by its own rules: no text is good in both.
    let text = native.qr_text().to_string();
    for bad in [format!("\"{text}\""), format!("{text}A"), "hello".into(), String::new()] {
        assert_eq!(Scanned::parse(&bad), Err(PortError::Malformed.into()), "{bad}");
    }
    for bad in [&text[..text.len() - 1], "PORT:"] {
        assert_eq!(Scanned::parse(bad), Err(PortError::Damaged.into()), "{bad}");
    }
    let of_app = native.link("https://porting.me/?").unwrap().to_string();
    assert!(Port::parse(&of_app).is_ok());
    assert_eq!(Scanned::parse(&of_app), Err(BundleError::Malformed.into()));
    let other = PortError::UnsupportedVersion;
    assert_eq!(Scanned::parse("PORT:QABAC").err(), Port::parse("PORT:QABAC").err().map(ScanError::from));
    assert_eq!(ScanError::from(other).to_string(), other.to_string());
}

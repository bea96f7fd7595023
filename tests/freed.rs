//! §8.7: the app's formats are read and written on the heap; of what is given back to it, nothing stays there. Alone in its binary and
//! without libtest: it looks at the heap of the whole process, as the operating system sees it.

#[cfg(target_os = "linux")]
mod app {
    use std::fs::File;
    use std::hint::black_box;
    use std::io::Read;
    use std::os::unix::fs::FileExt;
    use std::sync::Mutex;

    use port_protocol::app::*;
    use port_protocol::{PortKind, PublicKey, Secret};
    use x25519_dalek::{PublicKey as Public, StaticSecret};

    const RAD: &str = "4a4b4c4d5a5b5c5d6a6b6c6d7a7b7c7d";
    const TICKET: &str = "8a8b8c8d9a9b9c9daaabacadbabbbcbd";
    const TEXT: &str = "what nobody else is to know of";
    const ID: &str = "an id + that/leads to a bundle";

    /// A growing buffer leaves parts behind, too; and of a block that is free the allocator takes the first sixteen bytes.
    const PART: usize = 12;

    /// How often a part of a secret stands on the heap. Nothing is put there in order to look.
    fn found() -> usize {
        // Not on the heap.
        static MEMORY: Mutex<[u8; 1 << 24]> = Mutex::new([0; 1 << 24]);

        let mut maps = [0; 1 << 16];
        let mut length = 0;
        let mut file = File::open("/proc/self/maps").unwrap();
        while let Ok(more @ 1..) = file.read(&mut maps[length..]) {
            length += more;
        }
        let maps = str::from_utf8(&maps[..length]).unwrap();
        let heap = maps.lines().find(|line| line.ends_with("[heap]")).expect("a heap by brk, as glibc has it");
        let (from, to) = heap.split_once(' ').and_then(|(addresses, _)| addresses.split_once('-')).unwrap();
        let [from, to] = [from, to].map(|address| usize::from_str_radix(address, 16).unwrap());
        let mut memory = MEMORY.lock().unwrap();
        let memory = &mut memory[..to - from];
        File::open("/proc/self/mem").unwrap().read_exact_at(memory, from as u64).unwrap();
        let parts = || [RAD, TICKET, TEXT, ID].into_iter().flat_map(|secret| secret.as_bytes().windows(PART));
        let starts = parts().fold([false; 256], |mut starts, part| {
            starts[usize::from(part[0])] = true;
            starts
        });
        let places = memory.windows(PART).filter(|here| starts[usize::from(here[0])]);
        places.filter(|here| parts().any(|part| part == *here)).count()
    }

    /// Takes what is free, and wipes it: what is found later was not there before.
    fn scrub() {
        let sizes = (1..=512).map(|n| n * 16);
        let blocks: Vec<_> = sizes.flat_map(|size| [size; 16]).map(|size| black_box(vec![0_u8; size])).collect();
        drop(black_box(blocks));
    }

    /// Whether this, and its result, left a part of a secret behind.
    fn leaves<T>(act: impl FnOnce() -> T) -> bool {
        scrub();
        let before = found();
        drop(black_box(act()));
        found() != before
    }

    fn wiped<T>(what: &str, act: impl FnOnce() -> T) {
        assert!(!leaves(act), "{what}");
    }

    fn bytes(hex: &str) -> [u8; 16] {
        hex::decode(hex).unwrap().try_into().unwrap()
    }

    fn name(name: &str) -> Name {
        Name::new(name).unwrap()
    }

    /// Each character of it as another form has it.
    fn spelled(text: &str, secret: &str, form: impl Fn(u8) -> String) -> String {
        let spelled = text.replace(secret, &secret.bytes().map(form).collect::<String>());
        assert_ne!(spelled, text);
        spelled
    }

    pub fn main() {
        assert!(leaves(|| RAD.to_owned()) && leaves(|| format!("to the end: {TEXT}")), "the control");
        let (alice, bob) = (Secret::from([1; 32]), Secret::from([2; 32]));
        let public_key = |key: &Secret<32>| {
            PublicKey::from_bytes(Public::from(&StaticSecret::from(*key.expose())).to_bytes()).unwrap()
        };
        let grant = Grant::new([3; 16].into(), public_key(&alice), bytes(RAD).into()).named(name("\"A\""));
        let bundle = grant.share(bytes(TICKET).into(), Some(name("a&b \"c\" +")));
        bundles(&bundle);
        links(&bundle);
        responses(&bundle);
        let line = intros(&alice, &bob, &bundle);
        messages(&line, grant);
        requests(&line, &bundle, &bob);

        let yap = yap::seal(&alice, public_key(&bob), &bob, [1; 12], TEXT.as_bytes()).unwrap();
        wiped("YAP, sealed", || yap::seal(&alice, public_key(&bob), &bob, [1; 12], TEXT.as_bytes()));
        wiped("YAP, opened", || yap::open(&bob, public_key(&alice), &yap).unwrap());
    }

    fn bundles(bundle: &Bundle) {
        let json = bundle.to_json();
        wiped("bundle, written", || bundle.to_json());
        wiped("bundle, read", || Bundle::from_json(json.as_str()).unwrap());
        let escaped = spelled(json.as_str(), RAD, |byte| format!("\\u{byte:04x}"));
        wiped("bundle, escaped", || Bundle::from_json(&escaped).unwrap());
    }

    fn links(bundle: &Bundle) {
        let link = bundle.link();
        wiped("link, written", || bundle.link());
        wiped("link for the app, written", || bundle.link_for_app());
        wiped("link, read", || Scanned::parse(link.as_str()).unwrap());
        let percent = spelled(link.as_str(), RAD, |byte| format!("%{byte:02x}"));
        wiped("link, percent-encoded", || Scanned::parse(&percent).unwrap());
        let short = format!("https://porting.me/?bundleId={}", ID.replace('+', "%2B").replace(' ', "+"));
        wiped("short link", || Scanned::parse(&short).unwrap());
        let bad = format!("{short}%ff");
        wiped("short link, not UTF-8", || Scanned::parse(&bad).unwrap_err());
    }

    fn responses(bundle: &Bundle) {
        let json = bundle.to_json();
        for inner in [json.as_str().to_owned(), serde_json::to_string(json.as_str()).unwrap()] {
            let body = format!("{{\"bundle\":{inner}}}");
            wiped("response", || response::bundle(&body).unwrap());
        }
    }

    fn intros(alice: &Secret<32>, bob: &Secret<32>, bundle: &Bundle) -> UnauthenticatedKey {
        let (intro, line) = Intro::make(bob, [7; 16], bundle, &name("Bob"));
        let json = intro.to_json();
        wiped("intro message, made", || Intro::make(bob, [7; 16], bundle, &name("Bob")));
        let check = |kind| Intro::from_json(json.as_str()).check(alice, kind, bundle.rad());
        wiped("intro message, accepted", || check(PortKind::ContactPort).unwrap());
        wiped("intro message, refused", || check(PortKind::Port).unwrap_err());
        line
    }

    fn messages(line: &UnauthenticatedKey, grant: Grant) {
        let sealed = line.seal([9; 16], TEXT).unwrap();
        wiped("message, sealed", || line.seal([9; 16], TEXT).unwrap());
        wiped("message, opened", || line.open(&sealed).unwrap());
        let json: serde_json::Value = serde_json::from_str(sealed.to_json().as_str()).unwrap();
        let mut changed =
            data_encoding::BASE64URL.decode(json["encryptedContent"].as_str().unwrap().as_bytes()).unwrap();
        changed[0] ^= 0x80;
        let json = serde_json::json!({ "encryptedContent": data_encoding::BASE64URL.encode(&changed) }).to_string();
        let changed = EncryptedContent::from_json(&json).unwrap();
        wiped("message, not UTF-8", || line.open(&changed).unwrap_err());

        let data = format!("{{\"text\":\"{TEXT}{}\"}}", "x".repeat(3_000));
        let contents = [
            Content::Other { content_type: 1, data: &data },
            Content::ContactPortBundle(grant),
            Content::ContactPortTicket { contact_port: [3; 16].into(), ticket: bytes(TICKET).into() },
        ];
        for content in contents {
            let message = Message { id: [1; 16].into(), content, tail: Some(Tail::default()) };
            let json = message.to_json().unwrap();
            wiped("message, written", || message.to_json().unwrap());
            wiped("message, read", || drop(Message::from_json(json.as_str()).unwrap()));
        }
    }

    fn requests(line: &UnauthenticatedKey, bundle: &Bundle, bob: &Secret<32>) {
        let (intro, _) = Intro::make(bob, [7; 16], bundle, &name("Bob"));
        wiped("request, connect", || Request::connect(bundle, &intro).body());
        let (ticket, message) = (bytes(TICKET).into(), line.seal([9; 16], TEXT).unwrap());
        let (contact_port, line_id) = ([3; 16].into(), [2; 16].into());
        let request = Request::ShareTicket { contact_port, ticket: &ticket, line_id, message: &message };
        wiped("request, ticket", || request.body());
    }
}

fn main() {
    #[cfg(target_os = "linux")]
    app::main();
}

//! §18.5: one form for each path, and none for a path that servers read differently.

use port_protocol::portal::{Target, TargetError};
use proptest::prelude::*;

use TargetError::{
    Backslash, Control, DotSegment, EmptySegment, EncodedSlash, EncodedTwice, Fragment, MalformedPercent, NotAbsolute,
    NotAscii, NotUtf8, PathParameter, TooLong, Unencoded, Whitespace,
};

/// What browsers and HTTP clients send in ordinary use, and its canonical form.
const ORDINARY: &[(&str, &str)] = &[
    ("/", "/"),
    ("/a", "/a"),
    ("/a/", "/a/"),
    ("/a/b.html", "/a/b.html"),
    ("/.well-known/acme", "/.well-known/acme"),
    ("/..a/...", "/..a/..."),
    ("/wiki/Acme_Inc.", "/wiki/Acme_Inc."),
    ("/%C3%A9", "/%C3%A9"),
    ("/%c3%a9", "/%C3%A9"),
    ("/a%20b", "/a%20b"),
    ("/100%25.txt", "/100%25.txt"),
    ("/100%25", "/100%25"),
    ("/%7Eme", "/~me"),
    ("/%61%2D%2e%5f%7e", "/a-._~"),
    ("/~me/@you:x/$a&b=c,d*e!f'(g)+h", "/~me/@you:x/$a&b=c,d*e!f'(g)+h"),
    ("/%24a%26b%3Dc%2Cd%2Ae%21f%27%28g%29%2Bh%40%3a", "/$a&b=c,d*e!f'(g)+h@:"),
    ("/pages/[slug]|x^2", "/pages/%5Bslug%5D%7Cx%5E2"),
    ("/a%3Bb", "/a%3Bb"),
    ("/a%3bb", "/a%3Bb"),
    ("/a%3Fb%23c", "/a%3Fb%23c"),
    ("/%22%3C%3E%60%7B%7D", "/%22%3C%3E%60%7B%7D"),
    ("/x?", "/x?"),
    ("/x?y", "/x?y"),
    ("/x?y=//../%2e%2F%zz;a?b&c={[\\|^`]}", "/x?y=//../%2e%2F%zz;a?b&c={[\\|^`]}"),
];

/// What is refused, and why.
const HOSTILE: &[(&[u8], TargetError)] = &[
    (b"", NotAbsolute),
    (b"?x", NotAbsolute),
    (b"*", NotAbsolute),
    (b"a", NotAbsolute),
    (b"%2Fa", NotAbsolute),
    (b"http://a/b", NotAbsolute),
    (b"\\a", NotAbsolute),
    (b" /a", NotAbsolute),
    (b"//", EmptySegment),
    (b"//a", EmptySegment),
    (b"/a//b", EmptySegment),
    (b"/a//", EmptySegment),
    (b"/.", DotSegment),
    (b"/..", DotSegment),
    (b"/./a", DotSegment),
    (b"/a/../b", DotSegment),
    (b"/a/..", DotSegment),
    (b"/a/.?x", DotSegment),
    (b"/%2e/a", DotSegment),
    (b"/a/%2e%2E/b", DotSegment),
    (b"/a/.%2e/b", DotSegment),
    (b"/a/..%3B/b", DotSegment),
    (b"/a/%2e%3bx=1/b", DotSegment),
    (b"/a/..;/b", PathParameter),
    (b"/a;jsessionid=1", PathParameter),
    (b"/;/a", PathParameter),
    (b"/a%2Fb", EncodedSlash),
    (b"/a%2fb", EncodedSlash),
    (b"/..%2f", EncodedSlash),
    (b"/a\\b", Backslash),
    (b"/a%5Cb", Backslash),
    (b"/..%5c", Backslash),
    (b"/a\0", Control),
    (b"/a\r\nX: y", Control),
    (b"/a\tb", Control),
    (b"/a\x7f", Control),
    (b"/a%00", Control),
    (b"/a%0d%0aX", Control),
    (b"/a%09b", Control),
    (b"/a%7F", Control),
    (b"/a%C2%85b", Control),
    (b"/a b", Whitespace),
    (b"/a%20", Whitespace),
    (b"/%20a", Whitespace),
    (b"/..%20/a", Whitespace),
    (b"/a%C2%A0", Whitespace),
    (b"/%E3%80%80a", Whitespace),
    (b"/a#b", Fragment),
    (b"/a?b#c", Fragment),
    ("/café".as_bytes(), NotAscii),
    (b"/\xff", NotAscii),
    (b"/a?\xc3\xa9", NotAscii),
    (b"/%FF", NotUtf8),
    (b"/%c0%ae%c0%ae/a", NotUtf8),
    (b"/a%C0%AFb", NotUtf8),
    (b"/%ED%A0%80", NotUtf8),
    (b"/%", MalformedPercent),
    (b"/%2", MalformedPercent),
    (b"/a%2/b", MalformedPercent),
    (b"/%zz", MalformedPercent),
    (b"/%u002e", MalformedPercent),
    (b"/%2+", MalformedPercent),
    (b"/%252e%252e/a", EncodedTwice),
    (b"/a%252Fb", EncodedTwice),
    (b"/a%25%32%46b", EncodedTwice),
    (b"/a%25252Fb", EncodedTwice),
    (b"/a<b>", Unencoded),
    (b"/\"", Unencoded),
    (b"/{a}", Unencoded),
    (b"/`", Unencoded),
    (b"/a?\"", Unencoded),
    (b"/a?<", Unencoded),
    (b"/a? ", Whitespace),
    (b"/a?\n", Control),
];

#[test]
fn r18_5_ordinary_paths_pass_in_one_form() {
    for (written, canonical) in ORDINARY {
        let target = Target::parse(written).unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(target.as_str(), *canonical, "{written}");
        assert_eq!(target.to_string(), *canonical);
        let (path, query) = canonical.split_once('?').map_or((*canonical, None), |(path, query)| (path, Some(query)));
        assert_eq!((target.path(), target.query()), (path, query), "{written}");
    }
}

#[test]
fn r18_5_hostile_paths_are_refused_with_their_reason() {
    for (written, error) in HOSTILE {
        let shown = String::from_utf8_lossy(written);
        assert_eq!(Target::parse(written), Err(*error), "{shown:?}");
    }
}

#[test]
fn r18_5_each_ascii_byte_has_one_outcome_in_a_path() {
    for byte in 0..=0x7f_u8 {
        let plain = Target::parse([b'/', b'x', byte, b'x']);
        let encoded = Target::parse(format!("/x%{byte:02X}x"));
        match byte {
            // These divide a path: plain they are something else than encoded.
            b'/' => assert_eq!((plain.unwrap().as_str(), encoded), ("/x/x", Err(EncodedSlash))),
            b'?' => assert_eq!((plain.unwrap().path(), encoded.unwrap().path()), ("/x", "/x%3Fx")),
            b'%' => assert_eq!((plain, encoded.unwrap().path()), (Err(MalformedPercent), "/x%25x")),
            _ => match (plain, encoded) {
                (Ok(plain), Ok(encoded)) => assert_eq!(plain, encoded, "{byte:#x}"),
                (Ok(plain), Err(error)) => panic!("{plain}, and encoded {error}"),
                (Err(_), Ok(encoded)) => assert_eq!(encoded.as_str(), format!("/x%{byte:02X}x"), "{byte:#x}"),
                (Err(plain), Err(encoded)) => assert_eq!(plain, encoded, "{byte:#x}"),
            },
        }
    }
}

#[test]
fn r18_5_a_target_has_8_kib_at_most_before_and_after() {
    let long = |n: usize| format!("/{}", "a".repeat(n - 1));
    assert!(Target::parse(long(Target::MAX_LEN)).is_ok());
    assert_eq!(Target::parse(long(Target::MAX_LEN + 1)), Err(TooLong));
    assert!(Target::parse(format!("/?{}", "a".repeat(Target::MAX_LEN - 2))).is_ok());
    assert_eq!(Target::parse(format!("/?{}", "a".repeat(Target::MAX_LEN - 1))), Err(TooLong));
    // What is encoded gets longer, and what is decoded is measured before.
    let brackets = |first: &str| Target::parse(format!("/{first}{}", "[".repeat(2730)));
    assert_eq!(brackets("a").unwrap().as_str().len(), Target::MAX_LEN);
    assert_eq!(brackets("aa"), Err(TooLong));
    assert_eq!(Target::parse(long(Target::MAX_LEN - 2) + "%61"), Err(TooLong));
}

/// What some server somewhere makes of a path. Each is applied to the text as it came.
fn readings(path: &str) -> Vec<Vec<String>> {
    let decode = |text: &str| percent_decoded(text);
    let once = decode(path);
    let twice = decode(&once);
    let cut_parameters = |path: &str| {
        path.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect::<Vec<_>>().join("/")
    };
    let trimmed = |path: &str| path.split('/').map(str::trim).collect::<Vec<_>>().join("/");
    let texts = [
        once.clone(),
        twice,
        decode(&cut_parameters(path)),
        once.replace('\\', "/"),
        once.split('\0').next().unwrap_or_default().into(),
        once.split('#').next().filter(|_| path.contains('#')).unwrap_or(&once).into(),
        trimmed(&once),
    ];
    let mut readings: Vec<Vec<String>> = Vec::new();
    for text in texts {
        let segments = |text: &str| text.split('/').skip(1).map(String::from).collect::<Vec<_>>();
        readings.push(segments(&text));
        // Dots are resolved, empty segments dropped, but for the last.
        let mut resolved: Vec<String> = Vec::new();
        let all = segments(&text);
        for (at, segment) in all.iter().enumerate() {
            match segment.as_str() {
                "." => {}
                ".." => drop(resolved.pop()),
                "" if at + 1 < all.len() => {}
                _ => resolved.push(segment.clone()),
            }
        }
        readings.push(resolved);
    }
    readings
}

/// As a lenient server does: a `%` without two digits stays.
fn percent_decoded(text: &str) -> String {
    let (mut out, bytes) = (Vec::new(), text.as_bytes());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| str::from_utf8(digits).ok());
        let decoded = digits.filter(|_| *byte == b'%').filter(|digits| !digits.starts_with('+'));
        match decoded.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => (out.push(decoded), at += 3).0,
            None => (out.push(*byte), at += 1).0,
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Paths with much of what makes readers differ.
fn spiky() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[a-zA-Z0-9]{1,3}",
        2 => Just("/".into()),
        1 => "%[0-9a-fA-F]{2}",
        1 => "%25[0-9a-fA-F]{0,2}",
        1 => prop::sample::select(vec!["%2e", ".", "..", "%2E", ";", "%3b", "%20", "%5c", "\\", "//", "%", "%C3%A9", "%c0%ae", "[", "+", "%2f"])
            .prop_map(String::from),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| format!("/{}", parts.concat()))
}

proptest! {
    #[test]
    fn r18_5_the_canonical_form_is_its_own(path in spiky(), query in prop::option::of("[!-~&&[^#\"<>]]{0,8}")) {
        let written = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        if let Ok(target) = Target::parse(&written) {
            prop_assert_eq!(Target::parse(target.as_str()), Ok(target.clone()));
            prop_assert!(target.path().starts_with('/') && target.as_str().is_ascii());
        }
    }

    #[test]
    fn r18_5_every_server_reads_an_accepted_path_alike(path in spiky()) {
        if let Ok(target) = Target::parse(&path) {
            let plain: Vec<_> = target.path().split('/').skip(1).map(percent_decoded).collect();
            for reading in readings(&path).into_iter().chain(readings(target.path())) {
                prop_assert_eq!(&reading, &plain, "{} became {}", path, target);
            }
        }
    }

    #[test]
    fn r18_5_any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(target) = Target::parse(&bytes) {
            prop_assert_eq!(Target::parse(target.as_str()), Ok(target));
        }
    }
}

//! `portal_manifest`: a manifest, and targets that it is asked about (docs/portal.md §18.5). What is served is what another JSON parser and a
//! naive search find, and every server reads an accepted path alike.

use port_protocol::portal::{Access, Caller, Manifest, PathEntry, Target, Warning};
use serde_json::Value;

/// `document` `\0` `target` `\0` `target`…
pub fn portal_manifest(data: &[u8]) -> bool {
    let mut parts = data.split(|byte| *byte == 0);
    let document = parts.next().unwrap_or_default();
    let mut targets: Vec<_> = parts.filter_map(read_alike).collect();
    let Some(manifest) = str::from_utf8(document).ok().and_then(|text| Manifest::from_json(text).ok()) else {
        return false;
    };
    is_what_stands_there(&manifest, document);

    for entry in manifest.entries() {
        assert_eq!(entry.access(), naive(&manifest, entry.prefix()).expect("its own").access());
        targets.extend(Target::parse(entry.written()).ok());
        targets.extend(read_alike(format!("{}/", entry.prefix()).as_bytes()));
        targets.extend(read_alike(format!("{}~", entry.prefix()).as_bytes()));
    }
    for target in &targets {
        let found = naive(&manifest, target.path()).map(PathEntry::access);
        assert_eq!(manifest.access(target), found, "{target}");
        for caller in [Caller::Owner, Caller::Peer, Caller::Anybody] {
            let expected = match caller {
                Caller::Owner => matches!(found, Some(Access::Public | Access::Private)),
                Caller::Peer => matches!(found, Some(Access::Public | Access::Peer)),
                Caller::Anybody => found == Some(Access::Public),
            };
            assert_eq!(manifest.admits(caller, target).is_ok(), expected, "{target}");
        }
        let cased =
            Target::parse(target.as_str().to_ascii_uppercase()).ok().and_then(|target| manifest.access(&target));
        assert!(cased.is_none() || found.is_none() || cased == found, "{target} in another case");
    }
    let is_served = |call: &Target| manifest.admits(Caller::Peer, call).is_ok();
    let unserved: Vec<_> = manifest.peer_calls().filter(|call| !is_served(call)).collect();
    let warned: Vec<_> = manifest.warnings().collect();
    let calls: Vec<_> = warned
        .iter()
        .filter_map(|warning| if let Warning::UnservedCall { call, .. } = warning { Some(*call) } else { None })
        .collect();
    assert_eq!(calls, unserved);
    assert!(warned.iter().all(|warning| !warning.to_string().contains(char::is_control)));
    true
}

/// The target, if it is one. A server that decodes twice, cuts parameters off, takes `\` for `/`, resolves dots and drops empty segments reads what
/// came and what is handed on alike, and as one that only decodes.
fn read_alike(written: &[u8]) -> Option<Target> {
    let target = Target::parse(written).ok()?;
    assert_eq!(Target::parse(target.as_str()).as_ref(), Ok(&target));
    let path = written.split(|byte| *byte == b'?').next().expect("the first");
    let only_decoded: Vec<_> = target.path().as_bytes().split(|byte| *byte == b'/').skip(1).map(decoded).collect();
    assert_eq!(lenient(path), only_decoded, "{target}");
    assert_eq!(lenient(target.path().as_bytes()), only_decoded, "{target}");
    Some(target)
}

fn lenient(path: &[u8]) -> Vec<Vec<u8>> {
    let cut = |segment: &[u8]| segment.split(|byte| *byte == b';').next().expect("the first").to_vec();
    let segments: Vec<_> = path.split(|byte| *byte == b'/').map(cut).collect();
    let text: Vec<_> = decoded(&decoded(&segments.join(&b'/')));
    let all: Vec<_> = text.split(|byte| matches!(byte, b'/' | b'\\')).skip(1).collect();
    let mut resolved: Vec<Vec<u8>> = Vec::new();
    for (at, segment) in all.iter().enumerate() {
        match segment.trim_ascii() {
            b"." => {}
            b".." => drop(resolved.pop()),
            b"" if at + 1 < all.len() => {}
            segment => resolved.push(segment.into()),
        }
    }
    resolved
}

/// A `%` without two digits stays.
fn decoded(text: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let [byte, after @ ..] = rest {
        let digits = after.get(..2).filter(|digits| *byte == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        match digits.map(|digits| data_encoding::HEXLOWER_PERMISSIVE.decode(digits).expect("digits")) {
            Some(byte) => (out.extend(byte), rest = &after[2..]).1,
            None => (out.push(*byte), rest = after).1,
        }
    }
    out
}

/// Looks at every prefix, segment by segment.
fn naive<'a>(manifest: &'a Manifest, path: &str) -> Option<&'a PathEntry> {
    fn segments(path: &str) -> Vec<&str> {
        path.split('/').skip(1).collect()
    }
    let path = segments(path.strip_suffix('/').unwrap_or(path));
    let covers = |entry: &&PathEntry, same: fn(&str, &str) -> bool| {
        let prefix = segments(entry.prefix());
        prefix.len() <= path.len() && prefix.iter().zip(&path).all(|(a, b)| same(a, b))
    };
    let covering = || manifest.entries().filter(|entry| covers(entry, str::eq_ignore_ascii_case));
    let longest = covering().map(|entry| entry.prefix().len()).max()?;
    covering().filter(|entry| entry.prefix().len() == longest).find(|entry| covers(entry, |a, b| a == b))
}

/// As another parser reads the document.
fn is_what_stands_there(manifest: &Manifest, document: &[u8]) {
    let read: Value = serde_json::from_slice(document).expect("ours reads no more than another");
    let access = |entry: &PathEntry| match entry.access() {
        Access::Public => "public",
        Access::Private => "private",
        Access::Peer => "peer",
    };
    if let Some(paths) = read["paths"].as_object() {
        assert_eq!(manifest.entries().count(), paths.len());
        for entry in manifest.entries() {
            assert_eq!(paths[entry.written()]["access"], access(entry));
        }
    } else {
        let authentication = &read["authentication"];
        let list = |name: &str| authentication[name].as_array().cloned().unwrap_or_default();
        let lists = ["public", "private", "peer"].map(|name| (name, list(&format!("{name}_paths"))));
        assert_eq!(manifest.entries().count(), 1 + lists.iter().map(|(_, list)| list.len()).sum::<usize>());
        for entry in manifest.entries() {
            let default = authentication["default_access"].as_str().unwrap_or("private");
            let is_listed =
                lists.iter().any(|(name, list)| *name == access(entry) && list.contains(&entry.written().into()));
            assert!(is_listed || entry.written().is_empty() && access(entry) == default);
        }
    }
    let calls = read["peer_calls"].as_array().map_or(0, Vec::len);
    assert_eq!(manifest.peer_calls().count(), calls);
}

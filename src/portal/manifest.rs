//! What an app serves, and who may use it (§18.5): the access of each path, and what is told of a manifest that looks wrong.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::iter::successors;

use thiserror::Error;

use super::path::{Target, TargetError, canonical_path};

/// Who may use a path (§18.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// To anybody, peers too.
    Public,
    /// To the owner's own devices.
    Private,
    /// To the owner's peers, and nobody else: not to the owner's own devices either.
    Peer,
}

impl Access {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "public" => Some(Self::Public),
            "private" => Some(Self::Private),
            "peer" => Some(Self::Peer),
            _ => None,
        }
    }

    /// The one place that says who gets what.
    fn admits(self, caller: Caller) -> Result<(), Refused> {
        match (self, caller) {
            (Self::Public, _) | (Self::Private, Caller::Owner) | (Self::Peer, Caller::Peer) => Ok(()),
            (Self::Private, Caller::Peer | Caller::Anybody) => Err(Refused::Private),
            (Self::Peer, Caller::Owner | Caller::Anybody) => Err(Refused::PeersOnly),
        }
    }
}

/// Who sent a request, as your Portal has *proven* it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Caller {
    /// A device of this Portal's owner.
    Owner,
    /// The same app on a peer: a Portal that the owner has entered, and that has proven its full ID.
    Peer,
    /// Anybody else. Also a peer that is blocked, and one whose proof failed.
    Anybody,
}

/// Why a request is refused (§18.5). Answer each variant alike, so that a caller learns nothing of paths that it may not use: the variant is
/// for the owner's log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Refused {
    /// No entry of the manifest covers the path. If the app serves it, enter it in the manifest.
    #[error("no entry covers this path: enter it in the manifest, if the app serves it")]
    NotServed,
    /// The path differs from the entry that covers it by the case of a letter. Some servers read both as one, and some don't. Spell the path as the
    /// manifest does.
    #[error("the path differs from the manifest's by the case of a letter: spell it as the manifest does")]
    LetterCase,
    /// The path is `private`, and the caller is not a device of the owner. Enter the path as `peer`, if peers may use it.
    #[error("a private path: enter it as `peer`, if peers may use it")]
    Private,
    /// The path is `peer`, and the caller is no peer. The owner enters the caller's Portal as a peer, if that is meant.
    #[error("a path for peers only: enter the caller's Portal as a peer, if it is one")]
    PeersOnly,
}

/// A prefix of a manifest, and who may use what lies below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathEntry {
    /// Canonical, without a `/` at its end: `""` covers everything.
    prefix: String,
    written: Box<str>,
    access: Access,
    headers: Box<[(Box<str>, Box<str>)]>,
    /// The index of the longest entry that covers this one.
    parent: Option<usize>,
}

impl PathEntry {
    pub(super) fn new(
        written: &str,
        access: Access,
        headers: Box<[(Box<str>, Box<str>)]>,
    ) -> Result<Self, TargetError> {
        Ok(Self { prefix: canonical_prefix(written)?, written: written.into(), access, headers, parent: None })
    }

    /// The prefix in canonical form, without a `/` at its end. The empty one covers every path.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The prefix as it stands in the document. The freeshard profile as built compares it character by character.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Who may use it.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The headers that the app asks for with each request below this prefix: a name that begins with `X-Ptl-` and a template, in the order of
    /// names. A template is text in which `{{ auth.client_type }}`, `{{ auth.client_id }}`, `{{ auth.client_name }}` or a property of the Portal
    /// stands. Nothing is filled in here. Without control characters, but otherwise the app's own words: what you fill in must have none either.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, template)| (&**name, &**template)).filter(|(name, _)| is_passed_on(name))
    }

    /// By segment: `/pub` covers `/pub` and `/pub/x`, and not `/public`.
    fn covers(&self, path: &str, same: impl Fn(&str, &str) -> bool) -> bool {
        path.split_at_checked(self.prefix.len())
            .is_some_and(|(head, rest)| same(head, &self.prefix) && (rest.is_empty() || rest.starts_with('/')))
    }
}

/// What an app serves, and who may use it: its `app.json` or `app_meta.json` (§18.5).
///
/// ```
/// use port_protocol::portal::{Access, Caller, Manifest, Refused, Target};
///
/// let manifest = Manifest::from_json(
///     r#"{"v": "1.3", "paths": {"": {"access": "private"}, "/inbox": {"access": "peer"}}, "peer_calls": ["/inbox", "/outbox"]}"#,
/// )?;
/// let inbox = Target::parse("/inbox/7?mark=read")?;
/// assert_eq!(manifest.access(&inbox), Some(Access::Peer));
/// assert!(manifest.admits(Caller::Peer, &inbox).is_ok());
/// assert_eq!(manifest.admits(Caller::Peer, &Target::parse("/inbox-old")?), Err(Refused::Private));
/// for warning in manifest.warnings() {
///     println!("{warning}"); // peers can't answer the app's calls to `/outbox`
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// In the order of [`by_segment`]. So what lies below a prefix stands right behind it.
    entries: Vec<PathEntry>,
    calls: Vec<Target>,
}

impl Manifest {
    /// The most bytes of a document: 256 KiB.
    pub const MAX_LEN: usize = 256 << 10;
    /// The most prefixes, and the most `peer_calls`: 1,024 of each.
    pub const MAX_PATHS: usize = 1024;

    pub(super) fn new(mut entries: Vec<PathEntry>, calls: Vec<Target>) -> Result<Self, ManifestError> {
        entries.sort_by(|a, b| by_segment(&a.prefix, &b.prefix).then_with(|| a.written.cmp(&b.written)));
        let mut manifest = Self { entries: Vec::with_capacity(entries.len()), calls };
        for mut entry in entries {
            if let Some(last) = manifest.entries.last() {
                let is_same = by_segment(&last.prefix, &entry.prefix).is_eq();
                if is_same && (last.access != entry.access || last.headers != entry.headers) {
                    return Err(ManifestError::Ambiguous {
                        prefix: shown(&last.written),
                        other: shown(&entry.written),
                    });
                }
            }
            let last = manifest.entries.len().checked_sub(1);
            entry.parent = manifest.covering(last, &entry.prefix).map(|(index, _)| index).next();
            manifest.entries.push(entry);
        }
        Ok(manifest)
    }

    /// Who may use the target. `None`: nobody. To decide about a request, take [`admits`](Self::admits).
    pub fn access(&self, target: &Target) -> Option<Access> {
        self.find(target.path()).map(PathEntry::access).ok()
    }

    /// Decides about a request. Only with the entry that it returns may you hand the request to the app (§18.5).
    ///
    /// | | `public` | `private` | `peer` | no entry |
    /// |---|---|---|---|---|
    /// | [`Caller::Owner`] | yes | yes | no | no |
    /// | [`Caller::Peer`] | yes | no | yes | no |
    /// | [`Caller::Anybody`] | yes | no | no | no |
    ///
    /// The longest prefix that covers the path decides, segment by segment. One search, however many prefixes there are.
    ///
    /// # Errors
    /// [`Refused`] says why, for the owner's log.
    pub fn admits(&self, caller: Caller, target: &Target) -> Result<&PathEntry, Refused> {
        let entry = self.find(target.path())?;
        entry.access.admits(caller).map(|()| entry)
    }

    /// Every prefix, in no order that matters.
    pub fn entries(&self) -> impl Iterator<Item = &PathEntry> {
        self.entries.iter()
    }

    /// The paths that the app calls on peers, as its `peer_calls` say.
    pub fn peer_calls(&self) -> impl Iterator<Item = &Target> {
        self.calls.iter()
    }

    /// Which of these calls to peers the same app does not serve to peers (§18.5). A peer runs the same app, so it would refuse them.
    pub fn unserved<'a>(&self, calls: impl IntoIterator<Item = &'a Target>) -> impl Iterator<Item = Warning<'a>> {
        calls.into_iter().filter_map(|call| {
            let reason = self.admits(Caller::Peer, call).err()?;
            Some(Warning::UnservedCall { call, reason })
        })
    }

    /// What its author should look at: [`unserved`](Self::unserved) of its `peer_calls`, and headers that never reach the app.
    pub fn warnings(&self) -> impl Iterator<Item = Warning<'_>> {
        let headers =
            self.entries.iter().flat_map(|entry| entry.headers.iter().map(|(name, _)| (&*entry.written, &**name)));
        let unpassed = headers.filter(|(_, name)| !is_passed_on(name));
        let unpassed = unpassed.map(|(prefix, name)| Warning::HeaderNotPassedOn { prefix, name });
        self.unserved(&self.calls).chain(unpassed)
    }

    fn find(&self, path: &str) -> Result<&PathEntry, Refused> {
        let behind = self.entries.partition_point(|entry| by_segment(&entry.prefix, path).is_le());
        let mut covering = self.covering(behind.checked_sub(1), path).map(|(_, entry)| entry).peekable();
        let longest = covering.peek().ok_or(Refused::NotServed)?.prefix.len();
        // Several if they differ by case; one of them has to be spelled as the path is.
        let mut alike = covering.take_while(|entry| entry.prefix.len() == longest);
        alike.find(|entry| entry.covers(path, str::eq)).ok_or(Refused::LetterCase)
    }

    /// The entries that cover the path, whatever the case of its letters, longest first. `last` is the last one that does not stand behind the
    /// path: whatever covers the path covers that entry too, because it stands between the two.
    fn covering<'a>(&'a self, last: Option<usize>, path: &str) -> impl Iterator<Item = (usize, &'a PathEntry)> {
        let at = |index: usize| self.entries.get(index).map(|entry| (index, entry));
        successors(last.and_then(at), move |(_, entry)| entry.parent.and_then(at))
            .filter(|(_, entry)| entry.covers(path, str::eq_ignore_ascii_case))
    }
}

/// A manifest can be used, but its author should look at this.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Warning<'a> {
    /// The app calls a path of itself on peers that it does not serve to peers. Enter it as `peer`, or take the call out.
    #[error("peers can't answer calls to `{call}` ({reason}): enter it as `peer`")]
    UnservedCall {
        /// What the app calls.
        call: &'a Target,
        /// What a peer would answer.
        reason: Refused,
    },
    /// A host hands on only headers whose names begin with `X-Ptl-`. Rename it.
    #[error("the header {name:?} of {prefix:?} never reaches the app: begin its name with `X-Ptl-`")]
    HeaderNotPassedOn {
        /// The prefix, as it is written.
        prefix: &'a str,
        /// The header's name.
        name: &'a str,
    },
}

/// Why a manifest is not read (§18.5). It is its author's to repair: do not install the app. Texts of the document stand in it with 80 characters at
/// most.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It is longer than 256 KiB. Shorten it.
    #[error("longer than 256 KiB: shorten it")]
    TooLong,
    /// It has more than 1,024 prefixes, or more than 1,024 `peer_calls`. Join some under a common prefix.
    #[error("more than 1,024 paths: join some under a common prefix")]
    TooManyPaths,
    /// It is not JSON that every reader reads alike (RFC 7493), or deeper than 128 levels. Repair it there.
    #[error("not JSON (line {line}, column {column})")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// An object has a member twice. One reader would take the first, another the last. Take one out.
    #[error("{0:?} comes twice in one object: take one out")]
    DuplicateKey(Box<str>),
    /// `v` names a version that this crate doesn't know. Update this Portal, or write the manifest in a version that the docs of
    /// [`Manifest::from_json`] list.
    #[error("version {0:?} is not known: update this Portal")]
    UnknownVersion(Box<str>),
    /// It has `paths` without `v`, or `authentication` in a version that has `paths`. Two readers would read two manifests. Write one form.
    #[error("`authentication` and `paths` of two versions: write `v`, and `paths` only")]
    MixedForms,
    /// A member is missing or has another type. It says which one, and of what type it has to be.
    #[error("needs {0}")]
    Malformed(&'static str),
    /// An access that isn't known. Write `public`, `private` or `peer`; as `default_access` one of the first two.
    #[error("access {access:?} of {prefix:?} is not known: write `public`, `private` or `peer`")]
    UnknownAccess {
        /// The prefix, as it is written.
        prefix: Box<str>,
        /// The access, as it is written.
        access: Box<str>,
    },
    /// A prefix has no canonical form. Write it as the error says, or leave it empty to cover everything.
    #[error("the prefix {prefix:?} can't be served: {error}")]
    Prefix {
        /// The prefix, as it is written.
        prefix: Box<str>,
        /// What is wrong with it.
        error: TargetError,
    },
    /// Two prefixes are one, or differ only by the case of letters, and say different things. Take one out.
    #[error(
        "the prefixes {prefix:?} and {other:?} are one for some servers, and differ in access or headers: take one out"
    )]
    Ambiguous {
        /// One, as it is written.
        prefix: Box<str>,
        /// The other, as it is written.
        other: Box<str>,
    },
    /// A header is not one: its name is no token, comes twice, or its template has a control character. Repair it.
    #[error("the header {name:?} of {prefix:?} is not one, or comes twice")]
    Header {
        /// The prefix, as it is written.
        prefix: Box<str>,
        /// The header's name.
        name: Box<str>,
    },
    /// A path in `peer_calls` has no canonical form, or has a query. Write it as the error says.
    #[error("the call {call:?} can't be made: {error}")]
    Call {
        /// The path, as it is written.
        call: Box<str>,
        /// What is wrong with it.
        error: TargetError,
    },
}

/// A text of the document for an error, which is not to be as long as the document.
pub(super) fn shown(text: &str) -> Box<str> {
    text.chars().take(80).collect::<String>().into()
}

pub(super) fn canonical_prefix(written: &str) -> Result<String, TargetError> {
    if written.is_empty() {
        return Ok(String::new());
    } else if written.contains('?') {
        return Err(TargetError::Unencoded);
    }
    let mut prefix = canonical_path(written.as_bytes())?;
    if prefix.ends_with('/') {
        prefix.pop();
    }
    if prefix.len() > Target::MAX_LEN { Err(TargetError::TooLong) } else { Ok(prefix) }
}

/// The real one's proxy hands on no other header of an app's entry.
fn is_passed_on(name: &str) -> bool {
    name.get(..6).is_some_and(|head| head.eq_ignore_ascii_case("X-Ptl-"))
}

/// By segments, without the case of letters: `/a/b` stands between `/a` and `/a-b`. A canonical path has no byte below `!`.
fn by_segment(a: &str, b: &str) -> Ordering {
    let rank = |byte: u8| if byte == b'/' { 0 } else { byte.to_ascii_lowercase() };
    a.bytes().map(rank).cmp(b.bytes().map(rank))
}

//! `app.json` and `app_meta.json`, as they were from 2021 on (§18.5).

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::json::{Json, JsonError};
use super::manifest::{Access, Manifest, ManifestError, PathEntry, shown};
use super::path::{Target, TargetError};

/// The versions that have `paths`. Those of `app_meta.json` begin again at 1.0; no two differ in what is read of them here.
const WITH_PATHS: &[&str] = &["1.0", "1.1", "1.2", "1.3", "2.0", "3.0", "3.1", "3.2", "4.0"];

type Object<'a> = BTreeMap<Cow<'a, str>, Json<'a>>;
type Headers = Box<[(Box<str>, Box<str>)]>;

impl Manifest {
    /// Reads an `app.json` or `app_meta.json` (§18.5). Its `v` names the form:
    ///
    /// - none or `0.0`: `authentication`, as of 2021. Without it, everything is private.
    /// - `1.0` to `1.3`, `2.0`, `3.0` to `3.2`, `4.0`: `paths`.
    ///
    /// Our own `peer_calls`, a list of paths that the app calls on peers, may stand in each. Other members are ignored.
    ///
    /// # Errors
    /// [`ManifestError`]: each variant says what its author should change. Do not install the app.
    pub fn from_json(text: &str) -> Result<Self, ManifestError> {
        read(text)
    }
}

fn read(text: &str) -> Result<Manifest, ManifestError> {
    if text.len() > Manifest::MAX_LEN {
        return Err(ManifestError::TooLong);
    }
    let document = Json::read(text).map_err(|error| match error {
        JsonError::Syntax { line, column } => ManifestError::NotJson { line, column },
        JsonError::Duplicate(key) => ManifestError::DuplicateKey(shown(&key)),
    })?;
    let Json::Object(document) = document else { return Err(ManifestError::Malformed("one object")) };
    let (paths, authentication) = (document.get("paths"), document.get("authentication"));
    let mut entries = Vec::new();
    let mut add = |written: &str, access, headers| {
        if entries.len() >= Manifest::MAX_PATHS {
            return Err(ManifestError::TooManyPaths);
        }
        let entry = PathEntry::new(written, access, headers);
        entries.push(entry.map_err(|error| ManifestError::Prefix { prefix: shown(written), error })?);
        Ok(())
    };
    match (has_paths(&document)?, paths, authentication) {
        (true, Some(Json::Object(paths)), None) => {
            paths.iter().try_for_each(|(prefix, entry)| {
                let (access, headers) = path_entry(prefix, entry)?;
                add(prefix, access, headers)
            })?;
        }
        (true, _, None) => return Err(ManifestError::Malformed("`paths`, an object of prefixes")),
        (false, None, None | Some(Json::Null)) => add("", Access::Private, Headers::default())?,
        (false, None, Some(Json::Object(authentication))) => of_2021(authentication, add)?,
        (false, None, Some(_)) => return Err(ManifestError::Malformed("an object as `authentication`")),
        (true, _, Some(_)) | (false, Some(_), _) => return Err(ManifestError::MixedForms),
    }
    Manifest::new(entries, peer_calls(&document)?)
}

/// Whether this version has `paths`. The one before had no `v`.
fn has_paths(document: &Object<'_>) -> Result<bool, ManifestError> {
    match document.get("v") {
        None => Ok(false),
        Some(Json::Text(v)) if v == "0.0" => Ok(false),
        Some(Json::Text(v)) if WITH_PATHS.contains(&&**v) => Ok(true),
        Some(Json::Text(v)) => Err(ManifestError::UnknownVersion(shown(v))),
        Some(_) => Err(ManifestError::Malformed("text as `v`")),
    }
}

fn path_entry(prefix: &str, entry: &Json<'_>) -> Result<(Access, Headers), ManifestError> {
    let Json::Object(entry) = entry else {
        return Err(ManifestError::Malformed("an object for each prefix of `paths`"));
    };
    let Some(Json::Text(access)) = entry.get("access") else {
        return Err(ManifestError::Malformed("an `access`, which is text, for each prefix of `paths`"));
    };
    let access = Access::parse(access).ok_or_else(|| unknown_access(prefix, access))?;
    let headers = match entry.get("headers") {
        None | Some(Json::Null) => Headers::default(),
        Some(Json::Object(headers)) => checked_headers(prefix, headers)?,
        Some(_) => return Err(ManifestError::Malformed("an object as `headers`")),
    };
    Ok((access, headers))
}

fn unknown_access(prefix: &str, access: &str) -> ManifestError {
    ManifestError::UnknownAccess { prefix: shown(prefix), access: shown(access) }
}

/// A name is a token (RFC 9110). No template may end a header's line and begin another.
fn checked_headers(prefix: &str, headers: &Object<'_>) -> Result<Headers, ManifestError> {
    let mut names = BTreeSet::new();
    let checked = headers.iter().map(|(name, template)| {
        let Json::Text(template) = template else { return Err(ManifestError::Malformed("text as each header")) };
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let is_name = !name.is_empty() && name.bytes().all(is_token) && names.insert(name.to_ascii_lowercase());
        if is_name && !template.contains(char::is_control) {
            Ok((name.as_ref().into(), template.as_ref().into()))
        } else {
            Err(ManifestError::Header { prefix: shown(prefix), name: shown(name) })
        }
    });
    checked.collect()
}

/// The form of 2021: lists of prefixes, and the access of everything else.
fn of_2021(
    authentication: &Object<'_>,
    mut add: impl FnMut(&str, Access, Headers) -> Result<(), ManifestError>,
) -> Result<(), ManifestError> {
    let default = match authentication.get("default_access") {
        None => Access::Private,
        Some(Json::Text(name)) => match Access::parse(name) {
            Some(access @ (Access::Public | Access::Private)) => access,
            Some(Access::Peer) | None => return Err(unknown_access("", name)),
        },
        Some(_) => return Err(ManifestError::Malformed("text as `default_access`")),
    };
    add("", default, Headers::default())?;
    let lists = [("private_paths", Access::Private), ("public_paths", Access::Public), ("peer_paths", Access::Peer)];
    for (name, access) in lists {
        let list = authentication.get(name);
        let list = match list {
            None | Some(Json::Null) => continue,
            Some(Json::List(list)) => list,
            Some(_) => return Err(ManifestError::Malformed("lists of prefixes in `authentication`")),
        };
        for prefix in list {
            let Json::Text(prefix) = prefix else {
                return Err(ManifestError::Malformed("lists of prefixes in `authentication`"));
            };
            add(prefix, access, Headers::default())?;
        }
    }
    Ok(())
}

/// Our own: no version of the real one has it, and each ignores it.
fn peer_calls(document: &Object<'_>) -> Result<Vec<Target>, ManifestError> {
    let list = match document.get("peer_calls") {
        None => return Ok(Vec::new()),
        Some(Json::List(list)) => list,
        Some(_) => return Err(ManifestError::Malformed("a list of paths as `peer_calls`")),
    };
    if list.len() > Manifest::MAX_PATHS {
        return Err(ManifestError::TooManyPaths);
    }
    let calls = list.iter().map(|call| {
        let Json::Text(call) = call else { return Err(ManifestError::Malformed("a list of paths as `peer_calls`")) };
        let target = match Target::parse(call.as_bytes()) {
            Ok(target) if target.query().is_some() => Err(TargetError::Unencoded),
            target => target,
        };
        target.map_err(|error| ManifestError::Call { call: shown(call), error })
    });
    calls.collect()
}

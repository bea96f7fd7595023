//! The paths of an app, and who may use each (§19.8).

use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

use super::mode::Mode;
use super::template::{Template, TemplateError};
use crate::portal::manifest::{Access, Manifest, PathEntry, canonical_prefix};
use crate::portal::path::Target;

/// An entry of an app's `paths`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathRule {
    /// As it is written: *as built* compares that.
    prefix: String,
    /// In the form in which the strict mode compares it. `None`: it has none.
    canonical: Option<String>,
    access: Access,
    headers: Vec<(String, Template)>,
}

/// An entry of an app's `paths` can't be used. Refuse the app.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PathError {
    /// A header has a name that does not begin with `X-Ptl-`, so that the client's own of this name would stay beside it; or it comes twice.
    #[error("not the name of a header that a host adds, or one that comes twice")]
    HeaderName,
    /// A header's value is not a template of this kind.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl PathRule {
    /// What begins with `prefix` is for `access`, without headers.
    pub fn new(prefix: impl Into<String>, access: Access) -> Self {
        let prefix = prefix.into();
        Self { canonical: canonical_prefix(&prefix).ok(), prefix, access, headers: Vec::new() }
    }

    /// Adds a header that the app gets with each request: a name, and a template of its value.
    ///
    /// # Errors
    /// [`PathError`] says what is wrong with it.
    pub fn header(mut self, name: &str, template: &str) -> Result<Self, PathError> {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let is_there = self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        if !is_reserved(name) || !name.bytes().all(is_token) || is_there {
            return Err(PathError::HeaderName);
        }
        self.headers.push((name.into(), Template::parse(template)?));
        Ok(self)
    }

    /// Who may use it.
    pub const fn access(&self) -> Access {
        self.access
    }

    pub(super) fn headers(&self) -> &[(String, Template)] {
        &self.headers
    }
}

/// The `paths` of an app (§19.8).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AppPaths(Vec<PathRule>);

impl AppPaths {
    /// In any order: the longest prefix that fits is the one.
    pub fn new(rules: impl IntoIterator<Item = PathRule>) -> Self {
        let mut rules: Vec<_> = rules.into_iter().collect();
        rules.sort_by_key(|rule| core::cmp::Reverse(rule.prefix.chars().count()));
        Self(rules)
    }

    /// Those of an app's manifest, with the headers that it lists. In *as built* a manifest's prefixes are compared as they are written.
    ///
    /// # Errors
    /// [`PathError`]: a header of the manifest is none here. Refuse the app.
    pub fn of(manifest: &Manifest) -> Result<Self, PathError> {
        let rule = |entry: &PathEntry| {
            let rule = PathRule::new(entry.written(), entry.access());
            entry.headers().try_fold(rule, |rule, (name, template)| rule.header(name, template))
        };
        manifest.entries().map(rule).collect::<Result<Vec<_>, _>>().map(Self::new)
    }

    /// The rule for a path with its query, as it came.
    ///
    /// *As built* compares characters: `/peer` fits `/peerless`, too. Strictly the path must be canonical, and the prefix must end where a segment
    /// ends and be spelled as the path is (§18.5). `None`: no rule fits, or the path is not canonical. Refuse the request.
    pub fn find(&self, mode: Mode, path_and_query: &str) -> Option<&PathRule> {
        match mode {
            Mode::AsBuilt => self.0.iter().find(|rule| path_and_query.starts_with(&rule.prefix)),
            Mode::Strict => {
                let path = path_and_query.split('?').next().filter(|path| is_canonical(path))?;
                let path = path.strip_suffix('/').unwrap_or(path);
                // A prefix without a canonical form may be meant for this path: then nobody can say.
                let rules: Option<Vec<_>> =
                    self.0.iter().map(|rule| Some((rule, rule.canonical.as_deref()?))).collect();
                let covers = |prefix: &str| {
                    let (start, rest) = path.split_at_checked(prefix.len())?;
                    (rest.is_empty() || rest.starts_with('/'))
                        .then_some(start)
                        .filter(|start| start.eq_ignore_ascii_case(prefix))
                };
                let covering = || rules.iter().flatten().filter(|(_, prefix)| covers(prefix).is_some());
                let longest = covering().map(|(_, prefix)| prefix.len()).max()?;
                let exactly = |prefix: &str| prefix.len() == longest && path.starts_with(prefix);
                covering().find(|(_, prefix)| exactly(prefix)).map(|(rule, _)| *rule)
            }
        }
    }
}

/// Whether a client's header field is taken off before an app gets the request: every `X-Ptl-…`, also written with `_`, which some servers take for
/// the same.
pub fn is_reserved(name: &str) -> bool {
    name.get(..6).is_some_and(|start| start.replace('_', "-").eq_ignore_ascii_case("x-ptl-"))
}

/// Whether a path is in the one form in which it is matched (§18.5).
fn is_canonical(path: &str) -> bool {
    Target::parse(path).is_ok_and(|target| target.as_str() == path)
}

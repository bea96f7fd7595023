//! The paths of an app, and who may use each (§19.8).

use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

use super::mode::Mode;
use super::template::{Template, TemplateError};
use super::url;
use crate::portal::manifest::{Access, Manifest, PathEntry};

/// An entry of an app's `paths`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathRule {
    prefix: String,
    access: Access,
    headers: Vec<(String, Template)>,
}

/// An entry of an app's `paths` can't be used. Refuse the app.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PathError {
    /// A header has a name that no header has.
    #[error("not the name of a header")]
    HeaderName,
    /// A header's value is not a template of this kind.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl PathRule {
    /// What begins with `prefix` is for `access`, without headers.
    pub fn new(prefix: impl Into<String>, access: Access) -> Self {
        Self { prefix: prefix.into(), access, headers: Vec::new() }
    }

    /// Adds a header that the app gets with each request: a name, and a template of its value.
    ///
    /// # Errors
    /// [`PathError`] says what is wrong with it.
    pub fn header(mut self, name: &str, template: &str) -> Result<Self, PathError> {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
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
    /// ends. `None`: no rule fits, or the path is not canonical. Refuse the request.
    pub fn find(&self, mode: Mode, path_and_query: &str) -> Option<&PathRule> {
        match mode {
            Mode::AsBuilt => self.0.iter().find(|rule| path_and_query.starts_with(&rule.prefix)),
            Mode::Strict => {
                let path = path_and_query.split('?').next().filter(|_| url::is_canonical(path_and_query))?;
                self.0.iter().find(|rule| {
                    let prefix = rule.prefix.trim_end_matches('/');
                    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                })
            }
        }
    }
}

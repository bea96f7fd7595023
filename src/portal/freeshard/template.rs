//! Templates of header values in an app's `paths` (§19.8): text, and `{{ auth.client_id }}` and the like.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

/// A template has more than text and known values. The real system runs a whole template language on it; this does not. Refuse the app, or
/// write the value out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("a template with more than text and known values")]
pub struct TemplateError;

/// The value of a header that an app gets (§19.8).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template(Vec<Part>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Text(String),
    Value(Value),
}

/// What a template can name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Value {
    ClientType,
    ClientId,
    ClientName,
    PortalId,
    PortalShortId,
    PortalDomain,
    /// A name that there is not. It stands for nothing.
    Unknown,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError`] if it has anything else than text, `{{ auth.client_type }}`, `{{ auth.client_id }}`, `{{ auth.client_name }}`,
    /// `{{ portal.id }}`, `{{ portal.short_id }}` and `{{ portal.domain }}`, or a character that no header has.
    pub fn parse(template: &str) -> Result<Self, TemplateError> {
        let latin = |char: char| u32::from(char) < 0x100 && !char.is_control();
        if !template.chars().all(latin) || template.contains("{%") || template.contains("{#") {
            return Err(TemplateError);
        }
        let (mut parts, mut rest) = (Vec::new(), template);
        while let Some((text, behind)) = rest.split_once("{{") {
            let (name, behind) = behind.split_once("}}").ok_or(TemplateError)?;
            parts.push(Part::Text(text.to_owned()));
            parts.push(Part::Value(Value::parse(name.trim_matches(' '))?));
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    pub(super) fn render<'a>(&'a self, value: impl Fn(Value) -> &'a str) -> String {
        let text = |part: &'a Part| match part {
            Part::Text(text) => text.as_str(),
            Part::Value(name) => value(*name),
        };
        self.0.iter().map(text).collect()
    }
}

impl Value {
    fn parse(name: &str) -> Result<Self, TemplateError> {
        Ok(match name {
            "auth.client_type" => Self::ClientType,
            "auth.client_id" => Self::ClientId,
            "auth.client_name" => Self::ClientName,
            "portal.id" => Self::PortalId,
            "portal.short_id" => Self::PortalShortId,
            "portal.domain" => Self::PortalDomain,
            name => {
                let known = name.strip_prefix("auth.").or_else(|| name.strip_prefix("portal."));
                let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                // Five lines of PEM are no header.
                let refused = known.is_none_or(|name| !plain(name) || name.is_empty() || name == "public_key_pem");
                if refused {
                    return Err(TemplateError);
                }
                Self::Unknown
            }
        })
    }
}

//! A file, and which of its keys were read.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use port_protocol::UnixSeconds;
use port_protocol::portal::freeshard::{Access, AppPaths, PathRule, PrivateKey, PublicKey};
use serde_json::Value;

/// One line of the report.
pub struct Case {
    pub name: String,
    pub outcome: Outcome,
}

#[derive(PartialEq, Eq, Debug)]
pub enum Outcome {
    Right,
    Differs(String),
    Skipped(&'static str),
}

pub fn differs<T>(why: impl Into<String>) -> Result<T, Outcome> {
    Err(Outcome::Differs(why.into()))
}

/// Says what differs, if something does.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, got: &T) -> Result<(), Outcome> {
    if expected == got { Ok(()) } else { differs(format!("{what}: the file has {expected:?}, this is {got:?}")) }
}

/// A value of the file at a path.
#[derive(Clone)]
pub struct Reader<'a> {
    value: &'a Value,
    path: String,
    read: Rc<RefCell<BTreeSet<String>>>,
    root: &'a Value,
}

impl<'a> Reader<'a> {
    pub fn new(root: &'a Value) -> Self {
        Self { value: root, path: String::new(), read: Rc::default(), root }
    }

    pub fn is_object(&self) -> bool {
        self.value.is_object()
    }

    /// The value of a key, `null` included.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.read.borrow_mut().insert(format!("{}/{key}", self.path));
        self.value.get(key)
    }

    pub fn child(&self, key: &str) -> Option<Self> {
        let value = self.get(key).filter(|value| !value.is_null())?;
        Some(Self { value, path: format!("{}/{key}", self.path), ..self.clone() })
    }

    /// The elements of a list. One object counts as a list of one, and nothing as an empty one.
    pub fn list(&self, key: &str) -> Vec<Self> {
        let Some(list) = self.child(key) else { return Vec::new() };
        let Some(values) = list.value.as_array() else { return vec![list] };
        let element = |(at, value)| Self { value, path: format!("{}/{at}", list.path), ..list.clone() };
        values.iter().enumerate().map(element).collect()
    }

    /// A list as it is.
    pub fn list_of(&self, key: &str) -> Option<Vec<Value>> {
        self.child(key)?.whole().as_array().cloned()
    }

    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    pub fn number(&self, key: &str) -> Option<u64> {
        let number = self.get(key)?;
        let whole = |number: f64| (number.fract() == 0.0 && number >= 0.0).then_some(number as u64);
        number.as_u64().or_else(|| number.as_f64().and_then(whole))
    }

    /// All of it, with all keys below.
    pub fn whole(&self) -> &'a Value {
        self.read.borrow_mut().insert(format!("{}/*", self.path));
        self.value
    }

    /// The fields of an object of texts, or a list of pairs.
    pub fn fields(&self, key: &str) -> Vec<(String, String)> {
        let Some(fields) = self.child(key) else { return Vec::new() };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match fields.whole() {
            Value::Object(map) => map.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect(),
            Value::Array(list) => {
                list.iter().filter_map(|pair| Some((text(pair.get(0)?)?, text(pair.get(1)?)?))).collect()
            }
            _ => Vec::new(),
        }
    }

    pub fn seconds(&self, key: &str) -> Option<UnixSeconds> {
        UnixSeconds::new(self.number(key)?)
    }

    /// Every key of the file that was not read.
    pub fn unread(&self) -> Vec<String> {
        let mut unread = Vec::new();
        walk(self.root, "", &mut |path, _| {
            let read = self.read.borrow();
            let covered = |end: usize| read.contains(&format!("{}/*", &path[..end]));
            let above = path.match_indices('/').any(|(at, _)| covered(at)) || covered(path.len());
            let reported = unread.iter().any(|known: &String| path.starts_with(&format!("{known}/")));
            if !above && !reported && !read.contains(path) {
                unread.push(path.to_owned());
            }
        });
        unread
    }
}

/// Every key of every object. Elements of lists are no keys.
fn walk<'a>(value: &'a Value, path: &str, visit: &mut impl FnMut(&str, &'a Value)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = format!("{path}/{key}");
                visit(&path, value);
                walk(value, &path, visit);
            }
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, value)| walk(value, &format!("{path}/{at}"), visit));
        }
        _ => {}
    }
}

/// Throw-away identities, for files that name them and don't have their keys.
const KNOWN: &str = include_str!("../../../tests/vectors/freeshard.json");

/// All keys that stand anywhere in the file, and those of [`KNOWN`]. Names are the file's alone.
pub struct Ring {
    names: Vec<(String, String)>,
    public: Vec<PublicKey>,
    private: Vec<PrivateKey>,
}

impl Ring {
    pub fn collect(file: &Value) -> Self {
        let mut ring = Self { names: Vec::new(), public: Vec::new(), private: Vec::new() };
        let known: Value = serde_json::from_str(KNOWN).expect("JSON");
        let both = Value::from(vec![file.clone(), known["identities"].clone()]);
        let mut seen = BTreeSet::new();
        walk(&both, "", &mut |path, value| {
            if let Some(pem) =
                value.as_str().filter(|text| text.contains("-----BEGIN") && seen.insert(text.to_string()))
            {
                ring.private.extend(PrivateKey::from_pem(pem));
                ring.public.extend(PublicKey::from_pem(pem));
            }
            // The objects in which a key stands that has a name.
            if path.starts_with("/0/") && path.ends_with("/public_key_pem") {
                let object = both.pointer(path.trim_end_matches("/public_key_pem"));
                let text = |key| object.and_then(|object| object.get(key)?.as_str()).map(str::to_owned);
                ring.names.extend(text("name").zip(text("id")));
            }
        });
        ring.public.extend(ring.private.iter().map(|key| key.public_key().clone()));
        ring
    }

    /// The key whose ID begins with this.
    pub fn by_id(&self, id: &str) -> Option<&PublicKey> {
        self.public.iter().find(|key| key.id().to_string().starts_with(id))
    }

    /// The key of an identity, by its name or by its ID.
    pub fn by_name(&self, name: &str) -> Option<&PublicKey> {
        let id = self.names.iter().find(|(known, _)| known == name).map_or(name, |(_, id)| id.as_str());
        self.by_id(id)
    }

    pub fn private(&self, public: &PublicKey) -> Option<&PrivateKey> {
        self.private.iter().find(|key| key.public_key() == public)
    }

    /// A PEM, or `<key of NAME>` in the place of one.
    pub fn pem(&self, text: &str) -> Option<String> {
        match text.strip_prefix("<key of ").and_then(|rest| rest.strip_suffix('>')) {
            Some(name) => self.by_name(name).map(|key| key.to_pem().to_owned()),
            None => Some(text.to_owned()),
        }
    }
}

/// What the file says of the whole, or what is so if it doesn't.
pub struct Context {
    pub ring: Ring,
    pub zone: String,
    pub now: Option<UnixSeconds>,
    pub target: Option<String>,
    /// The app's name, if the file says it.
    pub app: Option<String>,
    pub paths: AppPaths,
}

impl Context {
    pub fn new(top: &Reader, ring: Ring) -> Self {
        let about = top.child("about");
        let text = |key| about.as_ref().and_then(|about| about.text(key));
        let (_, _) = (text("source"), text("how"));
        let app = text("app").unwrap_or_default();
        let now = about.as_ref().and_then(|about| about.seconds("T0"));
        Self {
            ring,
            zone: text("zone").unwrap_or("freeshard.cloud").to_owned(),
            now,
            target: text("target").map(str::to_owned),
            app: app.split(',').next().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()),
            paths: paths_of(app),
        }
    }

    /// The zone of an address. The real system has its own written into its program, whatever the zone of its identity is.
    pub fn zone_of(&self, url: &str) -> &str {
        let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or(url);
        if host.ends_with(&self.zone) { &self.zone } else { "freeshard.cloud" }
    }
}

pub fn access(word: &str) -> Option<Access> {
    match word {
        "public" => Some(Access::Public),
        "private" => Some(Access::Private),
        "peer" => Some(Access::Peer),
        _ => None,
    }
}

/// `mock_app, paths: "" private, /pub public, /peer peer`. Without it, the app with which the file was made.
fn paths_of(app: &str) -> AppPaths {
    let listed = app.split_once("paths:").map_or(r#""" private, /pub public, /peer peer"#, |(_, list)| list);
    let rules = listed.split(',').filter_map(|entry| {
        let (prefix, word) = entry.trim().rsplit_once(' ')?;
        Some(rule(prefix.trim().trim_matches('"'), access(word.trim())?))
    });
    AppPaths::new(rules)
}

/// With the headers that the app has there. The last of them tells the paths apart.
pub fn rule(prefix: &str, access: Access) -> PathRule {
    let mark = match access {
        Access::Private => "bar",
        Access::Public => "baz",
        Access::Peer => "foo",
    };
    [
        ("X-Ptl-Client-Id", "{{ auth.client_id }}"),
        ("X-Ptl-Client-Name", "{{ auth.client_name }}"),
        ("X-Ptl-Client-Type", "{{ auth.client_type }}"),
        ("X-Ptl-ID", "{{ portal.id }}"),
        ("X-Ptl-Foo", mark),
    ]
    .into_iter()
    .fold(PathRule::new(prefix, access), |rule, (name, value)| rule.header(name, value).expect("a header"))
}

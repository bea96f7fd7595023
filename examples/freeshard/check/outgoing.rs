//! Requests to peers: what the real system sent, and what this sends.

use port_protocol::portal::freeshard::{Header, Message, PublicKey, Sender, Signed};

use super::reader::{Context, Outcome, Reader, differs, same};

pub fn outgoing(context: &Context, case: &Reader) -> Result<(), Outcome> {
    let wires = case.list("wire");
    let base = case.text("signature_base");
    let Some(now) = case.seconds("time").or(context.now) else { return differs("no time") };
    let signer = case.text("signer");
    let request = case.child("app_request");
    let sent: Vec<_> = wires.iter().map(Sent::read).collect::<Result<_, _>>()?;

    for sent in &sent {
        let fields = sent.fields();
        let Some(message) = Message::new(&sent.method, &sent.url, &fields) else { return differs("no such request") };
        let Ok(signed) = Signed::parse(&fields) else { return differs("the signature can't be parsed") };
        let Ok(got) = signed.base(&message) else { return differs("no signature base") };
        if let Some(base) = base {
            same("signature_base", &base, &got.as_str())?;
        }
        let key = signer.and_then(|name| context.ring.by_name(name));
        let Some(key) = key.or_else(|| context.ring.by_id(signed.key_id()?)) else {
            return Err(Outcome::Skipped("no key of the signer"));
        };
        same("keyid", &signed.key_id(), &Some(key.id().short().as_str()))?;
        if signed.verify(&message, now, |_| Some(key)) != Ok(()) {
            return differs("the signature of the file does not verify");
        }
    }
    if let Some(request) = request {
        ours(context, &request, signer, now, &sent)?;
    }
    if let Some(reply) = case.child("reply_to_app") {
        // What the app gets is the peer's status and body, and no header of it.
        let _ = (reply.number("status"), reply.text("body"));
        same("headers of the reply to the app", &0, &reply.fields("headers").len())?;
    }
    Ok(())
}

/// What this makes of the same request of the app.
fn ours(
    context: &Context,
    request: &Reader,
    signer: Option<&str>,
    now: port_protocol::UnixSeconds,
    sent: &[Sent],
) -> Result<(), Outcome> {
    let (Some(method), Some(path)) = (request.text("method"), request.text("path")) else {
        return differs("no request of an app");
    };
    let body = request.text("body").unwrap_or_default();
    // They are not carried.
    let _ = request.fields("headers");
    let named = signer.and_then(|name| context.ring.by_name(name));
    let fields = sent.first().map(Sent::fields).unwrap_or_default();
    let signed = Signed::parse(&fields).ok();
    let key_id = || context.ring.by_id(signed.as_ref()?.key_id()?);
    let Some(key) = named.or_else(key_id).and_then(|key| context.ring.private(key)) else {
        return Err(Outcome::Skipped("no private key of the signer"));
    };
    // The host knows which app it is. The file says so in the address.
    let host = sent.first().and_then(|sent| sent.url.split("://").nth(1)?.split('.').next());
    let app = host.or(context.app.as_deref()).unwrap_or("mock_app");
    let zone = context.zone_of(sent.first().map_or("", |sent| &sent.url));
    let sender = Sender { key, app, zone };
    let got = sender.call_as_built(method, path, body.as_bytes(), now, &mut rand::rng());
    let (got, theirs) = match (got, sent.first()) {
        (Ok(got), Some(theirs)) => (got, theirs),
        (Err(_), None) => return Ok(()),
        (Ok(got), None) => return differs(format!("the file sends nothing, this sends to {}", got.url)),
        (Err(error), Some(_)) => return differs(format!("this sends nothing: {error}")),
    };
    same("method", &theirs.method, &got.method)?;
    same("url", &theirs.url, &got.url)?;
    same("body", &theirs.body, &String::from_utf8_lossy(&got.body).into_owned())?;
    let fields = got.fields();
    for name in ["date", "content-digest"] {
        same(name, &find(&theirs.fields(), name), &find(&fields, name))?;
    }
    same("the parameters of the signature", &parameters(&theirs.fields()), &parameters(&fields))?;
    let Some(message) = Message::new(&got.method, &got.url, &fields) else { return differs("no such request") };
    let verified =
        |key: &PublicKey| Signed::parse(&fields).and_then(|signed| signed.verify(&message, now, |_| Some(key)));
    if verified(key.public_key()) != Ok(()) {
        return differs("this signature does not verify");
    }
    Ok(())
}

/// A request on the wire.
struct Sent {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Sent {
    fn read(wire: &Reader) -> Result<Self, Outcome> {
        let (Some(method), Some(url)) = (wire.text("method"), wire.text("url")) else {
            return differs("no request on the wire");
        };
        let body = wire.text("body").unwrap_or_default().to_owned();
        let sent = Self { method: method.into(), url: url.into(), headers: wire.fields("headers"), body };
        if let Some(length) = find(&sent.fields(), "content-length") {
            same("content-length", &length, &sent.body.len().to_string())?;
        }
        Ok(sent)
    }

    fn fields(&self) -> Vec<Header<'_>> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

fn find(fields: &[Header<'_>], name: &str) -> Option<String> {
    fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| (*value).to_owned())
}

/// Label, components in any order, parameters in theirs.
fn parameters(fields: &[Header<'_>]) -> Option<(String, Vec<String>, String)> {
    let field = find(fields, "signature-input")?;
    let (label, rest) = field.split_once("=(")?;
    let (components, parameters) = rest.split_once(')')?;
    let mut components: Vec<_> = components.split(' ').map(str::to_owned).collect();
    components.sort();
    Some((label.to_owned(), components, parameters.to_owned()))
}

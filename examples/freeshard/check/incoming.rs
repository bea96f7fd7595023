//! Requests of others, and paths.

use std::collections::BTreeMap;

use port_protocol::portal::freeshard::{
    Access, AppPaths, Body, Client, Forwarded, FullId, Host, Mode, PathRule, Peer, Peers, PublicKey, ReplayMemory,
    ShortId, Terminal,
};
use serde_json::Value;

use super::reader::{Context, Outcome, Reader, access, differs, rule, same};

pub fn incoming(context: &Context, case: &Reader) -> Result<(), Outcome> {
    let Some(now) = case.seconds("now").or(context.now) else { return differs("no time") };
    let check = case.text("signature_check");
    let (mut peers, mut missing) = (Peers::new(Mode::AsBuilt), false);
    for known in case.list("known_peers") {
        let (peer, has_key) = peer(context, &known, check)?;
        missing |= !has_key;
        if peers.restore(peer).is_err() {
            return differs("a peer that is not taken");
        }
    }
    let forwarded = case.fields("forwarded");
    let fields: Vec<_> = forwarded.iter().cloned().chain(case.fields("headers")).collect();
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected: BTreeMap<_, _> =
        case.fields("ptl_headers").into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    let (body, status) = (case.text("body"), case.number("status"));

    // How the owner's terminals are recognised, no file says.
    let kind = case.text("client_type");
    let header = |name: &str| expected.get(name).cloned().unwrap_or_default();
    let terminal = Terminal { id: header("x-ptl-client-id"), name: header("x-ptl-client-name") };
    let terminal = (kind == Some("terminal")).then_some(&terminal);

    let own = target(context, &forwarded);
    let host = Host { id: own.unwrap_or(ANY), zone: &context.zone, peers: &peers };
    let listed = case.child("paths").map(|paths| paths_of(&paths)).transpose()?;
    let paths = listed.as_ref().unwrap_or(&context.paths);
    // The file names one app. Others may be there, too: those that a request was not answered with 404 for.
    let unknown = status == Some(404);
    let app = |name: &str| (!unknown || context.app.as_deref() == Some(name)).then_some(paths);
    let body = body.map_or(Body::Unseen, |body| Body::Whole(body.as_bytes()));
    let request = Forwarded { headers: &fields, body };
    let decision = host.authorize(&request, app, terminal, now, &mut ReplayMemory::new(0));

    if missing && check == Some("verified") && !matches!(decision.client, Some(Client::Peer(_))) {
        return Err(Outcome::Skipped("no key of a known peer"));
    }
    if let (Some(check), Some(client)) = (check, &decision.client) {
        let got = matches!(client, Client::Peer(_));
        if (check == "verified") != got && terminal.is_none() {
            return differs(format!("signature_check: the file has {check:?}, this is {client:?}"));
        }
    }
    if let Some(status) = status {
        same("status", &status, &decision.status.code().into())?;
    }
    let granted = decision.status.code() == 200;
    let got = decision.client.as_ref().filter(|_| granted).map(Client::kind);
    if case.get("client_type").is_some() {
        same("client_type", &kind, &got)?;
    }
    if case.get("ptl_headers").is_some() {
        let name = |name: &str| name.to_lowercase();
        let mut got: BTreeMap<_, _> = decision.headers.iter().map(|(key, value)| (name(key), value.clone())).collect();
        let mut expected = expected;
        if own.is_none() {
            got.remove("x-ptl-id");
            expected.remove("x-ptl-id");
        }
        same("ptl_headers", &expected, &got)?;
    }
    Ok(())
}

/// Stands for a Portal whose ID the file does not have.
const ANY: FullId = FullId::ZERO;

/// The Portal that was asked: the file names it, or its address does.
fn target(context: &Context, forwarded: &[(String, String)]) -> Option<FullId> {
    let named = context.target.as_ref().and_then(|name| context.ring.by_name(name));
    let host = forwarded.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-forwarded-host"));
    let short = host.and_then(|(_, host)| host.split('.').nth(1));
    let addressed = || context.ring.by_id(short.filter(|short| short.parse::<ShortId>().is_ok())?);
    named.or_else(addressed).map(PublicKey::id)
}

/// A row, and whether it has the key that it should have.
fn peer(context: &Context, known: &Reader, check: Option<&str>) -> Result<(Peer, bool), Outcome> {
    let Some(id) = known.text("id") else { return differs("a peer without an ID") };
    let Ok(peer) = Peer::new(Mode::AsBuilt, id, known.text("name")) else { return differs("not the ID of a peer") };
    let peer = peer.reachable(known.get("is_reachable").and_then(Value::as_bool).unwrap_or(true));
    let written = known.get("public_bytes_b64").or_else(|| known.get("public_key_pem"));
    let key = match written {
        Some(Value::Null) => return Ok((peer, true)),
        Some(Value::String(text)) => {
            let pem = context.ring.pem(text).unwrap_or_default();
            PublicKey::from_pem(&pem).ok()
        }
        // The form has no place for a key that was not fetched yet. Only what came of it tells.
        _ if check
            .is_some_and(|why| why.contains(&format!("No public key known for peer id {}'", peer.short_id()))) =>
        {
            return Ok((peer, true));
        }
        _ => context.ring.by_id(id).cloned(),
    };
    match key.map(|key| peer.clone().with_key(Mode::AsBuilt, key)) {
        None => Ok((peer, false)),
        Some(Ok(peer)) => Ok((peer, true)),
        Some(Err(_)) => differs("the key of a peer is not its own"),
    }
}

fn paths_of(paths: &Reader) -> Result<AppPaths, Outcome> {
    let rules = paths.whole().as_object().into_iter().flatten().map(|(prefix, value)| {
        let word = value.as_str().or_else(|| value.get("access")?.as_str());
        let Some(access) = word.and_then(access) else { return differs("an access that there is not") };
        let Some(headers) = value.get("headers").and_then(Value::as_object) else { return Ok(rule(prefix, access)) };
        headers.iter().try_fold(PathRule::new(prefix, access), |rule, (name, value)| {
            rule.header(name, value.as_str().unwrap_or_default()).or_else(|_| differs("a header that is not taken"))
        })
    });
    rules.collect::<Result<Vec<_>, _>>().map(AppPaths::new)
}

pub fn path_match(_: &Context, case: &Reader) -> Result<(), Outcome> {
    let (Some(paths), Some(uri)) = (case.child("paths"), case.text("uri")) else { return differs("not a case") };
    let paths = paths_of(&paths)?;
    let got = paths.find(Mode::AsBuilt, uri).map(|rule| match rule.access() {
        Access::Public => "public",
        Access::Private => "private",
        Access::Peer => "peer",
    });
    same("access", &case.text("access"), &got)
}

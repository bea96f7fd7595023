//! Alice makes a Port.

use std::error::Error;

use port_protocol::app::{Bundle, Name};
use port_protocol::{LineLink, PortKind, PublicKey, Rad, Secret};
use serde_json::json;
use x25519_dalek::{PublicKey as Public, StaticSecret};

use crate::{qr, random};

pub fn offer(kind: PortKind, id: Option<LineLink>, name: Option<Name>, as_json: bool) -> Result<(), Box<dyn Error>> {
    let private_key = Secret::from(random::<32>()?);
    let public_key = Public::from(&StaticSecret::from(*private_key.expose()));
    let (public_key, rad) = (PublicKey::from_bytes(public_key.to_bytes())?, Rad::from(random()?));
    let port_id = id.map_or_else(|| random().map(LineLink::from), Ok)?;
    let bundle = match kind {
        PortKind::Superport => Bundle::superport(port_id, public_key, rad),
        _ => Bundle::port(port_id, public_key, rad),
    };
    let bundle = match &name {
        Some(name) => bundle.named(name.clone()),
        None => bundle,
    };
    let shown = bundle.link_for_app();
    let renamed = shown.renamed.as_ref().map(Name::as_str);
    if as_json {
        let made = json!({
            "kind": format!("{kind:?}"),
            "bundle": bundle.to_json().as_str(),
            "link": shown.text.as_str(),
            "renamed": renamed,
            "private_key": hex::encode(private_key.expose()),
        });
        println!("{made}");
        return Ok(());
    }
    println!("The bundle:\n\n  {}\n", bundle.to_json());
    println!("The link, which is what the QR code says:\n\n  {}\n", shown.text);
    qr::show(shown.text.as_str())?;
    if let (Some(renamed), Some(name)) = (renamed, &name) {
        println!("\nThe app can't read {:?} in a link: there, the name is {renamed:?}.", name.as_str());
    }
    if id.is_none() {
        println!("\nThe app's server does not know this id, which was drawn here: nobody gets in by it (--id HEX).");
    }
    Ok(())
}

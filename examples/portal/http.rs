//! HTTP, by libraries: a server for a Portal's address, and a client.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use oxhttp::model::header::CONTENT_TYPE;
use oxhttp::model::{Body, Method, Request, Response, StatusCode};
use port_protocol::portal::MAX_MESSAGE;
use ureq::Agent;

use crate::network::NoAnswer;

/// What §18.1 says of a message over HTTP.
const MEDIA_TYPE: &str = "application/cbor";

/// Whatever answers messages at an address.
pub type Answering = Arc<dyn Fn(&[u8]) -> Result<Vec<u8>, NoAnswer> + Send + Sync>;

/// Serves on a free port of the loopback interface. Gives the address.
pub fn serve(answering: Answering) -> io::Result<String> {
    let port = free_port()?;
    let server = oxhttp::Server::new(move |request| match answer(request, &answering) {
        Ok(message) => response(StatusCode::OK, message),
        Err(status) => response(status, Vec::new()),
    });
    server.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).spawn()?;
    Ok(format!("http://127.0.0.1:{port}/portal"))
}

/// A port on which nobody listens.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn answer(request: &mut Request<Body>, answering: &Answering) -> Result<Vec<u8>, StatusCode> {
    if request.method() != Method::POST || request.uri().path() != "/portal" {
        return Err(StatusCode::NOT_FOUND);
    }
    let mut message = Vec::new();
    // What is too long is refused unread.
    let most = MAX_MESSAGE as u64 + 1;
    request.body_mut().take(most).read_to_end(&mut message).map_err(|_| StatusCode::BAD_REQUEST)?;
    answering(&message).map_err(|NoAnswer| StatusCode::SERVICE_UNAVAILABLE)
}

fn response(status: StatusCode, message: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(message));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, oxhttp::model::HeaderValue::from_static(MEDIA_TYPE));
    response
}

pub fn client() -> Agent {
    let config = Agent::config_builder();
    // An address is an owner's word: what answers there must not lead this server anywhere else.
    config.timeout_global(Some(Duration::from_secs(1))).max_redirects(0).proxy(None).build().into()
}

/// Sends a message, and gives the answer.
pub fn post(client: &Agent, address: &str, message: &[u8]) -> Result<Vec<u8>, NoAnswer> {
    let sent = client.post(address).content_type(MEDIA_TYPE).send(message);
    let mut response = sent.map_err(|_| NoAnswer)?;
    if response.status() != StatusCode::OK.as_u16() {
        return Err(NoAnswer);
    }
    response.body_mut().with_config().limit(MAX_MESSAGE as u64 + 1).read_to_vec().map_err(|_| NoAnswer)
}

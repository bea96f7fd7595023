//! §18.6: one who knows nothing of this crate, built on snow and ciborium from the chapter alone, talks with a Portal, as its caller and as its
//! callee: `cargo test --manifest-path benches/compare/Cargo.toml`.

#[allow(dead_code, reason = "not every program needs all of it")]
#[path = "../../common/portal.rs"]
mod portal;

use ciborium::Value;
use port_protocol::PublicKey;
use port_protocol::portal::*;
use snow::{Builder, HandshakeState, StatelessTransportState};

use portal::{InMemory, NOW, Side};

const PATTERN: &str = "Noise_IK_25519_AESGCM_SHA256";
const PROLOGUE: &[u8] = b"port-protocol portal 1";
/// Two rekeys, and into the period behind them.
const EXCHANGES: u64 = 2 * 1_024 + 3;
const SESSION: [u8; 16] = *b"stranger session";

fn array(items: impl Into<Vec<Value>>) -> Value {
    Value::Array(items.into())
}

fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

fn decoded(bytes: &[u8]) -> Vec<Value> {
    let value: Value = ciborium::from_reader(bytes).unwrap();
    assert_eq!(encoded(&value), bytes, "one encoding, and nothing behind it");
    value.into_array().unwrap()
}

/// `[1, body]`.
fn message(body: &[Value]) -> Vec<u8> {
    encoded(&array([1.into(), array(body)]))
}

/// The fields of the body with this number.
fn body(message: &[u8], number: u64) -> Vec<Value> {
    let mut body = match <[Value; 2]>::try_from(decoded(message)) {
        Ok([version, body]) if version == 1.into() => body.into_array().unwrap(),
        _ => panic!("not of version 1"),
    };
    assert_eq!(body.remove(0), number.into());
    body
}

fn fields<const N: usize>(fields: Vec<Value>) -> [Value; N] {
    fields.try_into().unwrap()
}

/// The one byte string in a body.
fn noise_of(message: &[u8], number: u64) -> Vec<u8> {
    let [noise] = fields(body(message, number));
    noise.into_bytes().unwrap()
}

struct Stranger {
    private: Vec<u8>,
    public: PublicKey,
}

impl Stranger {
    fn new() -> Self {
        let pair = Builder::new(PATTERN.parse().unwrap()).generate_keypair().unwrap();
        Self { private: pair.private, public: PublicKey::from_bytes(pair.public.try_into().unwrap()).unwrap() }
    }

    fn builder(&self) -> Builder<'_> {
        let builder = Builder::new(PATTERN.parse().unwrap());
        builder.prologue(PROLOGUE).unwrap().local_private_key(&self.private).unwrap()
    }
}

fn write(noise: &mut HandshakeState, payload: &Value) -> Vec<u8> {
    let mut out = vec![0; 65_535];
    let length = noise.write_message(&encoded(payload), &mut out).unwrap();
    out.truncate(length);
    out
}

fn read(noise: &mut HandshakeState, message: &[u8]) -> Vec<Value> {
    let mut out = vec![0; 65_535];
    let length = noise.read_message(message, &mut out).unwrap();
    decoded(&out[..length])
}

/// snow keeps one key of each direction, so a stranger that takes one message after the other rekeys when a period begins.
struct Session(StatelessTransportState);

impl Session {
    fn rekey_before(&mut self, number: u64) {
        if number > 0 && number.is_multiple_of(1_024) {
            self.0.rekey_outgoing();
            self.0.rekey_incoming();
        }
    }

    fn seal(&self, number: u64, payload: &Value) -> Vec<u8> {
        let mut out = vec![0; 65_535];
        let length = self.0.write_message(number, &encoded(payload), &mut out).unwrap();
        out.truncate(length);
        out
    }

    fn open(&self, number: u64, message: &[u8]) -> Vec<Value> {
        let mut out = vec![0; 65_535];
        let length = self.0.read_message(number, message, &mut out).unwrap();
        decoded(&out[..length])
    }
}

/// `[1, [request_id, app, method, target, headers, part]]`.
fn request(nonce: &[u8], method: &str, target: &str, text: &[u8]) -> Value {
    let id = array([NOW.as_secs().into(), bytes(nonce)]);
    let headers = array([array(["content-type".into(), "text/plain".into()])]);
    let part = array([bytes(text), false.into()]);
    array([1.into(), array([id, "notes".into(), method.into(), target.into(), headers, part])])
}

/// `[1, [status, headers, part]]`.
fn answer(text: &[u8]) -> Value {
    let headers = array([array(["content-type".into(), "text/plain".into()])]);
    array([1.into(), array([200.into(), headers, array([bytes(text), false.into()])])])
}

fn nonce(number: u64) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}

#[test]
fn r18_6_a_stranger_built_on_snow_asks() {
    let stranger = Stranger::new();
    let mut side = Side::<InMemory>::with_peer(&stranger.public);
    // WhoAreYou, IAm.
    let i_am = side.serve(&message(&[0.into()]), b"");
    let key = noise_of(&i_am, 1);

    let mut noise = stranger.builder().remote_public_key(&key).unwrap().build_initiator().unwrap();
    let early = request(&[0xff; 16], "GET", "/peer/first", b"");
    let opening = write(&mut noise, &array([NOW.as_secs().into(), "Stranger".into(), early]));
    let opened = side.serve(&message(&[2.into(), bytes(&opening)]), b"the first answer");
    assert_eq!(side.peer.own_name().as_str(), "Stranger");
    let [session, name, say] = fields(read(&mut noise, &noise_of(&opened, 3)));
    assert_eq!((name, say), ("a name".into(), answer(b"the first answer")));
    let session = session.into_bytes().unwrap();
    assert_eq!(session.len(), 16);

    let mut keys = Session(noise.into_stateless_transport_mode().unwrap());
    for number in 0..EXCHANGES {
        keys.rekey_before(number);
        // What was asked in an Exchange once is done. The callee keeps no more than 64, so it has to understand this.
        let done = if number == 0 { array([]) } else { array([bytes(&nonce(number - 1))]) };
        let text = format!("request {number}");
        let ask = request(&nonce(number), "POST", "/peer/next", text.as_bytes());
        let exchange = keys.seal(number, &array([done, ask]));
        let text = format!("answer {number}");
        let exchange = message(&[4.into(), bytes(&session), number.into(), bytes(&exchange)]);
        let reply = side.serve(&exchange, text.as_bytes());
        assert_eq!(array(keys.open(number, &noise_of(&reply, 5))), answer(text.as_bytes()));
    }
    let delivered: Vec<_> = side.delivered.iter().map(String::as_str).collect();
    assert_eq!(delivered[..2], ["GET /peer/first ", "POST /peer/next request 0"]);
    assert_eq!(delivered[EXCHANGES as usize], format!("POST /peer/next request {}", EXCHANGES - 1));
    assert_eq!(delivered.len() as u64, EXCHANGES + 1);
}

#[test]
fn r18_6_a_stranger_built_on_snow_answers() {
    let stranger = Stranger::new();
    let mut side = Side::<InMemory>::with_peer(&stranger.public);
    let mut noise = stranger.builder().build_responder().unwrap();

    let (_, outgoing) = side.ask("GET", "/peer/first?a=b", b"");
    let [created, name, ask] = fields(read(&mut noise, &noise_of(&outgoing.message, 2)));
    assert_eq!((created, name), (NOW.as_secs().into(), "a name".into()));
    assert_eq!(noise.get_remote_static().unwrap(), side.portal.public_key().as_bytes());
    assert_eq!(ask, request(&nonce_of(&ask), "GET", "/peer/first?a=b", b""));
    let opened = write(&mut noise, &array([bytes(&SESSION), "Stranger".into(), answer(b"the first answer")]));
    assert_eq!(side.hear(outgoing.waiting, &message(&[3.into(), bytes(&opened)])), 16);
    assert_eq!(side.peer.own_name().as_str(), "Stranger");

    let mut keys = Session(noise.into_stateless_transport_mode().unwrap());
    let mut before = None;
    for number in 0..EXCHANGES {
        keys.rekey_before(number);
        let text = format!("request {number}");
        let (id, outgoing) = side.ask("POST", "/peer/next", text.as_bytes());
        let [session, at, exchange] = fields(body(&outgoing.message, 4));
        assert_eq!((session, at), (bytes(&SESSION), number.into()));
        let [done, ask] = fields(keys.open(number, &exchange.into_bytes().unwrap()));
        let nonce = nonce_of(&ask);
        assert_eq!(done, array(before.replace(bytes(&nonce)).into_iter().collect::<Vec<_>>()));
        assert_eq!(ask, request(&nonce, "POST", "/peer/next", text.as_bytes()));
        let reply = keys.seal(number, &answer(&vec![7; number as usize]));
        assert_eq!(side.hear(outgoing.waiting, &message(&[5.into(), bytes(&reply)])), number as usize);
        side.peer.done(id);
    }
}

/// What only the caller knows of a request.
fn nonce_of(ask: &Value) -> Vec<u8> {
    let id = &ask.as_array().unwrap()[1].as_array().unwrap()[0];
    id.as_array().unwrap()[1].as_bytes().unwrap().clone()
}

/// A stranger that says another prologue, or whose key nobody entered, gets the one refusal.
#[test]
fn r18_6_another_prologue_or_another_key_opens_nothing() {
    let (stranger, other) = (Stranger::new(), Stranger::new());
    let mut side = Side::<InMemory>::with_peer(&stranger.public);
    let key = *side.portal.public_key();
    let hello = array([NOW.as_secs().into(), "".into(), array([0.into()])]);
    let mut opening = |of: &Stranger, prologue: &[u8]| {
        let builder = Builder::new(PATTERN.parse().unwrap()).prologue(prologue).unwrap();
        let builder = builder.local_private_key(&of.private).unwrap().remote_public_key(key.as_bytes()).unwrap();
        let opening = write(&mut builder.build_initiator().unwrap(), &hello);
        side.try_serve(&message(&[2.into(), bytes(&opening)]), b"").map(drop)
    };
    assert_eq!(opening(&stranger, b"port-protocol portal 2"), Err(Refusal::Unknown));
    assert_eq!(opening(&other, PROLOGUE), Err(Refusal::Unknown));
    assert_eq!(opening(&stranger, PROLOGUE), Ok(()));
    assert_eq!(body(&Refusal::Unknown.to_vec(), 6), [1.into()]);
}

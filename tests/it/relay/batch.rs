//! Many requests in one transaction, and many deliveries in one read (§13.5, §13.7).

use super::*;

/// A database: what a transaction has changed is there when it is committed, or not at all.
#[derive(Default)]
struct Database {
    memory: Memory,
    commits: usize,
}

impl Database {
    fn begin(&self) -> Memory {
        self.memory.clone()
    }

    fn commit(&mut self, transaction: Memory) {
        self.memory = transaction;
        self.commits += 1;
    }
}

type Answer = Result<Response, RequestError>;

/// The responses to these requests, all in one transaction. The caller commits it and then sends them.
fn run(transaction: &mut Memory, rng: &mut Names, requests: &[(u8, Request<'_>)]) -> Vec<Answer> {
    let limits = Limits { links: 3, ..Limits::default() };
    let mut answers = Vec::new();
    for (from, request) in requests {
        let bytes = request.to_vec();
        let operation = Operation::prepare(user(*from), &bytes, &limits, &marks(), rng, NOW);
        answers.push(operation.and_then(|operation| match operation.execute(transaction) {
            Ok(response) => Ok(response),
            Err(RelayError::Request(refused)) => Err(refused),
            Err(RelayError::Directory(never)) => match never {},
        }));
    }
    answers
}

fn issue(request_id: u8) -> Request<'static> {
    Request::IssueLineLink { request_id: [request_id; 16].into() }
}

/// The names that `Names` draws.
fn name<T: From<[u8; 16]>>(n: u128) -> T {
    n.to_be_bytes().into()
}

#[test]
fn r13_7_many_requests_of_many_users_are_one_transaction() {
    let (mut database, mut rng) = (Database::default(), Names::default());
    let (links, line_id) = ([1, 2].map(name::<LineLink>), name::<LineId>(3));
    let requests = [
        (ALICE, issue(1)),
        (ALICE, issue(2)),
        (BOB, on_board(links[0])),
        (BOB, Request::Packet { line_id, payload: b"one" }),
        (BOB, Request::Packet { line_id, payload: b"two" }),
        (ALICE, set(links[1], 1, Admission::Nobody)),
        // The next ones are refused, and the transaction goes on.
        (CAROL, connect(links[0])),
        (CAROL, connect(links[1])),
        (CAROL, Request::Disconnect { line_id }),
        (ALICE, Request::CloseLineLink { line_link: links[1] }),
    ];
    let mut transaction = database.begin();
    let answers = run(&mut transaction, &mut rng, &requests);
    database.commit(transaction);

    // Each at a relay of its own transactions gives the same, byte for byte.
    let mut one_by_one = relay(Limits { links: 3, ..Limits::default() });
    let expected: Vec<Answer> =
        requests.iter().map(|(from, request)| Ok(one_by_one.handle(*from, request).unwrap())).collect();
    assert_eq!(answers, expected);
    let batched = Running { relay: Relay::new(database.memory, Limits::default(), marks()), rng, now: NOW };
    for of in [ALICE, BOB, CAROL] {
        assert_eq!(batched.waiting(of), one_by_one.waiting(of));
    }
    assert_eq!(
        (batched.waits(ALICE), database.commits),
        (vec!["LineFormed on board".into(), "one".into(), "two".into()], 1)
    );
}

/// A refused request has written nothing, so the others of its transaction stand.
#[test]
fn r13_7_a_refused_request_leaves_its_transaction_whole() {
    let (mut database, mut rng) = (Database::default(), Names::default());
    let mut transaction = database.begin();
    let requests = [(ALICE, issue(1)), (ALICE, issue(2)), (ALICE, issue(3)), (ALICE, issue(4)), (BOB, issue(1))];
    let answers = run(&mut transaction, &mut rng, &requests);
    assert_eq!(answers[3], Err(RequestError::TooManyLinks));
    assert!(answers.iter().filter(|answer| answer.is_ok()).count() == 4);
    database.commit(transaction);
    assert_eq!(database.memory.links(), 4);
}

/// The relay dies before it commits: nobody has had a reply, and the same requests again do what they would have done.
#[test]
fn r13_7_a_transaction_that_is_lost_has_never_been() {
    let (mut database, mut rng) = (Database::default(), Names::default());
    let requests = [(ALICE, issue(1)), (BOB, connect(name(1)))];
    let mut transaction = database.begin();
    let lost = run(&mut transaction, &mut rng, &requests);
    drop(transaction);
    assert!(lost.iter().all(Result::is_ok) && database.memory.links() == 0);

    let mut transaction = database.begin();
    assert_eq!(run(&mut transaction, &mut Names::default(), &requests), lost);
    database.commit(transaction);
    // The commit was durable and its replies were lost: the same requests get the same link and the same line, and nobody is notified twice.
    let mut transaction = database.begin();
    let again = run(&mut transaction, &mut Names(100), &requests);
    let [Ok(_), Ok(Response { reply: Some(connected), notify: [None, None] })] = &again[..] else {
        panic!("{again:?}")
    };
    assert_eq!(again[0], lost[0]);
    assert_eq!(connected.to_vec(), database.memory.next(user(BOB), 0).unwrap().unwrap().event);
}

/// The relay itself may stand on a transaction.
#[test]
fn r13_7_a_relay_on_a_transaction_gives_it_back() {
    let mut rng = Names::default();
    let mut relay = Relay::new(Memory::new(), Limits::default(), marks());
    relay.handle(user(ALICE), &issue(1).to_vec(), &mut rng, NOW).unwrap();
    assert_eq!(relay.into_directory().links(), 1);
}

/// One that has `next_batch` from the trait.
struct Plain(Memory);

impl Directory for Plain {
    type Error = Infallible;
    type Bytes<'d> = &'d [u8];

    fn issue(&mut self, link: &NewLink) -> Result<Issued, Infallible> {
        self.0.issue(link)
    }

    fn claim(&mut self, connect: &Connect) -> Result<Claimed, Infallible> {
        self.0.claim(connect)
    }

    fn set_link(&mut self, setting: &LinkSetting) -> Result<LinkSet, Infallible> {
        self.0.set_link(setting)
    }

    fn close_link(&mut self, closure: &LinkClosure) -> Result<(), Infallible> {
        self.0.close_link(closure)
    }

    fn push(&mut self, packet: &Packet<'_>) -> Result<Pushed, Infallible> {
        self.0.push(packet)
    }

    fn leave(&mut self, departure: &Departure) -> Result<Option<UserId>, Infallible> {
        self.0.leave(departure)
    }

    fn next(&self, user: UserId, after: u64) -> Result<Option<Delivery<&[u8]>>, Infallible> {
        self.0.next(user, after)
    }

    fn acknowledge(&mut self, user: UserId, upto: u64) -> Result<(), Infallible> {
        self.0.acknowledge(user, upto)
    }

    fn remove(&mut self, user: UserId, notify: impl FnMut(UserId)) -> Result<(), Infallible> {
        self.0.remove(user, notify)
    }

    fn purge(&mut self, now: UnixSeconds) -> Result<(), Infallible> {
        self.0.purge(now)
    }
}

fn batches<D: Directory<Error: std::fmt::Debug>>(directory: D) {
    let mut relay = Running::with(directory, Limits::default());
    let line_id = relay.line(ALICE, BOB, 1);
    for length in [10, 20, 30, 40] {
        relay.send(BOB, line_id, &vec![b'x'; length]);
    }
    let waiting = relay.waiting(ALICE);
    let lengths: Vec<_> = waiting.iter().map(|(_, event)| event.len()).collect();
    let batch = |after, events, bytes| {
        let mut batch = Vec::new();
        let deliver = |delivery: Delivery<&[u8]>| batch.push((delivery.sequence, delivery.event.to_vec()));
        let last = relay.relay.next_batch(user(ALICE), after, BatchLimit { events, bytes }, deliver).unwrap();
        assert_eq!(last, batch.last().map_or(after, |(sequence, _)| *sequence));
        batch
    };
    let all = usize::MAX;
    assert_eq!(batch(0, all, all), waiting);
    assert_eq!(batch(0, 2, all), waiting[..2]);
    assert_eq!(batch(2, all, all), waiting[2..]);
    assert_eq!(batch(0, 0, all), []);
    for after in [5, u64::MAX] {
        assert_eq!(batch(after, all, all), []);
    }
    // As many as fit, and one at least: it would never be delivered.
    assert_eq!(batch(0, all, lengths[0] + lengths[1]), waiting[..2]);
    assert_eq!(batch(0, all, lengths[0] + lengths[1] - 1), waiting[..1]);
    assert_eq!(batch(3, all, 0), waiting[3..4]);
}

#[test]
fn r13_5_a_batch_is_what_one_after_another_gives() {
    batches(Memory::new());
    batches(Plain(Memory::new()));
}

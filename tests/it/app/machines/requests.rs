//! What the app's server is asked for.

use super::*;

#[test]
fn r17_10_what_is_asked_of_the_apps_server() {
    let requests = |effects: Vec<AliceEffect<'_>>| -> Vec<String> {
        let said = effects.iter().map(|effect| match effect {
            AliceEffect::Send(request) => {
                format!("{} {} {:?}", request.method().as_str(), request.path(), request.body().map(|b| b.to_string()))
            }
            AliceEffect::PortReady => "ready".into(),
            AliceEffect::Ended(end) => format!("{end:?}"),
            AliceEffect::LineFormed(_) => "line".into(),
        });
        said.collect()
    };
    let id = "03".repeat(16);
    let body = |text: String| format!("{:?}", Some(text));
    let superport = body(format!(r#"{{"lineSuperportId":"{id}"}}"#));
    let contact_port = body(format!(r#"{{"contactPort":["{id}"]}}"#));
    let unlimited = |options: PortOptions| options.policy(Policy::unlimited());
    let cases: [(PortOptions, String, Option<[String; 3]>); 5] = [
        (PortOptions::new(), "POST /management/line-links None".into(), None),
        (
            offer(PortKind::Superport),
            // Three, by Alice's own count.
            format!("POST /management/superport/line {}", body(r#"{"limit":2147483647}"#.into())),
            Some([
                format!("PATCH /management/superport/resume {superport}"),
                format!("PATCH /management/superport/pause {superport}"),
                format!("DELETE /management/superport/line/{id} None"),
            ]),
        ),
        (
            unlimited(PortOptions::new()),
            format!("POST /management/superport/line {}", body(r#"{"limit":2147483647}"#.into())),
            Some([
                format!("PATCH /management/superport/resume {superport}"),
                format!("PATCH /management/superport/pause {superport}"),
                format!("DELETE /management/superport/line/{id} None"),
            ]),
        ),
        (
            unlimited(offer(PortKind::ContactPort)),
            format!(
                "POST /management/contact-sharing {}",
                body(format!(r#"{{"lineId":"{}","active":true}}"#, "4d".repeat(16)))
            ),
            Some([
                format!("PATCH /management/contact-sharing/resume {contact_port}"),
                format!("PATCH /management/contact-sharing/pause {contact_port}"),
                format!("PATCH /management/contact-sharing/pause {contact_port}"),
            ]),
        ),
        (
            offer(PortKind::ContactPort).policy(Policy::unlimited().paused(true)),
            format!(
                "POST /management/contact-sharing {}",
                body(format!(r#"{{"lineId":"{}","active":false}}"#, "4d".repeat(16)))
            ),
            // It is paused as it is made, and that is said until the outbox is cleared.
            Some([
                format!("PATCH /management/contact-sharing/pause {contact_port}"),
                format!("PATCH /management/contact-sharing/pause {contact_port}"),
                format!("PATCH /management/contact-sharing/pause {contact_port}"),
            ]),
        ),
    ];
    for (options, issue, many) in cases {
        let mut alice = Alice::request(options, seed(1)).committed();
        assert_eq!(requests(alice.pending().collect()), [issue]);
        assert_eq!(Alice::restore(&alice.record()).unwrap().record().to_vec(), alice.record().to_vec());
        let said = requests(alice.issued(link(), NOW).unwrap().committed().collect());
        let first = many.as_ref().map(|[resume, ..]| resume.clone());
        assert_eq!(said, first.into_iter().chain(["ready".into()]).collect::<Vec<_>>());
        assert_eq!(alice.issued([4; 16].into(), NOW).err(), Some(Rejected::OutOfOrder));
        // A caller must not take it for one too many, or it would delete the Port that it shows.
        assert_eq!(alice.issued(link(), NOW).err(), Some(Rejected::Duplicate));
        let policy = alice.policy().unwrap().paused(true);
        let said = requests(alice.set_policy(policy).unwrap().committed().collect());
        assert_eq!(said, many.iter().map(|[_, pause, _]| pause.clone()).collect::<Vec<_>>());

        // After a crash Alice says of which kind it was, because it is nowhere else.
        alice.revoke().unwrap().committed().for_each(drop);
        let mut alice = Alice::restore(&alice.record()).unwrap();
        let last: Vec<String> = many.into_iter().map(|[.., close]| close).chain(["Revoked".into()]).collect();
        assert_eq!(requests(alice.pending().collect()), last);
        alice.clear_outbox().unwrap().committed().for_each(drop);
        assert_eq!(alice.pending().count(), 0);
        assert_eq!(alice.issued(link(), NOW).err(), Some(Rejected::Duplicate));
    }
}

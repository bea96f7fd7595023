use port_protocol::*;
const NOW: UnixSeconds = UnixSeconds(1_000);
fn hex(b: &[u8]) -> String {
    b.iter().map(|x| format!("{x:02x}")).collect()
}
#[test]
fn smoke() {
    for how in [SendProof::OnBoard, SendProof::AlongTheLine] {
        let born = Alice::request(Offer::new(), Seed::from_bytes(&[7; 64]));
        println!("req {} {}", born.record().len(), hex(&born.record()));
        let mut alice = born.commit();
        let ev = Event::LineLinkIssued { request_id: [7; 16].into(), line_link: [1; 16].into() };
        let bytes = ev.to_vec();
        println!("ev {}", hex(&bytes));
        let step = alice.handle_bytes(&bytes, NOW).unwrap();
        println!("offered {}", step.record().len());
        let mut text = String::new();
        for e in step.commit() {
            if let AliceEffect::PortReady(p) = e {
                println!("{} {}", p.to_bytes().as_slice().len(), hex(p.to_bytes().as_slice()));
                text = p.qr_text().as_str().to_string();
                println!("{text}");
                println!("{}", p.link("https://port.example/x").unwrap())
            }
        }
        let port = Port::parse(&text).unwrap();
        let mut bob = Bob::scan(port, Seed::from_bytes(&[9; 64])).commit();
        let step = bob.connect(how, NOW).unwrap();
        println!("connecting {}", step.record().len());
        let mut proof = None;
        for e in step.commit() {
            if let BobEffect::Send(r) = e {
                println!("connect {}", hex(&r.to_vec()));
                if let Request::Connect { proof: p, .. } = r {
                    proof = p
                }
            }
        }
        let ev =
            Event::LineFormed { line_link: [1; 16].into(), line_id: [2; 16].into(), pair_hash: [3; 32].into(), proof };
        println!("formed {} {}", ev.to_vec().len(), hex(&ev.to_vec()));
        let step = alice.handle_bytes(&ev.to_vec(), NOW).unwrap();
        println!("alice formed {}", step.record().len());
        let mut la = None;
        for e in step.commit() {
            if let AliceEffect::LineFormed(l) = e {
                la = Some(l.commit())
            }
        }
        let mut la = la.unwrap();
        let ev = Event::LineFormed {
            line_link: [1; 16].into(),
            line_id: [2; 16].into(),
            pair_hash: [3; 32].into(),
            proof: None,
        };
        let step = bob.handle_bytes(&ev.to_vec(), NOW).unwrap();
        println!("bob formed {}", step.record().len());
        let mut lb = None;
        for e in step.commit() {
            if let BobEffect::LineFormed(l) = e {
                lb = Some(l.commit())
            }
        }
        let mut lb = lb.unwrap();
        println!("lines {} {}", la.record().len(), lb.record().len());
        assert!(Line::restore(&la.record()).is_ok());
        assert!(Alice::restore(&alice.record()).is_ok());
        assert!(Bob::restore(&bob.record()).is_ok());
        let mut q: Vec<(bool, Vec<u8>)> = vec![];
        let grab = |e: Effects<Line>| -> Vec<Vec<u8>> {
            e.filter_map(|e| match e {
                LineEffect::Send(Request::Packet { line_id, payload }) => {
                    Some(Event::Packet { line_id, payload }.to_vec())
                }
                e => {
                    println!("{e:?}");
                    None
                }
            })
            .collect()
        };
        for p in grab(la.unsent()) {
            q.push((true, p))
        }
        for p in grab(lb.unsent()) {
            q.push((false, p))
        }
        let mut buf = vec![0; 70000];
        while let Some((to_bob, p)) = q.pop() {
            println!("packet {} {}", to_bob, hex(&p));
            let l = if to_bob { &mut lb } else { &mut la };
            let step = l.handle_bytes(&p, &mut buf, NOW).unwrap();
            println!("   line {}", step.record().len());
            for p in grab(step.commit()) {
                q.push((!to_bob, p))
            }
        }
        assert_eq!(la.check_code().unwrap(), lb.check_code().unwrap());
        println!("{} {}", la.check_code().unwrap(), lb.check_code().unwrap());
        assert!(la.unsent().next().is_none());
    }
}

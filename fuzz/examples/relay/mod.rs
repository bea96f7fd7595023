//! Seeds of the relay's machine.

use port_protocol::Request;
use port_protocol_fuzz::relay_handle;

use crate::Seeds;

/// `[limits, user and what, …]`: what four users ask of a relay. Each says whether a line comes of it.
pub fn requests() -> Seeds {
    const WIDE: u8 = 0xff;
    const TIGHT: u8 = 0;
    let of = |user: u8, what: &[u8]| [&[user << 6 | what[0]], &what[1..]].concat();
    let alice = |what: &[u8]| of(0, what);
    let bob = |what: &[u8]| of(1, what);
    let carol = |what: &[u8]| of(2, what);
    // The first link or line is number 0; how many there are is the number of one that never was.
    let (issue, issue_another, connect, with_proof) = ([0, 1], [0, 2], [4, 0, 0], [5, 0, 1, 20, 20]);
    let (say, disconnect, close, remove): (_, _, _, &[u8]) = ([8, 0, b'w', 30], [14, 0], [16, 0], &[22]);
    let (acknowledge, acknowledge_unknown, wait) = ([18, 2], [18, 0], [21, 63]);
    let (fail_before, fail_after): (&[u8], &[u8]) = (&[27], &[28]);
    // Six for each version: many, nobody, one; the same of an owner that is recognised.
    let (many, pause, resume, single) = ([29, 0, 6], [29, 0, 13], [29, 0, 18], [29, 0, 26]);
    let (recognisable, as_issued, days): (_, _, &[u8]) = ([29, 0, 11], [29, 0, 2], &[21, 132]);

    let mut seeds = Seeds::new();
    let mut add = |name: &str, limits: u8, forms: bool, requests: &[Vec<u8>]| {
        let seed = [&[limits][..], &requests.concat()].concat();
        assert_eq!(relay_handle(&seed), forms, "{name}");
        seeds.insert(name.into(), seed);
    };
    let formed = [alice(&issue), bob(&connect)];
    let after = |more: &[Vec<u8>]| [&formed[..], more].concat();

    add("formed", WIDE, true, &formed);
    add("formed-with-proof", WIDE, true, &[alice(&issue), bob(&with_proof), bob(&connect), carol(&with_proof)]);
    add("closed", WIDE, false, &[alice(&issue), carol(&close), alice(&close), bob(&connect)]);
    add("closed-by-another", WIDE, true, &[alice(&issue), carol(&close), bob(&connect)]);
    add("expired", WIDE, false, &[alice(&issue), alice(&wait), bob(&connect), alice(&issue)]);
    add("forgotten", WIDE, false, &[alice(&issue), alice(&wait), alice(&wait), alice(&close), bob(&connect)]);
    add("own-link", WIDE, false, &[alice(&issue), alice(&connect)]);
    add("two-lines", WIDE, true, &after(&[alice(&issue_another), bob(&[5, 1, 0, 2, 3]), bob(&[8, 1, b'x', 9])]));
    add("words", WIDE, true, &after(&[bob(&say), alice(&say), alice(&acknowledge), bob(&acknowledge)]));
    add("dropped", WIDE, true, &after(&[bob(&say), bob(&say), bob(&say), bob(&say), bob(&acknowledge), bob(&say)]));
    add("dropped-at-once", TIGHT, true, &after(&[bob(&[8, 0, b'w', 8]), bob(&[8, 0, b'w', 8]), bob(&[8, 0, b'w', 9])]));
    add("left", WIDE, true, &after(&[bob(&say), bob(&disconnect), alice(&say), alice(&acknowledge), alice(&say)]));
    add("both-left", WIDE, true, &after(&[bob(&disconnect), alice(&disconnect), bob(&connect)]));
    add("foreign", WIDE, true, &after(&[carol(&say), carol(&disconnect), carol(&close), carol(&[8, 1, 0, 0])]));
    add("removed", WIDE, true, &after(&[bob(&say), alice(&say), alice(remove), bob(&say), bob(&acknowledge)]));
    add("removed-before", WIDE, false, &[alice(&issue), alice(remove), bob(&connect), alice(&issue)]);
    add("too-many-links", TIGHT, false, &[alice(&issue), alice(&issue_another), alice(&close), alice(&issue_another)]);
    add("too-many-lines", TIGHT, true, &after(&[carol(&issue), bob(&[4, 1, 0]), bob(&disconnect), bob(&[4, 1, 0])]));
    add("never-given", WIDE, true, &after(&[alice(&acknowledge_unknown), alice(&[18, 1]), alice(&acknowledge)]));
    let superport = [alice(&issue), alice(&many), bob(&connect), carol(&connect), bob(&with_proof)];
    let of_many = |more: &[Vec<u8>]| [&superport[..], more].concat();
    add("many", WIDE, true, &of_many(&[bob(&say), carol(&[8, 1, b'x', 9]), bob(&connect), alice(&connect)]));
    add("many-paused", WIDE, true, &of_many(&[alice(&pause), bob(&connect), of(3, &connect), alice(&many)]));
    add("many-closed", WIDE, true, &of_many(&[alice(&close), bob(&connect), of(3, &connect), alice(&resume)]));
    add("many-burnt", WIDE, true, &of_many(&[alice(&single), of(3, &connect), carol(&connect), alice(&many)]));
    add("many-left", WIDE, true, &of_many(&[bob(&disconnect), bob(&connect), alice(&[14, 1]), carol(&connect)]));
    add("many-removed", WIDE, true, &of_many(&[bob(remove), bob(&connect), alice(remove), carol(&connect)]));
    add("many-too-many", TIGHT, true, &of_many(&[alice(&disconnect), carol(&connect)]));
    add("many-outlives", WIDE, true, &of_many(&[alice(&wait), alice(&wait), bob(&connect), alice(&resume)]));
    add("prolonged", WIDE, true, &[alice(&issue), alice(&[21, 50]), alice(&many), alice(&[21, 50]), bob(&connect)]);
    add("paused", WIDE, false, &[alice(&issue), alice(&pause), bob(&connect), carol(&resume), bob(&connect)]);
    add("resumed", WIDE, true, &[alice(&issue), alice(&pause), bob(&connect), alice(&resume), bob(&connect)]);
    add("renewed", WIDE, true, &[alice(&issue), alice(&[21, 50]), alice(&as_issued), alice(&[21, 50]), bob(&connect)]);
    add(
        "used-before-its-setting",
        WIDE,
        true,
        &after(&[carol(&connect), alice(&many), carol(&connect), bob(&connect)]),
    );
    add("recognised", WIDE, true, &[alice(&issue), alice(&recognisable), bob(&connect), carol(&connect)]);
    let purged = [alice(&issue), alice(days), alice(&issue_another), alice(days), alice(&issue_another)];
    add(
        "purged",
        WIDE,
        true,
        &[&purged[..], &[alice(&[29, 1, 6]), bob(&[4, 1, 0]), alice(&many), bob(&connect)]].concat(),
    );
    let backwards = [alice(&issue), alice(days), alice(&issue_another), alice(&[21, 255]), alice(&issue_another)];
    add(
        "a-clock-that-goes-back",
        WIDE,
        false,
        &[&backwards[..], &[alice(days), alice(&issue_another), bob(&connect)]].concat(),
    );
    add("lived-again", WIDE, true, &[alice(&issue), alice(days), bob(&connect), alice(&as_issued), bob(&connect)]);
    for (name, fail) in [("before", fail_before), ("after", fail_after)] {
        let crash = |what: Vec<u8>| [alice(fail), what].concat();
        let each = [
            crash(alice(&issue)),
            crash(bob(&with_proof)),
            crash(bob(&say)),
            crash(alice(&acknowledge)),
            crash(bob(&disconnect)),
            alice(&issue_another),
            crash(alice(&[29, 1, 6])),
            crash(bob(&[4, 1, 0])),
            crash(alice(&[16, 1])),
            crash(alice(remove)),
        ];
        add(&format!("crash-{name}"), WIDE, true, &each);
    }
    let bytes = Request::Connect { line_link: [0; 16].into(), request_id: [0; 16].into(), proof: None }.to_vec();
    let given = [&[23, bytes.len() as u8][..], &bytes].concat();
    add("bytes", WIDE, true, &after(&[carol(&given), carol(&[24, 0, 40]), carol(&[26]), carol(&[23, 3, 1, 2, 3])]));
    seeds
}

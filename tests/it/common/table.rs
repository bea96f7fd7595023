//! SPEC.md's tables, held against every state × every event and command, early and late.

use port_protocol::UnixSeconds;

use super::{Any, EXPIRY, Input, NOW, Refusal, at, events, expiring, states, words};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before the Port's expiry.
    Early,
    /// From that very second on.
    Late,
    Always,
}

/// States, events or commands (both separated by `|`), when; next state (`=`: the same), effects.
pub type Row = (&'static str, &'static str, When, &'static str, &'static str);

/// Every event by its name, and every command.
pub fn inputs() -> Vec<(String, Input)> {
    let events = events(expiring()).into_iter().map(|(name, event)| (name.to_owned(), Input::Event(event)));
    let names =
        ["connects inline", "connects", "revokes", "cancels", "closes", "seals", "deadline", "clears the outbox"];
    let commands = names.map(str::to_owned).into_iter().zip(Input::commands());
    events.chain(commands).collect()
}

/// What the rows say, happens; everything else is the error that `refusal` expects, and nothing moves. Every row is met.
pub fn holds(mine: impl Fn(&str) -> bool, rows: &[Row], refusal: impl Fn(&str, &str, &Any, UnixSeconds) -> Refusal) {
    let one_of = |names: &str, name: &str| names.split('|').any(|one| one.trim() == name);
    let mut met = vec![false; rows.len()];
    for (state, machine) in states(expiring()).into_iter().filter(|(state, _)| mine(state)) {
        for (name, input) in inputs() {
            for (now, when) in [(NOW, When::Early), (at(EXPIRY.as_secs() - 1), When::Early), (EXPIRY, When::Late)] {
                let fits = |row: &Row| {
                    one_of(row.0, &state) && one_of(row.1, &name) && (row.2 == When::Always || row.2 == when)
                };
                let what = format!("{state} × {name} at {now:?}");
                let mut next = machine.clone();
                let outcome = next.give(&input, now).map(|effects| words(&effects));
                let Some(place) = rows.iter().position(fits) else {
                    assert_eq!(outcome, Err(refusal(&state, &name, &machine, now)), "{what}");
                    continue;
                };
                met[place] = true;
                assert_eq!(rows.iter().filter(|row| fits(row)).count(), 1, "{what}: the table says it twice");
                let (.., to, effects) = rows[place];
                assert_eq!(outcome.as_deref(), Ok(effects), "{what}");
                assert_eq!(next.state(), if to == "=" { &state } else { to }, "{what}");
            }
        }
    }
    for (row, met) in rows.iter().zip(met) {
        assert!(met, "never met: {} × {}", row.0, row.1);
    }
}

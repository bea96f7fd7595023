//! The whole story, and what of it is told under a hostile network.

use crate::network::Mode;
use crate::power::Power;
use crate::show::{check, heading, tell};
use crate::world::{Outcome, World};
use crate::{peers, refusals, requests};

/// All of it, over a network that does what it should.
pub fn whole() -> Outcome {
    let world = World::new(Mode::Honest, &Power::default())?;
    peers::ids(&world)?;
    peers::entered_by_a_line(&world)?;
    peers::outcomes(&world)?;
    requests::grants(&world)?;
    requests::request_and_answer(&world)?;
    requests::who_it_was(&world)?;
    requests::encrypted(&world)?;
    requests::access(&world)?;
    requests::same_app(&world)?;
    requests::large(&world)?;
    requests::slow(&world)?;
    refusals::network(&world)?;
    refusals::blocked_and_removed(&world)?;
    refusals::local(&world)?;
    ended(&world)
}

/// The part that a hostile network can touch, with every request and every answer.
pub fn under(mode: Mode) -> Outcome {
    let world = World::new(mode, &Power::default())?;
    heading(match mode {
        Mode::Tamper => "A network that flips bits",
        _ => "A network that sends everything again",
    });
    let told = carried_through(&world);
    // What the network saw says more than what came of it.
    world.deliveries()?;
    told?;
    ended(&world)
}

fn carried_through(world: &World) -> Outcome {
    world.befriend()?;
    tell("§18.4.2", "Each owner entered the other's ID. Each Portal was asked who it is until the true answer came.");
    requests::request_and_answer(world)?;
    requests::large(world)?;
    if world.wire.mode == Mode::Replay {
        heading("Everything is sent again, later");
        world.wire.replay_all("after the story");
        world.ben.host.machines().restart()?;
        world.wire.replay_all("after Ben's Portal was started again");
        world.wait(700);
        world.ben.host.tick()?;
        world.wire.replay_all("eleven minutes later, when Ben's Portal has forgotten what it took");
        let hours = std::time::Duration::from_secs(3 * 60 * 60);
        world.ben.host.machines().ahead += hours;
        world.ben.host.tick()?;
        world.ben.host.machines().ahead -= hours;
        world.wire.replay_all("after Ben's clock jumped ahead and back");
        tell(
            "§18.8.1",
            "Each message was sent again at once, at the end, after a new start, eleven minutes later, and after a jump of the clock.",
        );
    }
    Ok(())
}

fn ended(world: &World) -> Outcome {
    heading("In the end");
    let deliveries = world.deliveries()?;
    let carried = world.wire.carried();
    if world.wire.mode != Mode::Honest {
        let (refused, spoiled) = (carried.refused, carried.spoiled);
        check(
            "§18.6.3",
            &format!("{refused} bad messages were refused, and no row of a store changed by them."),
            refused > 0,
        )?;
        check("§18.6.6", &format!("{spoiled} bad answers were not heard. The true ones went through."), spoiled > 0)?;
    }
    check(
        "§18.8",
        &format!("{} messages were carried; {deliveries} requests reached an app, each once.", carried.messages.len()),
        deliveries > 0,
    )
}

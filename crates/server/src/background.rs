//! What a server does by itself, beside answering.

use std::sync::Arc;
use std::time::Duration;

use holm_auth::Auth;
use holm_core::{Gate, Person, Retention, Rules, Timestamp, Upkeep};

/// A tree that nobody asked for during this long gives its memory back.
const IDLE: i64 = 10 * 60 * Timestamp::SECOND;
/// Upkeep waits for the rush after a start to end.
const FIRST: Duration = Duration::from_secs(10 * 60);
/// So many milliseconds after a jump of the clock upkeep says nothing of it.
const BEHIND: i64 = 2 * Timestamp::DAY;
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Notes which app passwords were used, forgets old tries at signing in, and closes trees that nobody uses.
pub async fn each_minute(gate: Arc<Gate>, auth: Arc<Auth>) {
    loop {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let (gate, auth) = (gate.clone(), auth.clone());
        let tidied = tokio::task::spawn_blocking(move || {
            gate.close_idle(gate.env().now().plus(-IDLE));
            auth.flush_uses()?;
            auth.forget_old()
        });
        if let Ok(Err(e)) = tidied.await {
            tracing::warn!("recording what app passwords did: {e}");
        }
    }
}

/// Writes down who did what, as far as no commit has taken it along.
pub async fn each_second(gate: Arc<Gate>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let gate = gate.clone();
        match tokio::task::spawn_blocking(move || gate.write_logs()).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => tracing::error!("writing the access log: {e}"),
            Err(e) => tracing::error!("writing the access log ended early: {e}"),
        }
    }
}

/// Upkeep of everybody's tree, one after the other.
pub async fn each_day(gate: Arc<Gate>, retention: Retention) {
    tokio::time::sleep(FIRST).await;
    loop {
        let gate = gate.clone();
        match tokio::task::spawn_blocking(move || round(&gate, retention)).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => tracing::error!("upkeep: {e}"),
            Err(e) => tracing::error!("upkeep ended early: {e}"),
        }
        tokio::time::sleep(DAY).await;
    }
}

fn round(gate: &Gate, retention: Retention) -> holm_core::Result<()> {
    gate.host().sweep_removed()?;
    let rules = Rules { retention, ..Rules::default() };
    for Person { id, name, .. } in gate.host().people()? {
        // One person's trouble is not to keep the others waiting.
        match gate.keep_up(id, &rules) {
            Ok(Upkeep { packs_damaged: 1.., .. }) => tracing::error!("{name}: damaged packs were left as they are; run holm check --deep"),
            Ok(done) => {
                tracing::info!(person = name, versions = done.versions, purged = done.purged, freed = done.bytes_freed, "upkeep");
                if done.behind > BEHIND {
                    let days = done.behind / Timestamp::DAY;
                    tracing::warn!(
                        "{name}: the clock has jumped, or nothing ran for long: versions and trash are judged by {days} days ago until that is made up for; if the clock is right, holm gc --clock-is-right need not wait"
                    );
                }
            }
            Err(e) => tracing::error!("upkeep of {name}: {e}"),
        }
    }
    Ok(())
}

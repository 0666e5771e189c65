//! The time by which upkeep judges what is old. A clock that suddenly shows another year must not empty the trash or thin
//! out versions: they are what people have against mistakes, and a wrong clock is one.

use super::Rules;
use crate::env::{Env, Timestamp};
use crate::error::Result;
use crate::mutant::mutant;
use crate::store::content::Store;

/// So far, in milliseconds, the clock may have come between two rounds and be believed: as when a server was off for a
/// week. Farther, or backwards, tells nothing of how much time has passed.
const BELIEVED: i64 = 10 * Timestamp::DAY;

/// The time to judge by, when the last round judged by `upkept` and the clock showed `clock`. It never goes back; where
/// it is behind it goes twice as fast as the clock, until it has caught up.
fn next(upkept: Timestamp, clock: Timestamp, now: Timestamp) -> Timestamp {
    let passed = now.0 - clock.0;
    let most = if (0..=BELIEVED).contains(&passed) { upkept.plus(2 * passed) } else { upkept };
    upkept.max(now.min(most))
}

/// Begins a round: answers the time to judge by and notes it. The first round of a tree believes the clock.
pub(super) fn advance(store: &Store, env: &Env, rules: &Rules) -> Result<Timestamp> {
    store.catalog.writing(|tx| {
        let now = env.now();
        let last = tx.first("SELECT upkept, clock FROM head WHERE person = ?1", &[store.person.0.into()], |row| Ok((row.int(0)?, row.int(1)?)))?;
        let time = match last {
            Some((upkept @ 1.., clock)) if !rules.clock_is_right && !mutant("any-clock-believed") => next(Timestamp(upkept), Timestamp(clock), now),
            _ => now,
        };
        tx.execute("UPDATE head SET upkept = ?2, clock = ?3 WHERE person = ?1", &[store.person.0.into(), time.0.into(), now.0.into()])?;
        Ok(time)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days on the clock at each round, and the days by which upkeep judged.
    #[track_caller]
    fn check(rounds: &[(i64, i64)]) {
        let day = |n: i64| Timestamp(n * Timestamp::DAY);
        let (mut upkept, mut clock) = (day(rounds[0].0), day(rounds[0].0));
        for (shown, judged) in &rounds[1..] {
            upkept = next(upkept, clock, day(*shown));
            clock = day(*shown);
            assert_eq!(upkept.0 / Timestamp::DAY, *judged, "when the clock shows {shown}");
        }
    }

    #[test]
    fn a_jump_is_not_believed_and_a_pause_is_made_up_for() {
        check(&[(100, 100), (101, 101), (102, 102), (108, 108)]);
        // Ten years ahead, for a day and for good.
        check(&[(100, 100), (3_750, 100), (101, 100), (102, 102)]);
        check(&[(100, 100), (3_750, 100), (3_750, 100), (3_751, 102), (3_752, 104)]);
        // A year behind.
        check(&[(500, 500), (135, 500), (136, 500), (501, 500), (502, 502)]);
        // Off for a month.
        check(&[(100, 100), (130, 100), (131, 102), (140, 120), (150, 140), (160, 160), (161, 161)]);
    }
}

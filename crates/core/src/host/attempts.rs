//! Tries at signing in, counted in the host's catalog: a restart forgets none, and every node that shares the catalog
//! sees them. What is counted, and how often it may happen, `auth` decides.

use super::Host;
use crate::env::Timestamp;
use crate::error::Result;

/// By so many milliseconds the times of two tries may be in another order than the tries: one looked at the clock and then waited
/// for the other, or came to another node. A window that begins later than that is of a clock that was set back since.
const BESIDE: i64 = 60 * Timestamp::SECOND;

/// How often something may be tried in a stretch of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub key: String,
    pub most: i64,
    /// Milliseconds.
    pub window: i64,
}

impl Host {
    /// Counts a try under each limit in turn, up to one that is exceeded; answers which that is and the milliseconds until
    /// its window ends, nothing if none is exceeded.
    pub fn count_try(&self, limits: &[Limit], now: Timestamp) -> Result<Option<(usize, i64)>> {
        self.catalog.writing(|tx| {
            for (n, Limit { key, most, window }) in limits.iter().enumerate() {
                let known = tx.first("SELECT count, since FROM attempt WHERE key = ?1", &[key.into()], |r| Ok((r.int(0)?, r.int(1)?)))?;
                let (count, since) = known.filter(|(_, since)| (-BESIDE..*window).contains(&(now.0 - since))).unwrap_or((0, now.0));
                // A window that is full needs no more writing.
                if count >= *most {
                    return Ok(Some((n, since + window - now.0)));
                }
                let sql = "INSERT INTO attempt (key, count, since, until) VALUES (?1, ?2, ?3, ?4)
                    ON CONFLICT (key) DO UPDATE SET count = excluded.count, since = excluded.since, until = excluded.until";
                tx.execute(sql, &[key.into(), (count + 1).into(), since.into(), (since + window).into()])?;
            }
            Ok(None)
        })
    }

    /// Takes back the count of a try that was right.
    pub fn take_back_try(&self, limits: &[Limit]) -> Result<()> {
        self.catalog.writing(|tx| {
            for Limit { key, .. } in limits {
                tx.execute("UPDATE attempt SET count = count - 1 WHERE key = ?1 AND count > 0", &[key.into()])?;
            }
            Ok(())
        })
    }

    /// Forgets windows that have ended.
    pub fn forget_tries(&self, now: Timestamp) -> Result<()> {
        let old = self.catalog.reading(|tx| tx.first("SELECT 1 FROM attempt WHERE until <= ?1 LIMIT 1", &[now.0.into()], |_| Ok(())))?;
        if old.is_none() {
            return Ok(());
        }
        self.catalog.writing(|tx| tx.execute("DELETE FROM attempt WHERE until <= ?1", &[now.0.into()]).map(|_| ()))
    }
}

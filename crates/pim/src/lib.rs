//! Calendar objects (RFC 5545) and vCards (RFC 2426, RFC 6350): parsed under budgets, searched, expanded, converted.
//! Pure functions from bytes to bytes; knows no protocol, no clock and no disk. What is kept is never rewritten here: lines
//! that are not asked to change come out as they went in.

pub mod calendar;
pub mod card;
pub mod data;
pub mod facts;
pub mod filter;
pub mod freebusy;
pub mod instances;
pub mod lines;
pub mod rrule;
pub mod split;
pub mod time;
mod windows;
pub mod zone;

pub use calendar::{Calendar, Kind};
pub use card::Card;
pub use facts::{Facts, Shape};
pub use lines::{Component, Line};
pub use zone::Zone;

/// Largest object, in bytes (T19).
pub const MAX_OBJECT: usize = 10 << 20;
/// Largest vCard: a picture of 2 MiB in base64, and all else (T20).
pub const MAX_CARD: usize = 4 << 20;

/// Why something is not taken for a calendar object or a vCard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not iCalendar, or not a vCard, at all.
    #[error("not valid: {0}")]
    Invalid(String),
    /// Valid, but not what one resource may hold (RFC 4791 §4.1).
    #[error("not one calendar object: {0}")]
    Object(String),
    /// It would take more steps, or more room, than one request gets.
    #[error("it holds more than is looked at: {0}")]
    TooMuch(&'static str),
}

/// Steps that one request may spend on recurrences (T18). A step is one candidate instance, or one period looked at: some
/// tens of nanoseconds.
#[derive(Clone, Debug)]
pub struct Budget {
    steps: u64,
}

/// The budget is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the recurrences take more steps than one request gets")]
pub struct Spent;

impl Budget {
    /// What one object gets.
    pub const OBJECT: u64 = 100_000;
    /// What all objects of one request get.
    pub const REQUEST: u64 = 2_000_000;

    pub fn new(steps: u64) -> Budget {
        Budget { steps }
    }

    /// A part of it, for one object; what of it is left comes back by [`Budget::give_back`].
    pub fn for_object(&mut self) -> Budget {
        let steps = self.steps.min(Budget::OBJECT);
        self.steps -= steps;
        Budget { steps }
    }

    pub fn give_back(&mut self, rest: Budget) {
        self.steps += rest.steps;
    }

    pub fn spend(&mut self, steps: u64) -> Result<(), Spent> {
        self.steps = self.steps.checked_sub(steps).ok_or(Spent)?;
        Ok(())
    }
}

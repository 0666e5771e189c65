//! Recurrence rules (RFC 5545 §3.3.10), on a clock on the wall. Days are found by asking each day of a period whether the rule's
//! parts hold, as python-dateutil does; a rule without COUNT is entered where it is needed.

use std::ops::ControlFlow;

use crate::time::{DAY, MAX, When, civil, days, month_length, weekday, year_length};
use crate::{Budget, Spent};

/// Values that one part of a rule may list; more than there are to choose from.
const MAX_VALUES: usize = 400;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freq {
    Yearly,
    Monthly,
    Weekly,
    Daily,
    Hourly,
    Minutely,
    Secondly,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub freq: Freq,
    pub interval: i64,
    pub count: Option<u64>,
    pub until: Option<When>,
    seconds: Vec<i64>,
    minutes: Vec<i64>,
    hours: Vec<i64>,
    /// Which one of its month or year (0: each), and the weekday from Monday.
    weekdays: Vec<(i64, i64)>,
    month_days: Vec<i64>,
    year_days: Vec<i64>,
    weeks: Vec<i64>,
    months: Vec<i64>,
    positions: Vec<i64>,
    week_start: i64,
}

const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

fn numbers(text: &str, least: i64, most: i64, signed: bool) -> Option<Vec<i64>> {
    let mut list = Vec::new();
    for part in text.split(',') {
        let n: i64 = part.trim().parse().ok()?;
        let size = if signed { n.checked_abs()? } else { n };
        if size < least || size > most || list.len() == MAX_VALUES {
            return None;
        }
        list.push(n);
    }
    list.sort_unstable();
    list.dedup();
    Some(list)
}

fn weekday_of(text: &str) -> Option<i64> {
    WEEKDAYS.iter().position(|name| name.eq_ignore_ascii_case(text)).map(|n| n as i64)
}

fn weekdays(text: &str) -> Option<Vec<(i64, i64)>> {
    let mut list = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (which, name) = part.split_at_checked(part.len().checked_sub(2)?)?;
        let which: i64 = if which.is_empty() { 0 } else { which.parse().ok()? };
        if !(-53..=53).contains(&which) || list.len() == MAX_VALUES {
            return None;
        }
        list.push((which, weekday_of(name)?));
    }
    Some(list)
}

impl Rule {
    /// None for what is no rule.
    pub fn parse(text: &str) -> Option<Rule> {
        let mut freq = None;
        let mut rule = Rule {
            freq: Freq::Daily,
            interval: 1,
            count: None,
            until: None,
            seconds: Vec::new(),
            minutes: Vec::new(),
            hours: Vec::new(),
            weekdays: Vec::new(),
            month_days: Vec::new(),
            year_days: Vec::new(),
            weeks: Vec::new(),
            months: Vec::new(),
            positions: Vec::new(),
            week_start: 0,
        };
        for part in text.trim().split(';').filter(|p| !p.trim().is_empty()) {
            let (name, value) = part.split_once('=')?;
            match name.trim().to_ascii_uppercase().as_str() {
                "FREQ" => freq = Some(Freq::parse(value.trim())?),
                "INTERVAL" => rule.interval = value.trim().parse().ok().filter(|n| (1..=1_000_000).contains(n))?,
                "COUNT" => rule.count = Some(value.trim().parse().ok()?),
                "UNTIL" => rule.until = Some(When::parse(value)?),
                "BYSECOND" => rule.seconds = numbers(value, 0, 60, false)?,
                "BYMINUTE" => rule.minutes = numbers(value, 0, 59, false)?,
                "BYHOUR" => rule.hours = numbers(value, 0, 23, false)?,
                "BYDAY" => rule.weekdays = weekdays(value)?,
                "BYMONTHDAY" => rule.month_days = numbers(value, 1, 31, true)?,
                "BYYEARDAY" => rule.year_days = numbers(value, 1, 366, true)?,
                "BYWEEKNO" => rule.weeks = numbers(value, 1, 53, true)?,
                "BYMONTH" => rule.months = numbers(value, 1, 12, false)?,
                "BYSETPOS" => rule.positions = numbers(value, 1, 100_000, true)?,
                "WKST" => rule.week_start = weekday_of(value.trim())?,
                // Parts of later RFCs (RSCALE, SKIP) and of nobody's: what they ask for is not known, and the rest still holds.
                _ => {}
            }
        }
        rule.freq = freq?;
        rule.seconds.retain(|s| *s < 60);
        Some(rule)
    }

    /// Whether it lists hours, minutes or seconds.
    pub fn has_times(&self) -> bool {
        !(self.hours.is_empty() && self.minutes.is_empty() && self.seconds.is_empty())
    }

    /// Calls `each` with every occurrence from `from` on, in order, until it breaks. `start` is where the rule begins.
    ///
    /// # Errors
    /// [`Spent`] where that takes more steps than the budget has.
    pub fn visit(&self, start: i64, from: i64, budget: &mut Budget, each: &mut dyn FnMut(i64) -> ControlFlow<()>) -> Result<(), Spent> {
        Walk::new(self, start, from).run(budget, each)
    }

    fn day_holds(&self, day: i64, (year, month, of_month): (i64, i64, i64)) -> bool {
        let of_year = day - days(year, 1, 1) + 1;
        let either = |list: &[i64], n: i64, length: i64| list.is_empty() || list.contains(&n) || list.contains(&(n - length - 1));
        either(&self.month_days, of_month, month_length(year, month))
            && (self.freq == Freq::Weekly || either(&self.year_days, of_year, year_length(year)))
            && (self.freq != Freq::Yearly || self.weeks.is_empty() || self.week_holds(day))
            && (self.weekdays.is_empty() || self.weekday_holds(day, (year, month, of_month), of_year))
    }

    fn weekday_holds(&self, day: i64, (year, month, of_month): (i64, i64, i64), of_year: i64) -> bool {
        let of_week = weekday(day);
        // A number counts within the month or year, and means nothing in what is shorter.
        let (n, length) = match self.freq {
            Freq::Monthly => (of_month, month_length(year, month)),
            Freq::Yearly if !self.months.is_empty() => (of_month, month_length(year, month)),
            Freq::Yearly => (of_year, year_length(year)),
            _ => (0, 0),
        };
        let nth = |which: i64| match which {
            0 => true,
            _ if n == 0 => true,
            1.. => (n - 1) / 7 + 1 == which,
            _ => (length - n) / 7 + 1 == -which,
        };
        self.weekdays.iter().any(|(which, name)| *name == of_week && nth(*which))
    }

    /// Weeks begin with `week_start`, and belong to the year that has four of their days.
    fn week_holds(&self, day: i64) -> bool {
        let first = |year: i64| {
            let january = days(year, 1, 1);
            let into = (weekday(january) - self.week_start).rem_euclid(7);
            january - into + if into > 3 { 7 } else { 0 }
        };
        let (mut year, ..) = civil(day);
        if day < first(year) {
            year -= 1;
        } else if day >= first(year + 1) {
            year += 1;
        }
        let number = (day - first(year)) / 7 + 1;
        let all = (first(year + 1) - first(year)) / 7;
        self.weeks.contains(&number) || self.weeks.contains(&(number - all - 1))
    }
}

impl Freq {
    fn parse(text: &str) -> Option<Freq> {
        use Freq::*;
        let names = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"];
        let at = names.iter().position(|name| name.eq_ignore_ascii_case(text))?;
        Some([Yearly, Monthly, Weekly, Daily, Hourly, Minutely, Secondly][at])
    }

    /// Seconds, of those that are of one length.
    fn unit(self) -> i64 {
        match self {
            Freq::Hourly => 3_600,
            Freq::Minutely => 60,
            Freq::Secondly => 1,
            _ => DAY,
        }
    }
}

/// One way through a rule's occurrences.
struct Walk<'r> {
    rule: Rule,
    given: &'r Rule,
    start: i64,
    from: i64,
    /// The period to look at next.
    period: i64,
    left: Option<u64>,
    last: i64,
}

impl<'r> Walk<'r> {
    fn new(given: &'r Rule, start: i64, from: i64) -> Walk<'r> {
        let mut rule = given.clone();
        let (_, month, day) = civil(start.div_euclid(DAY));
        let of_day = start.rem_euclid(DAY);
        // What the rule leaves open, the start says (RFC 5545 §3.3.10).
        if rule.weeks.is_empty() && rule.year_days.is_empty() && rule.month_days.is_empty() && rule.weekdays.is_empty() {
            match rule.freq {
                Freq::Yearly => {
                    if rule.months.is_empty() {
                        rule.months = vec![month];
                    }
                    rule.month_days = vec![day];
                }
                Freq::Monthly => rule.month_days = vec![day],
                Freq::Weekly => rule.weekdays = vec![(0, weekday(start.div_euclid(DAY)))],
                _ => {}
            }
        }
        if rule.hours.is_empty() && rule.freq < Freq::Hourly {
            rule.hours = vec![of_day / 3_600];
        }
        if rule.minutes.is_empty() && rule.freq < Freq::Minutely {
            rule.minutes = vec![of_day / 60 % 60];
        }
        if rule.seconds.is_empty() && rule.freq < Freq::Secondly {
            rule.seconds = vec![of_day % 60];
        }
        let last = match given.until {
            // A date means all of that day; that a rule of another clock ends at a time of this one is close enough by the zone's offset,
            // which whoever knows the zone has put right.
            Some(When { local, form: crate::time::Form::Date }) => local + DAY - 1,
            Some(when) => when.local,
            None => MAX,
        };
        let mut walk = Walk { rule, given, start, from: from.max(start), period: 0, left: given.count, last };
        // Occurrences that are counted can not be skipped.
        if given.count.is_none() {
            walk.period = walk.period_of(walk.from);
        }
        walk
    }

    /// A period that ends before `at`, or holds it.
    fn period_of(&self, at: i64) -> i64 {
        let (day, first) = (at.div_euclid(DAY), self.start.div_euclid(DAY));
        let ((year, month, _), (first_year, first_month, _)) = (civil(day), civil(first));
        let units = match self.rule.freq {
            Freq::Yearly => year - first_year,
            Freq::Monthly => (year - first_year) * 12 + month - first_month,
            Freq::Weekly => (day - self.week(first)).div_euclid(7),
            Freq::Daily => day - first,
            freq => (at - self.start + self.start.rem_euclid(freq.unit())).div_euclid(freq.unit()),
        };
        (units / self.rule.interval).max(0)
    }

    /// The first day of the week that holds `day`.
    fn week(&self, day: i64) -> i64 {
        day - (weekday(day) - self.rule.week_start).rem_euclid(7)
    }

    fn run(mut self, budget: &mut Budget, each: &mut dyn FnMut(i64) -> ControlFlow<()>) -> Result<(), Spent> {
        let mut found = Vec::new();
        loop {
            found.clear();
            budget.spend(1)?;
            let begins = match self.rule.freq {
                Freq::Hourly | Freq::Minutely | Freq::Secondly => self.short(&mut found, budget)?,
                _ => self.long(&mut found, budget)?,
            };
            if begins.is_none_or(|begins| begins > self.last) {
                return Ok(());
            }
            if !self.given.positions.is_empty() {
                found = self.chosen(&found);
            }
            for at in &found {
                if *at < self.start {
                    continue;
                }
                if *at > self.last || self.left == Some(0) {
                    return Ok(());
                }
                self.left = self.left.map(|left| left - 1);
                if *at >= self.from && each(*at).is_break() {
                    return Ok(());
                }
            }
        }
    }

    /// BYSETPOS.
    fn chosen(&self, found: &[i64]) -> Vec<i64> {
        let length = found.len() as i64;
        let place = |position: &i64| if *position > 0 { position - 1 } else { length + position };
        let mut chosen: Vec<i64> = self.given.positions.iter().map(place).filter_map(|at| found.get(usize::try_from(at).ok()?).copied()).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }

    /// The occurrences of one year, month, week or day. Answers when that begins; None beyond the last year.
    fn long(&mut self, found: &mut Vec<i64>, budget: &mut Budget) -> Result<Option<i64>, Spent> {
        let steps = self.period * self.rule.interval;
        self.period += 1;
        let first = self.start.div_euclid(DAY);
        let (year, month, _) = civil(first);
        let (from, length) = match self.rule.freq {
            Freq::Yearly => (days(year + steps, 1, 1), year_length(year + steps)),
            Freq::Monthly => {
                let months = month - 1 + steps;
                let (year, month) = (year + months.div_euclid(12), months.rem_euclid(12) + 1);
                (days(year, month, 1), month_length(year, month))
            }
            Freq::Weekly => (self.week(first) + steps * 7, 7),
            _ => (first + steps, 1),
        };
        if from * DAY > MAX {
            return Ok(None);
        }
        // Looking at a day costs about an eighth of finding an occurrence.
        budget.spend(length as u64 / 8)?;
        // A week at the end of the year before counts to the year it belongs to: its days are found in their own.
        let mut day = from;
        while day < from + length {
            let date = civil(day);
            if !self.rule.months.is_empty() && !self.rule.months.contains(&date.1) {
                day += month_length(date.0, date.1) - date.2 + 1;
                continue;
            }
            if self.rule.day_holds(day, date) {
                self.times(day, found, budget)?;
            }
            day += 1;
        }
        Ok(Some(from * DAY))
    }

    fn times(&self, day: i64, found: &mut Vec<i64>, budget: &mut Budget) -> Result<(), Spent> {
        budget.spend((self.rule.hours.len() * self.rule.minutes.len() * self.rule.seconds.len()) as u64)?;
        for hour in &self.rule.hours {
            for minute in &self.rule.minutes {
                found.extend(self.rule.seconds.iter().map(|second| day * DAY + hour * 3_600 + minute * 60 + second));
            }
        }
        Ok(())
    }

    /// The occurrences of one hour, minute or second. What can not hold for a while is stepped over.
    fn short(&mut self, found: &mut Vec<i64>, budget: &mut Budget) -> Result<Option<i64>, Spent> {
        let unit = self.rule.freq.unit();
        let begin = self.start - self.start.rem_euclid(unit);
        let step = unit * self.rule.interval;
        let at = begin + self.period * step;
        if at > MAX {
            return Ok(None);
        }
        let day = at.div_euclid(DAY);
        let date = civil(day);
        let of_day = at.rem_euclid(DAY);
        let (hour, minute) = (of_day / 3_600, of_day / 60 % 60);
        let holds = |list: &[i64], n: i64| list.is_empty() || list.contains(&n);
        let rule = &self.rule;
        let until = if !holds(&rule.months, date.1) || !rule.day_holds(day, date) {
            (day + 1) * DAY
        } else if !holds(&rule.hours, hour) {
            at - at.rem_euclid(3_600) + 3_600
        } else if unit < 3_600 && !holds(&rule.minutes, minute) {
            at - at.rem_euclid(60) + 60
        } else {
            self.period += 1;
            let minutes: &[i64] = if unit == 3_600 { &rule.minutes } else { &[0] };
            let seconds: &[i64] = if unit > 1 { &rule.seconds } else { &[0] };
            budget.spend((minutes.len() * seconds.len()) as u64)?;
            for minute in minutes {
                found.extend(seconds.iter().map(|second| at + minute * 60 + second));
            }
            if unit == 1 && !holds(&rule.seconds, at.rem_euclid(60)) {
                found.clear();
            }
            return Ok(Some(at));
        };
        self.period += ((until - at + step - 1) / step).max(1);
        Ok(Some(at))
    }
}

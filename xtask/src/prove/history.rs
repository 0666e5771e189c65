//! Linearizability of one register: whether requests that overlapped can be put in an order, one after the other and none
//! before it was sent or after it was answered, in which every answer is right. The search is Wing and Gong's with the
//! states it has seen kept (Lowe), so that a history that has no such order is found out soon too.

use std::collections::HashSet;
use std::fmt;

/// The request that wrote what is there; nothing where nothing is.
pub type Content = Option<usize>;

/// Requests of one history: the bits of a set of them.
pub const MOST: usize = 64;

/// What must hold for a request to be done; a tag stands for the content it was given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    None,
    /// If-Match
    Is(usize),
    /// If-None-Match with a tag
    IsNot(usize),
    /// If-None-Match: *
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    /// What it writes is told apart by its number in the history.
    Put,
    Delete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200 to a GET, with what this request wrote.
    Read(usize),
    /// 304
    Unchanged,
    /// 201
    Created,
    /// 204
    Done,
    /// 404
    NotFound,
    /// 412
    Failed,
    /// None came: the request was done as a whole or not at all.
    Unknown,
}

/// One request. Times are numbers that only grow; what is equal may have been in either order.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub client: usize,
    pub sent: u64,
    /// When it was answered; where no answer came, when whoever could still do it was gone.
    pub ended: u64,
    pub method: Method,
    pub condition: Condition,
    pub answer: Answer,
}

impl Request {
    /// What is there once this, the request `number`, was done on `content`; nothing if it can not have been answered so.
    fn apply(&self, number: usize, content: Content) -> Option<Content> {
        let holds = match self.condition {
            Condition::None => true,
            Condition::Is(tag) => content == Some(tag),
            Condition::IsNot(tag) => content != Some(tag),
            Condition::Absent => content.is_none(),
        };
        let after = if self.method == Method::Put { Some(number) } else { None };
        let right = match (self.method, self.answer) {
            (Method::Get, Answer::Read(writer)) => holds && content == Some(writer),
            (Method::Get, Answer::Unchanged) => !holds && content.is_some(),
            (Method::Get | Method::Delete, Answer::NotFound) => content.is_none(),
            (Method::Put, Answer::Created) => holds && content.is_none(),
            (Method::Put | Method::Delete, Answer::Done) => holds && content.is_some(),
            (Method::Put, Answer::Failed) => !holds,
            // A DELETE of nothing is answered 404 whatever its condition (RFC 9110 §13.2.1).
            (Method::Delete, Answer::Failed) => !holds && content.is_some(),
            // One that changed nothing can be left out as well.
            (Method::Put, Answer::Unknown) => holds,
            (Method::Delete, Answer::Unknown) => holds && content.is_some(),
            _ => false,
        };
        if !right {
            None
        } else if self.method == Method::Get || matches!(self.answer, Answer::NotFound | Answer::Failed) {
            Some(content)
        } else {
            Some(after)
        }
    }

    pub fn is_known(&self) -> bool {
        self.answer != Answer::Unknown
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { client, sent, ended, method, condition, answer } = self;
        write!(f, "{sent}–{ended} client {client}: {method:?}")?;
        match condition {
            Condition::None => {}
            other => write!(f, " if {other:?}")?,
        }
        write!(f, " → {answer:?}")
    }
}

/// Whether an order exists, beginning with nothing there; at most [`MOST`] requests.
pub fn is_linearizable(requests: &[Request]) -> bool {
    let known = requests.iter().enumerate().filter(|(_, r)| r.is_known()).fold(0u64, |set, (n, _)| set | 1 << n);
    let mut seen = HashSet::new();
    let mut open = vec![(0u64, None)];
    while let Some((done, content)) = open.pop() {
        if done & known == known {
            return true;
        }
        if !seen.insert((done, content)) {
            continue;
        }
        let of = |set: u64| requests.iter().enumerate().filter(move |(n, _)| set & 1 << n != 0);
        // Nothing may come before what was answered before it was sent.
        let first_end = of(known & !done).map(|(_, r)| r.ended).min().unwrap_or(u64::MAX);
        let last_sent = of(done).map(|(_, r)| r.sent).max().unwrap_or(0);
        for (number, request) in of(!done).filter(|(_, r)| r.sent <= first_end && last_sent <= r.ended) {
            open.extend(request.apply(number, content).map(|after| (done | 1 << number, after)));
        }
    }
    false
}

/// The weaker rule that needs no search: two requests that were conditional on the same tag can not both have been done.
/// Answers the tag's writer.
pub fn fork(requests: &[Request]) -> Option<usize> {
    let mut replaced = HashSet::new();
    requests.iter().find_map(|r| match (r.condition, r.answer) {
        (Condition::Is(tag), Answer::Created | Answer::Done) if !replaced.insert(tag) => Some(tag),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Line = (u64, u64, Method, Condition, Answer);

    fn history(lines: &[Line]) -> Vec<Request> {
        let request = |(client, line): (usize, &Line)| {
            let (sent, ended, method, condition, answer) = *line;
            Request { client, sent, ended, method, condition, answer }
        };
        lines.iter().enumerate().map(request).collect()
    }

    const GET: Method = Method::Get;
    const PUT: Method = Method::Put;
    const DELETE: Method = Method::Delete;
    use Answer::*;
    use Condition::{Absent, Is, IsNot, None as Any};

    #[test]
    fn histories_with_an_order() {
        let all: &[&[Line]] = &[
            &[],
            // A read that overlaps a write sees what was before or after it.
            &[(1, 2, PUT, Any, Created), (3, 6, PUT, Any, Done), (4, 5, GET, Any, Read(0))],
            &[(1, 2, PUT, Any, Created), (3, 6, PUT, Any, Done), (4, 5, GET, Any, Read(1))],
            // Of two that race for the same place or tag, one wins.
            &[(1, 4, PUT, Absent, Created), (2, 3, PUT, Absent, Failed), (5, 6, GET, Any, Read(0))],
            &[(1, 2, PUT, Any, Created), (3, 6, PUT, Is(0), Done), (4, 5, PUT, Is(0), Failed), (7, 8, GET, IsNot(1), Unchanged)],
            // One was done between the other's sending and its answer, and the place was free again.
            &[(1, 6, PUT, Absent, Created), (2, 3, PUT, Any, Created), (4, 5, DELETE, Is(1), Done), (7, 8, GET, Any, Read(0))],
            &[(1, 2, DELETE, Any, NotFound), (3, 4, DELETE, Is(9), NotFound), (5, 6, PUT, Is(9), Failed), (7, 8, GET, IsNot(9), NotFound)],
            // What was not answered was done, or not.
            &[(1, 9, PUT, Any, Unknown), (2, 3, GET, Any, NotFound), (4, 5, GET, Any, Read(0)), (6, 7, GET, Any, Read(0))],
            &[(1, 9, PUT, Any, Unknown), (2, 3, GET, Any, NotFound), (10, 11, GET, Any, NotFound)],
            &[(1, 2, PUT, Any, Created), (3, 9, DELETE, Is(0), Unknown), (10, 11, GET, Any, NotFound), (12, 13, PUT, Absent, Created)],
        ];
        for (n, lines) in all.iter().enumerate() {
            assert!(is_linearizable(&history(lines)), "{n}");
            assert_eq!(fork(&history(lines)), None, "{n}");
        }
    }

    #[test]
    fn histories_without_one() {
        let all: &[&[Line]] = &[
            // A stale read, and a read that goes back.
            &[(1, 2, PUT, Any, Created), (3, 4, PUT, Any, Done), (5, 6, GET, Any, Read(0))],
            &[(1, 2, PUT, Any, Created), (3, 8, PUT, Any, Done), (4, 5, GET, Any, Read(1)), (6, 7, GET, Any, Read(0))],
            // A lost write, a write out of nothing, a read of what was refused.
            &[(1, 2, PUT, Any, Created), (3, 4, GET, Any, NotFound)],
            &[(1, 2, GET, Any, Read(1)), (3, 4, PUT, Any, Created)],
            &[(1, 2, PUT, Any, Created), (3, 4, PUT, Absent, Failed), (5, 6, GET, Any, Read(1))],
            // Both won, or none.
            &[(1, 4, PUT, Absent, Created), (2, 3, PUT, Absent, Created)],
            &[(1, 2, PUT, Any, Created), (3, 6, PUT, Is(0), Done), (4, 5, PUT, Is(0), Done)],
            &[(1, 2, PUT, Any, Created), (3, 6, PUT, Is(0), Failed), (4, 5, PUT, Is(0), Failed)],
            &[(1, 2, PUT, Any, Created), (3, 6, DELETE, Is(0), Done), (4, 5, DELETE, Any, Done)],
            // Success where the condition did not hold, failure where it did, 201 for what was there.
            &[(1, 2, PUT, Any, Created), (3, 4, PUT, Absent, Done)],
            &[(1, 2, PUT, Any, Created), (3, 4, PUT, Any, Created)],
            &[(1, 2, PUT, Any, Created), (3, 4, GET, IsNot(0), Read(0))],
            &[(1, 2, PUT, Any, Created), (3, 4, DELETE, Is(0), Failed)],
            &[(1, 2, DELETE, Is(9), Failed)],
            // What was not answered can not be done twice, undone, or done once nobody is left to do it.
            &[(1, 9, PUT, Any, Unknown), (2, 3, GET, Any, Read(0)), (4, 5, GET, Any, NotFound)],
            &[(1, 9, PUT, Any, Unknown), (10, 11, GET, Any, NotFound), (12, 13, GET, Any, Read(0))],
            &[(1, 2, PUT, Any, Created), (3, 9, PUT, Is(0), Unknown), (4, 5, PUT, Is(0), Done), (6, 7, GET, Any, Read(1))],
        ];
        for (n, lines) in all.iter().enumerate() {
            assert!(!is_linearizable(&history(lines)), "{n}");
        }
        assert_eq!(fork(&history(all[6])), Some(0));
    }

    /// Sixty requests, each beside seven others: the states seen keep the search short even where there is no order.
    #[test]
    fn a_long_history_is_judged_soon() {
        let writes = (0..MOST as u64 - 2).map(|n| (n, n + 8, PUT, Any, if n == 0 { Created } else { Done }));
        let mut lines: Vec<Line> = writes.collect();
        lines.push((90, 91, GET, Any, Read(58)));
        assert!(is_linearizable(&history(&lines)));
        lines.push((92, 93, GET, Any, Read(59)));
        let began = std::time::Instant::now();
        assert!(!is_linearizable(&history(&lines)));
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }
}

//! After a fault: is what is there what was acknowledged, and does the server agree with itself?

use super::Fallible;
use super::holm::{Holm, Running};
use super::load::Client;
use super::plan::{differences, hash};
use super::tree;
use crate::bench::client::Conn;

/// Compares every client's folder with what it was told, and goes on from what is there. Answers what must not be.
pub fn everything(holm: &Holm, running: &Running, clients: &mut [Client]) -> Fallible<Vec<String>> {
    let mut findings = Vec::new();
    let mut conn = Conn::new(&running.target);
    for client in clients {
        let mut found = Vec::new();
        let there = tree::read(&mut conn, &client.home, &mut found)?;
        let mut differ = differences(&client.state, &there);
        if let Some(op) = client.unknown.take().filter(|_| !differ.is_empty()) {
            // As before the request, or as after it; nothing between.
            let mut after = client.state.clone();
            op.apply(&mut after);
            let from_after = differences(&after, &there);
            if from_after.is_empty() {
                differ.clear();
            } else if from_after.len() < differ.len() {
                differ = from_after;
            }
        }
        found.extend(differ.into_iter().map(|d| client.home.clone() + &d));
        client.mirror.sync(&mut conn, &client.home, &mut found)?;
        if !found.is_empty() {
            found.push(format!("{} had asked and been answered: {}", client.home, client.last_requests()));
        }
        findings.append(&mut found);
        client.state = there;
    }
    findings.extend(holm.check());
    Ok(findings)
}

/// While something is wrong with the disk, reads may fail but must not lie.
pub fn reads(running: &Running, clients: &[Client], must_succeed: bool) -> Fallible<Vec<String>> {
    let mut findings = Vec::new();
    let mut conn = Conn::new(&running.target);
    for client in clients {
        for (path, file) in client.files() {
            match conn.send_once("GET", &format!("{}{path}", client.home), "", b"") {
                Ok(200) if hash(&conn.body) == file.hash => {}
                Ok(200) => findings.push(format!("{}{path} is read with other bytes than were written", client.home)),
                Ok(404) => findings.push(format!("{}{path} is said not to be there", client.home)),
                Ok(status) if must_succeed => findings.push(format!("{}{path}: reading it is answered {status}", client.home)),
                Err(e) if must_succeed => findings.push(format!("{}{path}: reading it: {e}", client.home)),
                Ok(_) | Err(_) => {}
            }
        }
    }
    Ok(findings)
}

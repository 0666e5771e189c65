//! After a fault: is what is there what was acknowledged, and does the server agree with itself?

use std::time::Instant;

use super::Fallible;
use super::holm::{Holm, Running};
use super::load::Client;
use super::plan::{differences, hash};
use super::tree;
use crate::bench::client::Conn;

/// Compares every client's folder with what it was told, and goes on from what is there. Answers what must not be.
pub fn everything(holm: &Holm, running: &Running, clients: &mut [Client], fault: Instant) -> Fallible<Vec<String>> {
    let mut findings = Vec::new();
    let mut conn = Conn::new(&running.target);
    for client in clients {
        let mut found = client.unexplained();
        let there = tree::read(&mut conn, &client.home, &mut found)?;
        let compared = client.possible().iter().map(|state| differences(state, &there)).collect::<Vec<_>>();
        let differ = compared.into_iter().min_by_key(Vec::len).unwrap_or_default();
        found.extend(differ.into_iter().map(|d| client.home.clone() + &d));
        client.mirror.sync(&mut conn, &client.home, &mut found)?;
        if !found.is_empty() {
            found.push(format!("{} had asked and been answered: {}", client.home, client.last_requests(fault)));
        }
        findings.append(&mut found);
        client.adopt(there);
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

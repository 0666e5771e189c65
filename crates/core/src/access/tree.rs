//! One open tree: its store, what its parties may do, and the thread that writes it. All waiting changes go into one transaction, a savepoint
//! each, with one sync for all of them: group commit.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::sync::{Semaphore, oneshot, watch};

use super::log::{Act, Deed, Log, Rows, Via};
use crate::env::{Env, Timestamp};
use crate::error::{Error, Result};
use crate::journal::Seq;
use crate::ledger::{self, Rights};
use crate::mutant::mutant;
use crate::party::{Party, PartyId};
use crate::store::content::{NewContent, Store};
use crate::store::upload::Staged;
use crate::tree::apply::{Applier, Batch};
use crate::tree::change::{Done, Request};

/// Changes that may wait for the writer; more are refused with [`Error::Busy`].
const QUEUE: usize = 1_024;
/// Large transfers of a person at a time; more wait. An upload holds up to 5 MiB, a download up to 1 MiB.
const UPLOADS: usize = 16;
const DOWNLOADS: usize = 64;
/// Changes in one transaction.
const BATCH: usize = 256;

struct Job {
    party: Arc<Party>,
    via: Via,
    /// Taken when it is applied, unless that may have to be done again.
    request: Option<Request>,
    /// What its upload left to be undone or kept.
    staged: Option<Arc<Staged>>,
    reply: oneshot::Sender<Result<Done>>,
}

pub(super) struct Tree {
    pub store: Arc<Store>,
    pub env: Env,
    pub newest: watch::Sender<Seq>,
    pub uploads: Arc<Semaphore>,
    pub downloads: Arc<Semaphore>,
    pub log: Arc<Log>,
    rights: Mutex<Known>,
    /// Taken when the tree closes.
    jobs: Option<SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
    used: AtomicI64,
}

/// What the ledger came to when it was looked at last.
struct Known {
    /// The newest entry then; another process may have added to it since.
    number: i64,
    at: Timestamp,
    of: HashMap<PartyId, Arc<Rights>>,
}

/// How old what is known of the ledger may be: so long at most does a revoked grant hold (T26).
pub(super) const TRUSTED: i64 = Timestamp::SECOND;

impl Drop for Tree {
    /// Waits for the writer to finish what was accepted and to close its catalog: the process may end next.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        // The last second of the access log; storage that fails has been told of by what it failed.
        let _ = self.write_log();
    }
}

impl Tree {
    pub fn start(store: Arc<Store>, env: Env, failed: watch::Sender<bool>) -> Tree {
        let (jobs, queue) = sync_channel(QUEUE);
        let newest = watch::Sender::new(Seq(0));
        let log = Arc::new(Log::default());
        let writer = Writer { store: store.clone(), env: env.clone(), newest: newest.clone(), log: log.clone(), failed };
        let thread = std::thread::Builder::new().name(format!("writer-{}", store.person.0));
        let writer = Some(thread.spawn(move || writer.run(queue)).expect("a thread for the writer"));
        Tree {
            store,
            env,
            newest,
            uploads: Arc::new(Semaphore::new(if mutant("uploads-without-number") { 10_000 } else { UPLOADS })),
            downloads: Arc::new(Semaphore::new(DOWNLOADS)),
            log,
            rights: Mutex::new(Known { number: -1, at: Timestamp(i64::MIN), of: HashMap::new() }),
            jobs: Some(jobs),
            writer,
            used: AtomicI64::new(0),
        }
    }

    /// Notes that somebody asked for the tree.
    pub fn used(&self, now: Timestamp) {
        self.used.store(now.0, Ordering::Relaxed);
    }

    pub fn last_used(&self) -> Timestamp {
        Timestamp(self.used.load(Ordering::Relaxed))
    }

    /// What a party may do, as it was at most a second ago.
    fn rights(&self, party: PartyId) -> Result<Arc<Rights>> {
        let now = self.env.now();
        let mut known = self.rights.lock().expect("known rights");
        if !(0..TRUSTED).contains(&now.0.saturating_sub(known.at.0)) {
            let number = self.store.catalog.reading(|tx| ledger::newest(tx, self.store.person))?;
            if number != known.number {
                known.of.clear();
            }
            (known.number, known.at) = (number, now);
        }
        if let Some(rights) = known.of.get(&party) {
            return Ok(rights.clone());
        }
        let rights = Arc::new(self.store.catalog.reading(|tx| ledger::rights(tx, self.store.person, party))?);
        known.of.insert(party, rights.clone());
        Ok(rights)
    }

    /// The same, by the credential that the party came with.
    pub fn held(&self, party: &Party) -> Result<Arc<Rights>> {
        let rights = self.rights(party.id)?;
        let limits = party.limits.as_ref().filter(|_| !mutant("token-takes-all-grants"));
        Ok(limits.map_or(rights.clone(), |limits| Arc::new(rights.by(&limits.grants))))
    }

    /// What is known of the ledger is looked at again.
    pub fn forget_rights(&self) {
        self.rights.lock().expect("known rights").at = Timestamp(i64::MIN);
    }

    /// Writes what waits in the access log; blocking.
    pub fn write_log(&self) -> Result<()> {
        if self.log.is_empty() {
            return Ok(());
        }
        let mut writing = self.log.begin();
        self.store.catalog.writing(|tx| writing.write(tx, self.store.person, &Rows::default()))?;
        writing.done();
        Ok(())
    }

    pub fn submit(&self, party: Arc<Party>, via: Via, request: Request) -> Result<oneshot::Receiver<Result<Done>>> {
        let (reply, answer) = oneshot::channel();
        let staged = match request.change.content() {
            Some(NewContent::Chunked { staged, .. }) => Some(staged.clone()),
            _ => None,
        };
        self.jobs.as_ref().ok_or(Error::Poisoned)?.try_send(Job { party, via, request: Some(request), staged, reply }).map_err(|e| match e {
            TrySendError::Full(_) => Error::Busy,
            TrySendError::Disconnected(_) => Error::Poisoned,
        })?;
        Ok(answer)
    }
}

struct Writer {
    store: Arc<Store>,
    env: Env,
    newest: watch::Sender<Seq>,
    log: Arc<Log>,
    failed: watch::Sender<bool>,
}

impl Writer {
    /// Runs until every handle to the tree is gone, and finishes what was accepted.
    fn run(self, queue: Receiver<Job>) {
        let mut poisoned = false;
        while let Ok(first) = queue.recv() {
            let mut jobs = vec![first];
            jobs.extend(queue.try_iter().take(BATCH - 1));
            if poisoned {
                jobs.into_iter().for_each(|j| drop(j.reply.send(Err(Error::Poisoned))));
                continue;
            }
            poisoned = !self.commit(jobs);
            if poisoned {
                self.failed.send_replace(true);
            }
        }
    }

    /// Answers false when storage failed: after a failed sync nobody knows what is on the disk.
    fn commit(&self, mut jobs: Vec<Job>) -> bool {
        let repeats = self.store.catalog.repeats();
        let mut writing = self.log.begin();
        let outcome = self.store.catalog.writing(|tx| {
            let mut batch = Batch::begin(tx, self.store.person)?;
            let mut answers = Vec::with_capacity(jobs.len());
            let mut rows = Rows::default();
            for job in &mut jobs {
                let request = if repeats { job.request.clone() } else { job.request.take() };
                let Request { change, precondition, fresh, whole } = request.expect("each request once");
                let before = batch.clone();
                let path = change.place();
                let now = self.env.now();
                let answer = tx.attempt(|| {
                    let mut applier = Applier {
                        tx,
                        store: &self.store,
                        person: self.store.person,
                        party: &job.party,
                        now,
                        precondition: &precondition,
                        fresh,
                        whole,
                        batch: &mut batch,
                        facts: None,
                    };
                    applier.apply(change)
                });
                match &answer {
                    // Of a file that comes in pieces, its taking its place is what was done.
                    Ok(done) if done.entry.is_none() && batch.head.seq == before.head.seq => {}
                    Ok(done) => {
                        let entry = done.entry.as_ref().map_or(batch.journaled, |e| e.id);
                        rows.note(&Deed { party: &job.party, via: job.via, act: Act::Change, refused: false, entry, path: &path, at: now });
                    }
                    Err(_) => batch = before,
                }
                match answer {
                    Err(e) if is_engine(&e) => return Err(e),
                    answer => answers.push(answer),
                }
            }
            let newest = batch.head.seq;
            batch.finish(tx, self.store.person)?;
            writing.write(tx, self.store.person, &rows)?;
            if mutant("answered-before-commit") {
                answer(std::mem::take(&mut jobs), std::mem::take(&mut answers));
            }
            Ok((answers, newest))
        });
        match outcome {
            Ok((answers, newest)) => {
                writing.done();
                self.newest.send_replace(newest);
                answer(jobs, answers);
                true
            }
            Err(e) => {
                // Whether anything of it reached the disk is not known: nothing may be undone.
                jobs.iter().filter_map(|j| j.staged.as_ref()).for_each(|staged| staged.keep());
                let fatal = match e {
                    Error::Io { .. } => !mutant("goes-on-after-failure"),
                    Error::DiskFull => mutant("full-disk-ends-writing"),
                    _ => false,
                };
                jobs.into_iter().for_each(|j| drop(j.reply.send(Err(again(&e, fatal)))));
                !fatal
            }
        }
    }
}

/// Tells everybody what became of their change.
fn answer(jobs: Vec<Job>, answers: Vec<Result<Done>>) {
    for (job, answer) in jobs.into_iter().zip(answers) {
        if let (Ok(_), Some(staged)) = (&answer, &job.staged) {
            staged.keep();
        }
        // What is refused is undone before that is said.
        drop((job.staged, job.request));
        let _ = job.reply.send(answer);
    }
}

/// What everybody is told when a transaction failed as a whole.
fn again(e: &Error, fatal: bool) -> Error {
    match e {
        Error::DiskFull => Error::DiskFull,
        Error::Busy => Error::Busy,
        Error::Away(why) => Error::Away(why.clone()),
        _ if fatal => Error::Poisoned,
        _ => Error::Catalog(e.to_string()),
    }
}

/// Failures of the engine, after which the transaction may be gone as a whole; all others concern one change.
fn is_engine(e: &Error) -> bool {
    matches!(e, Error::Io { .. } | Error::Catalog(_) | Error::DiskFull | Error::Busy | Error::Away(_))
}

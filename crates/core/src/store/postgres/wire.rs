//! One connection: PostgreSQL's own protocol, version 3, spoken without a thread or task of its own. Statements may be queued and go
//! out with the next one that is waited for, so that a transaction's beginning, its savepoints and its end cost no round trip.

use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::{self, sasl};
use postgres_protocol::message::backend::{DataRowBody, ErrorResponseBody, Message};
use postgres_protocol::message::frontend;
use postgres_protocol::{IsNull, Oid};
use rustls::ClientConfig;

use super::address::Address;
use super::dialect;
use super::stream::{self, Stream};
use crate::store::catalog::Value;

/// How long the server works on one statement, and waits for one lock; and how long an answer may take. A little more than the
/// server's own limit, so that it is the server that gives up.
const STATEMENT: &str = "60000";
const LOCK: &str = "10000";
const ANSWER: Duration = Duration::from_secs(70);
/// No message of the server is longer: a row holds at most one content, which is small.
const MESSAGE_MAX: usize = 16 << 20;

pub(super) const INT8: Oid = 20;
pub(super) const BYTEA: Oid = 17;
const TEXT: Oid = 25;

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The connection is gone; what became of what was sent is not known.
    Lost(String),
    /// The server refused (an SQLSTATE, and why); the transaction is to be undone.
    Refused(String, String),
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Failure {
        Failure::Lost(e.to_string())
    }
}

type Outcome<T> = Result<T, Failure>;

/// A text of the program, by where it lies.
type Text = (usize, usize);

struct Statement {
    name: String,
    /// What it answers; known once the server has parsed it.
    columns: Arc<[Oid]>,
}

/// What a statement answered.
pub(super) struct Answer {
    pub rows: Vec<DataRowBody>,
    pub columns: Arc<[Oid]>,
    /// What the server says it did: "UPDATE 3".
    pub tag: String,
    /// There are more rows behind these.
    pub more: bool,
}

impl Answer {
    pub fn changed(&self) -> u64 {
        self.tag.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)
    }
}

pub(super) struct Connection {
    stream: Stream,
    out: BytesMut,
    inn: BytesMut,
    statements: HashMap<Text, Statement>,
    /// Statements named so far: a name is not used again.
    named: u32,
    /// What the server is parsing, in order; None where a group of statements ends.
    parsing: VecDeque<Option<Text>>,
    /// Statements in `out` since the last group ended.
    queued: usize,
    /// Groups that were sent and whose answers nobody has waited for.
    owed: usize,
    pub broken: bool,
    pub made: Instant,
    /// Names this connection in the table `writer`; empty until it first writes.
    pub writer: Vec<u8>,
    pub turn: i64,
}

impl Connection {
    pub fn open(address: &Address, tls: Option<&Arc<ClientConfig>>) -> Outcome<Connection> {
        let stream = stream::open(address, tls)?;
        stream.limit(Some(ANSWER))?;
        let mut connection = Connection {
            stream,
            out: BytesMut::new(),
            inn: BytesMut::new(),
            statements: HashMap::new(),
            named: 0,
            parsing: VecDeque::new(),
            queued: 0,
            owed: 0,
            broken: false,
            made: Instant::now(),
            writer: Vec::new(),
            turn: 0,
        };
        connection.begin(address)?;
        Ok(connection)
    }

    fn begin(&mut self, address: &Address) -> Outcome<()> {
        let mut settings = vec![
            ("user", address.user.as_str()),
            ("database", &address.database),
            ("application_name", "holm"),
            ("client_encoding", "UTF8"),
            ("statement_timeout", STATEMENT),
            ("lock_timeout", LOCK),
            ("idle_in_transaction_session_timeout", STATEMENT),
        ];
        if let Some(options) = &address.options {
            settings.push(("options", options));
        }
        frontend::startup_message(settings, &mut self.out)?;
        self.flush()?;
        let password = address.password.as_deref().unwrap_or_default();
        let mut scram = None;
        loop {
            match self.receive()? {
                Message::AuthenticationOk => {}
                Message::AuthenticationCleartextPassword if self.stream.is_tls() => frontend::password_message(password.as_bytes(), &mut self.out)?,
                Message::AuthenticationMd5Password(body) => {
                    let hash = authentication::md5_hash(address.user.as_bytes(), password.as_bytes(), body.salt());
                    frontend::password_message(hash.as_bytes(), &mut self.out)?;
                }
                Message::AuthenticationSasl(_) => {
                    let binding = if self.stream.is_tls() { sasl::ChannelBinding::unsupported() } else { sasl::ChannelBinding::unrequested() };
                    let begun = scram.insert(sasl::ScramSha256::new(password.as_bytes(), binding));
                    frontend::sasl_initial_response(sasl::SCRAM_SHA_256, begun.message(), &mut self.out)?;
                }
                Message::AuthenticationSaslContinue(body) => {
                    let scram = scram.as_mut().ok_or_else(|| odd("an answer to no question"))?;
                    scram.update(body.data())?;
                    frontend::sasl_response(scram.message(), &mut self.out)?;
                }
                Message::AuthenticationSaslFinal(body) => scram.as_mut().ok_or_else(|| odd("an answer to no question"))?.finish(body.data())?,
                Message::BackendKeyData(_) => {}
                Message::ReadyForQuery(_) => return Ok(()),
                Message::ErrorResponse(body) => {
                    self.broken = true;
                    // Wrong credentials and the like are not mended by waiting.
                    return Err(match refusal(&body) {
                        (_, state, text) if ["57P0", "08", "53"].iter().any(|class| state.starts_with(class)) => Failure::Lost(text),
                        (_, state, text) => Failure::Refused(state, text),
                    });
                }
                _ => return Err(odd("it asks for a way of signing in that holm does not know")),
            }
            self.flush()?;
        }
    }

    fn flush(&mut self) -> Outcome<()> {
        let sent = self.stream.write_all(&self.out).and_then(|()| self.stream.flush());
        self.out.clear();
        self.broken |= sent.is_err();
        Ok(sent?)
    }

    fn receive(&mut self) -> Outcome<Message> {
        let received = self.receive_any();
        self.broken |= received.is_err();
        received
    }

    fn receive_any(&mut self) -> Outcome<Message> {
        loop {
            if self.inn.len() >= 5 && u32::from_be_bytes([self.inn[1], self.inn[2], self.inn[3], self.inn[4]]) as usize > MESSAGE_MAX {
                return Err(odd("a message longer than any that was asked for"));
            }
            match Message::parse(&mut self.inn)? {
                Some(Message::NoticeResponse(_) | Message::ParameterStatus(_) | Message::NotificationResponse(_)) => {}
                Some(message) => return Ok(message),
                None => {
                    let mut bytes = [0; 16 * 1024];
                    match self.stream.read(&mut bytes) {
                        Ok(0) => return Err(Failure::Lost("it closed the connection".into())),
                        Ok(n) => self.inn.extend_from_slice(&bytes[..n]),
                        Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                        Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return Err(Failure::Lost("it did not answer in time".into())),
                        Err(e) => return Err(e.into()),
                    }
                }
            }
        }
    }

    /// Adds a statement to what goes out next, and asks for at most `most` rows; 0 is all. Its portal stays open under a number,
    /// so that more may be asked for.
    pub fn push(&mut self, text: &'static str, values: &[Value<'_>], portal: u32, most: i32) -> Outcome<()> {
        let at = (text.as_ptr() as usize, text.len());
        let portal = portal.to_string();
        if !self.statements.contains_key(&at) {
            self.named += 1;
            let name = format!("s{}", self.named);
            frontend::parse(&name, &dialect::statement(text), values.iter().map(oid), &mut self.out)?;
            frontend::describe(b'S', &name, &mut self.out)?;
            self.statements.insert(at, Statement { name, columns: Arc::new([]) });
            self.parsing.push_back(Some(at));
        }
        frontend::close(b'P', &portal, &mut self.out)?;
        let name = &self.statements[&at].name;
        let bound = frontend::bind(&portal, name, [1], values, |value, out| Ok(write(value, out)), [1], &mut self.out);
        bound.map_err(|_| odd("a parameter that is too long"))?;
        frontend::execute(&portal, most, &mut self.out)?;
        self.queued += 1;
        Ok(())
    }

    /// Sends a statement with all that is queued and waits for its answer.
    pub fn ask(&mut self, text: &'static str, values: &[Value<'_>], portal: u32, most: i32) -> Outcome<Answer> {
        self.push(text, values, portal, most)?;
        let at = (text.as_ptr() as usize, text.len());
        let mut answer = self.exchange()?;
        answer.columns = self.statements.get(&at).map(|s| s.columns.clone()).unwrap_or_default();
        Ok(answer)
    }

    /// The next rows of a portal.
    pub fn more(&mut self, portal: u32, most: i32) -> Outcome<Answer> {
        frontend::execute(&portal.to_string(), most, &mut self.out)?;
        self.queued += 1;
        self.exchange()
    }

    /// Sends what is queued and waits for nothing: what becomes of it is of no interest.
    pub fn leave(&mut self) -> Outcome<()> {
        frontend::sync(&mut self.out);
        self.parsing.push_back(None);
        self.queued = 0;
        self.owed += 1;
        self.flush()
    }

    /// Sends what is queued, and answers what the last statement of it did.
    pub fn exchange(&mut self) -> Outcome<Answer> {
        let (left, before) = (self.queued, self.owed);
        self.leave()?;
        (0..before).try_for_each(|_| self.receive_group(0).map(|_| ()))?;
        self.receive_group(left)?
    }

    /// The answers to one group, of which the last counts. The inner failure is the server's.
    fn receive_group(&mut self, mut left: usize) -> Outcome<Outcome<Answer>> {
        let mut outcome = Ok(Answer { rows: Vec::new(), columns: Arc::new([]), tag: String::new(), more: false });
        let mut parsed = None;
        loop {
            let last = left <= 1;
            match self.receive()? {
                Message::ParseComplete => parsed = self.parsing.pop_front().flatten(),
                Message::RowDescription(body) => {
                    let columns = body.fields().map(|f| Ok(f.type_oid())).collect::<Vec<_>>()?;
                    if let Some(statement) = parsed.take().and_then(|at| self.statements.get_mut(&at)) {
                        statement.columns = columns.into();
                    }
                }
                Message::DataRow(row) => {
                    if let (true, Ok(answer)) = (last, &mut outcome) {
                        answer.rows.push(row);
                    }
                }
                Message::CommandComplete(body) => {
                    left = left.saturating_sub(1);
                    if let Ok(answer) = &mut outcome {
                        answer.tag = body.tag()?.to_owned();
                    }
                }
                Message::PortalSuspended => {
                    left = left.saturating_sub(1);
                    if let Ok(answer) = &mut outcome {
                        answer.more = last;
                    }
                }
                Message::ErrorResponse(body) => match refusal(&body) {
                    (true, _, text) => {
                        self.broken = true;
                        return Err(Failure::Lost(text));
                    }
                    (false, state, text) => outcome = Err(Failure::Refused(state, text)),
                },
                Message::ReadyForQuery(_) => {
                    self.owed -= 1;
                    // What an error kept the server from parsing has to be parsed again.
                    while let Some(Some(at)) = self.parsing.pop_front() {
                        self.statements.remove(&at);
                    }
                    return Ok(outcome);
                }
                _ => {}
            }
        }
    }

    /// Runs a script of several statements, however long it takes.
    pub fn script(&mut self, text: &str) -> Outcome<()> {
        self.stream.limit(None)?;
        frontend::query(text, &mut self.out)?;
        self.parsing.push_back(None);
        self.owed += 1;
        self.flush()?;
        while self.owed > 1 {
            let _ = self.receive_group(0)?;
        }
        let done = self.receive_group(0)?;
        self.stream.limit(Some(ANSWER))?;
        done.map(|_| ())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.broken {
            frontend::terminate(&mut self.out);
            let _ = self.flush();
        }
    }
}

fn odd(why: &str) -> Failure {
    Failure::Lost(why.to_owned())
}

/// Whether the server's error ends the connection, so that what was done is not known; its SQLSTATE, and its text.
fn refusal(body: &ErrorResponseBody) -> (bool, String, String) {
    let (mut severity, mut state, mut text) = (String::new(), String::new(), String::new());
    let mut fields = body.fields();
    while let Ok(Some(field)) = fields.next() {
        let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            // In the server's language; and then in English.
            b'S' if severity.is_empty() => severity = value,
            b'V' => severity = value,
            b'C' => state = value,
            b'M' => text = value,
            _ => {}
        }
    }
    (severity != "ERROR", state, text)
}

fn oid(value: &Value<'_>) -> Oid {
    match value {
        Value::Null => 0,
        Value::Int(_) => INT8,
        Value::Text(_) => TEXT,
        Value::Blob(_) => BYTEA,
    }
}

fn write(value: &Value<'_>, out: &mut BytesMut) -> IsNull {
    match value {
        Value::Null => return IsNull::Yes,
        Value::Int(v) => out.extend_from_slice(&v.to_be_bytes()),
        // PostgreSQL has no NUL in texts. Whatever holm keeps has none either, nor this in its place: what is looked for with one
        // is not there, as everywhere, and what is counted with one is counted.
        Value::Text(v) if v.contains('\0') => out.extend_from_slice(v.replace('\0', "\u{1}").as_bytes()),
        Value::Text(v) => out.extend_from_slice(v.as_bytes()),
        Value::Blob(v) => out.extend_from_slice(v),
    }
    IsNull::No
}

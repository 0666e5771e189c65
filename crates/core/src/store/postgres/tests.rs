//! Both engines under one examiner; and PostgreSQL with connections that break where it hurts most.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use super::*;
use crate::env::Env;
use crate::keys::Key;
use crate::store::sqlite::{Deleted, Sqlite};

const SCHEMA: &[&str] = &["CREATE TABLE head (person BIGINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL);
    CREATE TABLE content ( -- as the engine's own script expects it
      person BIGINT NOT NULL, id BIGINT NOT NULL, name TEXT, bytes BLOB, PRIMARY KEY (person, id)
    ) WITHOUT ROWID;
    INSERT INTO head (person, n) VALUES (1, 0); INSERT INTO head (person, n) VALUES (2, 0);"];
const ANN: PersonId = PersonId(1);

/// One that lets everybody here in.
const SERVER: &str = match std::option_env!("HOLM_TEST_POSTGRES") {
    Some(url) => url,
    None => "postgres://postgres@127.0.0.1:5432/postgres",
};

/// A schema of the test's own.
struct Schema(String);

impl Schema {
    fn new(name: &str) -> Option<Schema> {
        let name = format!("holm_unit_{name}_{}", std::process::id());
        let pool = Pool::new(SERVER, Env::fixed()).unwrap();
        let Ok(mut connection) = pool.connect() else {
            // A machine without a server: `./test` starts one, and says so where it can not.
            assert!(std::option_env!("HOLM_TEST_ALL").is_none(), "no PostgreSQL at {SERVER}, and HOLM_TEST_ALL forbids to skip {name}");
            let _ = writeln!(std::io::stderr(), "SKIPPED {name}: no PostgreSQL at {SERVER}");
            return None;
        };
        connection.script(&format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}")).unwrap();
        Some(Schema(name))
    }

    fn url(&self) -> String {
        format!("{SERVER}?options=-c%20search_path%3D{}", self.0)
    }

    fn pool(&self, url: &str) -> Arc<Pool> {
        let pool = Pool::new(url, dice()).unwrap();
        migrate(&pool, &[("test", SCHEMA)]).unwrap();
        Arc::new(pool)
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let pool = Pool::new(SERVER, Env::fixed()).unwrap();
        let _ = pool.connect().map(|mut c| c.script(&format!("DROP SCHEMA {} CASCADE", self.0)).is_ok());
    }
}

/// Where each writer has a name of its own.
fn dice() -> Env {
    struct Count(AtomicU8);
    impl crate::env::Entropy for Count {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, Ordering::SeqCst));
        }
    }
    Env { entropy: Arc::new(Count(AtomicU8::new(1))), ..Env::fixed() }
}

fn count(catalog: &(dyn Catalog + 'static)) -> i64 {
    catalog.reading(|tx| tx.first("SELECT n FROM head WHERE person = ?1", &[1.into()], |r| r.int(0))).unwrap().unwrap()
}

fn add(catalog: &(dyn Catalog + 'static)) -> Result<u64> {
    catalog.writing(|tx| {
        let n = tx.first("SELECT n FROM head WHERE person = ?1", &[1.into()], |r| r.int(0))?.unwrap();
        tx.execute("UPDATE head SET n = ?2 WHERE person = ?1", &[1.into(), (n + 1).into()])
    })
}

/// What the rooms above count on.
fn examine(catalog: &(dyn Catalog + 'static)) {
    let insert = "INSERT INTO content (person, id, name, bytes) VALUES (?1, ?2, ?3, ?4)";
    let names = ["b", "", "ü", "B", "a b", "é", "_"];
    catalog
        .writing(|tx| {
            for (n, name) in names.iter().enumerate() {
                tx.execute(insert, &[1.into(), (n as i64).into(), (*name).into(), [n as u8, 0, 255][..].into()])?;
            }
            tx.execute(insert, &[1.into(), i64::MAX.into(), Value::Null, Value::Null])?;
            assert_eq!(tx.execute("UPDATE content SET bytes = NULL WHERE person = ?1 AND id > ?2", &[1.into(), 100.into()])?, 1);
            Ok(())
        })
        .unwrap();
    // Every type, and NULL of every type; texts in the order of their bytes.
    let named = "SELECT id, name, bytes, bytes IS NULL, 1 FROM content WHERE person = ?1 AND (name = ?2 OR ?2 IS NULL) AND name > ?3 ORDER BY name LIMIT ?4";
    let found = catalog
        .reading(|tx| {
            tx.all(named, &[1.into(), Value::Null, "".into(), 100.into()], |r| Ok((r.text(1)?.to_owned(), r.blob(2)?.to_vec(), r.int(3)?, r.int(4)?)))
        })
        .unwrap();
    let mut sorted: Vec<&str> = names.into_iter().filter(|n| !n.is_empty()).collect();
    sorted.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    assert_eq!(found.iter().map(|f| f.0.as_str()).collect::<Vec<_>>(), sorted);
    assert!(found.iter().all(|f| f.1[1..] == [0, 255] && f.2 == 0 && f.3 == 1));
    catalog
        .reading(|tx| {
            let null = tx.first("SELECT name, bytes, bytes IS NULL, id FROM content WHERE person = ?1 AND id = ?2", &[1.into(), i64::MAX.into()], |r| {
                assert!(matches!(r.opt_int(1), Ok(None) | Err(Error::Corrupt(_))));
                assert!(r.text(0).is_err() && r.opt_text(3).is_err() && r.opt_blob(3).is_err() && r.opt_int(9).is_err(), "another type is an error");
                Ok((r.opt_text(0)?.is_none(), r.opt_blob(1)?.is_none(), r.int(2)?))
            });
            assert_eq!(null?, Some((true, true, 1)));
            Ok(())
        })
        .unwrap();
    // What no text that is kept has in it is looked for in vain.
    let none = |name: &str| catalog.reading(|tx| tx.first("SELECT id FROM content WHERE person = ?1 AND name = ?2", &[1.into(), name.into()], |r| r.int(0)));
    assert_eq!((none("a\0b").unwrap(), none("\0").unwrap(), none("B").unwrap()), (None, None, Some(3)));
    pages(catalog);
    undoing(catalog);
}

/// More rows than are fetched at once, others asked for in their midst, and an early end.
fn pages(catalog: &(dyn Catalog + 'static)) {
    let insert = "INSERT INTO content (person, id, name, bytes) VALUES (?1, ?2, ?3, ?4)";
    catalog.writing(|tx| (1_000..2_000).try_for_each(|n| tx.execute(insert, &[1.into(), n.into(), "page".into(), [1; 300][..].into()]).map(|_| ()))).unwrap();
    let ids = "SELECT id FROM content WHERE person = ?1 AND name = 'page' ORDER BY id";
    catalog
        .reading(|tx| {
            let mut seen = Vec::new();
            tx.query(ids, &[1.into()], &mut |row| {
                let id = row.int(0)?;
                let mut first = Vec::new();
                if id % 100 == 0 {
                    tx.query(ids, &[1.into()], &mut |row| {
                        first.push(row.int(0)?);
                        Ok(if first.len() == 200 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                    })?;
                    assert!(first.iter().copied().eq(1_000..1_200));
                }
                seen.push(id);
                Ok(ControlFlow::Continue(()))
            })?;
            assert!(seen.into_iter().eq(1_000..2_000));
            assert_eq!(tx.first(ids, &[1.into()], |r| r.int(0))?, Some(1_000));
            Ok(())
        })
        .unwrap();
}

fn undoing(catalog: &(dyn Catalog + 'static)) {
    let before = count(catalog);
    let outcome = catalog.writing(|tx| {
        tx.execute("UPDATE head SET n = 77 WHERE person = ?1", &[1.into()])?;
        Err::<(), _>(Error::Forbidden("as a test"))
    });
    assert!(matches!(outcome, Err(Error::Forbidden(_))));
    assert_eq!(count(catalog), before);
    catalog
        .writing(|tx| {
            tx.execute("UPDATE head SET n = n + 1 WHERE person = ?1", &[1.into()])?;
            let undone = tx.attempt(|| {
                tx.execute("UPDATE head SET n = 78 WHERE person = ?1", &[1.into()])?;
                Err::<(), _>(Error::Forbidden("as a test"))
            });
            assert!(undone.is_err());
            tx.attempt(|| tx.execute("UPDATE head SET n = n + 1 WHERE person = ?1", &[1.into()]).map(|_| ()))
        })
        .unwrap();
    assert_eq!(count(catalog), before + 2);
    // A reader sees one state, whatever others do meanwhile.
    catalog
        .reading(|tx| {
            let n = || tx.first("SELECT n FROM head WHERE person = ?1", &[1.into()], |r| r.int(0));
            let first = n()?;
            assert_eq!(std::thread::scope(|scope| scope.spawn(|| add(catalog)).join().unwrap())?, 1);
            assert_eq!(n()?, first);
            Ok(())
        })
        .unwrap();
    // Writers are alone: what one has read nobody changes before it writes.
    let before = count(catalog);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(add(catalog).unwrap(), 1)));
        }
    });
    assert_eq!(count(catalog), before + 200);
}

#[test]
fn the_embedded_engine_does_what_is_counted_on() {
    let dir = tempfile::tempdir().unwrap();
    examine(&Sqlite::open(&dir.path().join("db"), &Key::from_bytes([1; 32]), true, Deleted::Left, SCHEMA).unwrap());
}

#[test]
fn the_shared_engine_does_what_is_counted_on() {
    let Some(schema) = Schema::new("examined") else { return };
    let pool = schema.pool(&schema.url());
    examine(&Postgres::of(pool.clone(), ANN));
    assert_eq!(Postgres::host(pool).verify().unwrap(), Vec::<String>::new());
}

#[test]
fn t58_a_statement_without_its_person_is_refused() {
    let Some(schema) = Schema::new("persons") else { return };
    let catalog: &dyn Catalog = &Postgres::of(schema.pool(&schema.url()), ANN);
    for (sql, person) in [
        ("SELECT n FROM head", None),
        ("SELECT n FROM head WHERE person = ?1", Some(2)),
        ("SELECT n FROM head WHERE person > ?1", Some(1)),
        ("UPDATE head SET n = 9", None),
        ("UPDATE head SET n = 9 WHERE person = ?1", Some(2)),
        ("DELETE FROM head WHERE n = ?1", Some(1)),
        ("INSERT INTO head (person, n) VALUES (?1, 3)", Some(3)),
    ] {
        let params: Vec<Value<'_>> = person.map(Value::Int).into_iter().collect();
        let refused =
            catalog.writing(|tx| if sql.starts_with("SELECT") { tx.all(sql, &params, |r| r.int(0)).map(|_| ()) } else { tx.execute(sql, &params).map(|_| ()) });
        assert!(matches!(&refused, Err(Error::Catalog(why)) if why.contains("without its person")), "{sql}: {refused:?}");
    }
}

#[test]
fn a_schema_is_brought_up_to_date_once_and_told_when_it_is_not() {
    let Some(schema) = Schema::new("migrated") else { return };
    let pool = Pool::new(&schema.url(), dice()).unwrap();
    let told = |parts: &[migrate::Part<'_>]| pool.check(parts).unwrap_err().to_string();
    assert!(told(&[("test", SCHEMA)]).contains("holm migrate"));
    let two = [SCHEMA[0], "ALTER TABLE head ADD COLUMN later TEXT"];
    let applied: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| migrate(&pool, &[("test", SCHEMA)]).unwrap())).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(applied.iter().sum::<u64>(), 2, "the test's script and the engine's, whoever is first: {applied:?}");
    pool.check(&[("test", SCHEMA)]).unwrap();
    assert!(told(&[("test", &two)]).contains("holm migrate"));
    assert_eq!(migrate(&pool, &[("test", &two)]).unwrap(), 1);
    assert!(told(&[("test", SCHEMA)]).contains("newer holm"));
    // One that fails leaves nothing.
    let three = [two[0], two[1], "ALTER TABLE head ADD COLUMN half TEXT; SELECT nothing FROM nowhere"];
    assert!(migrate(&pool, &[("test", &three)]).is_err());
    let three = [two[0], two[1], "ALTER TABLE head ADD COLUMN half TEXT"];
    assert_eq!(migrate(&pool, &[("test", &three)]).unwrap(), 1);
}

/// What a proxy between holm and the server does to the connection on which the next COMMIT goes by.
const PASS: u8 = 0;
/// The server gets it, and its answer is lost.
const DEAF: u8 = 1;
/// It is lost itself.
const MUTE: u8 = 2;

/// Hands bytes on in both directions; answers its port.
fn proxy(server: String, fault: Arc<AtomicU8>, hits: Arc<AtomicI64>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(&server) else { return };
            let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let deaf = Arc::new(AtomicU8::new(0));
            let (fault, hits, silent) = (fault.clone(), hits.clone(), deaf.clone());
            std::thread::spawn(move || {
                let mut bytes = [0; 65_536];
                while let Ok(n @ 1..) = from.read(&mut bytes) {
                    if silent.load(Ordering::SeqCst) == 1 {
                        break;
                    }
                    if to.write_all(&bytes[..n]).is_err() {
                        break;
                    }
                }
                let _ = to.shutdown(std::net::Shutdown::Both);
            });
            std::thread::spawn(move || {
                let (mut client, mut server) = (client, server);
                let mut bytes = [0; 65_536];
                while let Ok(n @ 1..) = client.read(&mut bytes) {
                    // A connection's first COMMIT goes by in plain text.
                    let commits = bytes[..n].windows(7).any(|w| w == b"COMMIT\0");
                    match if commits { fault.swap(PASS, Ordering::SeqCst) } else { PASS } {
                        MUTE => {
                            hits.fetch_add(1, Ordering::SeqCst);
                            break;
                        }
                        DEAF => {
                            hits.fetch_add(1, Ordering::SeqCst);
                            deaf.store(1, Ordering::SeqCst);
                        }
                        _ => {}
                    }
                    if server.write_all(&bytes[..n]).is_err() {
                        break;
                    }
                }
                let _ = (client.shutdown(std::net::Shutdown::Both), server.shutdown(std::net::Shutdown::Both));
            });
        }
    });
    port
}

#[test]
fn d14_a_connection_that_breaks_at_commit_doubles_and_loses_nothing() {
    let Some(schema) = Schema::new("broken") else { return };
    let (fault, hits) = (Arc::new(AtomicU8::new(PASS)), Arc::new(AtomicI64::new(0)));
    let address::Server::Tcp(host, port) = Address::parse(SERVER).unwrap().server else { return };
    let proxied = proxy(format!("{host}:{port}"), fault.clone(), hits.clone());
    let pool = schema.pool(&schema.url().replace(&format!(":{port}"), &format!(":{proxied}")));
    let catalog: &dyn Catalog = &Postgres::of(pool.clone(), ANN);
    let direct = Postgres::of(schema.pool(&schema.url()), ANN);
    let mut runs = 0;
    for n in 1..=30 {
        // Each time on a connection whose COMMIT has not been parsed yet.
        pool.forget();
        fault.store([PASS, DEAF, MUTE][n % 3], Ordering::SeqCst);
        catalog
            .writing(|tx| {
                runs += 1;
                tx.execute("UPDATE head SET n = n + 1 WHERE person = ?1", &[1.into()])
            })
            .unwrap();
        assert_eq!(count(&direct), n as i64, "after transaction {n}");
    }
    assert_eq!(hits.load(Ordering::SeqCst), 20, "the faults did not happen");
    assert_eq!(runs, 40, "what was committed is not repeated, what was lost is");
}

#[test]
fn d14_a_server_that_ends_a_connection_in_the_midst_of_work_is_asked_again() {
    let Some(schema) = Schema::new("ended") else { return };
    let pool = schema.pool(&schema.url());
    // The host's, which may ask who it is.
    let catalog: &dyn Catalog = &Postgres::host(pool.clone());
    let pid = |tx: &dyn Tx| tx.first("SELECT pg_backend_pid()", &[], |r| r.int(0)).map(Option::unwrap);
    let end = |pid: i64| pool.connect().unwrap().script(&format!("SELECT pg_terminate_backend({pid})")).unwrap();
    for n in 1..=10 {
        let mut runs = 0;
        catalog
            .writing(|tx| {
                runs += 1;
                tx.execute("UPDATE head SET n = n + 1 WHERE person = ?1", &[1.into()])?;
                if runs == 1 {
                    end(pid(tx)?);
                }
                tx.execute("UPDATE head SET n = n WHERE person = ?1", &[1.into()])
            })
            .unwrap();
        assert_eq!((runs, count(catalog)), (2, n));
    }
    // A reader whose idle connection is gone does not notice.
    end(catalog.reading(pid).unwrap());
    assert_eq!(count(catalog), 10);
}

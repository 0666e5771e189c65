//! Parties and grants: who may do what, where, until when; and what is on record of it.

use std::sync::Arc;

use holm_core::{
    Abilities, Access, Act, Change, Content, CredentialKind, Depth, Error, NewGrant, Overwrite, Page, Party, PartyId, PartyKind, Path, Precondition,
    RecordFilter, Scope, Timestamp, Via,
};

use crate::world::{World, put};

const DOOR: Via = Via { protocol: "test", address: None };

fn p(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn abilities(text: &str) -> Abilities {
    Abilities::parse(text).unwrap()
}

/// A party of ann's with one grant, let in.
fn guest(world: &World, scope: &str, may: &str) -> (Access, PartyId, i64) {
    let access = world.access();
    let party = access.meet(PartyKind::App, &format!("{may} {scope}"), "").unwrap();
    let grant = access.grant(&NewGrant::new(party, Scope::parse(scope).unwrap(), abilities(may))).unwrap();
    (enter(world, party), party, grant)
}

fn enter(world: &World, party: PartyId) -> Access {
    let party = Party { person: world.person, id: party, credential: 0, label: "guest".into(), limits: None };
    world.gate.admit(Arc::new(party), DOOR).unwrap()
}

fn commit(access: &Access, change: Change) -> Result<(), Error> {
    access.commit_blocking(change, Precondition::default()).map(|_| ())
}

fn write(access: &Access, path: &str) -> Result<(), Error> {
    let content = holm_core::NewContent::Inline(b"x".to_vec());
    commit(access, Change::Put { path: p(path), content, media_type: None, modified: None })
}

fn denied(result: Result<(), Error>) -> bool {
    matches!(result, Err(Error::Denied(..)))
}

fn world() -> World {
    let world = World::new(5, 0);
    for folder in ["/a", "/a/b", "/a/c", "/d"] {
        commit(&world.access(), Change::MakeFolder { path: p(folder), props: vec![] }).unwrap();
    }
    for file in ["/a/f", "/a/b/f", "/a/c/f", "/d/f"] {
        world.put(file, b"x");
    }
    world
}

#[test]
fn each_ability_allows_what_it_says() {
    type Deed = fn(&Access) -> Result<(), Error>;
    let deeds: [(&str, Deed); 9] = [
        ("read", |a| a.open(&p("/a/f")).map(|_| ())),
        ("add", |a| write(a, "/a/new")),
        ("add a folder", |a| commit(a, Change::MakeFolder { path: p("/a/new"), props: vec![] })),
        ("replace", |a| write(a, "/a/f")),
        ("patch", |a| commit(a, Change::Patch { path: p("/a/f"), props: vec![], modified: Some(Timestamp(1)), created: None })),
        ("remove", |a| commit(a, Change::Remove { path: p("/a/f") })),
        ("rename", |a| commit(a, Change::Move { from: p("/a/f"), to: p("/a/new"), overwrite: Overwrite::No })),
        ("copy", |a| commit(a, Change::Copy { from: p("/a/f"), to: p("/a/new"), overwrite: Overwrite::No, depth: Depth::Infinity })),
        ("copy over", |a| commit(a, Change::Copy { from: p("/a/f"), to: p("/a/b"), overwrite: Overwrite::Yes, depth: Depth::Infinity })),
    ];
    for (may, want) in [
        ("read", "read"),
        ("append", "add, add a folder"),
        ("read,append", "read, add, add a folder, copy"),
        ("write", "add, add a folder, replace, patch"),
        ("read,write", "read, add, add a folder, replace, patch, copy"),
        ("delete", "remove"),
        ("read,append,delete", "read, add, add a folder, remove, rename, copy, copy over"),
        ("read,write,delete", "read, add, add a folder, replace, patch, remove, rename, copy, copy over"),
    ] {
        let allowed = deeds.iter().filter(|(name, deed)| {
            let world = world();
            assert!(denied(deed(&guest(&world, "/d", may).0)), "{name} with {may} elsewhere");
            match deed(&guest(&world, "/a", may).0) {
                Ok(()) => true,
                Err(Error::Denied(..)) => false,
                Err(e) => panic!("{name} with {may}: {e}"),
            }
        });
        assert_eq!(allowed.map(|d| d.0).collect::<Vec<_>>().join(", "), want, "{may}");
    }
}

#[test]
fn what_leads_to_a_grant_is_seen_and_nothing_beside_it() {
    let world = world();
    let (access, party, _) = guest(&world, "/a/b", "read");
    let names = |folder: &str| -> Vec<String> {
        let entry = access.stat(&p(folder)).unwrap();
        access.list(&p(folder), entry.id, "", 100).unwrap().into_iter().map(|e| e.name).collect()
    };
    assert_eq!((names("/"), names("/a"), names("/a/b")), (vec!["a".to_owned()], vec!["b".to_owned()], vec!["f".to_owned()]));
    for hidden in ["/d", "/a/f", "/a/c", "/nothing", "/a/nothing"] {
        assert!(denied(access.stat(&p(hidden)).map(|_| ())), "{hidden}");
    }
    assert!(access.differences(&p("/a"), holm_core::Seq(0), true, 100).is_err(), "what changed beside it is not told either");
    assert!(access.differences(&p("/a/b"), holm_core::Seq(0), true, 100).is_ok());
    // A second grant adds its own way.
    world.access().grant(&NewGrant::new(party, Scope::parse("/d").unwrap(), abilities("read"))).unwrap();
    let again = enter(&world, party);
    let root = again.stat(&Path::root()).unwrap();
    assert_eq!(again.list(&Path::root(), root.id, "a", 100).unwrap().iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["d"]);
}

#[test]
fn t26_what_is_revoked_ends_in_the_midst_of_a_stream() {
    let world = world();
    put(&world.access(), "/d/large", &vec![7; 3_000_000]);
    let (access, _, grant) = guest(&world, "/d", "read");
    let Content::Chunked(cut) = access.open(&p("/d/large")).unwrap().1 else { panic!("cut") };
    let mut out = Vec::new();
    access.read_some(&cut, 0, cut.size(), &mut out).unwrap();
    assert!(world.access().revoke(grant).unwrap());
    world.pass(Timestamp::SECOND);
    assert!(denied(access.read_some(&cut, out.len() as u64, cut.size(), &mut out).map(|_| ())));
    assert!(!world.access().revoke(grant).unwrap(), "once");
}

#[test]
fn grants_begin_and_end_by_themselves() {
    let world = world();
    let access = world.access();
    let party = access.meet(PartyKind::App, "viewer", "").unwrap();
    let (from, until) = (world.now().plus(Timestamp::HOUR), world.now().plus(2 * Timestamp::HOUR));
    let what = NewGrant { from: Some(from), until: Some(until), ..NewGrant::new(party, Scope::parse("/d").unwrap(), abilities("read")) };
    access.grant(&what).unwrap();
    let read = || enter(&world, party).open(&p("/d/f")).is_ok();
    assert!(!read());
    world.pass(Timestamp::HOUR);
    assert!(read());
    world.pass(Timestamp::HOUR);
    assert!(!read());
}

#[test]
fn d12_a_clock_that_was_set_back_shuts_no_device_out() {
    let world = world();
    let (access, ..) = guest(&world, "/d", "read");
    world.pass(-400 * 24 * Timestamp::HOUR);
    assert!(access.open(&p("/d/f")).is_ok());
}

#[test]
fn t38_what_is_passed_on_is_never_more_than_what_was_had() {
    let world = world();
    let (sharer, _, root) = guest(&world, "/a", "read,append,share");
    let friend = world.access().meet(PartyKind::Person, "friend", "x").unwrap();
    let give = |scope: &str, may: &str| sharer.grant(&NewGrant::new(friend, Scope::parse(scope).unwrap(), abilities(may)));
    assert!(matches!(give("/", "read"), Err(Error::Denied(..))));
    assert!(matches!(give("/a", "read,write"), Err(Error::Forbidden(_))));
    give("/a/b", "read").unwrap();
    let read = || enter(&world, friend).open(&p("/a/b/f")).is_ok();
    assert!(read());
    assert!(sharer.revoke(root).is_err() && sharer.parties(Page::ALL).is_err() && sharer.meet(PartyKind::App, "x", "").is_err(), "not its to do");
    // The parent ends, and the child with it.
    world.access().revoke(root).unwrap();
    world.pass(Timestamp::SECOND);
    assert!(!read());
}

#[test]
fn t58_another_person_has_what_they_were_granted_and_no_more() {
    let world = world();
    let host = world.gate.host();
    let bob = host.add_person("bob", None, 0).unwrap();
    let bobs = |id, credential| Arc::new(Party { person: bob.id, id, credential, label: "bob".into(), limits: None });
    let visit = || world.gate.admit_to(world.person, bobs(PartyId::OWNER, 0), DOOR);
    assert!(matches!(visit(), Err(Error::NoSuchPerson(_))) && host.reachable(bob.id).unwrap().is_empty());
    let party = world.access().meet(PartyKind::Person, "bob", &host.subject(bob.id).unwrap()).unwrap();
    assert!(matches!(visit(), Err(Error::NoSuchPerson(_))), "known, but granted nothing");
    world.access().grant(&NewGrant::new(party, Scope::parse("/d").unwrap(), abilities("read,write"))).unwrap();
    assert_eq!(host.reachable(bob.id).unwrap()[0].name, "ann");
    let access = visit().unwrap();
    write(&access, "/d/f").unwrap();
    assert!(denied(write(&access, "/a/f")) && denied(commit(&access, Change::Remove { path: p("/d/f") })));
    // A device that bob limited to a folder is limited elsewhere too; one that may only read reads.
    let home = world.gate.admit(bobs(PartyId::OWNER, 0), DOOR).unwrap();
    let devices = [("/x", "read,write"), ("/", "read")].map(|(scope, may)| {
        let device = home.meet(PartyKind::Device, "phone", "").unwrap();
        home.grant(&NewGrant::new(device, Scope::parse(scope).unwrap(), abilities(may))).unwrap();
        world.gate.admit_to(world.person, bobs(device, 0), DOOR)
    });
    assert!(devices[0].is_err());
    let reader = devices[1].as_ref().unwrap();
    assert!(reader.open(&p("/d/f")).is_ok() && denied(write(reader, "/d/f")));
}

#[test]
fn an_app_password_is_a_party_with_a_grant() {
    let world = world();
    let id = world.access().connect(PartyKind::Device, "phone", Scope::parse("/d").unwrap(), abilities("read"), &[3; 32]).unwrap();
    let proof = world.gate.host().proof(CredentialKind::AppPassword, &[3; 32]).unwrap().unwrap();
    assert_eq!((proof.person.as_str(), proof.party.label.as_str(), proof.party.credential), ("ann", "phone", id));
    let access = world.gate.admit(Arc::new(proof.party), DOOR).unwrap();
    assert!(access.open(&p("/d/f")).is_ok() && denied(write(&access, "/d/f")));
    assert!(access.connect(PartyKind::Device, "x", Scope::everything(), Abilities::ALL, &[4; 32]).is_err(), "tokens make no tokens (T26)");
    assert!(world.access().disconnect(CredentialKind::AppPassword, id).unwrap());
    assert!(world.gate.host().proof(CredentialKind::AppPassword, &[3; 32]).unwrap().is_none());
    assert!(world.access().parties(Page::ALL).unwrap().iter().all(|p| p.ended.is_some()), "its party ended with it");
    world.pass(Timestamp::SECOND);
    assert!(access.open(&p("/d/f")).is_err());
    world.assert_whole();
}

#[test]
fn what_was_done_is_on_record() {
    let world = world();
    let (access, party, _) = guest(&world, "/d", "read");
    for _ in 0..3 {
        access.open(&p("/d/f")).unwrap();
    }
    assert!(denied(write(&access, "/d/f")));
    let (other, ..) = guest(&world, "/d", "read,write");
    write(&other, "/d/f").unwrap();
    let entry = access.stat(&p("/d/f")).unwrap().id;
    let find = |filter: RecordFilter| -> Vec<(Act, bool, String, i64)> {
        let rows = world.access().records(&filter, 1_000).unwrap();
        rows.into_iter().map(|r| (r.act, r.refused, r.path, r.times)).collect()
    };
    let of_party = find(RecordFilter { party: Some(party), ..RecordFilter::default() });
    assert!(of_party.contains(&(Act::Read, false, "/d/f".into(), 3)) && of_party.contains(&(Act::Change, true, "/d/f".into(), 1)), "{of_party:?}");
    let of_file = find(RecordFilter { entry: Some(entry), ..RecordFilter::default() });
    assert!(of_file.contains(&(Act::Read, false, "/d/f".into(), 3)) && of_file.contains(&(Act::Change, false, "/d/f".into(), 1)), "{of_file:?}");
    // Within the hour it counts on; later it is another row; and long after it is forgotten.
    access.open(&p("/d/f")).unwrap();
    let reads = |rows: Vec<(Act, bool, String, i64)>| rows.into_iter().filter(|r| r.0 == Act::Read).map(|r| r.3).collect::<Vec<_>>();
    let of_party = || find(RecordFilter { party: Some(party), ..RecordFilter::default() });
    assert_eq!(reads(of_party()), [4]);
    world.wait(2);
    access.open(&p("/d/f")).unwrap();
    assert_eq!(reads(of_party()), [1, 4]);
    assert!(access.records(&RecordFilter::default(), 1).is_err(), "for the person only");
    world.wait(91 * 24);
    world.keep_up(24);
    assert!(of_party().is_empty());
}

#[test]
fn the_access_log_is_read_in_pages() {
    let world = world();
    let (access, party, _) = guest(&world, "/d", "read,write");
    for n in 0..10 {
        write(&access, &format!("/d/{n}")).unwrap();
        if n % 3 == 2 {
            world.wait(2);
        }
    }
    let filter = RecordFilter { party: Some(party), ..RecordFilter::default() };
    let all = world.access().records(&filter, 100).unwrap();
    assert!(all.len() >= 10 && all.is_sorted_by(|a, b| (a.last, a.id) > (b.last, b.id)), "{all:?}");
    for size in 1..=all.len() {
        let (mut pages, mut before) = (Vec::new(), None);
        loop {
            let page = world.access().records(&RecordFilter { before, ..filter }, size).unwrap();
            let Some(last) = page.last() else { break };
            before = Some((last.last, last.id));
            pages.extend(page);
        }
        assert_eq!(pages, all, "in pages of {size}");
    }
    for row in &all {
        let (since, until) = (row.last, Some(row.last.plus(1)));
        let then = world.access().records(&RecordFilter { since, until, ..filter }, 100).unwrap();
        let due: Vec<_> = all.iter().filter(|r| r.last >= since && r.first < row.last.plus(1)).cloned().collect();
        assert!(then.contains(row) && then == due, "{then:?}");
    }
}

/// T58: to make somebody known who does not live here looks like making somebody known who does.
#[test]
fn t58_meeting_a_person_does_not_tell_whether_they_are_here() {
    let world = world();
    let access = world.access();
    world.gate.host().add_person("bob", None, 0).unwrap();
    for name in ["bob", "nobody"] {
        let id = access.meet_person(name).unwrap();
        let party = access.known_party(id).unwrap().unwrap();
        assert!(party.kind == PartyKind::Person && party.name == name && party.subject.len() == 32, "{party:?}");
        assert!(matches!(access.meet_person(name), Err(Error::Taken(_))), "once");
        access.part(id).unwrap();
        assert_ne!(access.meet_person(name).unwrap(), id, "and once more after it ended");
    }
}

/// What is refused is on record of the node it would have been done with, and so is what was done with something that is gone.
#[test]
fn records_of_what_was_refused_and_of_what_is_gone() {
    let world = world();
    let (access, party, _) = guest(&world, "/a", "read");
    assert!(denied(write(&access, "/d/f")) && denied(write(&access, "/d/never")));
    let owner = world.access();
    let (gone, moved) = (owner.stat(&p("/d/f")).unwrap().id, owner.stat(&p("/a/f")).unwrap().id);
    let of = |entry: i64| -> Vec<(Act, bool, PartyId)> {
        owner.records(&RecordFilter { entry: Some(entry), ..RecordFilter::default() }, 100).unwrap().into_iter().map(|r| (r.act, r.refused, r.party)).collect()
    };
    assert!(of(gone).contains(&(Act::Change, true, party)), "{:?}", of(gone));
    commit(&owner, Change::Move { from: p("/a/f"), to: p("/a/g"), overwrite: Overwrite::No }).unwrap();
    commit(&owner, Change::Remove { path: p("/d") }).unwrap();
    let once = |path: &str| owner.once_at(&p(path)).unwrap();
    assert_eq!((once("/d/f"), once("/a/f"), once("/a/g"), once("/d/never"), once("/nothing/f")), (Some(gone), Some(moved), Some(moved), None, None));
    // Something else takes the place: that is what stands there now.
    commit(&owner, Change::MakeFolder { path: p("/d"), props: vec![] }).unwrap();
    world.put("/d/f", b"another");
    assert_eq!(once("/d/f"), Some(owner.stat(&p("/d/f")).unwrap().id));
    assert_ne!(once("/d/f"), Some(gone));
    assert!(access.once_at(&p("/a/f")).is_err(), "for the person only");
}

//! mutants: a build of holm with faults in it, one of which is chosen at run time; a check or a test must see each, else
//! it sees nothing, and what it says of the true build is worth nothing. A fault is a `mutant("…")` in the crates.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::Fallible;
use super::options::{Check, Options};

/// How a fault is chosen in the build that has them all.
const VARIABLE: &str = "HOLM_MUTANT";
/// Runs in one of which a test must fail: where threads race, not every run does.
const RUNS: u32 = 5;

/// What must see a fault.
#[derive(Clone, Copy)]
enum By {
    Prove(Check),
    Test(&'static str),
}
use By::{Prove, Test};

/// The fault, what it does, and what must see it.
const MUTANTS: &[(&str, &str, By)] = &[
    ("no-pack-sync", "packs are not synced before the commit that refers to them", Prove(Check::Power)),
    ("no-catalog-sync", "SQLite with synchronous=OFF", Prove(Check::Power)),
    ("catalog-sync-normal", "SQLite with synchronous=NORMAL: a commit waits for the next checkpoint", Prove(Check::Power)),
    ("answered-before-commit", "changes are answered before their transaction is committed", Prove(Check::Power)),
    ("no-compaction-sync", "packs are not synced before the old ones are deleted", Prove(Check::PowerInGc)),
    ("old-root-key-forgotten", "the old root key is forgotten before the data opens with the new one", Prove(Check::PowerInRotation)),
    ("files-before-key", "a removed person's files go before their key", Prove(Check::PowerInRotation)),
    ("no-pack-name-sync", "a new pack's name is not synced in its directory", Prove(Check::IoErrors)),
    ("pack-error-ignored", "a pack that cannot be synced is committed nevertheless", Prove(Check::IoErrors)),
    ("pack-name-error-ignored", "a pack whose name cannot be synced is committed nevertheless", Prove(Check::IoErrors)),
    ("swallowed-error", "a failed commit is answered as if it had succeeded", Prove(Check::IoErrors)),
    ("goes-on-after-failure", "after a failed commit the process takes more writes", Prove(Check::IoErrors)),
    ("full-disk-ends-writing", "a full disk is taken for a failed one: writing needs a restart", Prove(Check::DiskFull)),
    ("lost-tag", "a chunk that does not authenticate is given out as zeros", Prove(Check::BitRot)),
    ("any-clock-believed", "upkeep judges what is old by whatever the clock shows", Prove(Check::Clock)),
    ("connections-without-number", "as many connections are let in as if there were descriptors without end", Prove(Check::Descriptors)),
    ("uploads-without-number", "any number of large uploads goes on at a time", Prove(Check::Memory)),
    ("log-left-behind", "a clean stop does not settle the catalog of a tree that is still held", Test("crash::d07_a_clean_stop_leaves_no_log")),
    ("nonce-reuse", "each record of a pack is sealed with the same nonces", Test("store::pack::tests::no_nonce_repeats")),
    ("name-not-authenticated", "a chunk opens under another's name", Test("store::pack::tests::t54_a_chunk_opens_only_as_what_it_was_sealed_as")),
    ("known-chunk-not-read", "a chunk counts as kept because the catalog says so", Test("upkeep::sending_damaged_bytes_again_mends_them")),
    ("condition-outside-transaction", "If-Match is decided before the transaction", Prove(Check::Linear)),
    ("quota-not-checked", "a commit may exceed the quota", Test("limits::t14_everything_owned_counts")),
    ("room-not-given-back", "an upload that ends keeps the room set aside for it", Test("store::t14_uploads_side_by_side_share_one_quota")),
    ("short-body-taken", "a body that breaks off counts as whole", Test("framing::a_body_shorter_than_announced_changes_nothing")),
    ("etag-of-length", "content of the same length has the same ETag", Test("webdav::conditional_writes")),
    ("no-version-kept", "a replaced content is no version", Test("command_line::what_was_deleted_or_replaced_comes_back")),
    ("thinned-from-the-wrong-end", "of each day the oldest version stays, not the newest", Test("upkeep::versions_thin_out_and_their_space_comes_back")),
    ("trash-kept-no-time", "upkeep empties the trash at once", Test("upkeep::the_trash_empties_itself_after_its_time")),
    ("no-grace", "upkeep deletes what an upload under way may come to need", Test("upkeep::an_interrupted_uploads_pack_is_found_and_goes_after_a_day")),
    ("pack-not-looked-for", "a commit does not look whether its pack is still there", Test("upkeep::an_upload_under_way_is_whole_or_refused")),
    ("chunk-deleted-unseen", "a chunk is deleted on an old view", Test("upkeep::upkeep_beside_writers_loses_nothing")),
    ("pack-deleted-unseen", "a pack is deleted on an old view", Test("upkeep::upkeep_beside_writers_loses_nothing")),
    ("compacted-under-old-number", "compaction keeps a chunk's old record number", Test("upkeep::a_mostly_dead_pack_is_written_anew")),
    ("empty-folder-stays", "a folder whose last document was taken away stays", Test("remotestorage::folders_come_and_go_with_their_documents")),
    ("storage-of-anybody", "a token opens its storage under anybody's name", Test("remotestorage::t40_bad_requests")),
    ("public-listed", "whoever comes may list what is public", Test("remotestorage::t40_what_is_public_is_read_by_all_and_listed_by_none")),
    ("uid-taken-twice", "two objects of a calendar may have one UID", Test("calendars::what_is_no_object_is_refused_with_the_reason")),
    ("item-stays-listed", "an object that went is still listed by its time", Test("calendars::an_object_that_comes_by_another_door_is_found")),
    ("move-from-nowhere", "the journal does not say where a move came from", Test("sync::every_change_is_told_once")),
    ("removed-without-token", "a removal leaves the folder's sync token and ETag as they were", Test("sync::every_change_is_seen_in_the_folders_above")),
    ("destination-lock-ignored", "MOVE and COPY go over locks at their destination", Test("webdav::locks_of_collections")),
    (
        "limiter-after-verify",
        "a right password counts however often it was guessed at",
        Test("bad_input::t31_wrong_passwords_are_throttled_and_owners_are_not"),
    ),
    (
        "unknown-name-answered-at-once",
        "a name that nobody here has is refused before it is counted",
        Test("throttle::t32_a_name_that_is_known_takes_as_long_as_one_that_is_not"),
    ),
    ("no-hash-for-nobody", "no password is hashed where nobody has the name", Test("throttle::t32_a_password_takes_as_long_where_there_is_none")),
    ("believed-for-ever", "a revoked app password that was used goes on to work", Test("command_line::people_and_app_passwords")),
    (
        "revoked-meanwhile",
        "a request that began before its password was revoked commits",
        Test("mended::t26_a_credential_revoked_during_an_upload_does_not_commit_it"),
    ),
    ("scope-ignored", "an app password reaches beyond its folder", Test("limits::t08_grants_bound_both_ends")),
    ("person-in-path-ignored", "another person's path leads to one's own tree", Test("webdav::scopes_and_other_people")),
    ("cross-site-taken", "a page of another site may change something", Test("api::t27_pages_of_others_change_nothing")),
    ("anybody-keeps-this-holm", "whoever is signed in is an admin", Test("matrix_api::t26_t35_t58_every_operation_is_for_whom_its_rule_says")),
    ("token-at-any-door", "an access token opens doors that it is not for", Test("tests::bearer::t35_a_token_opens_the_doors_it_is_for")),
    (
        "token-takes-all-grants",
        "a token does what its app was allowed another time",
        Test("tests::bearer::t26_a_token_does_what_was_allowed_with_it_and_no_more"),
    ),
    (
        "redirect-by-prefix",
        "an answer goes to any address that begins like the app's",
        Test("oauth_flow::t22_a_wrong_redirect_uri_is_a_page_and_leads_nowhere"),
    ),
    ("plain-challenge-taken", "a challenge need not be a hash", Test("oauth_flow::t24_without_s256_there_is_no_code")),
    ("any-verifier-fits", "whoever has the code has the tokens", Test("oauth_flow::t24_without_s256_there_is_no_code")),
    ("code-works-twice", "a code works as often as somebody comes with it", Test("oauth_flow::t23_a_code_works_once_and_for_whom_it_was_made")),
    ("any-browser-answers", "a request is answered in another browser than it began in", Test("oauth_flow::t25_only_the_browser_it_began_in_answers")),
    ("more-than-was-asked", "more can be allowed than was asked for and shown", Test("oauth_flow::t25_only_the_browser_it_began_in_answers")),
    ("refresh-token-works-twice", "a stolen refresh token goes on to work", Test("tests::apps::t23_a_refresh_token_that_comes_twice_ends_all_of_it")),
    ("proof-works-twice", "a proof of possession is used by whoever heard it", Test("tests::proof::t23_a_proof_is_for_one_request_and_works_once")),
    ("proof-for-ever", "a proof of who is there holds as long as the session", Test("matrix_api::t26_t35_t58_every_operation_is_for_whom_its_rule_says")),
    ("visit-of-any-link", "the password of one link opens every other", Test("links::t38_a_password_is_asked_for_at_every_door_and_few_are_tried")),
    ("who-lives-here-told", "only whoever lives here can be made known", Test("grants::t58_meeting_a_person_does_not_tell_whether_they_are_here")),
    ("decoded-twice", "a path is decoded twice", Test("path::tests::t01_paths")),
    ("range-without-its-end", "a range ends one byte early", Test("webdav::ranges_of_small_and_large_files")),
    (
        "writers-side-by-side",
        "in a database, those who write one person's rows do not wait for each other",
        Test("store::postgres::tests::the_shared_engine_does_what_is_counted_on"),
    ),
    (
        "persons-not-told-apart",
        "the shared engine takes statements that do not name their person",
        Test("store::postgres::tests::t58_a_statement_without_its_person_is_refused"),
    ),
    (
        "unknown-outcome-repeated",
        "a transaction whose connection broke at COMMIT is repeated whatever became of it",
        Test("store::postgres::tests::d14_a_connection_that_breaks_at_commit_doubles_and_loses_nothing"),
    ),
    ("xml-of-any-size", "XML bodies have no limit", Test("bad_input::t03_t04_xml")),
];

pub fn run(ordinary: &Path, options: &Options) -> Fallible<()> {
    if std::fs::read(ordinary)?.windows(VARIABLE.len()).any(|bytes| bytes == VARIABLE.as_bytes()) {
        return Err(format!("{} has faults built in", ordinary.display()).into());
    }
    if let Some(unknown) = options.only.iter().find(|name| !MUTANTS.iter().any(|m| m.0 == *name)) {
        return Err(format!("{unknown} is no mutant").into());
    }
    let chosen: Vec<_> = MUTANTS.iter().filter(|m| options.only.is_empty() || options.only.iter().any(|name| name == m.0)).collect();
    let build = Build::new()?;
    build.without_a_fault(chosen.iter().filter_map(|m| if let Test(test) = m.2 { Some(test) } else { None }).collect())?;
    let mut missed = 0;
    for (name, what, by) in chosen {
        let seen = match by {
            Prove(check) => build.check(name, *check, options),
            Test(test) => build.test(name, test),
        };
        match seen {
            Ok(Some(seen)) => println!("{name} ({what}): caught by {seen}"),
            Ok(None) => {
                missed += 1;
                println!("{name} ({what}): SURVIVED");
            }
            Err(e) => {
                missed += 1;
                println!("{name} ({what}): NOT JUDGED: {e}");
            }
        }
    }
    if missed == 0 { Ok(()) } else { Err(format!("{missed} mutants were not caught").into()) }
}

/// The build with all faults: its tests and its holm.
struct Build {
    target: PathBuf,
    wrapper: PathBuf,
}

impl Build {
    /// The wrapper reaches the workspace's own crates only.
    fn new() -> Fallible<Build> {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/mutants");
        std::fs::create_dir_all(&target)?;
        let target = target.canonicalize()?;
        let wrapper = target.join("rustc");
        script(&wrapper, "exec \"$@\" --cfg mutants")?;
        let build = Build { target, wrapper };
        if build.cargo_test(&["--no-run"]).status()?.success() { Ok(build) } else { Err("the mutants do not build; see above".into()) }
    }

    fn cargo_test(&self, args: &[&str]) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.args(["test", "--quiet", "--workspace", "--locked", "--tests", "--target-dir"]).arg(&self.target).args(args);
        cargo.env("RUSTC_WORKSPACE_WRAPPER", &self.wrapper).env_remove(VARIABLE);
        cargo
    }

    /// All tests must succeed as long as no fault is chosen.
    fn without_a_fault(&self, tests: Vec<&str>) -> Fallible<()> {
        for test in tests {
            let output = self.cargo_test(&["--", "--exact", test]).output()?;
            if !output.status.success() || !text(&output).contains("1 passed") {
                return Err(format!("{test} fails without a fault, or is not there:\n{}", text(&output)).into());
            }
        }
        Ok(())
    }

    /// Runs a test with a fault until it fails; tells how.
    fn test(&self, mutant: &str, test: &str) -> Fallible<Option<String>> {
        for run in 1..=RUNS {
            let output = self.cargo_test(&["--", "--exact", test]).env(VARIABLE, mutant).output()?;
            if !output.status.success() {
                let text = text(&output);
                if text.contains("could not compile") {
                    return Err("the source changed meanwhile, and does not build".into());
                }
                let said = text.split("panicked at ").nth(1).and_then(|t| t.lines().nth(1)).unwrap_or("it ended badly");
                return Ok(Some(format!("the test {test}, run {run}: {said}")));
            }
        }
        Ok(None)
    }

    /// Runs a check on a fault; tells of its first finding.
    fn check(&self, mutant: &str, check: Check, options: &Options) -> Fallible<Option<String>> {
        let holm = self.target.join(mutant);
        script(&holm, &format!("{VARIABLE}={mutant} exec '{}' \"$@\"", self.target.join("debug/holm").display()))?;
        let rounds = match check {
            Check::BitRot => 60,
            Check::Linear => 200,
            Check::Memory => 2,
            _ => options.rounds,
        };
        let outcome = super::check(&holm, &options.with(check, rounds))?;
        let line = |finding: &String| finding.lines().next().unwrap_or_default().to_owned();
        Ok(outcome.findings.first().map(|finding| format!("{}: {}", check.name(), line(finding))))
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn script(path: &Path, line: &str) -> Fallible<()> {
    std::fs::write(path, format!("#!/bin/sh\n{line}\n"))?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?)
}

#[cfg(test)]
mod tests {
    use super::MUTANTS;

    #[test]
    fn each_fault_is_built_in_once_and_listed_once() {
        let crates = crate::tidy::sources().into_iter().filter(|(file, _)| file.starts_with("crates/"));
        // What stands before the first switch names none.
        let names = |text: String| text.split("mutant(\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect::<Vec<_>>();
        let mut built: Vec<String> = crates.flat_map(|(_, text)| names(text)).collect();
        let mut listed: Vec<&str> = MUTANTS.iter().map(|m| m.0).collect();
        built.sort();
        listed.sort();
        assert_eq!(built, listed);
    }
}

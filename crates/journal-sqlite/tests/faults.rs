//! What happens when the disk, the file or another process is in the way.
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rusqlite::Connection;
use warren_apimachinery::{ClusterId, Revision};
use warren_journal_sqlite::{Options, SqliteJournal};
use warren_storage::contract::{append, put, remove};
use warren_storage::{Journal, JournalError};

fn a() -> ClusterId {
    ClusterId::new("a")
}

fn open(directory: &Path) -> Arc<dyn Journal> {
    Arc::new(SqliteJournal::open(directory).unwrap())
}

fn refused(directory: &Path) -> JournalError {
    SqliteJournal::open(directory).map(drop).unwrap_err()
}

#[test]
fn a_full_disk_fails_the_write_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let small = Options { max_pages: Some(64) };
    let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open_with(directory.path(), small).unwrap());
    let epoch = journal.create(&a(), None).unwrap();
    let mut kept = 0;
    let full = loop {
        match append(
            &journal,
            "a",
            epoch,
            vec![put(kept + 1, &format!("n{kept:05}"), None)],
        ) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 10_000, "the disk never fills up");
    };
    assert!(matches!(full, JournalError::Full), "{full:?}");
    assert!(kept > 10);
    let later = append(&journal, "a", epoch, vec![put(kept + 1, "later", None)]);
    assert!(matches!(later, Err(JournalError::Fenced(_))), "{later:?}");
    let opened = journal.open(&a()).unwrap();
    assert_eq!((opened.revision.0, opened.objects.len() as u64), (kept, kept));
    drop(journal);
    let journal = open(directory.path());
    let opened = journal.open(&a()).unwrap();
    assert_eq!((opened.revision.0, opened.objects.len() as u64), (kept, kept));
    append(&journal, "a", opened.epoch, vec![put(kept + 1, "later", None)]).unwrap();
}

#[test]
fn on_a_full_disk_removing_a_cluster_makes_room() {
    let directory = tempfile::tempdir().unwrap();
    let small = Options { max_pages: Some(64) };
    let journal = Arc::new(SqliteJournal::open_with(directory.path(), small).unwrap());
    let port: Arc<dyn Journal> = Arc::<SqliteJournal>::clone(&journal);
    let epoch = journal.create(&a(), None).unwrap();
    let b = journal.create(&ClusterId::new("b"), None).unwrap();
    let fill = (1..).find(|at| append(&port, "a", epoch, vec![put(*at, &format!("n{at}"), None)]).is_err());
    assert!(fill.is_some());
    journal.delete(&a()).unwrap();
    journal.compact().unwrap();
    for at in 1..20 {
        append(&port, "b", b, vec![put(at, &format!("n{at}"), None)]).unwrap();
    }
}

#[test]
fn a_directory_belongs_to_one_journal_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    assert!(matches!(refused(directory.path()), JournalError::Locked));
    drop(journal);
    drop(open(directory.path()));
}

/// Holds the directory until its standard input ends. Not a test of its own: the next one starts it.
#[test]
fn another_process_holds_the_directory() {
    let Ok(directory) = std::env::var("WARREN_TEST_HOLD") else {
        return;
    };
    let _journal = open(Path::new(&directory));
    println!("\nholding");
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[test]
fn a_directory_of_another_process_is_refused_until_that_ends() {
    let directory = tempfile::tempdir().unwrap();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "another_process_holds_the_directory", "--nocapture"])
        .env("WARREN_TEST_HOLD", directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = std::io::BufReader::new(other.stdout.take().unwrap());
    let holds = std::io::BufRead::lines(out).any(|line| line.unwrap() == "holding");
    assert!(holds);
    assert!(matches!(refused(directory.path()), JournalError::Locked));
    let mut stdin = other.stdin.take().unwrap();
    stdin.write_all(b"\n").unwrap();
    drop(stdin);
    other.wait().unwrap();
    drop(open(directory.path()));
}

#[test]
fn a_file_that_is_no_journal_is_refused_in_clear_words() {
    let check = |make: &dyn Fn(&Path), expect: &str| {
        let directory = tempfile::tempdir().unwrap();
        make(&directory.path().join("journal.sqlite"));
        let before = fs::read(directory.path().join("journal.sqlite")).unwrap();
        let JournalError::Corrupt(text) = refused(directory.path()) else {
            panic!("not refused as damaged")
        };
        assert_eq!(text, expect);
        assert_eq!(
            fs::read(directory.path().join("journal.sqlite")).unwrap().len(),
            before.len()
        );
    };
    let garbage = |file: &Path| fs::write(file, "not a database, ".repeat(1000)).unwrap();
    check(&garbage, "the data file is not an SQLite database");
    let foreign = |file: &Path| {
        Connection::open(file)
            .unwrap()
            .execute_batch("CREATE TABLE t (a); PRAGMA journal_mode = wal")
            .unwrap();
    };
    check(&foreign, "the data file belongs to another program");
    let later = |file: &Path| {
        drop(open(file.parent().unwrap()));
        Connection::open(file)
            .unwrap()
            .execute_batch("PRAGMA user_version = 7")
            .unwrap();
    };
    check(
        &later,
        "the data file has layout 7, this version of Warren knows 1",
    );
}

#[test]
fn a_damaged_object_is_named_and_the_other_clusters_open() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    for cluster in ["a", "b"] {
        let epoch = journal.create(&ClusterId::new(cluster), None).unwrap();
        append(
            &journal,
            cluster,
            epoch,
            vec![put(1, "x", None), put(2, "y", None)],
        )
        .unwrap();
    }
    drop(journal);
    let file = Connection::open(directory.path().join("journal.sqlite")).unwrap();
    file.execute(
        "UPDATE log SET object = X'7b22' WHERE cluster = 1 AND revision = 2",
        [],
    )
    .unwrap();
    drop(file);
    let journal = open(directory.path());
    let error = journal.open(&a()).map(drop).unwrap_err();
    let expect = "the journal is damaged: object default/y at revision 2 of cluster a cannot be read";
    assert_eq!(error.to_string(), expect);
    assert_eq!(journal.open(&ClusterId::new("b")).unwrap().objects.len(), 2);
}

#[test]
fn a_closed_journal_answers_and_its_data_stays() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(directory.path()).unwrap());
    let port: Arc<dyn Journal> = Arc::<SqliteJournal>::clone(&journal);
    let epoch = journal.create(&a(), None).unwrap();
    append(&port, "a", epoch, vec![put(1, "x", None)]).unwrap();
    journal.close();
    let error = append(&port, "a", epoch, vec![put(2, "x", Some(1))]);
    assert!(matches!(error, Err(JournalError::Closed)), "{error:?}");
    assert!(matches!(
        journal.create(&ClusterId::new("b"), None),
        Err(JournalError::Closed)
    ));
    drop((journal, port));
    assert_eq!(open(directory.path()).open(&a()).unwrap().revision, Revision(1));
}

#[test]
fn a_callback_that_panics_stops_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let epoch = journal.create(&a(), None).unwrap();
    journal.append(
        &a(),
        epoch,
        vec![put(1, "x", None)],
        Box::new(|_| panic!("a callback with a bug")),
    );
    append(&journal, "a", epoch, vec![put(2, "y", None)]).unwrap();
}

#[test]
fn compaction_leaves_only_what_is_live() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(directory.path()).unwrap());
    let port: Arc<dyn Journal> = Arc::<SqliteJournal>::clone(&journal);
    let a_epoch = journal.create(&a(), None).unwrap();
    let gone = journal.create(&ClusterId::new("gone"), None).unwrap();
    append(
        &port,
        "gone",
        gone,
        (1..700).map(|at| put(at, &format!("n{at}"), None)).collect(),
    )
    .unwrap();
    journal.delete(&ClusterId::new("gone")).unwrap();
    append(
        &port,
        "a",
        a_epoch,
        vec![put(1, "x", None), put(2, "y", None), put(3, "z", None)],
    )
    .unwrap();
    append(
        &port,
        "a",
        a_epoch,
        vec![put(4, "x", Some(1)), remove(5, "y", 2), put(6, "x", Some(4))],
    )
    .unwrap();
    journal.compact().unwrap();
    drop((journal, port));
    let file = Connection::open(directory.path().join("journal.sqlite")).unwrap();
    let mut select = file
        .prepare("SELECT revision, name FROM log ORDER BY seq")
        .unwrap();
    let rows = select
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let rows: Vec<(i64, String)> = rows.map(Result::unwrap).collect();
    assert_eq!(rows, [(3, "z".to_owned()), (6, "x".to_owned())]);
    let dropped: i64 = file
        .query_row("SELECT count(*) FROM dropped", [], |row| row.get(0))
        .unwrap();
    assert_eq!(dropped, 0);
}

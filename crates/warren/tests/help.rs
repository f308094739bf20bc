//! The help texts: committed, so that a change of the command line is seen in review.
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::process::Command;

fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_warren"))
        .args(arguments)
        .arg("--help")
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_command_explains_itself() {
    insta::assert_snapshot!("warren", help(&[]));
    for command in [
        "up",
        "config",
        "create",
        "list",
        "connect",
        "disconnect",
        "describe",
        "delete",
        "pause",
        "resume",
        "install",
        "uninstall",
        "serve",
        "version",
        "completion",
    ] {
        insta::assert_snapshot!(command, help(&[command]));
    }
}

#[test]
fn wrong_usage_answers_two_and_says_how_it_is_right() {
    let cases: [(&[&str], &str); 5] = [
        (&["fly"], "unrecognized subcommand 'fly'"),
        (
            &["up", "Not_A_Label"],
            "a lowercase RFC 1123 label must consist of",
        ),
        (&["up", "--nodes", "0"], "0 is not in 1..=1000"),
        (&["create"], "<NAME>"),
        (
            &["list", "--data-dir", "d", "--context", "c"],
            "cannot be used with",
        ),
    ];
    for (arguments, expect) in cases {
        let output = Command::new(env!("CARGO_BIN_EXE_warren"))
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(expect), "{arguments:?}: {text}");
    }
}

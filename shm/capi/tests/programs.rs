//! C programs against `libweir.so` and a fake engine: the example counts, and `programs/check.c`
//! goes through what the header promises.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers fail like the test")]

mod engine;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use engine::{Engine, Tell};
use rustix::process::{Pid, Signal, kill_process};

/// The library as cargo made it for this test.
fn library() -> PathBuf {
    std::env::current_exe().unwrap().with_file_name("libweir.so")
}

fn package(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// Whether there is a compiler; if not, that is said.
fn has_compiler(compiler: &str, test: &str) -> bool {
    let found = Command::new(compiler).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("SKIPPED {test}: no C compiler ({compiler})");
    }
    found
}

fn succeeded(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
}

/// The program of a C file, ready to run.
fn program(source: &str, directory: &Path) -> Command {
    let library = library();
    // The name that the dynamic linker looks for.
    symlink(&library, directory.join("libweir.so.0")).unwrap();
    let executable = directory.join("program");
    let output = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O1", "-g", "-I"])
        .arg(package("include"))
        .arg(package(source))
        .arg("-o")
        .arg(&executable)
        .args(["-pthread", "-lweir", "-L"])
        .arg(library.parent().unwrap())
        .output()
        .unwrap();
    succeeded(&output);
    let mut command = Command::new(executable);
    command.env("LD_LIBRARY_PATH", directory).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::piped());
    command
}

/// What the example prints of 300 packets, a hundred of each application.
const COUNTED: [&str; 5] = [
    "     packets          bytes  application",
    "         100          10008  DNS",
    "         100          10008  TLS",
    "         100          10008  Unknown",
    "300 packets read, 0 missed",
];

fn counted(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), COUNTED.len(), "{text}");
    // Rows of equal bytes come in any order.
    lines[1..4].sort_unstable();
    assert_eq!(lines, COUNTED);
}

#[test]
fn the_example_counts_until_the_engine_ends() {
    if !has_compiler("cc", "the_example_counts_until_the_engine_ends") {
        return;
    }
    for arguments in [&[][..], &["--lease"]] {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::start(directory.path());
        let mut command = program("examples/count_by_app.c", directory.path());
        let child = command.args(arguments).arg(&engine.path).spawn().unwrap();
        engine.tell(Tell::AwaitReader);
        engine.tell(Tell::Push(300));
        engine.tell(Tell::End);
        let output = child.wait_with_output().unwrap();
        succeeded(&output);
        counted(&output);
    }
}

#[test]
fn the_example_ends_on_an_interrupt() {
    if !has_compiler("cc", "the_example_ends_on_an_interrupt") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::start(directory.path());
    let mut command = program("examples/count_by_app.c", directory.path());
    let child = command.arg(&engine.path).spawn().unwrap();
    engine.tell(Tell::AwaitReader);
    engine.tell(Tell::Push(300));
    engine.tell(Tell::AwaitRead);
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    succeeded(&output);
    counted(&output);
}

#[test]
fn the_example_says_what_went_wrong() {
    if !has_compiler("cc", "the_example_says_what_went_wrong") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::start(directory.path());
    let mut command = program("examples/count_by_app.c", directory.path());
    let child = command.arg(&engine.path).spawn().unwrap();
    engine.tell(Tell::AwaitReader);
    engine.tell(Tell::Push(300));
    drop(engine);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the engine is gone"));
    counted(&output);
    let nobody = directory.path().join("nobody.sock");
    let output = Command::new(directory.path().join("program"))
        .env("LD_LIBRARY_PATH", directory.path())
        .arg(nobody)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no engine named"), "{said}");
}

/// The program says on its output what the engine shall do, and goes on when it is told that that
/// is done.
#[test]
fn the_header_is_kept() {
    if !has_compiler("cc", "the_header_is_kept") {
        return;
    }
    for arguments in [&[][..], &["lease"]] {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::start(directory.path());
        let mut command = program("tests/programs/check.c", directory.path());
        let mut child = command.arg(&engine.path).args(arguments).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut last = String::new();
        for line in lines.map(Result::unwrap) {
            match line.split_once(' ') {
                Some(("push", packets)) => engine.tell(Tell::Push(packets.parse().unwrap())),
                None if line == "end" => engine.tell(Tell::End),
                _ => {
                    last = line;
                    continue;
                }
            }
            // If it failed meanwhile, its status tells.
            stdin.write_all(b"done\n").ok();
        }
        succeeded(&child.wait_with_output().unwrap());
        assert_eq!(last, "all kept", "{arguments:?}");
    }
}

#[test]
fn the_header_is_for_cpp_too() {
    if !has_compiler("c++", "the_header_is_for_cpp_too") {
        return;
    }
    let output = Command::new("c++")
        .args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c++"])
        .arg(package("include/weir.h"))
        .output()
        .unwrap();
    succeeded(&output);
}

#[test]
fn the_manuals_program_is_one() {
    if !has_compiler("cc", "the_manuals_program_is_one") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let manual = std::fs::read_to_string(package("../../docs/C_API.md")).unwrap();
    let (_, rest) = manual.split_once("```c\n").unwrap();
    let source = directory.path().join("manual.c");
    std::fs::write(&source, rest.split_once("```").unwrap().0).unwrap();
    let output = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-I"])
        .arg(package("include"))
        .arg(source)
        .output()
        .unwrap();
    succeeded(&output);
}

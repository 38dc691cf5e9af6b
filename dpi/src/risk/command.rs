//! Commands and code where a value belongs: shells, PHP, Java, Python, and the expression and
//! template languages that run what they are given.

use super::decode::{around, has};
use crate::seek::{Bytes, Words};

/// Commands that take an argument: a word must follow.
const WITH_ARGUMENT: &[&[u8]] = &[
    b"cat /",
    b"cat ..",
    b"cat $",
    b"wget http",
    b"wget -",
    b"wget ftp",
    b"curl http",
    b"curl -",
    b"nc -",
    b"ncat ",
    b"bash -",
    b"sh -c",
    b"sh -i",
    b"sh /",
    b"ping -",
    b"ping 1",
    b"sleep ",
    b"uname -",
    b"ls -",
    b"ls /",
    b"rm -",
    b"chmod ",
    b"chown ",
    b"python -c",
    b"python3 -c",
    b"perl -e",
    b"ruby -e",
    b"php -r",
    b"powershell",
    b"cmd /c",
    b"cmd.exe",
    b"certutil ",
    b"nslookup ",
    b"dig ",
    b"/bin/",
    b"/usr/bin/",
    b"echo ",
    b"net user",
    b"tftp ",
    b"busybox ",
    b"cd /",
    b"cp /",
    b"mv /",
    b"mkdir /",
    b"touch /",
    b"kill -",
    b"killall ",
    b"reboot",
    b"type c:",
    b"dir c:",
    b"mknod ",
    b"telnetd",
    b"find /",
    b"grep ",
    b"head /",
    b"tail /",
    b"base64 -",
    b"id;",
    b"id|",
    b"id&",
    b"uname;",
    b"bitsadmin ",
    b"mshta ",
    b"rundll32 ",
    b"regsvr32 ",
    b"iptables ",
    b"socat ",
    b"nohup ",
    b"sudo ",
];
/// Commands that say enough alone.
const ALONE: &[&[u8]] = &[
    b"id",
    b"ls",
    b"whoami",
    b"ifconfig",
    b"ipconfig",
    b"uname",
    b"hostname",
    b"netstat",
    b"dir",
    b"env",
    b"pwd",
    b"reboot",
    b"sh",
    b"bash",
];
/// What no value says but to have it run.
const PROGRAMS: &[&[u8]] = &[
    // Shells.
    b"/dev/tcp/",
    b"`wget ",
    b"`curl ",
    b"`id`",
    b"`whoami`",
    b"$(id)",
    b"$(whoami)",
    b"$(wget ",
    b"$(curl ",
    b"$(cat ",
    b"$(nslookup ",
    b"$(ping ",
    b"${ifs}",
    b"$ifs$",
    b";$ifs",
    b"cmd.exe?/c",
    b"cmd.exe /c",
    b"cmd.exe+/c",
    b"powershell -e",
    b"powershell.exe -",
    b"|/bin/sh",
    b"/bin/sh -c",
    b"/bin/bash -c",
    b"/bin/bash -i",
    b"|bash -",
    // PHP.
    b"<?php",
    b"php://input",
    b"php://filter",
    b"data://text/plain",
    b"expect://",
    b"phar://",
    b"allow_url_include",
    b"auto_prepend_file",
    b"shell_exec(",
    b"passthru(",
    b"system($_",
    b"system('",
    b"system(\"",
    b"eval($_",
    b"eval(base64_decode",
    b"assert($_",
    b"assert(base64",
    b"exec($_",
    b"exec('",
    b"popen('",
    b"proc_open(",
    b"phpinfo()",
    b"file_put_contents(",
    b"call_user_func_array",
    b"print(md5(",
    b"die(md5(",
    b"@eval(",
    b"@assert(",
    b"file_get_contents('/",
    b"base64_decode($_",
    // Java and its expression languages.
    b"java.lang.runtime",
    b"java.lang.processbuilder",
    b"getruntime()",
    b"getruntime.exec",
    b"(#_memberaccess",
    b"#context[",
    b"@java.lang.",
    b"javax.script.scriptengine",
    b"t(java.lang",
    b"new java.io.",
    b"class.forname(",
    b"freemarker.template.utility",
    b"#{7*7}",
    b"${7*7}",
    b"{{7*7}}",
    b"${@print(",
    b"%{#",
    b"<#assign",
    b"#set($",
    // Python, Node, Ruby.
    b"__import__(",
    b"__globals__",
    b"__subclasses__",
    b"__builtins__",
    b"os.system(",
    b"os.popen(",
    b"subprocess.popen",
    b"subprocess.call",
    b"subprocess.check_output",
    b"require('child_process')",
    b"require(\"child_process\")",
    b"child_process').exec",
    b"process.mainmodule",
    b"constructor.constructor(",
    b"kernel.exec",
    b"{{config.",
    b"<%= system",
    b"<%= `",
    // Files that are there to be taken over.
    b"!!javax.script",
    b"!!python/object",
    b"ysoserial",
    b"ro0abxn",
];

static SOUGHT: Words<{ PROGRAMS.len() }, 3> = Words::new(PROGRAMS);
/// One of these is in every one of them, and in every separator of commands.
static MARKS: Bytes = Bytes::of(b";|&`$({<[:_/.-\n");

/// Whether `value` carries a command or code. A path is not taken for a command by its separator
/// alone (`;` has a meaning in it).
pub(super) fn is_command(value: &[u8]) -> bool {
    if !MARKS.any_of(value) {
        return false;
    }
    SOUGHT.any(value)
        || [&b";"[..], b"|", b"&&", b"`", b"$(", b"\n"].into_iter().any(|separator| {
            around(value, separator).any(|(before, rest)| begins_command(before, rest, separator))
        })
}

/// Whether a parameter of this name is there for commands, and has one in it.
pub(super) fn is_command_parameter(name: &[u8], value: &[u8]) -> bool {
    let named = matches!(
        name,
        b"cmd"
            | b"exec"
            | b"command"
            | b"execute"
            | b"shell"
            | b"run"
            | b"ping_addr"
            | b"pingaddr"
            | b"ipaddr"
            | b"syscmd"
            | b"c"
            | b"dest_host"
    );
    let value = value.trim_ascii();
    let whole = named && name != b"c" && ALONE.contains(&value);
    whole || (named && starts_with_any(value, WITH_ARGUMENT))
}

fn starts_with_any(bytes: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|word| bytes.starts_with(word))
}

fn begins_command(before: &[u8], rest: &[u8], separator: &[u8]) -> bool {
    let blank = rest.first().is_some_and(u8::is_ascii_whitespace);
    let rest = rest.trim_ascii_start();
    let rest = rest.strip_prefix(separator).unwrap_or(rest).trim_ascii_start();
    if starts_with_any(rest, WITH_ARGUMENT) {
        // Prose has `; echo` and lists have `| grep`: what follows has to look like a command's.
        let word = rest.iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
        let argument = rest.get(word..).unwrap_or_default().trim_ascii_start();
        let prose = matches!(
            rest.get(..word),
            Some(
                b"echo"
                    | b"sleep"
                    | b"grep"
                    | b"dig"
                    | b"sudo"
                    | b"find"
                    | b"head"
                    | b"tail"
                    | b"reboot"
            )
        );
        return !prose
            || argument
                .first()
                .is_some_and(|byte| byte.is_ascii_digit() || b"-$'\"/`>".contains(byte))
            || has(argument, b">")
            || has(argument, b";");
    }
    let length = rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    let Some((word, behind)) = rest.split_at_checked(length) else { return false };
    if !ALONE.contains(&word) {
        return false;
    }
    let closing: &[u8] = if separator == b"`" {
        b"`"
    } else if separator == b"$(" {
        b")"
    } else {
        b""
    };
    let ends = if closing.is_empty() {
        behind.is_empty() || matches!(behind.first(), Some(b';' | b'|' | b'&' | b'#' | b'\n'))
    } else {
        behind.starts_with(closing)
    };
    // Lists of names have bars without blanks (`prop=info|id`).
    let listed = separator == b"|" && !blank && before.last().is_some_and(u8::is_ascii_alphabetic);
    ends && !listed
}

//! SQL where a value belongs.
//!
//! One word of SQL is a word of English: it takes a shape that only a statement has. The value
//! comes decoded, in lower case and with one blank for any white space and comment.

use super::decode::{around, count, has};
use crate::seek::{Bytes, Words};

/// One of these is in nearly every statement.
static MARKS: Bytes = Bytes::of(b"'\"();|&#=<>*@");

/// Whether `value` carries SQL.
pub(super) fn is_injection(value: &[u8]) -> bool {
    if !MARKS.any_of(value) && !has(value, b"union") && !has(value, b"--") {
        return false;
    }
    has_union(value)
        || has_true_condition(value)
        || ends_statement(value)
        || stacks_statement(value)
        || calls_database(value)
        || has_subquery(value)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether no word goes on to the left.
fn is_edge(before: &[u8]) -> bool {
    before.last().is_none_or(|byte| !is_word(*byte))
}

/// `union select` with what is selected behind it: a list, a number, a quote, nothing at all, a
/// call, or a table.
fn has_union(value: &[u8]) -> bool {
    around(value, b"union").filter(|(before, _)| is_edge(before)).any(|(_, rest)| {
        let rest = rest.trim_ascii_start();
        let all = rest.strip_prefix(b"all ").or_else(|| rest.strip_prefix(b"distinct "));
        let rest = all.unwrap_or(rest).trim_ascii_start();
        let rest = rest.strip_prefix(b"(").unwrap_or(rest);
        let Some(list) = rest.strip_prefix(b"select") else { return false };
        let inner = list.trim_ascii_start();
        let begins = inner.first().is_some_and(|byte| {
            byte.is_ascii_digit() || matches!(byte, b'\'' | b'"' | b'@' | b'(' | b'*' | b'-')
        });
        let head = inner.get(..200).unwrap_or(inner);
        begins
            || inner.starts_with(b"null")
            || inner.starts_with(b"char(")
            || inner.starts_with(b"concat")
            || (list.len() != inner.len() && (head.contains(&b',') || has(head, b" from ")))
    })
}

/// A value of a comparison, and what is behind it: whether it is quoted, a number, or a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operand {
    Quoted,
    Number,
    Name,
}

fn operand(bytes: &[u8]) -> Option<(Operand, &[u8])> {
    let bytes = bytes.trim_ascii_start();
    let open = bytes.iter().take_while(|byte| **byte == b'(').count();
    let bytes = bytes.get(open..)?.trim_ascii_start();
    let (first, rest) = bytes.split_first()?;
    if matches!(first, b'\'' | b'"') {
        let end = rest.iter().take(32).position(|byte| byte == first);
        // The last quote is the one that was there already.
        return Some((
            Operand::Quoted,
            end.map_or(&[][..], |end| rest.get(end + 1..).unwrap_or_default()),
        ));
    }
    let length = bytes.iter().take(32).take_while(|byte| is_word(**byte) || **byte == b'.').count();
    let (word, rest) = bytes.split_at_checked(length).filter(|(word, _)| !word.is_empty())?;
    let number = word.iter().all(u8::is_ascii_digit) || word.starts_with(b"0x");
    Some((if number { Operand::Number } else { Operand::Name }, rest))
}

/// The operator that a comparison goes on with, and what is behind it.
fn comparison(bytes: &[u8]) -> Option<&[u8]> {
    let bytes = bytes.trim_ascii_start();
    for word in [&b"like "[..], b"rlike ", b"regexp ", b"is not ", b"is null", b"between ", b"in ("]
    {
        if let Some(rest) = bytes.strip_prefix(word) {
            return Some(rest);
        }
    }
    let signs = bytes.iter().take(3).take_while(|byte| b"=<>!".contains(byte)).count();
    (signs > 0).then(|| bytes.get(signs..).unwrap_or_default())
}

/// `' or 1=1`, `" and "a"="a`, `1) or (2>1`: behind a quote, a bracket or a number, two constants
/// are compared; behind a quote that closes what was not opened, anything is.
fn has_true_condition(value: &[u8]) -> bool {
    [&b"or"[..], b"and", b"||", b"&&", b"xor", b"having"]
        .into_iter()
        .any(|word| around(value, word).any(|(before, rest)| is_condition(before, rest, word)))
}

fn is_condition(before: &[u8], rest: &[u8], word: &[u8]) -> bool {
    let letters = word.first().is_some_and(u8::is_ascii_lowercase);
    if letters && (!is_edge(before) || rest.first().is_some_and(|byte| is_word(*byte))) {
        return false;
    }
    let before = before.trim_ascii_end();
    let (quote, closes, number) = match before.last() {
        Some(quote @ (b'\'' | b'"')) => (true, is_odd(before, *quote), false),
        Some(b')') => (true, false, false),
        Some(b'0'..=b'9') => (false, false, is_number(before)),
        _ => return false,
    };
    if !quote && !number {
        return false;
    }
    let rest = rest.strip_prefix(b" not").unwrap_or(rest);
    if closes && (rest.trim_ascii_start().starts_with(b"true") || is_call(rest)) {
        return true;
    }
    let Some((left, behind)) = operand(rest) else { return false };
    let Some(behind) = comparison(behind) else {
        // `' or 1--`, `' or '1`
        let ends = behind.trim_ascii();
        let cut = ends.is_empty() || ends.starts_with(b"--") || ends.starts_with(b"#");
        let cut = if left == Operand::Quoted { cut } else { cut && !ends.is_empty() };
        return closes && left != Operand::Name && cut;
    };
    let Some((right, _)) = operand(behind) else { return closes && left != Operand::Name };
    let constants = left != Operand::Name && right != Operand::Name;
    constants || closes
}

/// `sleep(5)`, `(select …`, `exists(`.
fn is_call(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    [&b"sleep("[..], b"benchmark(", b"(select", b"exists(", b"extractvalue(", b"updatexml("]
        .iter()
        .any(|call| rest.starts_with(call))
}

/// Whether an odd number of `quote` is in `bytes`: the last one opens or closes alone.
fn is_odd(bytes: &[u8], quote: u8) -> bool {
    count(bytes, quote) % 2 == 1
}

/// Whether `bytes` are a number and nothing else: `12`, `-1`, `12)`.
fn is_number(bytes: &[u8]) -> bool {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    !digits.is_empty() && digits.len() <= 12 && digits.iter().all(u8::is_ascii_digit)
}

/// `admin' --`, `1';#`: a quote, and then a comment that cuts off what the server adds.
fn ends_statement(value: &[u8]) -> bool {
    let ending = value.trim_ascii_end();
    let cut = ending.strip_suffix(b"--").or_else(|| ending.strip_suffix(b"#"));
    let cut = cut.or_else(|| ending.strip_suffix(b"-- -")).or_else(|| ending.strip_suffix(b"--+"));
    let cut = cut.or_else(|| ending.strip_suffix(b"/*"));
    let Some(cut) = cut else { return false };
    let trimmed = cut.iter().rev().take_while(|byte| matches!(byte, b' ' | b')' | b';')).count();
    let left = cut.get(..cut.len() - trimmed).unwrap_or_default();
    left.last().is_some_and(|quote| matches!(quote, b'\'' | b'"') && is_odd(left, *quote))
}

/// A semicolon and a statement of at least two words.
fn stacks_statement(value: &[u8]) -> bool {
    const STATEMENTS: &[&[u8]] = &[
        b"drop table ",
        b"drop database ",
        b"drop user ",
        b"insert into ",
        b"delete from ",
        b"truncate table ",
        b"alter table ",
        b"create table ",
        b"create user ",
        b"exec xp_",
        b"exec master",
        b"exec(",
        b"execute immediate",
        b"declare @",
        b"waitfor delay",
        b"shutdown --",
        b"shutdown--",
        b"select pg_sleep",
        b"select sleep",
        b"copy (select",
        b"grant all ",
        b"begin dbms_",
    ];
    around(value, b";").any(|(_, rest)| {
        let rest = rest.trim_ascii_start();
        let update = rest.starts_with(b"update ") && has(rest, b" set ");
        update || STATEMENTS.iter().any(|statement| rest.starts_with(statement))
    })
}

/// Functions and tables by which a database is felt out, where a statement calls them.
fn calls_database(value: &[u8]) -> bool {
    const ALONE: &[&[u8]] = &[
        b"pg_sleep(",
        b"waitfor delay '",
        b"xp_cmdshell",
        b"into outfile '",
        b"into dumpfile '",
        b"into outfile \"",
        b"load_file(0x",
        b"load_file('",
        b"extractvalue(1",
        b"extractvalue(0",
        b"extractvalue(rand",
        b"updatexml(1",
        b"updatexml(0",
        b"updatexml(null",
        b"dbms_pipe.receive_message(",
        b"dbms_lock.sleep(",
        b"utl_inaddr.get_host",
        b"utl_http.request(",
        b"procedure analyse(",
        b"floor(rand(0)*2)",
        b"concat(0x",
        b"concat_ws(0x",
        b"group_concat(0x",
        b"||chr(",
        b"+char(",
        b"from information_schema.",
        b"from sysobjects",
        b"from pg_catalog.",
        b"from sqlite_master",
        b"from mysql.user",
        b"from dual--",
        b"from sys.",
        b"ctxsys.drithsx.sn(",
        b"make_set(",
        b"json_keys((select",
        b"exp(~(select",
        b"gtid_subset(",
        b"randomblob(",
    ];
    static SOUGHT: Words<{ ALONE.len() }, 4> = Words::new(ALONE);
    SOUGHT.any(value) || sleeps(value) || orders(value)
}

/// `sleep(5)` and `benchmark(9,…` are called in every language: here behind a word of SQL.
fn sleeps(value: &[u8]) -> bool {
    const WORDS: [&[u8]; 7] = [b"select", b" and", b" or", b"if(", b"'||", b"'+", b"'-"];
    [&b"sleep("[..], b"benchmark("].into_iter().any(|call| {
        around(value, call).any(|(before, rest)| {
            let before = before.trim_ascii_end();
            let behind = WORDS.iter().any(|word| before.ends_with(word));
            behind && rest.first().is_some_and(u8::is_ascii_digit)
        })
    })
}

/// `' order by 10--`, `1 order by 3#`: how many columns there are.
fn orders(value: &[u8]) -> bool {
    [&b" order by "[..], b" group by "].into_iter().any(|words| {
        around(value, words).any(|(before, rest)| {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let behind = rest.get(digits..).unwrap_or_default().trim_ascii_start();
            let opens = before.last().is_some_and(|byte| matches!(byte, b'\'' | b'"' | b')'));
            let number = is_number(before);
            let cut =
                behind.starts_with(b"--") || behind.starts_with(b"#") || behind.starts_with(b"/*");
            digits > 0 && (cut && (opens || number) || (opens && behind.is_empty()))
        })
    })
}

/// `(select … from …)` behind something else: a statement inside a value. A value that is one
/// whole statement is what a query interface takes.
fn has_subquery(value: &[u8]) -> bool {
    let whole = value.trim_ascii_start();
    if [&b"select "[..], b"show ", b"with "].iter().any(|word| whole.starts_with(word)) {
        return false;
    }
    around(value, b"(select ").any(|(_, rest)| {
        let head = rest.get(..300).unwrap_or(rest);
        has(head, b" from ")
            || head.starts_with(b"@@")
            || head.starts_with(b"(")
            || head.starts_with(b"count(*)")
            || (head.starts_with(b"concat(")
                || head.starts_with(b"user(")
                || head.starts_with(b"database("))
    })
}

//! What Wireshark is told of engines and options: sentences of `word {key=value}…`, one a line.

use std::fmt::Write;

use weir_shm::{Attached, list_names};

use super::PREFIX;
use crate::live::EngineArgs;
use crate::packets::{ETHERNET, link_name, link_title, or_ethernet, sources};

/// Who this is.
pub(super) fn version() -> String {
    format!("extcap {{version={}}}{{display=Weir}}\n", env!("CARGO_PKG_VERSION"))
}

/// An interface for each engine that runs.
pub(super) fn interfaces() -> String {
    let mut text = version();
    for running in list_names() {
        // One that cannot be attached to, of another version or another user, cannot be read.
        let Ok(engine) = Attached::open(&running.name) else { continue };
        let (name, from) = (plain(&running.name), plain(&sources(&engine)));
        line(&mut text, format_args!("interface {{value={PREFIX}{name}}}{{display=Weir: {from}}}"));
    }
    text
}

/// The link type of an engine's packets, as capture files number it. Asked without reading packets:
/// an engine may be waiting for the first who does.
pub(super) fn link_type(engine: &EngineArgs) -> anyhow::Result<u32> {
    let engine = engine.attach()?;
    Ok(engine.shards().first().map_or(ETHERNET, |shard| or_ethernet(shard.packet_link_type())))
}

/// The link types of an engine: one.
pub(super) fn link_types(engine: &EngineArgs) -> anyhow::Result<String> {
    let number = link_type(engine)?;
    let (name, title) = (link_name(number).unwrap_or("UNKNOWN"), link_title(number));
    let title = title.unwrap_or("Unknown");
    Ok(format!("dlt {{number={number}}}{{name={name}}}{{display={title}}}\n"))
}

/// The options of a capture. The capture filter has a field of its own in Wireshark.
pub(super) fn options() -> String {
    const OPTIONS: &[(&str, &str, &str, &str)] = &[
        (
            "--app",
            "Applications",
            "{type=string}{placeholder=TLS,YouTube}",
            "Only packets of flows of these applications or protocols, separated by commas",
        ),
        (
            "--flow",
            "Flow",
            "{type=unsigned}{default=0}",
            "Only packets of the flow of this number; 0: of all",
        ),
        (
            "--snap",
            "Snapshot length",
            "{type=unsigned}{range=0,262144}{default=0}",
            "Bytes kept of each packet at most; 0: all",
        ),
        (
            "--mode",
            "Mode",
            "{type=selector}",
            "Window: frames are copied. Lease: the engine holds frames as far as it can",
        ),
        (
            "--group",
            "Group",
            "{type=string}",
            "Share the stream with the other members of a group: each flow goes to one of them",
        ),
        (
            "--no-comments",
            "No comments",
            "{type=boolflag}{default=false}",
            "Leave out the application, its confidence and the community id on each packet",
        ),
    ];
    let mut text = String::new();
    for (number, (call, title, kind, tip)) in OPTIONS.iter().enumerate() {
        line(
            &mut text,
            format_args!(
                "arg {{number={number}}}{{call={call}}}{{display={title}}}{kind}{{tooltip={tip}}}\
                 {{required=false}}{{group=Weir}}"
            ),
        );
        if *call == "--mode" {
            for (value, title, default) in
                [("window", "Window", "true"), ("lease", "Lease", "false")]
            {
                line(
                    &mut text,
                    format_args!(
                        "value {{arg={number}}}{{value={value}}}{{display={title}}}\
                         {{default={default}}}"
                    ),
                );
            }
        }
    }
    text
}

/// Without what would end a value or a line.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !matches!(c, '{' | '}')).collect()
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    writeln!(text, "{words}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_of_pairs_in_braces() {
        let sentence = |line: &str| {
            let (word, pairs) = line.split_once(' ').unwrap();
            assert!(["extcap", "interface", "arg", "value"].contains(&word), "{line}");
            let inner = pairs.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap();
            for pair in inner.split("}{") {
                let (key, _) = pair.split_once('=').unwrap();
                assert!(key.chars().all(|c| c.is_ascii_lowercase()), "{line}");
                assert!(!pair.contains(['{', '}']), "{line}");
            }
        };
        let options = options();
        options.lines().for_each(sentence);
        version().lines().for_each(sentence);
        assert_eq!(options.lines().filter(|line| line.starts_with("arg ")).count(), 6);
        assert_eq!(plain("a{b}\nc"), "abc");
    }
}

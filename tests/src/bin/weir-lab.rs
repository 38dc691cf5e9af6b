//! `weir-lab`: makes a capture of generated traffic, and plays captures into an interface.
#![expect(clippy::print_stdout, reason = "a command-line tool")]

use std::path::Path;

use anyhow::{Context, bail};
use weir_engine::measure;
use weir_tests::{player, traffic};

const USAGE: &str = "\
usage: weir-lab capture OUT.pcap [--flows N] [--seed S] [--start UNIX_SECONDS]
       weir-lab play FILE INTERFACE [--pps N] [--seconds S] [--loops L]

capture writes generated traffic: the same seed gives the same frames, from 2023-11-14 on or from
the time given.
play sends a capture's frames at a steady rate; it ends after S seconds (10 by default) or L loops
(1 by default), whichever comes first.";

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["capture", out, options @ ..] => {
            let defaults = [("--flows", 1000), ("--seed", 1), ("--start", 0)];
            let [flows, seed, start] = numbers(options, defaults)?;
            let mut traffic = traffic::mixed(usize::try_from(flows)?, seed);
            if start != 0 {
                traffic.begin_at(start.saturating_mul(1_000_000_000));
            }
            traffic.write(Path::new(out)).with_context(|| format!("cannot write {out}"))?;
            println!("{out}: {} frames, {} flows", traffic.frames.len(), traffic.flows.len());
            Ok(())
        }
        ["play", file, interface, options @ ..] => {
            let defaults = [("--pps", 20_000), ("--seconds", 10), ("--loops", 1)];
            let [rate, seconds, loops] = numbers(options, defaults)?;
            play(Path::new(file), interface, rate, seconds, loops)
        }
        _ => bail!("{USAGE}"),
    }
}

/// The options' values, in the order of `known`.
fn numbers<const N: usize>(options: &[&str], known: [(&str, u64); N]) -> anyhow::Result<[u64; N]> {
    let mut values = known.map(|(_, default)| default);
    for pair in options.chunks(2) {
        let [name, value] = pair else { bail!("{} takes a number\n{USAGE}", pair[0]) };
        let Some(at) = known.iter().position(|(option, _)| option == name) else {
            bail!("there is no option {name}\n{USAGE}");
        };
        values[at] = value.parse().with_context(|| format!("{name} takes a number"))?;
    }
    Ok(values)
}

fn play(file: &Path, interface: &str, rate: u64, seconds: u64, loops: u64) -> anyhow::Result<()> {
    let frames = measure::preload(file)?;
    let loops = usize::try_from(loops)?;
    let all = std::iter::repeat_n((), loops).flat_map(|()| frames.iter());
    println!("sent {} frames", player::play(all, interface, rate, seconds)?);
    Ok(())
}

//! Scores recognition against the labelled corpus: how many flows get the reference's name, name
//! by name, and what is missed or claimed wrongly.
//!
//! `dpi_score [--only NAME] [--capture PART] [--list N] [--time ROUNDS]`: `--only` lists every
//! flow in which either side says NAME (a whole dotted name or one part of it), `--capture` takes
//! captures whose file name contains PART, `--time` walks everything ROUNDS times for ns/packet.
#![expect(clippy::print_stdout, reason = "a report for people")]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use weir_dpi::{Confidence, Inspector, Limits, Segment, Slot, Step, Verdict};
use weir_tests::corpus::{self, Capture, Ends, Flow, Row, canonical};

fn main() -> anyhow::Result<()> {
    let Some(root) = corpus::root() else {
        println!("SKIPPED: no corpus; set WEIR_CORPUS");
        return Ok(());
    };
    let options = options()?;
    if options.rounds > 0 {
        return time(&root, &options);
    }
    let pairs = compare(&root, &options)?;
    if let Some(only) = &options.only {
        for pair in pairs.iter().filter(|pair| pair.mentions(only)) {
            println!("{}", pair.line());
        }
    }
    let content: Vec<&Pair> = pairs.iter().filter(|pair| pair.row.by_content()).collect();
    if options.only.is_none() {
        report_names(&content);
        report_wrong(&content, options.list);
        report_extra(&pairs, options.list);
    }
    report_totals(&pairs, &content);
    Ok(())
}

#[derive(Debug, Default)]
struct Options {
    only: Option<String>,
    capture: String,
    list: usize,
    rounds: u32,
}

fn options() -> anyhow::Result<Options> {
    let mut found = Options { list: 40, ..Options::default() };
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        let mut value = || given.next().ok_or_else(|| anyhow::anyhow!("{word} needs a value"));
        match word.as_str() {
            "--only" => found.only = Some(canonical(&value()?)),
            "--capture" => found.capture = value()?,
            "--list" => found.list = value()?.parse()?,
            "--time" => found.rounds = value()?.parse()?,
            other => anyhow::bail!("unknown option {other}"),
        }
    }
    Ok(found)
}

/// A row and what became of it.
struct Pair {
    row: Row,
    theirs: String,
    ours: String,
    confidence: &'static str,
    inspected: u32,
}

impl Pair {
    fn equal(&self) -> bool {
        self.theirs == self.ours
    }

    fn mentions(&self, name: &str) -> bool {
        [&self.theirs, &self.ours]
            .into_iter()
            .map(|dotted| dotted.trim_end_matches('?'))
            .any(|dotted| dotted == name || dotted.split('.').any(|part| part == name))
    }

    fn line(&self) -> String {
        let mark = if self.equal() { "=" } else { "!" };
        format!(
            "{mark} {} -> {} ({}, {} inspected)  [{}] {}  {} {}",
            self.theirs,
            self.ours,
            self.confidence,
            self.inspected,
            self.row.confidence,
            self.row.capture,
            self.row.shown,
            self.row.host,
        )
    }
}

fn limits() -> Limits {
    Limits { flows: 4096, stream_buffers: 512, ..Limits::default() }
}

fn captures(root: &Path, options: &Options) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join("pcap"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| name.contains(&options.capture));
    names.sort();
    Ok(names)
}

fn compare(root: &Path, options: &Options) -> anyhow::Result<Vec<Pair>> {
    let mut by_capture: HashMap<String, Vec<Row>> = HashMap::new();
    for row in corpus::rows(root)? {
        by_capture.entry(row.capture.clone()).or_default().push(row);
    }
    let mut pairs = Vec::new();
    let mut not_found = 0;
    for name in captures(root, options)? {
        let mut inspector = Inspector::new(&limits());
        let flows = corpus::walk(&root.join("pcap").join(&name), &mut inspector)?;
        let flows: HashMap<Ends, &Flow> = flows.iter().map(|flow| (flow.ends, flow)).collect();
        for row in by_capture.remove(&name).unwrap_or_default() {
            let Some(flow) = flows.get(&row.ends) else {
                not_found += 1;
                continue;
            };
            pairs.push(Pair {
                theirs: canonical(&row.name),
                ours: ours(flow.verdict, row.by_content()),
                confidence: flow.verdict.confidence.name(),
                inspected: flow.inspected,
                row,
            });
        }
    }
    println!("flows compared {}, rows without a flow of ours {not_found}", pairs.len());
    Ok(pairs)
}

/// Our name; a guess from the port has a question mark where the reference has content.
fn ours(verdict: Verdict, by_content: bool) -> String {
    let name = canonical(&verdict.to_string());
    let guess = verdict.confidence == Confidence::PortGuess && by_content;
    if guess { name + "?" } else { name }
}

#[derive(Default)]
struct Score {
    /// The reference says it.
    theirs: u32,
    /// We say it.
    ours: u32,
    /// Both do.
    both: u32,
}

impl Score {
    fn recall(&self) -> f64 {
        f64::from(self.both) / f64::from(self.theirs.max(1))
    }

    fn precision(&self) -> f64 {
        f64::from(self.both) / f64::from(self.ours.max(1))
    }
}

fn scores<'p>(pairs: &[&'p Pair], of: fn(&'p str) -> &'p str) -> BTreeMap<&'p str, Score> {
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    for pair in pairs {
        let (theirs, ours) = (of(&pair.theirs), of(&pair.ours));
        scores.entry(theirs).or_default().theirs += 1;
        scores.entry(ours).or_default().ours += 1;
        if theirs == ours {
            scores.entry(theirs).or_default().both += 1;
        }
    }
    scores
}

fn master(dotted: &str) -> &str {
    dotted.split('.').next().unwrap_or(dotted)
}

fn report_names(content: &[&Pair]) {
    println!("\nname (rows the reference named by content)   theirs   ours   both  recall  prec.");
    for (name, score) in scores(content, |name| name) {
        let (recall, precision) = (score.recall() * 100.0, score.precision() * 100.0);
        println!(
            "{name:<44} {:>6} {:>6} {:>6} {recall:>6.0}% {precision:>5.0}%",
            score.theirs, score.ours, score.both
        );
    }
}

/// The commonest differences, each with one example.
fn report_wrong(content: &[&Pair], list: usize) {
    let mut by_kind: BTreeMap<(&str, &str), Vec<&Pair>> = BTreeMap::new();
    for pair in content.iter().filter(|pair| !pair.equal()) {
        by_kind.entry((&pair.theirs, &pair.ours)).or_default().push(pair);
    }
    let mut kinds: Vec<_> = by_kind.into_iter().collect();
    kinds.sort_by_key(|(_, pairs)| std::cmp::Reverse(pairs.len()));
    println!("\ndifferences by kind: {} kinds, the first {list}", kinds.len());
    for ((theirs, ours), pairs) in kinds.into_iter().take(list) {
        let example = pairs.first().map(|pair| format!("{} {}", pair.row.capture, pair.row.shown));
        println!("{:>5}  {theirs} -> {ours}   e.g. {}", pairs.len(), example.unwrap_or_default());
    }
}

/// What we claim by content and the reference contradicts, or does not know.
fn report_extra(pairs: &[Pair], list: usize) {
    let mut by_kind: BTreeMap<(&str, &str), Vec<&Pair>> = BTreeMap::new();
    for pair in pairs.iter().filter(|pair| {
        matches!(pair.confidence, "content" | "hostname")
            && master(&pair.theirs) != master(&pair.ours)
    }) {
        by_kind.entry((&pair.ours, &pair.theirs)).or_default().push(pair);
    }
    let mut kinds: Vec<_> = by_kind.into_iter().collect();
    kinds.sort_by_key(|(_, pairs)| std::cmp::Reverse(pairs.len()));
    println!("\nclaimed by content against the reference: {} kinds, the first {list}", kinds.len());
    for ((ours, theirs), pairs) in kinds.into_iter().take(list) {
        let example = pairs.first().map(|pair| format!("{} {}", pair.row.capture, pair.row.shown));
        println!(
            "{:>5}  we {ours}, reference {theirs}   e.g. {}",
            pairs.len(),
            example.unwrap_or_default()
        );
    }
}

fn report_totals(pairs: &[Pair], content: &[&Pair]) {
    let share = |equal: usize, all: usize| {
        let percent = 100 * 100 * equal / all.max(1);
        format!("{equal} of {all}, {}.{:02} %", percent / 100, percent % 100)
    };
    let equal = |pairs: &[&Pair]| pairs.iter().filter(|pair| pair.equal()).count();
    let same_master = |pairs: &[&Pair]| {
        pairs.iter().filter(|pair| master(&pair.theirs) == master(&pair.ours)).count()
    };
    // The reference names the protocol alone, and we the service too.
    let finer = |pair: &&&Pair| {
        pair.equal() || (!pair.theirs.contains('.') && master(&pair.ours) == pair.theirs)
    };
    let agree = content.iter().filter(finer).count();
    let macro_average = |scores: &BTreeMap<&str, Score>| {
        let known: Vec<_> = scores.values().filter(|score| score.theirs > 0).collect();
        let sum: f64 = known.iter().map(|score| score.recall()).sum();
        format!("{:.2} % over {} names", 100.0 * sum / f64::from(count(known.len())), known.len())
    };
    let all: Vec<&Pair> = pairs.iter().collect();
    println!("\nall rows, whole name equal        {}", share(equal(&all), all.len()));
    println!("rows by content, whole name equal {}", share(equal(content), content.len()));
    println!("rows by content, equal or finer   {}", share(agree, content.len()));
    println!("rows by content, protocol equal   {}", share(same_master(content), content.len()));
    println!("macro average, whole names        {}", macro_average(&scores(content, |n| n)));
    println!("macro average, protocols          {}", macro_average(&scores(content, master)));
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The time that inspection takes: files read and packets parsed beforehand, and the cost of
/// walking them, measured in a run that inspects nothing, taken off.
fn time(root: &Path, options: &Options) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for name in captures(root, options)? {
        files.push(std::fs::read(root.join("pcap").join(name))?);
    }
    let captures: Vec<Capture<'_>> =
        files.iter().map(|file| Capture::new(file)).collect::<anyhow::Result<_>>()?;
    let mut inspector = Inspector::new(&limits());
    let (mut walking, mut whole, mut inspected) = (f64::MAX, f64::MAX, 0);
    for _ in 0..options.rounds {
        let ended = |_: &mut Inspector, _: &mut Slot, _: &Segment<'_>| true;
        walking = walking.min(seconds(&captures, &mut inspector, ended));
        let before = inspector.counters().packets_inspected;
        whole =
            whole.min(seconds(
                &captures,
                &mut inspector,
                |inspector, slot, segment| match inspector.inspect(slot, segment) {
                    Step::Ended(_) => {
                        std::hint::black_box(inspector.meta(*slot));
                        inspector.release(slot);
                        true
                    }
                    _ => false,
                },
            ));
        inspected = inspector.counters().packets_inspected - before;
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let each = (whole - walking) * 1e9 / inspected.max(1) as f64;
    println!("{inspected} packets inspected, {each:.1} ns each, ends of flows included");
    Ok(())
}

fn seconds(
    captures: &[Capture<'_>],
    inspector: &mut Inspector,
    mut each: impl FnMut(&mut Inspector, &mut Slot, &Segment<'_>) -> bool,
) -> f64 {
    #[expect(clippy::disallowed_methods, reason = "a measurement")]
    let start = std::time::Instant::now();
    for capture in captures {
        capture.replay(inspector, &mut each, |inspector, slot, protocol, client, server| {
            std::hint::black_box(inspector.end(slot, protocol, client, server));
            inspector.release(slot);
        });
    }
    start.elapsed().as_secs_f64()
}

//! Rules at the start and while the engine runs: read, compiled on a thread of their own, given to
//! every shard through its queue, and told to readers.
//!
//! The names of applications are there for readers before any shard has the rules. The rules before
//! are freed here, and only once every shard has let them go: a shard frees nothing.

use std::sync::Arc;
use std::thread::JoinHandle;

use weir_dpi::rules::{CustomApp, FIRST_CUSTOM, Loaded, Problem, RuleSet, Text, load};
use weir_shm::rules::{AppRow, Bundle, RulesAnswer, RulesRow, RulesStatus, RulesTable};
use weir_shm::{RulesAsked, RulesClient, Server};

use super::EngineError;
use super::desk::Desk;
use crate::sys::clock;

/// Bytes of a file that is read at the start, at most.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// See the module.
#[derive(Debug)]
pub(super) struct Rules {
    table: RulesTable,
    in_force: Option<Arc<RuleSet>>,
    /// Every application that has an id, in force or before.
    known: Vec<CustomApp>,
    work: Option<Work>,
    changes: u32,
}

/// What is under way for a client.
#[derive(Debug)]
struct Work {
    client: RulesClient,
    since_ns: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Rules are read and compiled.
    Compiling(JoinHandle<Result<Loaded, String>>),
    /// The shards are told; these are the commands each has to have obeyed.
    Telling {
        told: Vec<u64>,
        answer: RulesAnswer,
        /// Those before.
        before: Option<Arc<RuleSet>>,
    },
}

/// Compiles the files that the configuration names; no rules if it names none.
///
/// # Errors
/// Everything that is wrong with them.
pub(crate) fn at_start(files: &[String]) -> Result<Option<Loaded>, EngineError> {
    if files.is_empty() {
        return Ok(None);
    }
    let loaded = load(files, &[], &mut read_file);
    loaded.map(Some).map_err(|problems| EngineError::Rules(lines(&problems)))
}

fn read_file(path: &str) -> Result<Text, String> {
    let read = || {
        if std::fs::metadata(path)?.len() > FILE_BYTES_MAX {
            return Err(std::io::Error::other("larger than 1 GiB"));
        }
        std::fs::read(path)
    };
    read().map(|bytes| Arc::new(bytes) as Text).map_err(|error| error.to_string())
}

impl Rules {
    /// Those of the start, if any, for the shards too: before they begin.
    pub(super) fn new(table: RulesTable, loaded: Option<Loaded>, desk: &mut Desk) -> Rules {
        let known = Vec::new();
        let mut rules = Rules { table, in_force: None, known, work: None, changes: 0 };
        if let Some(Loaded { rules: set, warnings }) = loaded {
            rules.put_in_force(Some(Arc::new(set)), warnings.len(), desk);
        }
        rules
    }

    /// Begins what a client asks for.
    pub(super) fn begin(
        &mut self,
        client: RulesClient,
        asked: RulesAsked,
        desk: &mut Desk,
        server: &mut Server,
    ) {
        let since_ns = clock::monotonic_ns();
        if self.work.is_some() {
            let status = RulesStatus::Busy;
            server.answer_rules(client, &RulesAnswer { status, ..RulesAnswer::default() });
            return;
        }
        let stage = match asked {
            RulesAsked::Unload => self.tell(None, &[], desk),
            RulesAsked::Load(fd) => {
                let known = self.known.clone();
                let body = move || {
                    let bundle = Bundle::read(&fd).map_err(|error| error.to_string())?;
                    compile(bundle, &known).map_err(|problems| lines(&problems))
                };
                match std::thread::Builder::new().name("weir rules".into()).spawn(body) {
                    Ok(thread) => Stage::Compiling(thread),
                    Err(error) => {
                        let answer = wrong(format!("cannot start a thread: {error}"));
                        server.answer_rules(client, &answer);
                        return;
                    }
                }
            }
        };
        self.work = Some(Work { client, since_ns, stage });
    }

    /// Goes on with what is under way.
    pub(super) fn go_on(&mut self, desk: &mut Desk, server: &mut Server) {
        let Some(Work { client, since_ns, stage }) = self.work.take() else { return };
        let stage = match stage {
            Stage::Compiling(thread) if thread.is_finished() => {
                let broken = || Err("a mistake of ours; please report it".to_owned());
                match thread.join().unwrap_or_else(|_| broken()) {
                    Ok(Loaded { rules, warnings }) => self.tell(Some(rules), &warnings, desk),
                    Err(text) => {
                        server.answer_rules(client, &timed(wrong(text), since_ns));
                        return;
                    }
                }
            }
            Stage::Telling { told, answer, before } if desk.all_obeyed(&told) => {
                drop(before);
                server.answer_rules(client, &timed(answer, since_ns));
                return;
            }
            stage => stage,
        };
        self.work = Some(Work { client, since_ns, stage });
    }

    fn tell(&mut self, rules: Option<RuleSet>, warnings: &[Problem], desk: &mut Desk) -> Stage {
        let set = rules.map(Arc::new);
        let before = self.in_force.clone();
        let told = self.put_in_force(set, warnings.len(), desk);
        let mut answer = RulesAnswer { text: lines(warnings), ..RulesAnswer::default() };
        if let Some(set) = &self.in_force {
            [answer.rules, answer.apps, answer.lists] =
                [set.len(), set.apps().len(), set.lists()].map(narrow);
            answer.warnings = narrow(warnings.len());
        }
        Stage::Telling { told, answer, before }
    }

    /// Tells readers, then the shards. Gives what each of these has to have obeyed.
    fn put_in_force(
        &mut self,
        set: Option<Arc<RuleSet>>,
        warnings: usize,
        desk: &mut Desk,
    ) -> Vec<u64> {
        let apps = set.as_deref().map_or(&[][..], RuleSet::apps);
        self.known.retain(|app| apps.iter().all(|new| new.id != app.id));
        for (app, in_force) in
            self.known.iter().map(|app| (app, false)).chain(apps.iter().map(|app| (app, true)))
        {
            self.table.set_app(&AppRow {
                id: app.id.0,
                name: app.name.to_string(),
                category: app.category as u8,
                breed: app.breed as u8,
                in_force,
            });
        }
        self.known.extend_from_slice(apps);
        self.changes += 1;
        self.table.set_rules(&RulesRow {
            since_ns: if set.is_some() { clock::unix_ns() } else { 0 },
            rules: narrow(set.as_ref().map_or(0, |set| set.len())),
            lists: narrow(set.as_ref().map_or(0, |set| set.lists())),
            apps: narrow(apps.len()),
            warnings: narrow(warnings),
            changes: self.changes,
        });
        let told = desk.give_rules(set.as_ref());
        self.in_force = set;
        told
    }
}

fn compile(mut bundle: Bundle, known: &[CustomApp]) -> Result<Loaded, Vec<Problem>> {
    let files = bundle.files.iter().take(bundle.rules);
    let names: Vec<String> = files.map(|file| file.name.clone()).collect();
    load(&names, known, &mut |name| {
        let text = bundle.take(name).ok_or("it did not come with the rules")?;
        Ok(Arc::new(text) as Text)
    })
}

fn wrong(text: String) -> RulesAnswer {
    RulesAnswer { status: RulesStatus::Wrong, text, ..RulesAnswer::default() }
}

fn timed(answer: RulesAnswer, since_ns: u64) -> RulesAnswer {
    let took_ms = (clock::monotonic_ns() - since_ns) / 1_000_000;
    RulesAnswer { took_ms: u32::try_from(took_ms).unwrap_or(u32::MAX), ..answer }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().flat_map(|problem| [problem.to_string(), "\n".to_owned()]).collect()
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Readers have a row for each id that rules can give.
const _: () = assert!(FIRST_CUSTOM == 4000 && weir_dpi::rules::MOST_CUSTOM == 256);

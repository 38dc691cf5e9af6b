//! An engine of this process, on a socket of its own.

use std::path::PathBuf;

use weir_engine::config::{Config, Settings};
use weir_engine::engine::{Engine, Options};
use weir_engine::shard::Depth;

/// An engine that was started.
#[derive(Debug)]
pub struct Started {
    /// The engine.
    pub engine: Engine,
    /// Where readers find it.
    pub socket: PathBuf,
    /// What it was started with.
    pub config: Config,
    /// The folder of the socket, which goes with this.
    pub place: tempfile::TempDir,
}

/// Starts an engine over `source`. `lossless_records`: files wait for who reads its records;
/// `packet_readers`: for so many who read its packets.
///
/// # Errors
/// A setting is no good, or the engine does not start.
pub fn start(
    source: &str,
    settings: &[(&str, toml::Value)],
    lossless_records: bool,
    packet_readers: usize,
) -> anyhow::Result<Started> {
    let mut chosen = Settings::default();
    chosen.set("flow.capacity", 100_000.into())?;
    chosen.set("engine.pin", false.into())?;
    for (key, value) in settings {
        chosen.set(key, value.clone())?;
    }
    let config = chosen.into_config("test", &[source.to_owned()])?;
    let place = tempfile::tempdir()?;
    let socket = place.path().join("engine.sock");
    let depth = Depth::Inspect;
    let options = Options { socket: socket.clone(), lossless_records, depth, packet_readers };
    let engine = Engine::start(&config, &options)?;
    Ok(Started { engine, socket, config, place })
}

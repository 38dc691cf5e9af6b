//! Plays one conversation of `weir_benches::flows` a thousand times, for counting instructions
//! (`perf/instructions.sh`): `inspect_count NAME` prints the packets inspected; without a name,
//! the names. Flows of random bytes (`unknown/…`) are played once each.
#![expect(clippy::print_stdout, reason = "read by the script that counts")]

use std::process::ExitCode;
use weir_benches::flows::{self, Flow};
use weir_dpi::Transport;

const ROUNDS: u32 = 1000;
/// Flows of random bytes; what follows a name where there are more dissectors than there are.
const UNKNOWN: &str = "unknown/";
const MORE: &str = ", 100 more";

fn main() -> ExitCode {
    let flows = flows::all();
    let unknown = [("tcp", Transport::Tcp), ("udp", Transport::Udp)];
    let Some(name) = std::env::args().nth(1) else {
        for flow in &flows {
            println!("{}", flow.name);
        }
        for (over, _) in unknown {
            println!("{UNKNOWN}{over}\n{UNKNOWN}{over}{MORE}");
        }
        return ExitCode::SUCCESS;
    };
    if let Some(name) = name.strip_prefix(UNKNOWN) {
        let more = name.ends_with(MORE);
        let over = name.strip_suffix(MORE).unwrap_or(name);
        let Some((_, over)) = unknown.into_iter().find(|(name, _)| *name == over) else {
            return ExitCode::FAILURE;
        };
        let mut inspector = if more { Flow::inspector_with_more() } else { Flow::inspector() };
        let packets: u64 = flows::unknown(over).iter().map(|flow| flow.play(&mut inspector)).sum();
        println!("{packets}");
        return ExitCode::SUCCESS;
    }
    let Some(flow) = flows.iter().find(|flow| flow.name == name) else {
        return ExitCode::FAILURE;
    };
    let mut inspector = Flow::inspector();
    let packets: u64 = (0..ROUNDS).map(|_| flow.play(&mut inspector)).sum();
    println!("{packets}");
    ExitCode::SUCCESS
}

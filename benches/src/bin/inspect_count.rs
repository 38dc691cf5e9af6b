//! Plays one conversation of `weir_benches::flows` a thousand times, for counting instructions
//! (`perf/instructions.sh`): `inspect_count NAME` prints the packets inspected; without a name,
//! the names.
#![expect(clippy::print_stdout, reason = "read by the script that counts")]

use std::process::ExitCode;
use weir_benches::flows::{self, Flow};

const ROUNDS: u32 = 1000;

fn main() -> ExitCode {
    let flows = flows::all();
    let Some(name) = std::env::args().nth(1) else {
        for flow in &flows {
            println!("{}", flow.name);
        }
        return ExitCode::SUCCESS;
    };
    let Some(flow) = flows.iter().find(|flow| flow.name == name) else {
        return ExitCode::FAILURE;
    };
    let mut inspector = Flow::inspector();
    let packets: u64 = (0..ROUNDS).map(|_| flow.play(&mut inspector)).sum();
    println!("{packets}");
    ExitCode::SUCCESS
}

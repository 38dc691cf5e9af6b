//! Says what machine this is, in a line: the head of what the scripts in `perf/` report.
#![expect(clippy::print_stdout, reason = "it is for the scripts")]

fn main() {
    println!("{}", weir_benches::machine::Machine::here());
}

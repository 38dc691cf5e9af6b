//! Tests are hosts of the module, and a host may have a function that the module looks for.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-tests=-rdynamic");
}

//! Gives the library the name under which programs will look for it when they start. The number is
//! that of the binary interface: it rises with every change that old programs would not survive.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libweir.so.0");
    println!("cargo::rerun-if-changed=build.rs");
}

//! Names the library as it is installed, so that programs may link against it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libpcap-weir.so");
}

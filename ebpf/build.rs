//! Compiles the XDP programs and generates the skeleton that embeds them.

use std::env;
use std::path::PathBuf;

use libbpf_cargo::SkeletonBuilder;

#[expect(clippy::expect_used, reason = "a build script has no other way to fail")]
fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    // `linux/types.h` includes `asm/types.h`, which Debian and its kin keep by architecture.
    let target = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets the target");
    let include = format!("-I/usr/include/{target}-linux-gnu");
    for name in ["weir", "live"] {
        SkeletonBuilder::new()
            .source(format!("src/bpf/{name}.bpf.c"))
            .clang_args([include.as_str(), "-mcpu=v3", "-Wall", "-Werror"])
            .build_and_generate(out.join(format!("{name}.skel.rs")))
            .expect("clang compiles the XDP programs (packages clang, libelf-dev, zlib1g-dev)");
    }
    println!("cargo:rerun-if-changed=src/bpf");
}

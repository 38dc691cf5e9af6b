//! The committed header is what the functions say.

use std::path::Path;

#[test]
fn the_header_is_committed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let builder = cbindgen::Builder::new().with_config(config);
    let sources = ["src/types.rs", "src/ffi.rs"].map(|source| root.join(source));
    let bindings = sources.into_iter().fold(builder, cbindgen::Builder::with_src);
    let mut header = Vec::new();
    bindings.generate().unwrap().write(&mut header);
    let header = String::from_utf8(header).unwrap();

    let committed = root.join("include/weir.h");
    if std::env::var_os("WEIR_WRITE_DOCS").is_some() {
        std::fs::write(&committed, &header).unwrap();
    }
    assert!(
        std::fs::read_to_string(committed).unwrap_or_default() == header,
        "run WEIR_WRITE_DOCS=1 cargo test -p weir-capi the_header_is_committed"
    );
}

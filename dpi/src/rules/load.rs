//! From files of rules, and the lists that they name, to a [`RuleSet`].

use super::RuleSet;
use super::apps::CustomApp;
use super::compiler::Compiler;
use super::lists::Text;
use super::text::Problem;

/// The end of the name of a file in the format of nDPI.
const PROTOS: &str = "protos.txt";

/// What files came to.
#[derive(Debug)]
pub struct Loaded {
    /// The rules.
    pub rules: RuleSet,
    /// What was left out.
    pub warnings: Vec<Problem>,
}

/// Compiles `files`; those whose name ends in `protos.txt` are in nDPI's format. A list with a
/// relative name lies beside the file that names it. `read` gives a file's text, or why it cannot.
/// Applications keep the ids that they have in `remembered`.
///
/// # Errors
///
/// Everything that is wrong with the files.
pub fn load(
    files: &[String],
    remembered: &[CustomApp],
    read: &mut dyn FnMut(&str) -> Result<Text, String>,
) -> Result<Loaded, Vec<Problem>> {
    let mut compiler = Compiler::new();
    compiler.remember(remembered);
    for file in files {
        match read(file) {
            Ok(text) if file.ends_with(PROTOS) => compiler.read_protos(file, (*text).as_ref()),
            Ok(text) => compiler.read(file, (*text).as_ref()),
            Err(why) => compiler.unreadable(file, &why),
        }
    }
    for wanted in compiler.wanted().to_vec() {
        match read(&beside(&wanted.asked_by, &wanted.file)) {
            Ok(text) => compiler.supply(wanted.number, text),
            Err(why) => compiler.refuse(wanted.number, &why),
        }
    }
    let (rules, warnings) = compiler.finish()?;
    Ok(Loaded { rules, warnings })
}

/// The path of `file`, as a file beside `other` names it.
fn beside(other: &str, file: &str) -> String {
    match other.rsplit_once('/') {
        Some((folder, _)) if !file.starts_with('/') => format!("{folder}/{file}"),
        _ => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const RULES: &str = "app Backup category Cloud\nhost a.example -> Backup\n\
                         list bad domains \"lists/bad.txt\"\n";

    fn read(path: &str) -> Result<Text, String> {
        match path {
            "/etc/weir/a.rules" => Ok(Arc::new(RULES.as_bytes().to_vec())),
            "/etc/weir/lists/bad.txt" => Ok(Arc::new(b"bad.example\n".to_vec())),
            "b.rules" => Ok(Arc::new(b"host b.example -> \"Other\" category Web\n".to_vec())),
            "my-protos.txt" => Ok(Arc::new(b"tcp:81@HTTP\n".to_vec())),
            _ => Err("no such file".to_owned()),
        }
    }

    #[test]
    fn lists_lie_beside_the_files_that_name_them() {
        let files = ["/etc/weir/a.rules".to_owned(), "my-protos.txt".to_owned()];
        let Loaded { rules, warnings } = load(&files, &[], &mut read).unwrap();
        assert_eq!((rules.len(), rules.lists(), warnings.len()), (2, 1, 0));
        assert!(rules.listed_host(b"x.bad.example").is_some());
        let wrong = load(&["none.rules".to_owned()], &[], &mut read).unwrap_err();
        assert_eq!(wrong[0].to_string(), "none.rules: cannot be read: no such file");
    }

    #[test]
    fn a_name_keeps_its_id() {
        let [a, b] = ["/etc/weir/a.rules".to_owned(), "b.rules".to_owned()];
        let first = load(std::slice::from_ref(&a), &[], &mut read).unwrap().rules;
        let backup = first.apps()[0].clone();
        let both = load(&[b.clone(), a], first.apps(), &mut read).unwrap().rules;
        assert_eq!(both.apps()[0], backup);
        assert_eq!(both.apps()[1].id.0, backup.id.0 + 1);
        assert_eq!(both.app(backup.id).0, "Backup");
        let alone = load(&[b], first.apps(), &mut read).unwrap().rules;
        assert_eq!(alone.apps()[0].id, both.apps()[1].id);
        assert_eq!(alone.app(both.apps()[1].id).0, "Other");
    }
}

use super::{Error, JobFile};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;

const SOURCE: &str = "[source]\ntype = \"folder\"\npath = \"mail\"\n";

fn file(text: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("desk.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

fn changed(text: &str, steps: &[&str]) -> Result<String, Error> {
    let (_dir, path) = file(text);
    let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
    JobFile::read(&path)?.with_steps(&steps)
}

/// Checks what becomes of a file that ends with `before`.
fn check(before: &str, steps: &[&str], expect: &str) {
    let changed = changed(&format!("{SOURCE}{before}"), steps).unwrap_or_else(|error| panic!("{before}: {error}"));
    assert_eq!(changed, format!("{SOURCE}{expect}"), "{before}");
}

#[test]
fn a_list_on_one_line_keeps_its_form() {
    check(
        "[preprocess] # x\nsteps = ['a', \"b\"] # y\n",
        &["b", "c", "a"],
        "[preprocess] # x\nsteps = [\"b\", \"c\", 'a'] # y\n",
    );
    check("[preprocess]\nsteps = [ 'a', 'b', ]\n", &["a"], "[preprocess]\nsteps = [ 'a', ]\n");
    check("[preprocess]\nsteps = [ ]\n", &["a"], "[preprocess]\nsteps = [\"a\" ]\n");
    check("[preprocess]\nsteps = ['a']\n", &[], "[preprocess]\nsteps = []\n");
}

#[test]
fn a_list_that_grows_long_gets_lines() {
    let long = "a-step-with-a-name-of-forty-characters-1";
    let expect =
        format!("[preprocess]\nsteps = [\n    \"{long}\",\n    'b',\n    \"{long}2\",\n]\nkinds = [\"quote\"]\n");
    let before = "[preprocess]\nsteps = ['b']\nkinds = [\"quote\"]\n";
    check(before, &[long, "b", &format!("{long}2")], &expect);
}

const LINES: &str = "\
[preprocess]
steps = [ # in order
    # forwarded messages come first
    \"forwards\", # always
    'gmail',   # most of our customers, and all of theirs
    \"plain\"
    # the end
]
";

#[test]
fn comments_go_where_their_steps_go() {
    let expect = "\
[preprocess]
steps = [ # in order
    'gmail',   # most of our customers, and all of theirs
    \"new\",
    # forwarded messages come first
    \"forwards\", # always
    \"plain\",
    # the end
]
";
    check(LINES, &["gmail", "new", "forwards", "plain"], expect);
}

#[test]
fn comments_above_a_step_that_goes_stay() {
    let expect = "\
[preprocess]
steps = [ # in order
    # forwarded messages come first
    'gmail',   # most of our customers, and all of theirs
    # the end
]
";
    check(LINES, &["gmail"], expect);
    let expect = "[preprocess]\nsteps = [ # in order\n    # forwarded messages come first\n    # the end\n]\n";
    check(LINES, &[], expect);
}

#[test]
fn steps_that_share_a_line_go_on_doing_so() {
    let before = "[preprocess]\nsteps = [\n  'a', 'b',\n  'c', 'd']\n";
    check(before, &["a", "b", "d", "c"], "[preprocess]\nsteps = [\n  'a', 'b',\n  'd',\n  'c']\n");
    check(before, &["a", "b", "x", "c", "d"], "[preprocess]\nsteps = [\n  'a', 'b',\n  \"x\",\n  'c', 'd']\n");
}

#[test]
fn commas_may_stand_anywhere() {
    let before = "[preprocess]\nsteps = [\n  'a' # one\n  , 'b' # two, and more\n  , 'c'\n]\n";
    let expect = "[preprocess]\nsteps = [\n   'b', # two, and more\n  'a', # one\n   'c',\n]\n";
    check(before, &["b", "a", "c"], expect);
}

#[test]
fn a_list_that_is_not_there_is_put_where_it_belongs() {
    check("", &["a"], "\n[preprocess]\nsteps = [\"a\"]\n");
    check("\n[limits]", &["a"], "\n[limits]\n\n[preprocess]\nsteps = [\"a\"]\n");
    check(
        "[preprocess] # x\n# y\nkinds = []\n[limits]\n",
        &["a"],
        "[preprocess] # x\nsteps = [\"a\"]\n# y\nkinds = []\n[limits]\n",
    );
    check("[preprocess]", &["a"], "[preprocess]\nsteps = [\"a\"]\n");
    let inline = |preprocess: &str| format!("preprocess = {preprocess}\n{SOURCE}");
    for (before, expect) in [
        ("{ kinds = [] }", "{ steps = [\"a\"], kinds = [] }"),
        ("{}", "{ steps = [\"a\"] }"),
        ("{ steps = \"recommended\", kinds = [] }", "{ steps = [\"a\"], kinds = [] }"),
    ] {
        assert_eq!(changed(&inline(before), &["a"]).unwrap(), inline(expect));
    }
    let dotted = format!("# x\npreprocess.kinds = []\n{SOURCE}");
    let expect = format!("# x\npreprocess.steps = [\"a\"]\npreprocess.kinds = []\n{SOURCE}");
    assert_eq!(changed(&dotted, &["a"]).unwrap(), expect);
}

#[test]
fn the_word_becomes_a_list() {
    check("[preprocess]\nsteps = 'recommended' # x\n", &["a", "b"], "[preprocess]\nsteps = [\"a\", \"b\"] # x\n");
}

#[test]
fn line_ends_stay_as_they_are() {
    let crlf = |text: &str| format!("{SOURCE}{text}").replace('\n', "\r\n");
    let steps = ["gmail", "new", "forwards"];
    let expect = "[preprocess]\nsteps = [ # in order\n    'gmail',   # most of our customers, and all of theirs\n    \"new\",\n    # forwarded messages come first\n    \"forwards\", # always\n    # the end\n]\n";
    assert_eq!(changed(&crlf(LINES), &steps).unwrap(), crlf(expect));
    assert_eq!(changed(&crlf(""), &["a"]).unwrap(), crlf("\n[preprocess]\nsteps = [\"a\"]\n"));
}

#[test]
fn a_file_with_errors_is_not_touched() {
    let error = changed("[source]\ntype = \"folder\"\n", &["a"]).unwrap_err();
    assert!(matches!(error, Error::Diagnostics(_)), "{error}");
}

#[test]
fn writing_keeps_the_rights_and_the_link() {
    let (dir, path) = file(SOURCE);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let link = dir.path().join("link.toml");
    std::os::unix::fs::symlink("desk.toml", &link).unwrap();
    let file = JobFile::read(&link).unwrap();
    let text = file.with_steps(&["a".to_owned()]).unwrap();
    file.write(&text).unwrap();
    assert!(link.is_symlink());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn a_file_that_has_changed_meanwhile_is_left_alone() {
    let (dir, path) = file(SOURCE);
    let file = JobFile::read(&path).unwrap();
    let other = format!("{SOURCE}# somebody else\n");
    std::fs::write(&path, &other).unwrap();
    let error = file.write("new").unwrap_err();
    assert!(matches!(error, Error::Changed(_)), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), other);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
}

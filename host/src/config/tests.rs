use super::settings::{Described, Example};
use super::*;
use crate::secret::SecretRef;

/// Writes `text` into a file and hands what `load` makes of it to `check`, with the folder's name taken out.
pub(super) fn loaded<T>(name: &str, text: &str, load: impl Fn(&Path) -> Result<T, Diagnostics>) -> Result<T, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    let folder = format!("{}/", dir.path().display());
    load(&path).map_err(|diagnostics| diagnostics.render(false).replace(&folder, ""))
}

#[test]
fn an_empty_file_means_the_defaults() {
    let config = loaded("mailmill.toml", "", Config::load).unwrap();
    assert_eq!(config.limits.batch_messages_max.get(), 100);
    assert_eq!(config.thread.prefix, "MessageID:");
    assert!(config.rules.is_absolute() && config.rules.ends_with("rules"), "{:?}", config.rules);
}

#[test]
fn paths_start_at_the_folder_of_the_file() {
    let text = "rules = \"/etc/rules\"\n[store]\npath = \"var/mailmill.db\"";
    let config = loaded("mailmill.toml", text, Config::load).unwrap();
    assert_eq!(config.rules, Path::new("/etc/rules"));
    assert!(config.store.path.is_absolute() && config.store.path.ends_with("var/mailmill.db"));
}

#[test]
fn everything_that_is_wrong_is_reported_at_once() {
    let text = "\
rule = \"rules\"
[store]
pth = \"mailmill.db\"
[limits]
workers = \"four\"
batch_messages_max = 0
[log]
format = \"xml\"
[thread]
colour = 1
prefix = [1]
[lmits]
";
    let expect = r#"error: unknown key `rule`
 --> mailmill.toml:1:1
  |
1 | rule = "rules"
  | ^^^^
  |
  = help: did you mean `rules`?

error: unknown key `pth`
 --> mailmill.toml:3:1
  |
3 | pth = "mailmill.db"
  | ^^^
  |
  = help: did you mean `path`?

error: `workers` must be a whole number between 0 and 255, not "four"
 --> mailmill.toml:5:11
  |
5 | workers = "four"
  |           ^^^^^^

error: `batch_messages_max` must be a whole number above 0, not 0
 --> mailmill.toml:6:22
  |
6 | batch_messages_max = 0
  |                      ^

error: `format` must be "human" or "json", not "xml"
 --> mailmill.toml:8:10
  |
8 | format = "xml"
  |          ^^^^^

error: unknown key `colour`
  --> mailmill.toml:10:1
   |
10 | colour = 1
   | ^^^^^^
   |
   = help: known here: `prefix`, `suffix`, `place`, `earlier`

error: `prefix` must be a string, not an array
  --> mailmill.toml:11:10
   |
11 | prefix = [1]
   |          ^^^

error: unknown key `lmits`
  --> mailmill.toml:12:2
   |
12 | [lmits]
   |  ^^^^^
   |
   = help: did you mean `limits`?
"#;
    assert_eq!(loaded("mailmill.toml", text, Config::load).unwrap_err(), expect);
}

#[test]
fn bad_toml_shows_where() {
    let expect = r"error: bad TOML: string values must be quoted, expected literal string
 --> mailmill.toml:2:8
  |
2 | path = mailmill.db
  |        ^^^^^^^^^^^
";
    assert_eq!(loaded("mailmill.toml", "[store]\npath = mailmill.db\n", Config::load).unwrap_err(), expect);
}

/// The example with everything that is commented out set.
fn all_set(example: &str) -> String {
    let is_unset =
        |line: &&str| line.starts_with("# ") && line.split_once(" = ").is_some_and(|(key, _)| !key[2..].contains(' '));
    example.lines().map(|line| if is_unset(&line) { &line[2..] } else { line }).collect::<Vec<_>>().join("\n")
}

/// Asserts that each setting stands in the example.
fn assert_shown(table: &toml::Table, settings: &[Described]) {
    for setting in settings {
        let value = table.get(setting.key).unwrap_or_else(|| panic!("{} is missing", setting.key));
        assert!(setting.doc.iter().any(|line| line.len() > 10), "{} is not documented", setting.key);
        if let Example::Table(inner) = &setting.example {
            assert_shown(value.as_table().unwrap(), inner);
        }
    }
}

#[test]
fn the_example_is_complete_and_means_the_defaults() {
    let example = example();
    let shown = loaded("mailmill.toml", &example, |path| {
        Ok((Config::load(path)?, Config::defaults_in(path.parent().unwrap())))
    });
    let (shown, defaults) = shown.unwrap();
    assert_eq!(Some(shown), defaults);
    let all = all_set(&example);
    loaded("mailmill.toml", &all, Config::load).unwrap();
    assert_shown(&all.parse().unwrap(), &Config::describe());
}

#[test]
fn the_example_of_a_job_is_complete() {
    let job = loaded("support.toml", &all_set(&without_alternatives(&job_example())), Job::load).unwrap();
    assert_eq!(job.name, "support");
    let JobSource::Imap(imap) = job.source else { panic!("{:?}", job.source) };
    assert_eq!(imap.server.password, Some(SecretRef::Env("SUPPORT_PASSWORD".into())));
    assert_eq!(imap.server.port(crate::mailbox::Protocol::Imap), 993);
    let table: toml::Table = all_set(&job_example()).parse().unwrap();
    let described: Vec<_> = Server::describe().into_iter().chain(Watched::describe()).collect();
    assert_shown(table["source"].as_table().unwrap(), &described);
    assert_shown(table["schedule"].as_table().unwrap(), &Schedule::describe());
}

/// The example without those ways to log in, or to set a schedule, that exclude each other.
fn without_alternatives(example: &str) -> String {
    let is_alternative =
        |line: &&str| ["# oauth = ", "# at = ", "# cron = "].iter().any(|start| line.starts_with(start));
    example.lines().filter(|line| !is_alternative(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_job_of_files_needs_little() {
    let text = "[source]\ntype = \"folder\"\npath = \"mail\"\n[preprocess]\nsteps = \"recommended\"\n\
                [handling]\non_success = { deleted = true }\n";
    let job = loaded("demo.toml", text, Job::load).unwrap();
    let JobSource::Folder(folder) = &job.source else { panic!("{:?}", job.source) };
    assert!(folder.path.is_absolute() && folder.path.ends_with("mail"));
    assert_eq!(job.preprocess.steps, Steps::Recommended);
    assert_eq!(job.schedule.runs, crate::schedule::Schedule::default());
    assert!(job.handling.on_success.deleted && !job.handling.on_success.seen && job.handling.on_rejection.seen);
}

const POP3: &str = "[source]\ntype = \"pop3\"\nhost = \"h\"\nuser = \"u\"\npassword = { env = \"A\" }\n";

#[test]
fn a_pop3_job_leaves_what_it_is_not_told_to_delete() {
    let check = |text: &str, success: bool, rejection: bool| {
        let job = loaded("desk.toml", &format!("{POP3}{text}"), Job::load).unwrap();
        let JobSource::Pop3(pop3) = &job.source else { panic!("{:?}", job.source) };
        assert_eq!(pop3.server.port(crate::mailbox::Protocol::Pop3), 995);
        let handling = [&job.handling.on_success, &job.handling.on_rejection];
        assert_eq!(handling.map(|disposition| disposition.deleted), [success, rejection], "{text}");
        assert_eq!(handling.map(|disposition| disposition.seen), [false, false], "{text}");
    };
    check("", false, false);
    check("[handling]\non_success = { deleted = true }", true, false);
    check("[handling]\non_success = {}\non_rejection = { deleted = true, seen = false }", false, true);
}

/// What is wrong with a job's file: one sentence for each fault.
fn assert_bad_job(text: &str, expect: &[&str]) {
    let error = loaded("job.toml", text, |path| {
        Job::load(path).map_err(|all| {
            let lines: Vec<_> = all.iter().map(ToString::to_string).collect();
            let at = format!("{}:", path.display());
            Diagnostics::from(crate::diagnostic::Diagnostic::error(path, lines.join("\n").replace(&at, "")))
        })
    });
    let error = error.unwrap_err();
    for line in expect {
        assert!(error.contains(line), "{line}\n--- not in\n{error}");
    }
    assert_eq!(error.lines().count(), expect.len() + 1, "{error}");
}

#[test]
fn bad_jobs_say_what_to_do() {
    let check = assert_bad_job;
    check("", &["the file has no `source`"]);
    check("[source]\npath = \"mail\"", &["1:1: `source` has no `type`"]);
    check(
        "[source]\ntype = \"imap\"\npasword = \"hunter2\"",
        &[
            "1:1: `source` has no `host`",
            "1:1: `source` has no `user`",
            "1:1: `source` has no `password`",
            "3:1: unknown key `pasword` (did you mean `password`?)",
        ],
    );
    check(
        "[source]\ntype = \"pop\"",
        &["2:8: `type` must be \"imap\", \"pop3\", \"maildir\" or \"folder\", not \"pop\""],
    );
    let imap = "[source]\ntype = \"imap\"\nhost = \"h\"\nuser = \"u\"\n";
    check(imap, &["1:1: `source` has no `password`"]);
    let oauth2 = format!("{imap}authentication = \"oauth2\"\n");
    check(&oauth2, &["5:18: `source` needs an `oauth` table, or a `password` where an access token is"]);
    check(
        &format!("{oauth2}oauth = {{ provider = \"gmail\", client_id = \"app\" }}\n"),
        &["6:9: `client_secret` is needed: Google gives one to every application"],
    );
    check(
        &format!("{imap}password = {{ env = \"P\" }}\n[source.oauth]\nclient_id = \"app\"\n"),
        &["6:1: it is used with authentication = \"oauth2\" only"],
    );
    check(
        &format!("{imap}password = \"hunter2\""),
        &[
            "`password` must not stand in the file itself (write { env = \"NAME\" }, { file = \"path\" } or { credential = \"name\" })",
        ],
    );
    check(
        &format!("{imap}password = {{ env = \"A\", file = \"b\" }}"),
        &[
            "5:12: `password` must name one place (write { env = \"NAME\" }, { file = \"path\" } or { credential = \"name\" })",
        ],
    );
    let folder = "[source]\ntype = \"folder\"\npath = \"mail\"\n";
    check(
        &format!("{folder}[schedule]\nevery = \"5 days\""),
        &["5:9: `every` must be an interval such as \"30s\", \"5m\" or \"1h\", not \"5 days\""],
    );
    check(
        &format!("{folder}[preprocess]\nsteps = \"all\"\nkinds = [\"quotes\"]"),
        &[
            "5:9: `steps` must be \"recommended\" or a list of steps, not \"all\"",
            "6:10: unknown kind of cut \"quotes\" in `kinds` (did you mean `quote`?)",
        ],
    );
    check(
        &format!("{folder}[handling]\non_success = {{ sen = true }}"),
        &["5:16: unknown key `sen` (did you mean `seen`?)"],
    );
}

#[test]
fn a_pop3_job_cannot_do_what_pop3_cannot() {
    let check = assert_bad_job;
    let help = "(there, a message is deleted ({ deleted = true }) or left as it is ({}))";
    check(
        &format!("{POP3}mailbox = \"x\""),
        &[
            "6:1: unknown key `mailbox` (known here: `type`, `host`, `port`, `security`, `reject_invalid_certificates`, \
             `ca_file`, `fingerprint`, `authentication`, `user`, `password`, `oauth`, `timeout`, `existing_mail`)",
        ],
    );
    check(
        &format!("{POP3}[handling]\non_success = {{ seen = true }}\non_rejection = {{ seen = true, deleted = true }}"),
        &[
            &format!("7:14: `on_success` asks for more than POP3 can do {help}"),
            &format!("8:16: `on_rejection` asks for more than POP3 can do {help}"),
        ],
    );
}

#[test]
fn handling_is_checked_against_what_the_source_can() {
    let check = |source: &str, handling: &str, expect: Option<&str>| {
        let text = format!("[source]\n{source}\n[handling]\n{handling}\n");
        let first = loaded("job.toml", &text, Job::load).err().and_then(|all| all.lines().next().map(str::to_owned));
        assert_eq!(first.as_deref(), expect, "{text}");
    };
    let imap =
        "type = \"imap\"\nhost = \"h\"\nuser = \"u\"\npassword = { env = \"P\" }\nmailbox = [\"INBOX\", \"A.Done\"]";
    let (maildir, folder) = ("type = \"maildir\"\npath = \"m\"", "type = \"folder\"\npath = \"m\"");
    check(imap, "on_success = \"leave\"\non_rejection = { seen = true, move = \"Junk\", keyword = \"$No\" }", None);
    check(maildir, "on_success = { seen = true, move = \"Done.2026\" }\npurge = true", None);
    check(
        imap,
        "on_success = { move = \"A/Done\" }",
        Some("error: messages cannot be moved to \"A/Done\": the job watches \"A.Done\" for new ones"),
    );
    check(
        imap,
        "on_rejection = { move = \"B\", deleted = true }",
        Some("error: a message is either moved or deleted: leave out one of the two"),
    );
    check(
        imap,
        "on_success = { keyword = \"to do\" }",
        Some("error: \"to do\" is no keyword: it must be made of ASCII letters, digits and signs such as $ - _"),
    );
    check(imap, "on_success = { move = \"./.\" }", Some("error: \"./.\" is no name for a mailbox"));
    check(
        imap,
        "on_success = \"nothing\"",
        Some("error: `on_success` must be \"leave\" or a table such as { seen = true }"),
    );
    check(maildir, "on_success = { keyword = \"x\" }", Some("error: files have no keywords: only IMAP4 messages do"));
    check(folder, "on_success = { move = \"../x\" }", Some("error: \"../x\" is no name for a subfolder"));
}

#[test]
fn mailboxes_are_one_or_several() {
    let check = |written: &str, expect: Result<&[&str], &str>| {
        let imap = "type = \"imap\"\nhost = \"h\"\nuser = \"u\"\npassword = { env = \"P\" }";
        let job = loaded("job.toml", &format!("[source]\n{imap}\n{written}\n"), Job::load);
        match (job.map(|job| job.source), expect) {
            (Ok(JobSource::Imap(imap)), Ok(names)) => assert_eq!(imap.watched.mailbox.names(), names),
            (Err(all), Err(reason)) => assert_eq!(all.lines().next(), Some(format!("error: {reason}").as_str())),
            (read, _) => panic!("{written}: {read:?}"),
        }
    };
    check("", Ok(&["INBOX"]));
    check("mailbox = \"Support\"", Ok(&["Support"]));
    check("mailbox = [\"INBOX\", \"INBOX.Support\"]", Ok(&["INBOX", "INBOX.Support"]));
    check("mailbox = []", Err("`mailbox` must name at least one mailbox"));
    check("mailbox = \"/\"", Err("the name of a mailbox must hold at least one character, and no line end"));
    check(
        "mailbox = [\"Inbox.A\", \"INBOX/A\"]",
        Err("\"Inbox.A\" and \"INBOX/A\" are the same mailbox: name it once"),
    );
    check("mailbox = 7", Err("`mailbox` must be the name of a mailbox, or a list of names, not 7"));
}

#[test]
fn a_folder_holds_one_job_per_file() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    assert_eq!(Job::load_all(&dir.path().join("none")), Ok(Vec::new()));
    let folder = "[source]\ntype = \"folder\"\npath = \"mail\"\n";
    write("b.toml", folder);
    write("a.toml", folder);
    write(".a.toml.swp", "no TOML");
    write("a.toml~", "no TOML");
    let names: Vec<_> = Job::load_all(dir.path()).unwrap().into_iter().map(|job| job.name).collect();
    assert_eq!(names, ["a", "b"]);
    write("b.toml", "x = ");
    write("c.toml", "");
    assert_eq!(Job::load_all(dir.path()).unwrap_err().len(), 2);
}

use super::*;

fn case(html: bool, expect: Expect) -> Case {
    let (client, language) = (String::new(), "en".to_owned());
    Case {
        file: "f".into(),
        name: "n".into(),
        client,
        language,
        html,
        drop: vec!["quote".into()],
        headers: BTreeMap::new(),
        input: String::new(),
        expect,
    }
}

fn check(html: bool, gold: &str, answer: &str, exact: bool, over: bool, under: bool) {
    let verdict = judge(&case(html, Expect::Text(gold.into())), answer);
    assert_eq!(verdict, Verdict { exact, over, under }, "{gold:?} {answer:?}");
}

#[test]
fn words_count_and_white_space_does_not() {
    check(false, "a b\n\nc", "a  b c\n", true, false, false);
    check(false, "ab", "a b", true, false, false);
    check(false, "a\u{a0}b\u{200b}", "\u{feff}a b", true, false, false);
    check(false, "e\u{301}", "é", true, false, false);
    check(false, "a b", "a", false, true, false);
    check(false, "a", "a b", false, false, true);
    check(false, "a b", "a c", false, true, true);
    check(false, "a a", "a", false, true, false);
    // The words are the same, their order is not: neither too much nor too little.
    check(false, "a b", "b a", false, false, false);
    check(false, "> a", "a", false, true, false);
}

#[test]
fn marks_of_quotes_do_not_count_in_html() {
    check(true, "> a\n> > b", "a\nb", true, false, false);
    check(true, "a > b", "a b", false, true, false);
}

#[test]
fn pieces_must_be_there_or_must_not() {
    let case = case(false, Expect::Pieces { kept: vec!["a b".into()], cut: vec!["c".into()] });
    let check = |answer: &str, exact, over, under| {
        assert_eq!(judge(&case, answer), Verdict { exact, over, under }, "{answer:?}");
    };
    check("x a\nb", true, false, false);
    check("a b c", false, false, true);
    check("x", false, true, false);
    check("c", false, true, true);
}

#[test]
fn lines_of_a_public_file_become_cases() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, line: &str, drop: &[&str], html: bool, input: &str, client: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, line).unwrap();
        let cases = public(&path).unwrap();
        assert_eq!(cases.len(), 1, "{line}");
        let case = &cases[0];
        assert_eq!((case.html, case.input.as_str(), case.client.as_str()), (html, input, client), "{line}");
        assert_eq!(case.drop, drop, "{line}");
    };
    let text = r#"{"id":"1","format":"text","policy":"quotes","input_text":"a","expected_text":"b","lang":"en","client_guess":"x"}"#;
    check("reply.jsonl", text, &["quote"], false, "a", "x");
    check("forward.jsonl", text, &["quote", "forward"], false, "a", "x");
    let html = r#"{"id":"1","format":"html","policy":"quotes+sig","input_html":"<p>","must_contain":["b"],"lang":"en","client":"y"}"#;
    check("reply.jsonl", html, &["quote", "signature"], true, "<p>", "y");
    std::fs::write(folder.path().join("bad.jsonl"), text.replace("quotes", "all")).unwrap();
    let error = format!("{:#}", public(&folder.path().join("bad.jsonl")).unwrap_err());
    assert!(error.ends_with("bad.jsonl, case 1: unknown policy \"all\""), "{error}");
}

#[test]
fn own_cases_can_be_read() {
    let cases = own().unwrap();
    let case = cases.iter().find(|case| case.file == "gmail" && case.html).unwrap();
    assert_eq!((case.client.as_str(), case.language.as_str(), case.policy().as_str()), ("gmail", "en", "quotes"));
    assert!(case.headers.keys().any(|name| name == "Message-ID"), "{:?}", case.headers);
}

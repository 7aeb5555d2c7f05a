use super::*;
use crate::template::COMPARED;
use crate::testing::TestHost;
use mailmill_sdk::settings;
use regex::Regex;

const RULES: &str = r#"{"attribution": {"en": [
    "On … wrote:", "… wrote:", "On … told …:", "… wrote", "Posted by … on …", "… wrote it (at: …):"
]}}"#;

/// Pieces of texts: what attributions are made of, and what keeps them from being some.
const PIECES: [&str; 11] = [
    "On ",
    "told ",
    "wrote",
    "Posted by",
    "wrote it (at:",
    ")",
    "<a@b.example> on 2026-05-04 ",
    ": \u{200b}",
    "\u{a0}--",
    "\n",
    "\n> x\n",
];
/// How many of them make a text.
const PIECES_MAX: u32 = 5;

fn attributions() -> Attributions<TestHost> {
    let read = settings::read(RULES, |root| Attributions::read(&TestHost::new(&[]), root));
    read.expect("the rules are good").expect("there are attributions")
}

/// The first and the last line of each attribution.
fn find(attributions: &Attributions<TestHost>, text: &str) -> Vec<(usize, usize)> {
    let host = TestHost::new(&[(Field::Body, text)]);
    let load = || text;
    let found = attributions.find(&host, &Lines::of(&load));
    found.into_iter().map(|found| (found.lines.start, found.lines.end - 1)).collect()
}

#[test]
fn attributions_are_found() {
    let attributions = attributions();
    let check = |text: &str, expect: &[(usize, usize)]| assert_eq!(find(&attributions, text), expect, "{text}");
    check("Yes.\n\nOn 4 May 2026, Ann <a@b.example> wrote:\n> x", &[(2, 2)]);
    check("On 4 May 2026, Ann\n<a@b.example>\nwrote:\n\nx", &[(0, 2)]);
    check("Ann <a@b.example> wrote it (at: 2026-05-04):\n\nx", &[(0, 0)]);
    check("Ann <a@b.example> wrote it (at:\n2026-05-04\n):\n\nx", &[(0, 2)]);
    check("On 4 May 2026, <a@b.example> told\nBen\nand Eve:\n\nx", &[(0, 2)]);
    check("Posted by Ann <a@b.example>\non 2026-05-04\n\nx", &[(0, 1)]);
    check("On 2026-05-04 <a@b.example> wrote\n\nx", &[(0, 0)]);
    check("---- On 4 May 2026 Ann <a@b.example> wrote ----\n\nx", &[(0, 0)]);
    check("Ann wrote that it works.\n\nSo it does:\nx", &[]);
}

#[test]
fn prose_is_not_even_looked_at() {
    let attributions = attributions();
    let check = |text: &str, expect: bool| assert_eq!(attributions.likely.is_match(text), expect, "{text}");
    check("Ann told us:", true);
    check("Ann told us\nand you\nthis: \u{200b}\n", true);
    check("Ann told us that it works.\nIt does.\nReally.\nSee:\n", false);
    check("Ann told us that it works.\n\nSee:\n", false);
    check("Ann wrote", true);
    check("Ann wrote it.", false);
    check("Posted by Ann.", true);
    check("See:", false);
}

#[test]
fn nothing_is_missed_by_looking_first() {
    let first = attributions();
    let blind = Attributions { likely: Regex::new("").expect("a pattern"), ..attributions() };
    let mut found = 0;
    for number in 0..PIECES.len().pow(PIECES_MAX) {
        let digits = (0..PIECES_MAX).map(|place| number / PIECES.len().pow(place) % PIECES.len());
        let text: String = digits.map(|digit| PIECES[digit]).collect();
        let expect = find(&blind, &text);
        found += expect.len();
        if !expect.is_empty() {
            assert_eq!(find(&first, &text), expect, "{text:?}");
        }
    }
    assert!(found > 1_000, "only {found} of the texts have attributions");
}

#[test]
fn text_between_the_lines_of_an_attribution_is_the_senders() {
    let attributions = attributions();
    let check = |text: &str, expect: Option<usize>| {
        let host = TestHost::new(&[(Field::Body, text)]);
        let load = || text;
        let found = attributions.find(&host, &Lines::of(&load));
        assert_eq!(found.first().map(|found| found.start), expect, "{text}");
    };
    check("Yes. On 4 May 2026 10:00, Ann <a@b.example> wrote:\n> x", Some(4));
    check("Yes--- On 4 May 2026 10:00, Ann wrote:\n> x", Some(3));
    check("Ann <a@b.example> on 4 May 2026 10:00 wrote:\n> x", Some(0));
    check("On 4 May 2026 10:00, Ann wrote:\n> x", Some(0));
}

#[test]
fn the_work_on_hostile_texts_does_not_grow_with_them() {
    let attributions = attributions();
    let compared = |line: &str, lines: usize| {
        let text = line.repeat(lines);
        COMPARED.set(0);
        find(&attributions, &text);
        COMPARED.get()
    };
    for line in
        ["wrote:\n", "On 2026-05-04 a@b.example wrote:\n", "x On 2026-05-04 10:00 on on\n> wrote:\n", "On wrote: "]
    {
        let (some, many) = (compared(line, 2_000), compared(line, 20_000));
        assert!(many <= some * 11 / 10, "{line:?}: {some} comparisons for 2,000 lines, {many} for 20,000");
    }
}

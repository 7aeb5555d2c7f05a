use super::super::{Document, Selector};
use super::*;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

fn text(source: &str) -> String {
    Document::from_html(source).text().to_owned()
}

fn check(source: &str, expect: &str) {
    assert_eq!(text(source), expect, "{source}");
}

/// What the elements that match cover.
fn check_select(source: &str, selector: &str, expect: &[&str]) {
    let document = Document::from_html(source);
    let selector = Selector::parse(selector).unwrap();
    let found: Vec<&str> = document.select(&selector).into_iter().map(|span| &document.text()[span.range()]).collect();
    assert_eq!(found, expect, "{source}");
}

#[test]
fn white_space_collapses() {
    check("  hello \n\t world  ", "hello world");
    check("a <b> b</b> c", "a b c");
    check("a<b>b</b>c", "abc");
    check("a<!-- x -->b", "ab");
    check("<div> a </div> <div> b </div>", "a\nb");
    check("a &nbsp; b", "a   b");
    check("&nbsp;&nbsp;indented", "  indented");
    check("z\u{200b}w\u{feff}n\u{ad}j", "zwnj");
}

#[test]
fn blocks_begin_lines() {
    check("<div>a</div><div>b</div>", "a\nb");
    check("<div><div><div>a</div></div></div><div>b</div>", "a\nb");
    check("<p>a</p><p>b</p>", "a\n\nb");
    check("<p>a<p>b", "a\n\nb");
    check("a<p>b</p>c", "a\n\nb\n\nc");
    check("<h1>a</h1>b", "a\n\nb");
    check("<ul><li>a<li>b</ul>c", "a\nb\nc");
    check("<dl><dt>a<dd>b</dl>", "a\nb");
    check("a<hr>b", "a\nb");
    check("a<blockquote>b</blockquote>c", "a\nb\nc");
}

#[test]
fn breaks_are_as_many_as_seen() {
    check("a<br>b", "a\nb");
    check("a<br/>b", "a\nb");
    check("a</br>b", "a\nb");
    check("a<br><br>b", "a\n\nb");
    check("<div>a<br></div><div>b</div>", "a\nb");
    check("<div>a</div><div><br></div><div>b</div>", "a\n\nb");
    check("<br><br>a<br><br>", "a");
    check("a <br> b", "a\nb");
}

#[test]
fn word_paragraphs_have_no_space_between() {
    check("<p class=MsoNormal>a</p><p class=MsoNormal>b</p>", "a\nb");
    check(
        "<p class=MsoNormal>a<o:p></o:p></p><p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>b</p>",
        "a\n\nb",
    );
    check("<p style='margin: 0in 0in .0001pt'>a</p><p style=\"margin-top:0; margin-bottom:0\">b</p>", "a\nb");
    check("<p style='margin:0 0 1em'>a</p><p>b</p>", "a\n\nb");
}

#[test]
fn cells_are_kept_apart() {
    check("<table><tr><td>a</td><td>b</td></tr><tr><td>c<td>d</table>e", "a\tb\nc\td\ne");
    check("<table><tr><th>From: </th><td> x </td></tr></table>", "From:\tx");
    check("<table><tr><td></td><td>b</td><td></td></tr></table>", "b");
    check("<table><td><table><td>in</table><td>out</table>", "in\nout");
}

#[test]
fn preformatted_text_is_kept() {
    check("<pre>\na\n  b\n\nc</pre>d", "a\n  b\n\nc\nd");
    check("<div style='white-space: pre-wrap'>a\n b</div>", "a\n b");
    check("<pre>a <span style='white-space:normal'>b   c</span></pre>", "a b c");
    check("<pre>a\r\nb</pre>", "a\nb");
}

#[test]
fn what_is_not_shown_is_left_out() {
    check("<head><title>t</title><style>p{}</style></head><body>a<script>if (a<b) {}</script>b", "ab");
    check("<!--[if mso]><p>outlook</p><![endif]-->a<![if !mso]>b<![endif]><!--[if !mso]><!-->c<!--<![endif]-->", "abc");
    check("<div style='DISPLAY : NONE !important'>x<p>y</p></div>a<span hidden>x</span>", "a");
    check("<div style=\"mso-hide:all\">x<div>y</div>z</div>a", "a");
    check("a<img alt=x src=cid:1><a href=https://example.org>link</a>", "alink");
    check("<xml><o:x>1</o:x></xml>a", "a");
    check("a &amp; b &lt;c&gt; &eacute;&#8211;", "a & b <c> é–");
}

#[test]
fn broken_markup_loses_no_text() {
    check("reply<html><body><div>quoted</div></body></html>tail", "reply\nquoted\ntail");
    check("<html><body>a</body></html><p>b</p><html><body>c</body></html>", "a\n\nb\n\nc");
    check("<div>a</b></div></p>b", "a\n\nb");
    check("<b><div>a</b> b</div>c", "a b\nc");
    check("a<b", "a");
    check("a < b", "a < b");
    check("<table><tr><td>a</div>b</td></tr></table>c", "ab\nc");
    check("", "");
}

#[test]
fn elements_cover_their_text() {
    check_select("hi<div class=gmail_quote>On x:<blockquote>q</blockquote></div>", "div.gmail_quote", &["On x:\nq"]);
    check_select("<p>a</p><blockquote> <p>b</p><br> </blockquote><p>c</p>", "blockquote", &["b"]);
    check_select("<div>a<p>b</div>c", "p", &["b"]);
    check_select("<div>a<p>b</div>c", "div", &["a\n\nb"]);
    check_select("a<hr id=x>b", "hr", &[""]);
    check_select("<ul><li>a<ul><li>b</ul><li>c</ul>", "ul > li", &["a\nb", "b", "c"]);
    check_select("<table><tr><td>a<tr><td>b</table>", "tr", &["a", "b"]);
    check_select("<b>a <i>b</i></b>", "i", &["b"]);
    check_select("r<html><body lang=x>q</body></html>t", "body", &["q"]);
    check_select("<a name=x>1<a href=y>2</a>3", "a", &["1", "2"]);
    check_select("<svg><path/><g/></svg><p>a", "svg *", &["", ""]);
    check_select("<div style='display:none'><p>a</p></div>b", "p", &[""]);
}

#[test]
fn an_empty_element_is_where_the_text_before_it_ends() {
    let document = Document::from_html("<p>ab</p><hr><p>c</p>");
    assert_eq!(document.select(&Selector::parse("hr").unwrap()), [Span::new(2, 2)]);
}

#[test]
fn hostile_input_takes_linear_time() {
    let many = |piece: &str| piece.repeat(200_000 / piece.len());
    let mut inputs: Vec<String> = [
        "<div>",
        "<b>",
        "<table>",
        "<p>",
        "<li>",
        "</p>",
        "<br>",
        "<td>",
        "<a>",
        "<!--",
        "&",
        "<",
        "&nbsp;",
        " ",
        "x",
        "<x a=b c>",
    ]
    .map(many)
    .into();
    inputs.push(format!("{}x{}", "<div>".repeat(50_000), "</div>".repeat(50_000)));
    inputs.push(format!("<p>{}{}", "<td><i>".repeat(600), many("</p>")));
    inputs.push(format!("<div>{}", many("<span></div></p></td>")));
    for input in inputs {
        let begun = Instant::now();
        let document = Document::from_html(&input);
        // Generous: unoptimised code on a busy machine. Quadratic cost would take minutes.
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?} for {}", begun.elapsed(), &input[..20]);
        assert!(document.text().len() <= input.len());
    }
}

#[test]
fn beyond_the_limits_text_is_kept() {
    let mut source = "<br a b>".repeat(ELEMENTS_MAX);
    write!(source, "<i c d>{ELEMENTS_MAX}</i>").unwrap();
    let (text, html) = Html::parse(&source);
    assert_eq!((html.elements.len(), html.attributes.len()), (ELEMENTS_MAX, ATTRIBUTES_MAX));
    assert!(text.ends_with(&format!("{ELEMENTS_MAX}")));
    let deep = format!("{}x", "<i>".repeat(2 * DEPTH_MAX));
    let (text, html) = Html::parse(&deep);
    assert_eq!((&*text, html.elements.len()), ("x", 2 * DEPTH_MAX));
    let last = html.ids().last().unwrap();
    let depth = std::iter::successors(Some(last), |id| html.parent(*id)).count();
    assert_eq!(depth, DEPTH_MAX);
}

fn assert_sound(source: &str) -> Result<(), TestCaseError> {
    let (text, html) = Html::parse(source);
    prop_assert!(!text.lines().any(|line| line.ends_with(' ')), "no blanks at line ends: {text:?}");
    prop_assert_eq!(text.trim_matches('\n'), text.as_str());
    let mut open = Vec::new();
    let mut at = 0;
    for node in html.nodes() {
        match *node {
            Node::Open(id) => open.push(id),
            Node::Close(id) => prop_assert_eq!(open.pop(), Some(id)),
            Node::Text { span, .. } => {
                prop_assert!(at <= span.start && span.start < span.end);
                prop_assert!(text.get(span.range()).is_some());
                at = span.end;
            }
        }
    }
    prop_assert!(open.is_empty());
    prop_assert_eq!(at as usize, text.len());
    for id in html.ids() {
        let span = html.span(id).unwrap();
        prop_assert!(text.get(span.range()).is_some());
        if let Some(parent) = html.parent(id).and_then(|parent| html.span(parent)) {
            prop_assert!(span.is_empty() || (parent.start <= span.start && span.end <= parent.end));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_sound(source in ".{0,200}") {
        assert_sound(&source)?;
    }

    #[test]
    fn any_tag_soup_is_sound(pieces in proptest::collection::vec(proptest::sample::select(vec![
        "<div>", "</div>", "<p>", "</p>", "<b>", "</b>", "<table>", "<tr>", "<td>", "</table>", "</td>", "<br>", "<hr>",
        "<ul>", "<li>", "</ul>", "<pre>", "</pre>", "<a>", "</a>", "<html>", "<body>", "</body>", "</html>", "<title>",
        "</title>", "<svg>", "<g/>", "a", "ö", " ", "\n", "&nbsp;", "<i hidden>", "</i>", "<!--", "-->", "<x", "<dt>",
        "<option>", "<textarea>", "</textarea>", "<p style='margin:0'>", "\u{200b}", "<span style='white-space:pre'>",
    ]), 0..40)) {
        assert_sound(&pieces.concat())?;
    }
}

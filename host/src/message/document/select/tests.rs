use super::super::Document;
use super::*;
use std::time::{Duration, Instant};

const MAIL: &str = r#"<html><body><div id="x_divRplyFwdMsg" class="a b" dir="ltr">one</div>
<hr id="stopSpelling"><div class="ydp1yahoo_quoted Gmail_Quote">two<blockquote type="CITE" cite="mid:1">three</blockquote></div>
<p>four</p><p lang="de-AT">five</p><p><b>six</b><o:p>seven</o:p></p></body></html>"#;

fn check(selector: &str, expect: &[&str]) {
    let document = Document::from_html(MAIL);
    let selector = Selector::parse(selector).unwrap_or_else(|error| panic!("{selector}: {error:?}"));
    let spans = document.select(&selector);
    let marks = document.marks().to_ascii_lowercase();
    let named =
        selector.needles().is_none_or(|needles| needles.iter().any(|n| marks.contains(&n.to_ascii_lowercase())));
    assert!(named || spans.is_empty(), "{selector:?} finds what its needles {:?} deny", selector.needles());
    let found: Vec<&str> = spans.into_iter().map(|span| &document.text()[span.range()]).collect();
    assert_eq!(found, expect);
}

#[test]
fn elements_are_found() {
    check("#x_divrplyfwdmsg", &["one"]);
    check("[id$=divRplyFwdMsg]", &["one"]);
    check("[id$=divrplyfwdmsg]", &[]);
    check("[id$=divrplyfwdmsg i]", &["one"]);
    check("[id^=x_], [class*=yahoo_quoted]", &["one", "two\nthree"]);
    check("div.gmail_quote", &["two\nthree"]);
    check("div.a.b", &["one"]);
    check("[class~=b]", &["one"]);
    check("[lang|=de]", &["five"]);
    check("blockquote[type=cite]", &["three"]);
    check("div > blockquote", &["three"]);
    check("body blockquote", &["three"]);
    check("hr#stopSpelling", &[""]);
    check("hr + div", &["two\nthree"]);
    check("hr ~ p", &["four", "five", "sixseven"]);
    check("div:not(.a)", &["two\nthree"]);
    check(":is(b, blockquote)", &["three", "six"]);
    check("div:has(> blockquote)", &["two\nthree"]);
    check("div:has(+ hr)", &["one"]);
    check("p:nth-of-type(2)", &["five"]);
    check("body > :nth-child(2)", &[""]);
    check("p:nth-last-child(1)", &["sixseven"]);
    check("p:first-of-type", &["four"]);
    check("b:first-child, b:only-child", &["six"]);
    check("hr:empty", &[""]);
    check(":root > body > div:first-child", &["one"]);
    check(r"o\:p", &["seven"]);
    check("DIV[DIR=ltr]", &["one"]);
    check("table", &[]);
}

fn check_error(source: &str, reason: &str, offset: Option<u32>) {
    let error = Selector::parse(source).expect_err(source);
    assert_eq!((error.reason.as_str(), error.offset), (reason, offset), "{source}");
}

#[test]
fn errors_say_what_and_where() {
    check_error("", "a selector is missing", Some(0));
    check_error("div >", "a combinator (a blank, `>`, `+` or `~`) needs a selector after it", Some(5));
    check_error("div..a", "a class name is expected after the dot, not `.`", Some(4));
    check_error("div[", "the selector ends too early", Some(4));
    check_error(
        "p:hover",
        "`:hover` is not known; pseudo-elements and states such as `:hover` mean nothing in mail",
        Some(2),
    );
    check_error("o|p", "`o|` is a namespace, which mail does not have; write `\\:` for a colon in a name", Some(1));
    check_error("[ö='x'] 5", "a combinator (a blank, `>`, `+` or `~`) needs a selector after it", Some(9));
}

#[test]
fn costly_selections_end() {
    let siblings = "<b class=x>".to_owned() + &"<i class=y></i>".repeat(60_000);
    let nested = "<div class='a a a a a'>".repeat(500) + &"<p>".repeat(50_000);
    let wide = format!("<div class='{}'>{}", "w ".repeat(200_000), "<p>".repeat(100_000));
    for (source, selector) in [
        (&siblings, "i ~ i ~ i ~ b"),
        (&siblings, "i:nth-last-child(3n+2)"),
        (&siblings, ":has(~ b)"),
        (&nested, "div div div div p .z"),
        (&nested, "div:has(b) div:has(i) p"),
        (&wide, "[class*=q] p"),
    ] {
        let document = Document::from_html(source);
        let begun = Instant::now();
        let _ = document.select(&Selector::parse(selector).unwrap());
        assert!(begun.elapsed() < Duration::from_secs(60), "{selector}: {:?}", begun.elapsed());
    }
}

#[test]
fn selectors_are_shared_between_threads() {
    fn check<T: Send + Sync + fmt::Debug>() {}
    check::<Selector>();
}

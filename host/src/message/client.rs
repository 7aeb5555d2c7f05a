//! Which mail client a message looks like: a table of marks.

use super::{ClientGuess, HeaderField};
use regex::{Regex, RegexBuilder};
use std::sync::LazyLock;

/// How much of the HTML is looked at, in bytes. Marks of the client itself stand at the start; further down are those
/// of quoted messages.
const HTML_BYTES_MAX: usize = 16 * 1024;

/// Where a mark is looked for.
#[derive(Debug, Clone, Copy)]
enum Place {
    Header(&'static str),
    Html,
}

/// A mark: the client, where to look, the pattern in any case, and the pattern in words.
type Mark = (&'static str, Place, &'static str, &'static str);

const MAILER: Place = Place::Header("X-Mailer");
const AGENT: Place = Place::Header("User-Agent");
const ID: Place = Place::Header("Message-ID");

/// The first mark that is found decides: names come before shapes, and the header before the HTML, which may be quoted.
const MARKS: &[Mark] = &[
    ("outlook-mac", AGENT, r"^Microsoft-MacOutlook", "names Microsoft-MacOutlook"),
    ("outlook-express", MAILER, r"^Microsoft (Outlook Express|Windows (Live )?Mail)", "names Outlook Express"),
    ("outlook", MAILER, r"^Microsoft (Office )?Outlook", "names Microsoft Outlook"),
    ("ios-mail", MAILER, r"^(iPhone|iPad|iPod) Mail", "names iPhone or iPad Mail"),
    ("apple-mail", MAILER, r"^Apple Mail", "names Apple Mail"),
    ("k9", AGENT, r"^K-9 Mail|Thunderbird for Android", "names K-9 Mail"),
    (
        "thunderbird",
        AGENT,
        r"Thunderbird|Betterbird|SeaMonkey|Postbox|Icedove",
        "names Thunderbird or a relative of it",
    ),
    ("yahoo", MAILER, r"YahooMail|YMail|WebService/.*Yahoo", "names Yahoo Mail"),
    ("aol", MAILER, r"\bAOL\b|AolMail", "names AOL"),
    ("notes", MAILER, r"^(Lotus|IBM|HCL) Notes", "names Notes"),
    ("zimbra", MAILER, r"^Zimbra", "names Zimbra"),
    ("zoho", MAILER, r"^Zoho", "names Zoho"),
    ("zoho", AGENT, r"^Zoho", "names Zoho"),
    ("mailru", MAILER, r"Mail\.Ru", "names Mail.Ru"),
    ("yandex", MAILER, r"^Yamail", "names Yandex"),
    ("qq", MAILER, r"^(QQMail|Foxmail)", "names QQ Mail or Foxmail"),
    ("samsung", MAILER, r"Samsung", "names Samsung"),
    ("the-bat", MAILER, r"^The Bat!", "names The Bat!"),
    ("em-client", AGENT, r"^eM_?Client", "names eM Client"),
    ("spark", MAILER, r"^Readdle", "names Spark"),
    ("roundcube", AGENT, r"^Roundcube", "names Roundcube"),
    ("evolution", AGENT, r"^Evolution", "names Evolution"),
    ("evolution", MAILER, r"^(Ximian )?Evolution", "names Evolution"),
    ("kmail", AGENT, r"^KMail", "names KMail"),
    ("mutt", AGENT, r"^(Neo)?Mutt", "names Mutt"),
    ("gnus", AGENT, r"^Gnus", "names Gnus"),
    ("gmail", ID, r"@mail\.gmail\.com>?$", "ends in @mail.gmail.com"),
    ("outlook-mobile", Place::Html, r"ms-outlook-mobile|aka\.ms/(o0ukef|AAb9ysg)", "carries Outlook mobile's marks"),
    ("outlook-web", ID, r"@[a-z0-9.-]+\.(outlook|exchangelabs)\.com>?$", "is of the shape that Exchange gives"),
    ("yahoo", ID, r"@mail\.yahoo\.(com|co\.jp)>?$", "ends in @mail.yahoo.com"),
    ("proton", ID, r"=@(protonmail\.(com|ch)|proton\.me|pm\.me)>?$", "ends in a domain of Proton"),
    ("gmx", ID, r"^<?trinity-[0-9a-f-]+@", "begins with trinity-"),
    ("zimbra", ID, r"\.JavaMail\.zimbra@", "is of the shape that Zimbra gives"),
    ("samsung", ID, r"@email\.android\.com>?$", "ends in @email.android.com"),
    ("notes", ID, r"^<?O[FA][0-9A-F]{8}\.[0-9A-F]{8}-(ON|LN|CN|SN)[0-9A-F]{8}", "is of the shape that Notes gives"),
    ("outlook", ID, r"^<?[0-9a-f]{12}\$[0-9a-f]{8}\$[0-9a-f]{8}\$@", "is of the shape that Outlook gives"),
    ("notes", Place::Header("X-MIMETrack"), r"Serialize by", "is written by Domino"),
    ("apple-mail", Place::Header("Mime-Version"), r"\(Mac OS X Mail", "names Mac OS X Mail"),
    ("ios-mail", Place::Header("Content-Type"), r"boundary=.?Apple-Mail-[0-9A-F]{8}-", "has a boundary as of iOS"),
    ("apple-mail", Place::Header("Content-Type"), r"boundary=.?Apple-Mail", "has a boundary as of Apple Mail"),
    ("gmx", Place::Header("X-UI-Message-Type"), r"", "is given by GMX and web.de"),
    ("zoho", Place::Header("X-ZohoMailClient"), r"", "is given by Zoho"),
    ("proton", Place::Html, r"protonmail_(quote|signature)", "carries Proton's classes"),
    ("yahoo", Place::Html, r"ydp[0-9a-f]+yahoo|yahoo-style-wrap", "carries Yahoo's classes"),
    ("outlook-web", Place::Html, r#"id="?(appendonsend|divRplyFwdMsg)"#, "carries the ids of Outlook on the web"),
    ("outlook", Place::Html, r#"Microsoft Word \d+|class="?MsoNormal"#, "is made by Word"),
    ("windows-mail", Place::Html, r#"generator"? content="?Windows Mail"#, "names Windows Mail"),
    ("samsung", Place::Html, r#"id="?composer_signature"#, "carries Samsung's signature"),
    ("zoho", Place::Html, r"zmail_extra", "carries Zoho's classes"),
    ("zimbra", Place::Html, r#"data-marker="?__"#, "carries Zimbra's markers"),
    ("thunderbird", Place::Html, r"moz-(cite-prefix|signature|forward-container)", "carries Mozilla's classes"),
    ("apple-mail", Place::Html, r"-webkit-line-break: ?after-white-space|Apple-interchange", "carries Apple's styles"),
    ("gmx", Place::Html, r#"div name="?quote"#, "carries the names of GMX"),
    ("gmail", Place::Html, r"gmail_(quote|default|attr)", "carries Gmail's classes"),
];

static PATTERNS: LazyLock<Vec<(&'static Mark, Regex)>> = LazyLock::new(|| {
    let compiled = |mark: &'static Mark| {
        RegexBuilder::new(mark.2).case_insensitive(true).build().ok().map(|pattern| (mark, pattern))
    };
    MARKS.iter().filter_map(compiled).collect()
});

/// The clients that can be told apart, by name.
pub(crate) fn client_names() -> Vec<&'static str> {
    let mut names: Vec<_> = MARKS.iter().map(|(name, ..)| *name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The client that the message looks like, by its header and the start of its HTML.
pub(super) fn guess(headers: &[HeaderField], html: &str) -> ClientGuess {
    let html = html.get(..html.floor_char_boundary(HTML_BYTES_MAX)).unwrap_or_default();
    let found = PATTERNS.iter().find(|((_, place, _, _), pattern)| match place {
        Place::Header(name) => {
            let mut fields = headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
            fields.any(|field| pattern.is_match(field.value.trim()))
        }
        Place::Html => pattern.is_match(html),
    });
    found.map_or_else(ClientGuess::default, |((name, place, _, words), _)| {
        let subject = match place {
            Place::Header(header) => header,
            Place::Html => "the HTML",
        };
        ClientGuess { name: (*name).to_owned(), evidence: format!("{subject} {words}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, html: &str, expect: &str, evidence: &str) {
        let headers: Vec<HeaderField> = header
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| HeaderField { name: name.into(), value: value.into() })
            .collect();
        let guess = guess(&headers, html);
        assert_eq!((guess.name.as_str(), guess.evidence.as_str()), (expect, evidence), "{header} {html}");
    }

    #[test]
    fn every_mark_compiles() {
        assert_eq!(PATTERNS.len(), MARKS.len());
    }

    #[test]
    fn marks_give_clients_away() {
        check("", "", "", "");
        check("Message-ID: <CAxyz+1=a@mail.gmail.com>", "", "gmail", "Message-ID ends in @mail.gmail.com");
        check("X-Mailer: Microsoft Outlook 16.0", "", "outlook", "X-Mailer names Microsoft Outlook");
        check("x-mailer: iPhone Mail (20A362)", "", "ios-mail", "X-Mailer names iPhone or iPad Mail");
        check(
            "Message-ID: <AM0PR04MB0001@AM0PR04MB0001.eurprd04.prod.outlook.com>",
            "<div id=ms-outlook-mobile-signature>",
            "outlook-mobile",
            "the HTML carries Outlook mobile's marks",
        );
        check(
            "Message-ID: <AM0PR04MB0001@AM0PR04MB0001.eurprd04.prod.outlook.com>",
            "<p class=MsoNormal>",
            "outlook-web",
            "Message-ID is of the shape that Exchange gives",
        );
        check("User-Agent: Mozilla Thunderbird", "", "thunderbird", "User-Agent names Thunderbird or a relative of it");
        check("", "<p class=MsoNormal>", "outlook", "the HTML is made by Word");
        check(
            "Message-ID: <OF1A2B3C4D.00112233-ON44556677.8899AABB@example.org>",
            "",
            "notes",
            "Message-ID is of the shape that Notes gives",
        );
        check("X-UI-Message-Type: mail", "", "gmx", "X-UI-Message-Type is given by GMX and web.de");
    }
}

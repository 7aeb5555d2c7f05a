//! Whether HTML runs or fetches anything, read by a tokenizer. The fuzz targets look at what they get in the same way.

use html5gum::{Token, Tokenizer};

/// The elements that are never shown.
const ELEMENTS_NEVER: [&str; 24] = [
    "script",
    "style",
    "iframe",
    "object",
    "embed",
    "link",
    "meta",
    "base",
    "form",
    "input",
    "button",
    "textarea",
    "select",
    "svg",
    "math",
    "template",
    "noscript",
    "frame",
    "frameset",
    "applet",
    "video",
    "audio",
    "title",
    "plaintext",
];
const SCHEMES: [&str; 5] = ["http:", "https:", "mailto:", "tel:", "cid:"];

/// Reads what is shown as a browser would, and looks at each element and attribute.
pub(crate) fn assert_harmless(attack: &str, shown: &str) {
    for token in Tokenizer::new(shown) {
        let Ok(Token::StartTag(tag)) = token else { continue };
        let name = String::from_utf8_lossy(&tag.name).to_lowercase();
        assert!(!ELEMENTS_NEVER.contains(&name.as_str()), "<{name}> is left of {attack}\n{shown}");
        for (attribute, value) in &tag.attributes {
            let attribute = String::from_utf8_lossy(attribute).to_lowercase();
            let value = String::from_utf8_lossy(value).to_lowercase();
            let told = format!("{attribute}={value:?} of <{name}> is left of {attack}\n{shown}");
            let never = [
                "style",
                "srcset",
                "background",
                "ping",
                "action",
                "formaction",
                "srcdoc",
                "target",
                "cite",
                "longdesc",
            ];
            assert!(!attribute.starts_with("on") && !never.contains(&attribute.as_str()), "{told}");
            if ["href", "src"].contains(&attribute.as_str()) {
                // What browsers leave out of an address (URL standard section 4.4).
                let url = value.trim_matches(|letter| letter <= ' ').replace(['\t', '\n', '\r'], "");
                assert!(SCHEMES.iter().any(|scheme| url.starts_with(scheme)), "{told}");
                assert!(name == "a" || url.starts_with("cid:"), "a remote content: {told}");
            }
            if name == "a" && attribute == "rel" {
                assert!(value.contains("noopener") && value.contains("noreferrer"), "{told}");
            }
        }
    }
}

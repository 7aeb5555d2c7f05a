//! The HTML rendering of a document. (In the making.)

use super::{Html, View};

pub(super) fn html(_html: Option<&Html>, view: &View) -> String {
    view.text().to_owned()
}

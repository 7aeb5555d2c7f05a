//! What browsers load besides pages: it lies in the program.

use super::plain;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// For how long a browser may keep them: they change with the program only.
const KEPT: &str = "public, max-age=300";

/// The file of that name.
pub(super) async fn serve(Path(name): Path<String>) -> Response {
    let (media_type, text) = match name.as_str() {
        "mailmill.css" => ("text/css; charset=utf-8", include_str!("assets/mailmill.css")),
        "mailmill.js" => ("text/javascript; charset=utf-8", include_str!("assets/mailmill.js")),
        "mailmill.svg" => ("image/svg+xml", include_str!("assets/mailmill.svg")),
        _ => return plain(StatusCode::NOT_FOUND, "there is no such file\n".to_owned()),
    };
    ([(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, KEPT)], text).into_response()
}

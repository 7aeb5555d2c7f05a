//! Messages for the tests, written on the spot.

/// A short plain message of `sender`, the `number`-th of its kind, with a Message-ID made of both.
#[must_use]
pub fn request(number: usize, sender: &str) -> String {
    format!(
        "From: Sender {number} <{sender}>\nTo: Service Desk <support@desk.example>\nSubject: Request {number}\n\
         Date: Mon, 12 Jan 2026 09:{:02}:{:02} +0000\nMessage-ID: {}\n{PLAIN}\n\
         This is request {number}.\n",
        number / 60 % 60,
        number % 60,
        message_id(number, sender),
    )
}

/// A reply of `sender` to request `number` that says so in `In-Reply-To` only.
#[must_use]
pub fn reply(number: usize, sender: &str) -> String {
    format!(
        "From: Sender {number} <{sender}>\nTo: Service Desk <support@desk.example>\nSubject: Re: Request {number}\n\
         Date: Mon, 12 Jan 2026 12:00:00 +0000\nMessage-ID: <reply-{number}-{sender}>\nIn-Reply-To: {}\n{PLAIN}\n\
         A reply to request {number}.\n\nOn 12/01/2026 09:00, Sender {number} wrote:\n> This is request {number}.\n",
        message_id(number, sender),
    )
}

/// A reply of `sender` that names the ticket in its subject only, with the tag that is the default.
#[must_use]
pub fn tagged_reply(number: usize, sender: &str, ticket: &str) -> String {
    format!(
        "From: Sender {number} <{sender}>\nTo: Service Desk <support@desk.example>\nSubject: Re: Request MessageID:{ticket}#\n\
         Date: Mon, 12 Jan 2026 13:00:00 +0000\nMessage-ID: <tagged-{number}-{sender}>\n{PLAIN}\n\
         A tagged reply, number {number}.\n",
    )
}

/// The Message-ID of [`request`].
#[must_use]
pub fn message_id(number: usize, sender: &str) -> String {
    format!("<request-{number}-{sender}>")
}

const PLAIN: &str = "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n";

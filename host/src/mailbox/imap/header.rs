//! The header of a message whose body is not wanted.

use super::select::Access;
use super::wire::Event;
use super::{Error, Session};
use crate::mailbox::{HEADER_BYTES_MAX, MessageKey};
use imap_proto::{AttributeValue, MessageSection, Response, SectionPath};
use std::sync::Arc;

impl Session {
    pub(in crate::mailbox) async fn fetch_header(&mut self, key: &MessageKey) -> Result<Option<Arc<[u8]>>, Error> {
        let (at, uid) = self.place(key)?;
        self.enter(at, Access::Read).await?;
        let command = format!("UID FETCH {uid} (UID BODY.PEEK[HEADER]<0.{HEADER_BYTES_MAX}>)");
        self.wire.send("UID FETCH", &command).await?;
        let mut header = None;
        while let Event::Data(part) = self.wire.next(|response| header_of(response, uid)).await? {
            if let Some(text) = part {
                header = Some(Arc::from(&*self.wire.exchange(text).read(0, usize::MAX)?));
            }
        }
        self.same_numbering()?;
        Ok(header)
    }
}

fn header_of(response: &Response<'_>, uid: u32) -> Option<Arc<[u8]>> {
    let Response::Fetch(_, attributes) = response else { return None };
    let is_ours = attributes.iter().any(|attribute| matches!(attribute, AttributeValue::Uid(other) if *other == uid));
    attributes.iter().filter(|_| is_ours).find_map(|attribute| match attribute {
        AttributeValue::BodySection { section: Some(SectionPath::Full(MessageSection::Header)), data, .. } => {
            data.as_deref().map(Arc::from)
        }
        _ => None,
    })
}

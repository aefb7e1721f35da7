//! What the verbs of one commit group share: the connection, and the audit log's newest link, which is read and
//! written once for all of them.

use core::cell::Cell;
use core::ops::Deref;

use rusqlite::Connection;

use crate::store::AuditHead;

/// A commit group under way.
pub(super) struct Group<'a> {
    connection: &'a Connection,
    /// Where this group moved the head to; `None` while no verb has appended to the log.
    head: Cell<Option<AuditHead>>,
}

impl<'a> Group<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self {
            connection,
            head: Cell::new(None),
        }
    }

    /// The head as this group has it, if it moved it.
    pub(super) fn head(&self) -> Option<AuditHead> {
        self.head.get()
    }

    /// The head has moved.
    pub(super) fn moved(&self, head: AuditHead) {
        self.head.set(Some(head));
    }

    /// The head is where it was before a verb that is undone.
    pub(super) fn back_to(&self, head: Option<AuditHead>) {
        self.head.set(head);
    }
}

impl Deref for Group<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

//! The sessions of this hub, and those that ended lately.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::handle::{Kind, Session};
use crate::sync::lock;
use crate::token::ConnectionId;

/// How long a session that ended is remembered, so that who comes late learns that it ended, and does not begin another one.
/// Tokens are good for less than that.
const REMEMBERED: Duration = Duration::from_mins(1);

/// The sessions of this hub.
#[derive(Debug, Default)]
pub struct Sessions {
    by_id: Mutex<HashMap<ConnectionId, SessionSlot>>,
}

#[derive(Debug)]
enum SessionSlot {
    Live(Arc<Session>),
    Ended(Instant),
}

/// What there is under an id.
#[derive(Debug)]
pub enum Found {
    /// A session.
    Live(Arc<Session>),
    /// One that ended lately.
    Ended,
    /// None, as far as is known.
    Nothing,
}

impl Sessions {
    /// What there is under an id.
    pub fn find(&self, id: ConnectionId) -> Found {
        match self.lock().get(&id) {
            Some(SessionSlot::Live(session)) => Found::Live(Arc::clone(session)),
            Some(SessionSlot::Ended(_)) => Found::Ended,
            None => Found::Nothing,
        }
    }

    /// Notes a session that begins.
    pub(crate) fn insert(&self, id: ConnectionId, session: Arc<Session>) {
        self.lock().insert(id, SessionSlot::Live(session));
    }

    /// Notes that a session has ended.
    pub(crate) fn ended(&self, id: ConnectionId) {
        self.lock().insert(id, SessionSlot::Ended(Instant::now()));
    }

    /// Those that could go on at another hub: their clients come back by themselves, and have shaken hands.
    pub fn movable(&self) -> Vec<Arc<Session>> {
        let live = |entry: &SessionSlot| match entry {
            SessionSlot::Live(session) if session.kind == Kind::Stateful => Some(Arc::clone(session)),
            _ => None,
        };
        let sessions = self.lock().values().filter_map(live).collect::<Vec<_>>();
        sessions.into_iter().filter(|session| session.outbox.activity.is_handshaken()).collect()
    }

    /// Forgets those that ended long ago.
    pub fn sweep(&self) {
        self.lock().retain(|_, entry| !matches!(entry, SessionSlot::Ended(at) if at.elapsed() > REMEMBERED));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, SessionSlot>> {
        lock(&self.by_id)
    }
}

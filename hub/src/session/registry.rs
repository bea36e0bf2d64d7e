//! Registry of this hub's sessions, and of sessions that ended lately.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::handle::{Kind, Session};
use crate::sync::lock;
use crate::token::ConnectionId;

/// The time for which an ended session is remembered, so that a late request learns that it ended, and does
/// not begin another one. Tokens can begin a connection for less than that.
const REMEMBERED: Duration = Duration::from_mins(1);

/// Registry of this hub's sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    by_id: Mutex<HashMap<ConnectionId, SessionSlot>>,
}

#[derive(Debug)]
enum SessionSlot {
    Live(Arc<Session>),
    Ended(Instant),
}

/// The result of looking for a session by its id.
#[derive(Debug)]
pub enum Found {
    /// The session exists.
    Live(Arc<Session>),
    /// The session ended lately.
    Ended,
    /// No session with this id is known.
    Nothing,
}

impl Sessions {
    /// Finds a session by its id.
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
    pub(crate) fn ended(&self, id: ConnectionId, session: &Arc<Session>) {
        let mut by_id = self.lock();
        if matches!(by_id.get(&id), Some(SessionSlot::Live(live)) if Arc::ptr_eq(live, session)) {
            by_id.insert(id, SessionSlot::Ended(Instant::now()));
        }
    }

    /// The sessions that could continue on another hub: their clients reconnect by themselves, and have
    /// completed their handshake.
    pub fn movable(&self) -> Vec<Arc<Session>> {
        let live = |slot: &SessionSlot| match slot {
            SessionSlot::Live(session) if session.kind == Kind::Stateful => Some(Arc::clone(session)),
            _ => None,
        };
        let sessions = self.lock().values().filter_map(live).collect::<Vec<_>>();
        sessions.into_iter().filter(|session| session.outbox.activity.is_handshaken()).collect()
    }

    /// Forgets the sessions that ended long ago.
    pub fn sweep(&self) {
        self.lock().retain(|_, slot| !matches!(slot, SessionSlot::Ended(at) if at.elapsed() > REMEMBERED));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, SessionSlot>> {
        lock(&self.by_id)
    }
}

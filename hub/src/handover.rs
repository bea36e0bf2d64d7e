//! A connection with stateful reconnect goes on at another hub: when its own one ends, or can no longer be reached.
//!
//! Its WebSocket is cut without a word of SignalR, so the client opens another one at once, as it does when the network fails. The
//! hub where that comes in claims the connection on the backplane, and whichever has it gives it away: rooms with the last message
//! of each, groups, what is not confirmed. What was said in the rooms between the two is in their histories.

use std::sync::Arc;

use crate::backplane::{Backplane, Topic};
use crate::hub::{Admission, Hub};
use crate::protocol::word::{Claim, Fate, Reply};
use crate::session::{Found, Session, Sessions};
use crate::token::ConnectionId;

/// Whether connections can move at all.
pub fn is_possible(hub: &Hub) -> bool {
    matches!(hub.backplane, Backplane::Redis(_))
}

/// Whether there is another hub that could go on with this one's connections.
pub fn has_peers(hub: &Hub) -> bool {
    is_possible(hub) && hub.canary.instances().len() > 1
}

/// Gives a connection away, if it is here.
pub(crate) async fn give(hub: Arc<Hub>, id: ConnectionId, question: String) {
    let Found::Live(session) = hub.sessions.find(id) else { return };
    let Some((instance, _)) = question.split_once('-') else { return };
    if session.stateful.is_none() || !session.outbox.pulse.is_shaken() {
        return;
    }
    let reply = async |fate| {
        let reply = Reply { of: question.as_str().into(), by: None, fate }.json();
        hub.backplane.publish_and_wait(Topic::Hub(instance.into()), reply).await
    };
    if reply(Fate::Asked).await.is_err() {
        return;
    }
    if let Some(moving) = session.depart().await {
        match reply(Fate::Moved(Box::new(moving))).await {
            Ok(()) => hub.metrics.moved_away.add(1),
            Err(error) => tracing::warn!(%error, "a connection was lost on its way to another hub"),
        }
    }
}

/// Goes on with a connection of another hub; `None`: no hub has it.
pub(crate) async fn take(hub: &Arc<Hub>, admission: Admission) -> Option<Arc<Session>> {
    if !is_possible(hub) {
        return None;
    }
    let question = hub.questions.ask(admission.key).ok()?;
    let (claim, id) = (admission.id.to_string().into(), question.id());
    hub.backplane.publish_and_wait(Topic::All, Claim { claim, question: id.into() }.json()).await.ok()?;
    let moving = question.moved().await?;
    if moving.user.as_deref() != admission.identity.user.as_deref() {
        // Its token is another user's.
        return None;
    }
    hub.metrics.moved_here.add(1);
    Sessions::take_over(hub, admission, moving).await
}

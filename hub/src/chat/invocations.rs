//! Invocations of clients outside of rooms: of all clients, a group, a user, or one connection. None of them
//! is stored.

use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};

use super::client::Client;
use crate::backplane::{Backplane, Receipt};
use crate::clock;
use crate::protocol::methods::{CallError, ClientCall, Recipients, short};
use crate::protocol::names::GroupName;
use crate::protocol::notices::DirectMessage;
use crate::protocol::peer_messages::PeerInvocation;
use crate::topics::Topic;

impl Client {
    /// Adds the client to a group, whose invocations it receives from now on.
    ///
    /// # Errors
    /// [`CallError::TooManyRooms`].
    pub async fn add_to_group(&mut self, group: GroupName) -> Result<(), CallError> {
        let most = self.services.most_rooms;
        if self.rooms.len() + self.groups.len() >= most && !self.groups.contains(&group) {
            return Err(CallError::TooManyRooms(most));
        }
        let topic = Topic::Group(group.clone());
        self.groups.insert(group);
        self.services.audiences.subscribe(&topic, &self.member());
        self.services.backplane.ensure_subscribed(topic).await;
        Ok(())
    }

    /// Removes the client from a group.
    pub fn remove_from_group(&mut self, group: &GroupName) {
        if self.groups.remove(group) {
            self.services.audiences.unsubscribe(&Topic::Group(group.clone()), self.connection.key);
        }
    }

    /// Invokes a method of all recipients, with `to_others` except this client. The receipt is called with
    /// the outcome; the future itself waits only while too many messages are on their way.
    pub async fn call(
        &self,
        recipients: Recipients,
        call: &ClientCall,
        to_others: bool,
        receipt: impl FnOnce(Result<(), CallError>) + Send + 'static,
    ) {
        let excluded = to_others.then(|| self.connection_ref().to_string().into());
        let connection = if let Recipients::Connection(id) = &recipients { Some(id.into()) } else { None };
        let invocation = PeerInvocation {
            excluded,
            connection,
            target: (&*call.target).into(),
            arguments: &call.arguments,
            invocation_id: None,
        }
        .json();
        if let Recipients::Connection(_) = &recipients
            && self.services.audiences.deliver_to_connection(&invocation)
        {
            return receipt(Ok(()));
        }
        let topic = match recipients {
            Recipients::All | Recipients::Connection(_) => Topic::All,
            Recipients::Group(group) => Topic::Group(group),
            Recipients::User(user) => Topic::User(user.into()),
        };
        self.publish(topic, invocation, receipt).await;
    }

    /// Invokes a method of one client, on whichever hub it is, and waits for its result as JSON.
    ///
    /// # Errors
    /// The error of the client, or the reason why there is no result.
    pub fn invoke(
        &self,
        connection: String,
        call: ClientCall,
    ) -> impl Future<Output = Result<Box<RawValue>, CallError>> + Send + use<> {
        let (services, key) = (Arc::clone(&self.services), self.connection.key);
        async move {
            let pending = services.client_results.register(key)?;
            let (to, id) = (Some((&*connection).into()), pending.id());
            let (target, arguments) = ((&*call.target).into(), &*call.arguments);
            let invocation = PeerInvocation {
                excluded: None,
                connection: to,
                invocation_id: Some(id.into()),
                target,
                arguments,
            }
            .json();
            if !services.audiences.deliver_to_connection(&invocation) {
                if let Backplane::Memory(_) = *services.backplane {
                    return Err(CallError::NoConnection(short(&connection)));
                }
                services.backplane.publish_and_wait(Topic::All, invocation).await?;
            }
            pending.result(&connection).await
        }
    }

    /// Sends a text to every connection of a user.
    pub async fn tell(
        &self,
        user: String,
        text: &str,
        receipt: impl FnOnce(Result<(), CallError>) + Send + 'static,
    ) {
        let identity = &self.connection.identity;
        let from = identity.name.as_deref().or(identity.user.as_deref()).unwrap_or("guest");
        let message = DirectMessage { from, user: identity.user.as_deref(), text, at: clock::now_millis() };
        let arguments: Result<Box<RawValue>, _> = to_raw_value(&[message]);
        let Ok(arguments) = arguments else { return };
        let invocation = PeerInvocation {
            excluded: None,
            connection: None,
            invocation_id: None,
            target: "told".into(),
            arguments: &arguments,
        }
        .json();
        self.publish(Topic::User(user.into()), invocation, receipt).await;
    }

    async fn publish(
        &self,
        topic: Topic,
        invocation: String,
        receipt: impl FnOnce(Result<(), CallError>) + Send + 'static,
    ) {
        let receipt = Receipt::new(|outcome: Result<(), _>| receipt(outcome.map_err(CallError::NotSent)));
        self.services.backplane.publish(topic, invocation, receipt).await;
    }
}
